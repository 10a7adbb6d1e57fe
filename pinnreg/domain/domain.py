"""`Domain`: a set of points with named axes, whose boundary has named parts. The axis named `t` is time, the last one.

The unit cube is mapped into a domain so that uniform points of the one are uniform in the other; a quasi-random
sequence stays one by that. Where no such map is at hand, as for set operations, some points of a larger set are not
kept: `share` says how many are. Boundaries are mapped in the same way, each part by itself.
"""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.domain.corner import Corner
from pinnreg.domain.distances import beyond, distance_of_product
from pinnreg.domain.given import KEPT, check_drawing, points_of
from pinnreg.domain.quadric import Quadric
from pinnreg.domain.samplers import thinned, unit_points
from pinnreg.domain.settings import Sampler
from pinnreg.domain.sides import Face, Piece, Placed, PlacedOn, Side, faces
from pinnreg.randomness import derive, generator

SPARE = 1.05
"""By so much more points are drawn than are expected to be needed."""
ROUNDED = 16
"""Units in the last place of the largest coordinate, by which a point on a boundary may miss it."""
MOST_DRAWN = 2**12
"""For each point that is asked for, until a set is taken to be next to empty."""

Drawn = tuple[tuple[Tensor, ...], int]
"""What was kept of points, and how many were not."""


def _of_any_points(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A method of points, (n, d), that also takes them as arrays and lists and refuses other shapes."""

    @functools.wraps(method)
    def checked(domain: Domain, points: Any, *others: Any, **named: Any) -> Tensor:
        # first what costs next to nothing: it is called at each step of a training
        as_it_is = isinstance(points, Tensor) and points.dtype in KEPT and points.ndim == 2
        if not as_it_is or points.shape[1] != len(domain.bounds):
            points = points_of(f"{domain!r}.{method.__name__}", domain.axes, points)
        return method(domain, points, *others, **named)

    return checked


class Domain(ABC):
    """A set of points with named axes.

    Subclasses say how the unit cube maps onto it and onto the sides of its boundary. Where they say no more, sides,
    measures, distances and what lies inside are those of the box around it, all points are kept, each side is one edge,
    there is no quadric, interface or corner, sides keep their names, and time is not shortened.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Check what each class's own methods are given, so that none has to do so itself."""
        super().__init_subclass__(**keywords)
        for name in ("contains", "signed_distance"):
            if name in vars(cls):
                setattr(cls, name, _of_any_points(vars(cls)[name]))

    @property
    @abstractmethod
    def bounds(self) -> dict[str, tuple[float, float]]:
        """A box around the domain, the smallest one but for set operations: (lower, upper) by axis, in order."""

    @property
    @abstractmethod
    def volume(self) -> float:
        """The measure of the domain, time included."""

    @abstractmethod
    def interior(self, unit: Tensor) -> Tensor:
        """Points in the domain, (n, d), uniform if `unit`, (n, d), is uniform on the unit cube; fewer by `share`."""

    @abstractmethod
    def on_face(self, face: Face, unit: Tensor) -> Tensor:
        """Points on a flat face, (n, d), uniform if `unit`, (n, d - 1), is uniform on the unit cube."""

    @property
    def effort(self) -> float:
        """How much more than for a ball it takes to say whether a point is inside."""
        return 1.0

    @property
    def share(self) -> float:
        """How many of the points `interior` keeps, about."""
        return 1.0

    @property
    def quadric(self) -> Quadric | None:
        """The sides of space that are levels of a quadratic form; None if there are none."""
        return None

    @property
    def joined(self) -> str | None:
        """The name that all of its sides have together in set operations; None where each keeps its own."""
        return None

    @property
    def gone(self) -> tuple[str, ...]:
        """The names of parts that set operations cut away wholly."""
        return ()

    @property
    def interfaces(self) -> tuple[Piece, ...]:
        """Where materials meet inside of it: sides that are no part of its boundary."""
        return ()

    @property
    def kinks(self) -> tuple[Callable[[Tensor], Tensor], ...]:
        """For each interface a function of points, (n,), with a kink there."""
        return ()

    @property
    def corners(self) -> tuple[Corner, ...]:
        """Where two straight sides meet, as far as that is known."""
        return ()

    def placed(self, unit: Tensor) -> Placed:
        """The points of `interior`, with those that are not kept."""
        return self.interior(unit), None

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        """Points on one side, (n, d), from (n, d - 1) of the unit cube, their normals, and which are kept."""
        assert isinstance(side, Face)  # those of a box
        points = self.on_face(side, unit)
        normals = torch.zeros_like(points)
        normals[:, self.axes.index(side.axis)] = side.outward
        return points, normals, None

    def share_of(self, side: Side) -> float:
        """How many of the points `placed_on` keeps, about."""
        return 1.0

    def breaks(self, side: Side) -> list[float]:
        """Where `placed_on` goes on to another edge of a side that is a curve, within (0, 1)."""
        return []

    def measure(self, side: Side) -> float:
        """The length or area of one side, times the length of time."""
        return math.prod(upper - lower for axis, (lower, upper) in self.bounds.items() if axis != side.axis)

    @_of_any_points
    def contains(self, points: Tensor) -> Tensor:
        """Whether points (n, d), also as an array or lists, lie in the domain or on its boundary, (n,)."""
        inside = torch.ones(len(points), dtype=torch.bool, device=points.device)
        for number, (lower, upper) in enumerate(self.bounds.values()):
            inside &= (points[:, number] >= lower) & (points[:, number] <= upper)
        return inside

    @_of_any_points
    def signed_distance(self, points: Tensor) -> Tensor:
        """The distance of points (n, d), also as an array or lists, to the boundary in space, (n,), negative inside.

        Time does not count.
        """
        columns = enumerate(self.bounds.items())
        return distance_of_product([beyond(points[:, number], ends) for number, (axis, ends) in columns if axis != "t"])

    def level(self, points: Tensor) -> Tensor:
        """Negative inside, 0 on the boundary, positive outside in space, (n,): a signed distance that costs less."""
        return self.signed_distance(points)

    def rounding(self, points: Tensor) -> float:
        """How far from a boundary points on it may lie by rounding, in the precision of `points`."""
        reach = max(max(abs(lower), abs(upper)) for axis, (lower, upper) in self.bounds.items() if axis != "t")
        return ROUNDED * torch.finfo(points.dtype).eps * reach

    def until(self, share: float) -> Domain:
        """The part of the domain in the first share of its time; the whole where it has none, or does not say."""
        return self

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes, time last."""
        return tuple(self.bounds)

    @property
    def dimension(self) -> int:
        """The number of axes, time included."""
        return len(self.bounds)

    @property
    def space_axes(self) -> tuple[str, ...]:
        """The names of the axes other than time."""
        return tuple(axis for axis in self.axes if axis != "t")

    def faces(self, on: str | Sequence[str] | None) -> tuple[Side, ...]:
        """The sides that `on` names: of a box "x" (both), "x=min", "x=max", of a shape the names of its parts, several
        of these, or None for all of space.

        Raises:
            InputError: a name that is no side of this domain, or one given twice.
        """
        return faces(on, self.axes)

    def sample(self, count: int, sampler: Sampler = "sobol", seed: int = 0) -> Tensor:
        """About `count` points, uniform in measure, (n, d), float64 on the CPU; exactly so many but for a `grid`.

        Raises:
            InputError: no positive number of points, an unknown sampler, or a negative seed.
        """
        check_drawing(f"{self!r}.sample", count, sampler, seed)

        def draw(size: int) -> Drawn:
            unit = unit_points(sampler, size, self.dimension, seed)
            points = self.interior(unit)
            return (points,), len(unit) - len(points)

        return _enough(draw, self.share, count, sampler)[0]

    def uniform(self, count: int, draws: torch.Generator, like: Tensor) -> Tensor:
        """`count` independent uniform points, (count, d), where `like` is and in its precision."""
        found, size = [], count
        while True:
            unit = torch.rand((size, self.dimension), generator=draws, device=like.device, dtype=like.dtype)
            found.append(self.interior(unit))
            missing = count - sum(map(len, found))
            if missing <= 0:
                return found[0] if len(found) == 1 and not missing else torch.cat(found)[:count]
            size = math.ceil(SPARE * missing / self.share) + 16

    def boundary(self, on: str | Sequence[str] | None = None) -> Boundary:
        """A part of the boundary, by the names of `faces`.

        Raises:
            InputError: a name that is no side of this domain, or one given twice.
        """
        return Boundary(self, self.faces(on))


@final
@dataclass(frozen=True)
class Boundary:
    """A part of a domain's boundary.

    Attributes:
        domain: the domain.
        sides: the sides that it consists of.
    """

    domain: Domain
    sides: tuple[Side, ...]

    @property
    def measure(self) -> float:
        """Its length or area, times the length of time."""
        return sum(self.domain.measure(side) for side in self.sides)

    def sample(self, count: int, sampler: Sampler = "sobol", seed: int = 0) -> tuple[Tensor, Tensor]:
        """`count` points, uniform in measure, (n, d), with their outward normals, (n, d), float64 on the CPU.

        Of more sides than points some have none. A `grid` has fewer points, and each end of an interval is one.

        Raises:
            InputError: no positive number of points, an unknown sampler, or a negative seed.
        """
        names = ", ".join(map(str, self.sides))
        check_drawing(f"{self.domain!r}.boundary({names}).sample", count, sampler, seed)
        start = 0.5 if sampler == "grid" else float(torch.rand((), generator=generator(seed, "sides")))
        sizes = in_proportion(count, [self.domain.measure(side) for side in self.sides], start)
        parts = [
            sample_side(self.domain, side, size, sampler, derive(seed, str(side)))
            for side, size in zip(self.sides, sizes, strict=True)
            if size
        ]
        points, normals = zip(*parts, strict=True)
        return torch.cat(points), torch.cat(normals)


def sample_side(domain: Domain, side: Side, count: int, sampler: Sampler, seed: int) -> tuple[Tensor, Tensor]:
    """About `count` points of one side, (n, d), and their outward normals, (n, d)."""

    def draw(size: int) -> Drawn:
        points, normals, kept = domain.placed_on(side, unit_points(sampler, size, domain.dimension - 1, seed))
        if kept is None:
            return (points, normals), 0
        return (points[kept], normals[kept]), int((~kept).sum())

    points, normals = _enough(draw, domain.share_of(side), count, sampler)
    return points, normals


def shares_of(count: int, measures: Sequence[float]) -> list[int]:
    """How many of `count` points each of some parts gets in proportion to its measure, one at least."""
    total = sum(measures)
    ends = [round(count * sum(measures[: number + 1]) / total) for number in range(len(measures))]
    return [max(end - start, 1) for start, end in zip([0, *ends], ends, strict=False)]


def in_proportion(count: int, measures: Sequence[float], start: float) -> list[int]:
    """How many of `count` points each of some parts gets, some none: those of a comb laid over their measures.

    Its teeth are as far apart as there is measure for a point; of `start`, uniform in [0, 1), all are equally likely.
    """
    until = list(itertools.accumulate(measures))
    ends = [math.floor(count * each / until[-1] + start) for each in until[:-1]]
    return [end - begin for begin, end in itertools.pairwise([0, *ends, count])]


def _enough(draw: Callable[[int], Drawn], share: float, count: int, sampler: Sampler) -> tuple[Tensor, ...]:
    """`count` rows of what is kept of as many points as that takes."""
    size = count if share == 1 else math.ceil(SPARE * count / share)
    found, dropped = draw(size)
    while dropped and len(found[0]) < count and size < MOST_DRAWN * count:
        size *= 2
        found, dropped = draw(size)
    return thinned(found, count, sampler)
