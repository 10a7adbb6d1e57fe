"""`Split`: a domain in which two materials meet, at the boundary of a shape within it.

A network gets one more input, with a kink there. The other way, an output for each material, joined by conditions, was
tried on `fibre`: after 80 steps its errors were 0.05 to 0.26 (three seeds), and 8e-8 to 5e-7 with the kink.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import final

import torch
from torch import Tensor

from pinnreg.domain.corner import Corner
from pinnreg.domain.domain import Domain
from pinnreg.domain.naming import piece_name
from pinnreg.domain.parts import on_parts
from pinnreg.domain.quadric import Quadric
from pinnreg.domain.remains import FEWEST, SIDES_AT
from pinnreg.domain.samplers import unit_points
from pinnreg.domain.shape import NEXT_TO, Curved, Shape
from pinnreg.domain.sides import Face, Piece, Placed, PlacedOn, Side, flat
from pinnreg.errors import InputError
from pinnreg.randomness import generator

BENDS_AT = 64
"""Points beside an interface at which second derivatives are compared with differences."""
SATURATED = 0.5
"""The share of the largest distance to an interface from which on its kink is constant."""


@final
class Split(Curved):
    """A domain with an interface, where a shape's boundary lies inside: `Split(Box(...), Ball(...), name="fibre")`.

    Conditions hold `on` it by its name, with normals that point out of the shape. It is no part of the boundary.

    Args:
        base: the domain, also one that is split already.
        inner: the shape; what of its boundary does not lie inside of the domain is no part of the interface.
        name: of the interface.

    Raises:
        InputError: other axes, a time in either, a name that is taken, an axis or contains "=", or a shape whose
            boundary is not inside.
    """

    def __init__(self, base: Domain, inner: object, name: str = "interface") -> None:
        if not isinstance(inner, Shape):
            raise InputError(f"Split({base!r}, ...): expected a shape, got {inner!r}")
        if base.axes != inner.axes:
            raise InputError(f"Split({base!r}, ...): axes {', '.join(base.axes)} and {', '.join(inner.axes)}")
        if "t" in base.axes:
            raise InputError(f"Split({base!r}, ...): split it in space, and then .over(t=...)")
        piece_name("Split", name, base.axes)
        if name in map(str, (*base.faces(None), *base.interfaces)):
            raise InputError(f"Split({base!r}, ...): there is a side {name!r} already; give another name=")
        self.base, self.inner, self._piece = base, inner, Piece(name)
        if not self._parts:
            raise InputError(f"Split({base!r}, ...): nothing of the boundary of {inner!r} lies inside")
        if self._bends_wrong():
            raise InputError(f"Split({base!r}, ...): second derivatives beside the boundary of {inner!r} are not known")

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        return self.base.bounds

    @property
    def volume(self) -> float:
        return self.base.volume

    @property
    def share(self) -> float:
        return self.base.share

    @property
    def quadric(self) -> Quadric | None:
        return self.base.quadric

    @property
    def pieces(self) -> tuple[Side, ...]:
        return self.base.faces(None)

    @property
    def corners(self) -> tuple[Corner, ...]:
        return self.base.corners

    @property
    def gone(self) -> tuple[str, ...]:
        return self.base.gone

    @property
    def interfaces(self) -> tuple[Piece, ...]:
        return (*self.base.interfaces, self._piece)

    def placed(self, unit: Tensor) -> Placed:
        return self.base.placed(unit)

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        if side != self._piece:
            return self.base.placed_on(side, unit)
        parts = list(self._parts)
        if len(parts) == 1:
            return self._of_part(parts[0], unit)
        if self.dimension == 1:  # ends of an interval, each one point
            each = zip(*(self._of_part(part, unit[:1]) for part in parts), strict=True)
            points, normals, kept = map(torch.cat, each)
            return points[kept], normals[kept], None
        drawn = [self.inner.measure(part) / self.inner.share_of(part) for part in parts]
        points, normals, kept = on_parts(unit, drawn, [partial(self._of_part, part) for part in parts])
        return points, normals, kept

    def measure(self, side: Side) -> float:
        return sum(self._parts.values()) if side == self._piece else self.base.measure(side)

    def contains(self, points: Tensor) -> Tensor:
        return self.base.contains(points)

    def share_of(self, side: Side) -> float:
        if side != self._piece:
            return self.base.share_of(side)
        drawn = (self.inner.measure(part) / self.inner.share_of(part) for part in self._parts)
        return sum(self._parts.values()) / sum(drawn)

    def signed_distance(self, points: Tensor) -> Tensor:
        return self.base.signed_distance(points)

    def level(self, points: Tensor) -> Tensor:
        return self.base.level(points)

    @property
    def effort(self) -> float:
        return self.base.effort

    @property
    def kinks(self) -> tuple[Callable[[Tensor], Tensor], ...]:
        ends = flat(self._parts)
        if self.dimension == 1:  # an interval may have two, each with a kink of its own
            return (*self.base.kinks, *(partial(self._beside, end) for end in ends))
        return (*self.base.kinks, self._kink)

    def _beside(self, face: Face, points: Tensor) -> Tensor:
        """The distance to a flat side, (n,)."""
        place = self.inner.bounds[face.axis][0 if face.side == "min" else 1]
        return (points[:, self.axes.index(face.axis)] - place).abs()

    def _kink(self, points: Tensor) -> Tensor:
        """A function with a kink at the interface and smooth elsewhere, (n,).

        |x - a| of a flat one, |level - 1| of a circle or an ellipse; else the shape's own level, which far away, where
        that has kinks of its own, is made constant.
        """
        if len(self._parts) == 1 and (faces := flat(self._parts)):
            return self._beside(faces[0], points)
        if (quadric := self.inner.quadric) is not None and not quadric.lowest:
            return (quadric.level(points) - 1).abs()
        share = (self.inner.level(points).abs() / self._reach).clamp(max=1)
        return self._reach * (share - 2 / 3 * share**3 + share**5 / 5)

    def _bends_wrong(self) -> bool:
        """Whether automatic second derivatives of the kink are not those by differences, as of nearest points."""
        points, normals, kept = self.placed_on(self._piece, unit_points("sobol", BENDS_AT, self.dimension - 1, 0))
        if kept is not None:
            points, normals = points[kept], normals[kept]
        points = points + 0.2 * self._reach * normals
        across = torch.randn(points.shape, generator=generator(0, "bends"), dtype=points.dtype)
        across = across / torch.linalg.vector_norm(across, dim=1, keepdim=True)

        def slope(at: Tensor) -> Tensor:
            (slopes,) = torch.autograd.grad(self._kink(at).sum(), at, create_graph=True)
            along: Tensor = (slopes * across).sum(dim=1)
            return along

        # in reverse mode, which sees less than forward mode where a nearest point is looked for
        with torch.enable_grad():
            step = 1e-4 * self._reach * across
            here, *beside = (each.requires_grad_() for each in (points, points + step, points - step))
            along = slope(here)
            known = torch.zeros_like(along)
            if along.requires_grad:  # that of a flat side is constant
                (bends,) = torch.autograd.grad(along.sum(), here, materialize_grads=True)
                known = (bends * across).sum(dim=1)
            one, other = (slope(each).detach() for each in beside)
        differences = (one - other) / (2e-4 * self._reach)
        # near an edge a few may lie on a ridge
        off = (known - differences).abs().median()
        return bool(off > 1e-2 * (known.abs().median() + 1 / self._reach))

    @cached_property
    def _reach(self) -> float:
        return SATURATED * float(self.inner.signed_distance(self.inner.sample(1024)).abs().max())

    @cached_property
    def _parts(self) -> dict[Side, float]:
        """The sides of the shape of which something lies inside, with its measure."""
        found: dict[Side, float] = {}
        effort = max(self.base.effort, self.inner.effort)
        unit = unit_points("grid", max(round(SIDES_AT / effort), FEWEST**2), self.dimension - 1, 0)
        for side in self.inner.faces(None):
            kept = self._of_part(side, unit)[2]
            if bool(kept.any()):
                share = float(kept.double().mean()) / self.inner.share_of(side)
                found[side] = self.inner.measure(side) * share
        return found

    def _of_part(self, part: Side, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points, normals, kept = self.inner.placed_on(part, unit)
        size = max(upper - lower for lower, upper in self.bounds.values())
        inside = self.base.level(points) < -NEXT_TO * size
        return points, normals, inside if kept is None else inside & kept

    def __repr__(self) -> str:
        return f"Split({self.base!r}, {self.inner!r}, name={str(self._piece)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Split) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.base, self.inner, self._piece
