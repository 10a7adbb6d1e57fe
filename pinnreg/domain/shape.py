"""`Shape`: domains that can be combined; set operations, and products with intervals.

The boundary of a combination is made of those of its two parts. A point of one of them, with its normal n, lies on it
if of the two points next to it, at x + εn and x - εn, one belongs to the combination and the other does not. That also
holds where boundaries coincide, and says to which side the normal points.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, final

import torch
from torch import Tensor

from pinnreg.domain.corner import Corner
from pinnreg.domain.domain import Domain, Face, Piece, Placed, PlacedOn, Side, distance_of_product
from pinnreg.domain.naming import check_axes, interval_of
from pinnreg.domain.quadric import Quadric
from pinnreg.domain.samplers import unit_points
from pinnreg.errors import InputError, unknown

NEXT_TO = 1e-7
"""How far from a boundary is looked at what lies next to it, of the size of the domain."""
SIDES_AT = 2**15
"""Points on each side of a part, by which the sides of a combination are measured."""


class Shape(Domain):
    """A domain whose boundary has named parts, and that can be combined with others."""

    def over(self, **interval: tuple[float, float]) -> Shape:
        """The product with an interval: `Ball(x=0, y=0).over(t=(0, 1))`, and with one of space a cylinder.

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
    def contains(self, points: Tensor) -> Tensor: ...

    @abstractmethod
    def signed_distance(self, points: Tensor) -> Tensor: ...

    def interior(self, unit: Tensor) -> Tensor:
        points, kept = self.placed(unit)
        return points if kept is None else points[kept]

    def on_face(self, face: Face, unit: Tensor) -> Tensor:
        points, _, kept = self.placed_on(face, unit)
        return points if kept is None else points[kept]

    def faces(self, on: str | Sequence[str] | None) -> tuple[Side, ...]:
        if on is None:
            return tuple(side for side in self.pieces if side.axis != "t")
        found = tuple(side for name in ([on] if isinstance(on, str) else on) for side in self._of_name(name))
        if not found or len(set(found)) != len(found):
            raise InputError(f"faces {on!r}: expected one or more different parts of the boundary of {self!r}")
        return found

    def _of_name(self, name: str) -> tuple[Side, ...]:
        wanted = name.replace(" ", "")
        # both faces of an axis by its name, as of a box
        known = (*self.pieces, *self.interfaces)
        found = tuple(side for side in known if wanted in (str(side).replace(" ", ""), side.axis))
        if not found:
            raise unknown("part of the boundary:", name, map(str, known))
        return found


@final
@dataclass(frozen=True)
class _Source:
    """A side of one of the parts of a combination."""

    domain: Domain
    side: Side
    second: bool


@final
class Combined(Curved):
    """What is in one shape `-` not in another, `|` in either, `&` in both.

    `signed_distance` is exact inside for "-" and "&" and outside for "|", and elsewhere at most the distance. Volume
    and measures are sums over points on the boundary: exact to rounding where one lies in the other, else to 1e-4.

    Raises:
        InputError: other axes, a time in either, or nothing that is left.
    """

    def __init__(self, operation: Literal["-", "|", "&"], one: Domain, other: object) -> None:
        if not isinstance(other, Domain):
            raise InputError(f"{one!r} {operation} {other!r}: the second is no domain")
        if one.axes != other.axes:
            raise InputError(f"{one!r} {operation} {other!r}: axes {', '.join(one.axes)} and {', '.join(other.axes)}")
        if "t" in one.axes:
            raise InputError(f"{one!r} {operation} {other!r}: combine shapes in space, and then .over(t=...)")
        self._operation, self._one, self._other = operation, one, other
        if not self._sides or not self.volume > 0:
            raise InputError(f"{self!r}: nothing is left")

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
    def volume(self) -> float:
        return self._measured[0]

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
        cut = self._one.volume / self._one.share
        cut = cut / (cut + self._other.volume / self._other.share)
        of_one = unit[:, :1] < cut
        place = torch.where(of_one, unit[:, :1] / cut, (unit[:, :1] - cut) / (1 - cut)).clamp(0, 1)
        unit, of_one = torch.cat([place, unit[:, 1:]], dim=1), of_one[:, 0]
        points, kept = self._one.placed(unit)
        others, kept_there = self._other.placed(unit)
        there = _both(kept_there, ~self._one.contains(others))
        here = torch.ones_like(of_one) if kept is None else kept
        return torch.where(of_one[:, None], points, others), torch.where(of_one, here, there)

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        sources = self._sides[side]
        measures = [source.domain.measure(source.side) for source in sources]
        ends = [sum(measures[: number + 1]) / sum(measures) for number in range(len(measures))]
        if len(sources) == 1 or not unit.shape[1]:
            return self._of_source(sources[0], unit)
        points, normals = unit.new_empty(len(unit), self.dimension), unit.new_empty(len(unit), self.dimension)
        kept, first = torch.zeros(len(unit), dtype=torch.bool, device=unit.device), unit[:, :1]
        for start, end, source in zip([0.0, *ends], ends, sources, strict=False):
            own = (first[:, 0] >= start) & ((first[:, 0] < end) | (end == ends[-1]))
            place = torch.cat([(first[own] - start) / (end - start), unit[own, 1:]], dim=1)
            points[own], normals[own], there = self._of_source(source, place)
            kept[own] = torch.ones_like(own[own]) if there is None else there
        return points, normals, kept

    def measure(self, side: Side) -> float:
        return self._measured[1][side]

    def contains(self, points: Tensor) -> Tensor:
        one, other = self._one.contains(points), self._other.contains(points)
        if self._operation == "-":
            # its boundary belongs to it, that of what is taken away too
            return one & (~other | (self._other.signed_distance(points) >= 0))
        return one | other if self._operation == "|" else one & other

    def signed_distance(self, points: Tensor) -> Tensor:
        one, other = self._one.signed_distance(points), self._other.signed_distance(points)
        if self._operation == "|":
            return torch.minimum(one, other)
        return torch.maximum(one, -other if self._operation == "-" else other)

    @cached_property
    def _sides(self) -> dict[Side, tuple[_Source, ...]]:
        """The sides of the two parts by name, of which something is left."""
        found: dict[Side, tuple[_Source, ...]] = {}
        for number, domain in enumerate((self._one, self._other)):
            for own in domain.faces(None):
                source = _Source(domain, own, bool(number))
                unit = unit_points("grid", SIDES_AT, self.dimension - 1, 0)
                if bool(self._of_source(source, unit)[2].any()):  # type: ignore[union-attr]
                    side = Piece(str(own))
                    found[side] = (*found.get(side, ()), source)
        return found

    @cached_property
    def _measured(self) -> tuple[float, dict[Side, float]]:
        """The volume, by the divergence theorem ∫ x·n/d over the boundary, and the measure of each side."""
        volume, measures = 0.0, dict.fromkeys(self._sides, 0.0)
        middle = torch.tensor([sum(ends) / 2 for ends in self.bounds.values()], dtype=torch.float64)
        for side, sources in self._sides.items():
            for source in sources:
                unit = unit_points("grid", SIDES_AT, self.dimension - 1, 0)
                points, normals, kept = self._of_source(source, unit)
                assert kept is not None
                each = source.domain.measure(source.side) / len(unit)
                measures[side] += each * int(kept.sum())
                volume += each * float(((points - middle) * normals).sum(dim=1)[kept].sum()) / self.dimension
        return volume, measures

    @property
    def _drawn_from(self) -> float:
        """The volume of which `placed` keeps what is inside."""
        sizes = [each.volume / each.share for each in (self._one, self._other)]
        if self._operation == "-":
            return sizes[0]
        if self._operation == "|":
            return sum(sizes)
        return sizes[0] if self._one.volume <= self._other.volume else sizes[1]

    def _of_source(self, source: _Source, unit: Tensor) -> PlacedOn:
        points, normals, kept = source.domain.placed_on(source.side, unit)
        step = NEXT_TO * max(upper - lower for lower, upper in self.bounds.values()) * normals
        if points.dtype == torch.float32:
            step = 1e3 * step
        out, within = self.contains(points + step), self.contains(points - step)
        there = out != within
        if source.second:  # where both have it, it counts once
            there &= self._one.signed_distance(points).abs() > step.norm(dim=1)
        return points, torch.where(out[:, None], -normals, normals), _both(kept, there)

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
        InputError: an axis that the domain has, one after time, or an empty interval.
    """

    def __init__(self, base: Domain, interval: Mapping[str, tuple[float, float]]) -> None:
        ((self._axis, ends),) = interval.items()
        if self._axis in base.axes:
            what = "a time" if self._axis == "t" else f"an axis {self._axis!r}"
            raise InputError(f"{base!r}.over({self._axis}=...): it has {what} already")
        self._base, self._ends = base, interval_of(f"{base!r}.over: axis {self._axis!r}", ends)
        check_axes(f"{base!r}.over", tuple(self.bounds))

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
    def share(self) -> float:
        return self._base.share

    @property
    def quadric(self) -> Quadric | None:
        return self._base.quadric

    @property
    def corners(self) -> tuple[Corner, ...]:
        return self._base.corners

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
        points, normals, kept = self._base.placed_on(side, unit[:, :-1])
        if len(points) != len(unit):  # the end of an interval is one point
            points, normals = points.expand(len(unit), -1), normals.expand(len(unit), -1)
        along = self._along(unit[:, -1:])
        return torch.cat([points, along], dim=1), torch.cat([normals, torch.zeros_like(along)], dim=1), kept

    def measure(self, side: Side) -> float:
        return self._base.volume if side.axis == self._axis else self._base.measure(side) * self._length

    def contains(self, points: Tensor) -> Tensor:
        lower, upper = self._ends
        return self._base.contains(points[:, :-1]) & (points[:, -1] >= lower) & (points[:, -1] <= upper)

    def signed_distance(self, points: Tensor) -> Tensor:
        across = self._base.signed_distance(points[:, :-1])
        if self._axis == "t":
            return across
        lower, upper = self._ends
        return distance_of_product([across, torch.maximum(lower - points[:, -1], points[:, -1] - upper)])

    def until(self, share: float) -> Product:
        if self._axis != "t" or share == 1:
            return self
        start, end = self._ends
        return Product(self._base, {"t": (start, start + share * (end - start))})

    @property
    def _length(self) -> float:
        return self._ends[1] - self._ends[0]

    def _along(self, unit: Tensor) -> Tensor:
        return self._ends[0] + self._length * unit

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
