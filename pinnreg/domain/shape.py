"""`Shape`: domains that can be combined; set operations, and products with intervals.

The boundary of a combination is made of those of its two parts. A point of one of them, with its normal n, lies on it
if of the two points next to it, at x + εn and x - εn, one belongs to the combination and the other does not. That also
holds where boundaries coincide, and says to which side the normal points.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Literal, final

import torch
from torch import Tensor

from pinnreg.domain.corner import Corner
from pinnreg.domain.distances import beyond, distance_of_product
from pinnreg.domain.domain import Domain
from pinnreg.domain.given import names_of
from pinnreg.domain.naming import check_axes, check_no_axis, check_time_last, interval_of
from pinnreg.domain.parts import chosen, on_parts
from pinnreg.domain.quadric import Quadric
from pinnreg.domain.remains import Looked, Remains, Source, remains_of
from pinnreg.domain.sides import Face, Piece, Placed, PlacedOn, Side
from pinnreg.errors import InputError, unknown

NEXT_TO = 1e-8
"""How far from a boundary is looked at what lies next to it, of the size of the smaller part."""
ROUNDINGS = 16
"""Or, where that is more, by so many roundings of a point on it."""
PROBES = 3
"""Directions in which is looked around points where boundaries meet."""


class Shape(Domain):
    """A domain whose boundary has named parts, and that can be combined with others."""

    def over(self, **interval: tuple[float, float]) -> Shape:
        """The product with an interval: `Ball(x=0, y=0, radius=1).over(t=(0, 1))`, and with one of space a cylinder.

        Raises:
            InputError: no interval or several, one that is empty, an axis that there is, or any after time.
        """
        if len(interval) != 1:
            raise InputError(f"{self!r}.over: expected one interval, as in .over(t=(0, 1))")
        return Product(self, interval)

    def __sub__(self, other: Domain) -> Combined:
        """What is in this and not in another."""
        return Combined("-", self, other)

    def __or__(self, other: Domain) -> Combined:
        """What is in either."""
        return Combined("|", self, other)

    def __and__(self, other: Domain) -> Combined:
        """What is in both."""
        return Combined("&", self, other)


class Curved(Shape):
    """A shape with pieces for sides.

    Attributes:
        pieces: all of them.
    """

    @property
    @abstractmethod
    def pieces(self) -> tuple[Side, ...]: ...

    @abstractmethod
    def placed(self, unit: Tensor) -> Placed: ...

    @abstractmethod
    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn: ...

    @abstractmethod
    def measure(self, side: Side) -> float: ...

    @abstractmethod
    def signed_distance(self, points: Tensor) -> Tensor: ...

    def contains(self, points: Tensor) -> Tensor:
        return self.level(points) <= self.rounding(points)

    def interior(self, unit: Tensor) -> Tensor:
        points, kept = self.placed(unit)
        return points if kept is None else points[kept]

    def on_face(self, face: Face, unit: Tensor) -> Tensor:
        points, _, kept = self.placed_on(face, unit)
        return points if kept is None else points[kept]

    def faces(self, on: str | Sequence[str] | None) -> tuple[Side, ...]:
        if on is None:
            return tuple(side for side in self.pieces if side.axis != "t")
        found = tuple(side for name in names_of(on) for side in self._of_name(name))
        if not found or len(set(found)) != len(found):
            raise InputError(f"faces {on!r}: expected one or more different parts of the boundary of {self!r}")
        return found

    def _of_name(self, name: str) -> tuple[Side, ...]:
        wanted = name.replace(" ", "")
        # both faces of an axis by its name, as of a box
        known = (*self.pieces, *self.interfaces)
        found = tuple(side for side in known if wanted in (str(side).replace(" ", ""), str(side).partition("=")[0]))
        if wanted in (*self.gone, *(each.partition("=")[0] for each in self.gone)) and not found:
            raise InputError(f"part of the boundary: nothing of {name!r} is left in {self!r}")
        if not wanted or not found:
            raise unknown("part of the boundary:", name, map(str, known))
        return found


@final
class Combined(Curved):
    """What is in one shape `-` not in another, `|` in either, `&` in both.

    Where those of the two parts are, `signed_distance` is exact inside for "-" and "&" and outside for "|"; elsewhere
    it is at most the distance. Volume and measures are sums over points on the boundary: exact to rounding where
    one part lies in the other or beside it, else to 1e-6 in the plane and 1e-4 in space, or 1e-3 with surfaces of many
    triangles. What is smaller than 1e-4 of a boundary is not seen, nor are gaps and walls thinner than 1e-8 of the
    smaller part.

    Raises:
        InputError: other axes, a time in either, nothing that is left, or for "-" nothing that is cut off.
    """

    def __init__(self, operation: Literal["-", "|", "&"], one: Domain, other: object) -> None:
        if not isinstance(other, Domain):
            raise InputError(f"{one!r} {operation} {other!r}: the second is no domain")
        if one.axes != other.axes:
            raise InputError(f"{one!r} {operation} {other!r}: axes {', '.join(one.axes)} and {', '.join(other.axes)}")
        if one.interfaces or other.interfaces:
            raise InputError(f"{one!r} {operation} {other!r}: combine shapes first, and then Split(...)")
        if "t" in one.axes:
            raise InputError(f"{one!r} {operation} {other!r}: combine shapes in space, and then .over(t=...)")
        self._operation, self._one, self._other = operation, one, other
        if not self._sides or not self.volume > 0:
            raise InputError(f"{self!r}: nothing is left")
        if operation == "-" and not self._cut:
            raise InputError(f"{self!r}: the second cuts nothing of the first; do they overlap?")

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        one, other = self._one.bounds, self._other.bounds
        if self._operation == "-":
            return one
        if self._operation == "|":
            return {axis: (min(a, other[axis][0]), max(b, other[axis][1])) for axis, (a, b) in one.items()}
        return {axis: (max(a, other[axis][0]), min(b, other[axis][1])) for axis, (a, b) in one.items()}

    @property
    def pieces(self) -> tuple[Side, ...]:
        return tuple(self._sides)

    @property
    def gone(self) -> tuple[str, ...]:
        gone = (*self._one.gone, *self._other.gone, *(each.source.name for each in self._left if not each.measure))
        return tuple(name for name in gone if Piece(name) not in self._sides)

    @property
    def _cut(self) -> bool:
        """Whether the second part has a boundary within the first, or covers some of its."""
        return any(each.measure > 0 if each.source.second else each.measure < each.all for each in self._left)

    @cached_property
    def volume(self) -> float:
        """By the divergence theorem."""
        volume = sum(each.flux for each in self._left)
        # the same sum over all of a part tells its error, of which that over what is left has its share
        for second, part in enumerate((self._one, self._other)):
            own = [each for each in self._left if each.source.second == bool(second)]
            share = sum(each.turned for each in own) / sum(part.measure(each.source.side) for each in own)
            volume += share * (part.volume - sum(each.whole for each in own))
        return volume

    @property
    def effort(self) -> float:
        return max(self._one.effort, self._other.effort)

    @property
    def share(self) -> float:
        return self.volume / self._drawn_from

    def placed(self, unit: Tensor) -> Placed:
        if self._operation != "|":
            # of the smaller one of two that overlap
            first, second = (self._one, self._other)
            if self._operation == "&" and second.volume < first.volume:
                first, second = second, first
            points, kept = first.placed(unit)
            inside = second.contains(points)
            return points, _both(kept, ~inside if self._operation == "-" else inside)
        sizes = [each.volume / each.share for each in (self._one, self._other)]
        points, kept = on_parts(unit, sizes, [self._placed_in_one, self._placed_in_rest])
        return points, kept

    def _placed_in_one(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        points, kept = self._one.placed(unit)
        return points, torch.ones_like(points[:, 0], dtype=torch.bool) if kept is None else kept

    def _placed_in_rest(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        points, kept = self._other.placed(unit)
        return points, _both(kept, ~self._one.contains(points))

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        sources = self._sources(side)
        if not unit.shape[1]:
            return *self._ends_of(sources, unit), None
        if len(sources) == 1:
            return self._of_source(sources[0], unit)
        drawn = [source.drawn for source in sources]
        points, normals, kept = on_parts(unit, drawn, [partial(self._of_source, source) for source in sources])
        return points, normals, kept

    def _ends_of(self, sources: Sequence[Source], unit: Tensor) -> tuple[Tensor, Tensor]:
        """Ends of intervals, (k, 1), which may have one name, and their normals."""
        points, normals, kept = (
            torch.cat(each) for each in zip(*(self._of_source(source, unit[:1]) for source in sources), strict=True)
        )
        return points[kept], normals[kept]

    def breaks(self, side: Side) -> list[float]:
        found, start, sources = list[float](), 0.0, self._sources(side)
        total = sum(source.drawn for source in sources)
        for source in sources:
            share = source.drawn / total
            found += [start, *(start + share * each for each in source.domain.breaks(source.side))]
            start += share
        return found[1:]

    def share_of(self, side: Side) -> float:
        return self.measure(side) / sum(source.drawn for source in self._sources(side))

    def measure(self, side: Side) -> float:
        return sum(each.measure for each in self._sides[side])

    def signed_distance(self, points: Tensor) -> Tensor:
        return self._of_both(self._one.signed_distance(points), self._other.signed_distance(points))

    def level(self, points: Tensor) -> Tensor:
        one, other, rounding = self._one.level(points), self._other.level(points), self.rounding(points)
        level, meet = self._of_both(one, other), (one.abs() <= rounding) & (other.abs() <= rounding)
        if not bool(meet.any()):
            return level
        # boundaries may cancel each other there, as those of boxes side by side do
        around = self._looked_around(points[meet])
        mixed = torch.where(around.any(dim=0), 0.0, 2 * rounding)
        return level.index_put((meet,), torch.where(around.all(dim=0), -2 * rounding, mixed).to(level))

    def _looked_around(self, points: Tensor) -> Tensor:
        """Whether places next to points, in directions in which no boundary goes, belong to it, (m, n)."""
        numbers = torch.arange(PROBES * self.dimension, dtype=points.dtype, device=points.device)
        directions = torch.nn.functional.normalize((1 + numbers**2).sin().reshape(PROBES, self.dimension), dim=1)
        steps = self._step(points) * torch.cat([directions, -directions])
        places = (points + steps[:, None]).reshape(-1, self.dimension)
        return (self._of_both(self._one.level(places), self._other.level(places)) <= 0).reshape(len(steps), -1)

    def _of_both(self, one: Tensor, other: Tensor) -> Tensor:
        if self._operation == "|":
            return torch.minimum(one, other)
        return torch.maximum(one, -other if self._operation == "-" else other)

    def _step(self, points: Tensor) -> float:
        """How far from a boundary is looked at what lies next to it."""
        sizes = (max(upper - lower for lower, upper in each.bounds.values()) for each in (self._one, self._other))
        return max(NEXT_TO * min(sizes), ROUNDINGS * self.rounding(points))

    @cached_property
    def _sides(self) -> dict[Side, tuple[Remains, ...]]:
        """What is left of the sides of the two parts, if anything is, by name."""
        found: dict[Side, tuple[Remains, ...]] = {}
        for each in self._left:
            if each.measure > 0:
                side = Piece(each.source.name)
                found[side] = (*found.get(side, ()), each)
        return found

    def _sources(self, side: Side) -> list[Source]:
        return [each.source for each in self._sides[side]]

    @cached_property
    def _left(self) -> list[Remains]:
        """What is left of each side of the two parts."""
        parts = ((self._one, False), (self._other, True))
        sources = [Source(part, side, second) for part, second in parts for side in part.faces(None)]
        middle = torch.tensor([sum(ends) / 2 for ends in self.bounds.values()], dtype=torch.float64)
        return [remains_of(each, partial(self._looked_at, each), middle, self.effort) for each in sources]

    @property
    def _drawn_from(self) -> float:
        """The volume of which `placed` keeps what is inside."""
        sizes = [each.volume / each.share for each in (self._one, self._other)]
        if self._operation == "-":
            return sizes[0]
        if self._operation == "|":
            return sum(sizes)
        return sizes[0] if self._one.volume <= self._other.volume else sizes[1]

    def _of_source(self, source: Source, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        at = self._looked_at(source, unit)
        return at.points, torch.where(at.turned[:, None], -at.normals, at.normals), at.there

    def _looked_at(self, source: Source, unit: Tensor) -> Looked:
        points, normals, kept = source.domain.placed_on(source.side, unit)
        own = torch.ones(len(points), dtype=torch.bool, device=points.device) if kept is None else kept
        step = self._step(points) * normals
        out, within = self.contains(points + step), self.contains(points - step)
        there = own & (out != within)
        if source.second:  # where both have it, it counts once
            there &= self._one.contains(points + step) == self._one.contains(points - step)
        return Looked(points, normals, own, turned=out, there=there)

    def __repr__(self) -> str:
        return f"({self._one!r} {self._operation} {self._other!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Combined) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self._operation, self._one, self._other


@final
class Product(Curved):
    """A domain times an interval: of time, or one of space, which makes a cylinder or a prism.

    Raises:
        InputError: an axis that the domain has, one after time, one that is called as a part of the boundary is, or an
            empty interval.
    """

    def __init__(self, base: Domain, interval: Mapping[str, tuple[float, float]]) -> None:
        ((self._axis, ends),) = interval.items()
        if self._axis in base.axes:
            what = "a time" if self._axis == "t" else f"an axis {self._axis!r}"
            raise InputError(f"{base!r}.over({self._axis}=...): it has {what} already")
        check_time_last(base, self._axis)
        self._base, self._ends = base, interval_of(f"{base!r}.over: axis {self._axis!r}", ends)
        check_axes(f"{base!r}.over", tuple(self.bounds))
        for side in (*base.faces(None), *base.interfaces):
            check_no_axis(f"{base!r}.over({self._axis}=...)", str(side), [self._axis])

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        return {**self._base.bounds, self._axis: self._ends}

    @property
    def pieces(self) -> tuple[Side, ...]:
        return (*self._base.faces(None), Face(self._axis, "min"), Face(self._axis, "max"))

    @property
    def volume(self) -> float:
        return self._base.volume * self._length

    @property
    def effort(self) -> float:
        return self._base.effort

    @property
    def share(self) -> float:
        return self._base.share

    @property
    def quadric(self) -> Quadric | None:
        return self._base.quadric

    @property
    def corners(self) -> tuple[Corner, ...]:
        return self._base.corners

    @property
    def gone(self) -> tuple[str, ...]:
        return self._base.gone

    @property
    def interfaces(self) -> tuple[Piece, ...]:
        return self._base.interfaces

    @property
    def kinks(self) -> tuple[Callable[[Tensor], Tensor], ...]:
        return tuple(partial(_of_base, kink) for kink in self._base.kinks)

    def placed(self, unit: Tensor) -> Placed:
        points, kept = self._base.placed(unit[:, :-1])
        return torch.cat([points, self._along(unit[:, -1:])], dim=1), kept

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        if isinstance(side, Face) and side.axis == self._axis:
            points, kept = self._base.placed(unit)
            place = points.new_full((len(points), 1), self._ends[0 if side.side == "min" else 1])
            normals = torch.cat([torch.zeros_like(points), torch.full_like(place, side.outward)], dim=1)
            return torch.cat([points, place], dim=1), normals, kept
        interval = self._base.dimension == 1
        points, normals, kept = self._base.placed_on(side, unit[: 1 if interval else None, :-1])
        place = unit[:, -1:]
        if interval:  # ends of intervals, along each of which there are as many points
            if kept is not None:
                points, normals, kept = points[kept], normals[kept], None
            end, place = chosen(unit[:, -1], points.new_ones(len(points)))
            points, normals, place = points[end], normals[end], place[:, None]
        along = self._along(place)
        return torch.cat([points, along], dim=1), torch.cat([normals, torch.zeros_like(along)], dim=1), kept

    def breaks(self, side: Side) -> list[float]:
        if self._base.dimension > 1 or side.axis == self._axis:
            return []
        ends = len(self._base.placed_on(side, torch.empty(1, 0, dtype=torch.float64))[0])
        return [number / ends for number in range(1, ends)]

    def share_of(self, side: Side) -> float:
        return self._base.share if side.axis == self._axis else self._base.share_of(side)

    def measure(self, side: Side) -> float:
        return self._base.volume if side.axis == self._axis else self._base.measure(side) * self._length

    def contains(self, points: Tensor) -> Tensor:
        lower, upper = self._ends
        return super().contains(points) & (points[:, -1] >= lower) & (points[:, -1] <= upper)

    def level(self, points: Tensor) -> Tensor:
        across = self._base.level(points[:, :-1])
        if self._axis == "t":
            return across
        return torch.maximum(across, beyond(points[:, -1], self._ends))

    def signed_distance(self, points: Tensor) -> Tensor:
        across = self._base.signed_distance(points[:, :-1])
        if self._axis == "t":
            return across
        return distance_of_product([across, beyond(points[:, -1], self._ends)])

    def until(self, share: float) -> Product:
        if self._axis != "t" or share == 1:
            return self
        start, end = self._ends
        return Product(self._base, {"t": (start, start + share * (end - start))})

    @property
    def _length(self) -> float:
        return self._ends[1] - self._ends[0]

    def _along(self, unit: Tensor) -> Tensor:
        return (self._ends[0] + self._length * unit).clamp(*self._ends)

    def __repr__(self) -> str:
        return f"{self._base!r}.over({self._axis}=({self._ends[0]:g}, {self._ends[1]:g}))"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Product) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self._base, self._axis, self._ends


def _of_base(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    return function(points[:, :-1])


def _both(one: Tensor | None, other: Tensor) -> Tensor:
    return other if one is None else one & other
