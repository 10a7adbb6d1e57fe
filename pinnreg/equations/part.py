"""`Part`: where a condition holds, on faces, at fixed coordinates or inside of a domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.domain import Box, Domain, Piece, Sampler, Side, sample_side, shares_of, thinned, unit_points
from pinnreg.equations.call import call, coordinates
from pinnreg.equations.points import Points
from pinnreg.errors import InputError, unknown, user_code
from pinnreg.randomness import derive

On = str | Sequence[str] | None
Where = Callable[..., Any]

FEWEST = 2.0**-10
"""The share of the faces below which a part of them is not found."""


@final
@dataclass(frozen=True)
class Part:
    """A part of a domain.

    Attributes:
        on: the faces; None for every face of space.
        at: coordinates that are fixed, in the place of faces.
        where: says of points whether they belong to it.
        inside: the whole inside, in the place of faces.
        over: axes that are integrated over: points lie in their middle.
    """

    on: On = None
    at: tuple[tuple[str, float], ...] = ()
    where: Where | None = None
    inside: bool = False
    over: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is faces and all of them."""
        return not (self.at or self.inside or self.over or self.where)

    def faces(self, domain: Domain) -> tuple[Side, ...]:
        """The faces that it lies on."""
        return () if self.at or self.inside else domain.faces(self.on)

    def check(self, domain: Domain, name: str) -> None:
        """Refuse what a domain does not have."""
        title = f"condition {name!r}"
        for axis in (*self.over, *(axis for axis, _ in self.at)):
            if axis not in domain.axes:
                raise unknown(f"axis of {title}:", axis, domain.axes)
        for axis, value in self.at:
            lower, upper = domain.bounds[axis]
            if not lower <= value <= upper:
                raise InputError(f"{title}: {axis} = {value:g} lies outside of {domain!r}")
        fixed = {face.axis for face in self.faces(domain)} | {axis for axis, _ in self.at}
        if twice := sorted(fixed & set(self.over)):
            raise InputError(f"{title}: an integral over {twice[0]!r}, which is fixed there")
        if not isinstance(domain, Box):
            self._check_shape(domain, title)
        if self.where is not None:
            self._sampled(domain, 1, "uniform", 0, title)

    def _check_shape(self, domain: Domain, title: str) -> None:
        if self.over:
            raise InputError(
                f"{title}: integrals need a Box, got {domain!r}; a norm may be a value at a point, as in "
                "dirichlet(1.0, at={...})"
            )
        if not self.at:
            return
        if free := set(domain.space_axes) - {axis for axis, _ in self.at}:
            raise InputError(
                f"{title}: lines and planes through {domain!r} are not known; fix {', '.join(sorted(free))} too"
            )
        # one point in space, at its only or its middle time
        if not bool(domain.contains(self._drawn(Box(**domain.bounds), None, 1, "grid", 0)[0]).all()):
            raise InputError(f"{title}: {self.said(domain)[3:]} lies outside of {domain!r}")

    def sample(self, domain: Domain, count: int, sampler: Sampler, seed: int, name: str) -> Points:
        """About `count` points, spread evenly over the faces if it is on several; over a shape's by their measures."""
        return self._sampled(domain, count, sampler, seed, f"condition {name!r}")

    def _sampled(self, domain: Domain, count: int, sampler: Sampler, seed: int, title: str) -> Points:
        sides = self.faces(domain)
        if not sides:
            x, _ = self._kept(domain, None, count, sampler, derive(seed, "inside"), title)
            if not len(x):
                raise InputError(f"{title}: no point of {domain!r} was found `where` it is to hold")
            return Points(x)
        measures = [domain.measure(side) for side in sides]
        sizes = _even(count, len(sides)) if isinstance(domain, Box) else shares_of(count, measures)
        parts = [
            self._kept(domain, side, max(size, 1), sampler, derive(seed, str(side)), title)
            for side, size in zip(sides, sizes, strict=True)
        ]
        x, normals = torch.cat([each for each, _ in parts]), torch.cat([each for _, each in parts])
        if not len(x):
            raise InputError(f"{title}: no point of {', '.join(map(str, sides))} was found `where` it is to hold")
        curved = any(isinstance(side, Piece) for side in sides)
        along = set(domain.space_axes) if curved else set[str]()
        across = tuple(
            number for number, axis in enumerate(domain.axes) if axis in along | {side.axis for side in sides}
        )
        extent = max((domain.bounds[axis][1] - domain.bounds[axis][0] for axis in domain.space_axes), default=1.0)
        return Points(x, normals, across=across, curved=curved, extent=extent)

    def _kept(
        self, domain: Domain, side: Side | None, count: int, sampler: Sampler, seed: int, title: str
    ) -> tuple[Tensor, Tensor]:
        """Points of one side, or inside, with normals, of which those are kept that belong to the part."""
        if self.where is None:
            return self._drawn(domain, side, count, sampler, seed)
        share = 1.0
        while True:
            x, normals = self._drawn(domain, side, math.ceil(count / share), sampler, seed)
            belongs = self._belongs(x, domain.axes, title)
            found, theirs = x[belongs], normals[belongs]
            if len(found) >= count or len(x) < count / share or share < FEWEST:
                break
            share /= 2
        found, theirs = thinned((found, theirs), count, sampler)
        return found, theirs

    def _drawn(
        self, domain: Domain, side: Side | None, count: int, sampler: Sampler, seed: int
    ) -> tuple[Tensor, Tensor]:
        """Points of one side, or inside, and their normals, which are zero inside."""
        if self.at and not isinstance(domain, Box):
            domain = Box(**domain.bounds)  # of a point in space only time is left
        if not (self.at or self.over):
            if side is not None:
                return sample_side(domain, side, count, sampler, seed)
            x = domain.sample(count, sampler, seed)
            return x, torch.zeros_like(x)
        fixed = dict(self.at)
        # those of the side are put in by the domain
        axes = [axis for axis in domain.axes if side is None or axis != side.axis]
        free = [number for number, axis in enumerate(axes) if axis not in fixed and axis not in self.over]
        drawn = unit_points(sampler, count, len(free), seed)
        unit = drawn.new_full((len(drawn), len(axes)), 0.5)
        unit[:, free] = drawn
        if side is not None:
            x, normals, _ = domain.placed_on(side, unit)
        else:
            x = domain.interior(unit)
            normals = torch.zeros_like(x)
        for axis, value in fixed.items():
            x[:, domain.axes.index(axis)] = value
        return x, normals

    def _belongs(self, x: Tensor, axes: Sequence[str], title: str) -> Tensor:
        assert self.where is not None
        title = f"`where` of {title}"
        with user_code(title):
            found = call(self.where, coordinates(axes, x), title)
        if not isinstance(found, Tensor) or found.dtype != torch.bool or found.shape != (len(x),):
            got = f"{tuple(found.shape)} of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
            raise InputError(f"{title} must give a boolean tensor (n,), as in lambda x, y: y < 0.5; got {got}")
        return found

    def said(self, domain: Domain) -> str:
        """Where it is, in words."""
        some = "" if self.where is None else "a part of "
        if self.at:
            return f"at {some}{', '.join(f'{axis} = {value:g}' for axis, value in self.at)}"
        return f"on {some}{', '.join(map(str, self.faces(domain)))}" if not self.inside else f"in {some}the domain"


def _even(count: int, parts: int) -> list[int]:
    return [count // parts + (number < count % parts) for number in range(parts)]


def part_of(
    kind: str,
    on: On,
    at: Mapping[str, float] | None = None,
    where: Where | None = None,
    *,
    inside: bool = False,
    over: tuple[str, ...] = (),
) -> Part:
    """A part as a condition's arguments say it; `inside` if neither faces nor coordinates are given.

    Raises:
        InputError: faces and coordinates, coordinates that are no numbers, or something that is no function.
    """
    if at is not None and on is not None:
        raise InputError(f"{kind}: `on` names faces and `at` points; give one of them")
    if at is not None and (not isinstance(at, Mapping) or not at):
        raise InputError(f"{kind}: `at` fixes coordinates, as in at={{'x': 0.0}}, got {at!r}")
    for axis, value in (at or {}).items():
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise InputError(f"{kind}: `at` fixes coordinates by numbers, got {axis}: {value!r}")
    if where is not None and not callable(where):
        raise InputError(f"{kind}: `where` is a function of coordinates, as in lambda x, y: y < 0.5; got {where!r}")
    fixed = tuple((axis, float(value)) for axis, value in (at or {}).items())
    return Part(on, fixed, where, inside and on is None and not fixed, over)
