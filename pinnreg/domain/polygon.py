"""`Polygon`: what a closed line of straight edges encloses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor

from pinnreg.domain.copies import Copies
from pinnreg.domain.corner import Corner
from pinnreg.domain.distances import root
from pinnreg.domain.naming import check_axes, number_of, piece_name
from pinnreg.domain.parts import chosen, on_triangles
from pinnreg.domain.shape import Curved
from pinnreg.domain.sides import Piece, Placed, PlacedOn, Side
from pinnreg.errors import InputError

Point = tuple[float, float]
HELD = 2**20
"""Pairs of points and edges that are looked at together."""


@final
class Polygon(Curved):
    """The points within edges from corner to corner: `Polygon([(0, 0), (2, 0), (0, 1)])`.

    Args:
        corners: in either direction around; no edge may touch another but at the corner that they share.
        edges: the names of the edges, the first from the first to the second corner; several may have one name.
            "edge1", "edge2", ... if not given.
        axes: the names of the two axes.

    Raises:
        InputError: fewer than three corners, edges that touch, or not as many names as edges.
    """

    def __init__(
        self, corners: Sequence[Point], edges: Sequence[str] | None = None, axes: Sequence[str] = ("x", "y")
    ) -> None:
        self._axes = tuple(axes)
        check_axes("Polygon", self._axes)
        if len(self._axes) != 2 or "t" in self._axes:
            raise InputError(f"Polygon: expected two axes of space, got {', '.join(self._axes)}")
        self.vertices = _checked(corners)
        names = (
            _numbered(len(self.vertices))
            if edges is None
            else [piece_name("Polygon: edge", name, self._axes) for name in edges]
        )
        if len(names) != len(self.vertices):
            raise InputError(f"Polygon: {len(self.vertices)} edges have {len(names)} names")
        if _area(self.vertices) < 0:  # counter-clockwise, the edges where they were
            self.vertices = (self.vertices[0], *self.vertices[:0:-1])
            names = names[::-1]
        self.edges = tuple(names)
        starts = torch.tensor(self.vertices, dtype=torch.float64)
        ends = starts.roll(-1, dims=0)
        self._ends = Copies(starts, ends)
        own = {name: [number for number, other in enumerate(self.edges) if other == name] for name in self.edges}
        self._ends_of = {name: Copies(starts[numbers], ends[numbers]) for name, numbers in own.items()}
        self._triangles = Copies(starts[torch.tensor(_triangles(self.vertices))])

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        columns = zip(*self.vertices, strict=True)
        return {axis: (min(each), max(each)) for axis, each in zip(self._axes, columns, strict=True)}

    @property
    def volume(self) -> float:
        return _area(self.vertices)

    @property
    def pieces(self) -> tuple[Side, ...]:
        return tuple(dict.fromkeys(Piece(name) for name in self.edges))

    @property
    def corners(self) -> tuple[Corner, ...]:
        found = []
        for number, (x, y) in enumerate(self.vertices):
            (x1, y1), (x2, y2) = self.vertices[number - 1], self.vertices[(number + 1) % len(self.vertices)]
            start = math.atan2(y2 - y, x2 - x)
            angle = (math.atan2(y1 - y, x1 - x) - start) % (2 * math.pi)
            found.append(Corner((x, y), start, angle, self.edges[number], self.edges[number - 1]))
        return tuple(found)

    def placed(self, unit: Tensor) -> Placed:
        (corners,) = self._triangles.at(unit)
        start, one, other = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        points, _ = on_triangles(unit, start, one, other, one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
        return points, None

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        starts, ends = self._ends_of[str(side)].at(unit)
        along = ends - starts
        lengths = torch.linalg.vector_norm(along, dim=1)
        number, place = chosen(unit[:, 0], lengths)
        outward = torch.stack([along[:, 1], -along[:, 0]], dim=1) / lengths[:, None]
        return starts[number] + place[:, None] * along[number], outward[number], None

    def breaks(self, side: Side) -> list[float]:
        ends = zip(self.vertices, (*self.vertices[1:], self.vertices[0]), self.edges, strict=True)
        until = list(itertools.accumulate(math.dist(one, other) for one, other, name in ends if name == str(side)))
        return [each / until[-1] for each in until[:-1]]

    def measure(self, side: Side) -> float:
        ends = zip(self.vertices, (*self.vertices[1:], self.vertices[0]), self.edges, strict=True)
        return sum(math.dist(one, other) for one, other, name in ends if name == str(side))

    def signed_distance(self, points: Tensor) -> Tensor:
        parts = points.split(max(HELD // len(self.vertices), 1))
        return torch.cat([self._signed(part) for part in parts])

    def _signed(self, points: Tensor) -> Tensor:
        away = self._nearest(points)
        return torch.where(self._encloses(points), -away, away)

    def _nearest(self, points: Tensor) -> Tensor:
        """The distance to the nearest edge, (n,)."""
        starts, ends = self._ends.at(points)
        along, away = ends - starts, points[:, None] - starts
        place = ((away * along).sum(dim=2) / along.square().sum(dim=1)).clamp(0, 1)
        return root((away - place[..., None] * along).square().sum(dim=2).amin(dim=1))

    def _encloses(self, points: Tensor) -> Tensor:
        """Whether a ray to the right crosses the edges an odd number of times, (n,)."""
        starts, ends = self._ends.at(points)
        y = points[:, 1:2]
        crosses = (starts[:, 1] > y) != (ends[:, 1] > y)
        rise = ends[:, 1] - starts[:, 1]
        level = torch.where(rise == 0, torch.ones_like(rise), rise)
        at = starts[:, 0] + (y - starts[:, 1]) / level * (ends[:, 0] - starts[:, 0])
        return (crosses & (points[:, :1] < at)).sum(dim=1) % 2 == 1

    def __repr__(self) -> str:
        names = "" if self.edges == tuple(_numbered(len(self.edges))) else f", edges={list(self.edges)}"
        axes = "" if self._axes == ("x", "y") else f", axes={self._axes}"
        return f"Polygon([{', '.join(f'({x:g}, {y:g})' for x, y in self.vertices)}]{names}{axes})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polygon) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self._axes, self.vertices, self.edges


def _numbered(count: int) -> list[str]:
    return [f"edge{number + 1}" for number in range(count)]


def _checked(corners: Sequence[Point]) -> tuple[Point, ...]:
    try:
        found = [(number_of("Polygon: corner", x), number_of("Polygon: corner", y)) for x, y in corners]
    except (TypeError, ValueError):
        raise InputError(f"Polygon: expected corners (x, y), got {corners!r}") from None
    if len(found) < 3:
        raise InputError(f"Polygon: expected at least three corners, got {len(found)}")
    edges = list(zip(found, [*found[1:], found[0]], strict=True))
    for number, (start, end) in enumerate(edges):
        if start == end:
            after = (number + 1) % len(edges) + 1
            raise InputError(f"Polygon: the corners {number + 1} and {after} are the same; give each once")
    for number, one in enumerate(edges):
        for other_number, other in enumerate(edges[:number]):
            beside = number - other_number in (1, len(edges) - 1)
            if _touch(one, other, beside=beside):
                raise InputError(
                    f"Polygon: the edges {_said(other_number, other)} and {_said(number, one)} touch each other"
                )
    return tuple(found)


def _said(number: int, edge: tuple[Point, Point]) -> str:
    start, end = (f"({x:g}, {y:g})" for x, y in edge)
    return f"{number + 1} from {start} to {end}"


def _touch(one: tuple[Point, Point], other: tuple[Point, Point], *, beside: bool) -> bool:
    """Whether two edges have more in common than the corner of two that are `beside` each other."""
    (a, b), (c, d) = one, other
    if beside:
        shared = a if a in other else b
        far = b if shared == a else a
        end = d if shared == c else c
        parallel = _turn(shared, far, end) == 0
        toward = (far[0] - shared[0]) * (end[0] - shared[0]) + (far[1] - shared[1]) * (end[1] - shared[1]) > 0
        return parallel and toward
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if all(turn != 0 for turn in turns):
        return (turns[0] > 0) != (turns[1] > 0) and (turns[2] > 0) != (turns[3] > 0)
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _between(*each) for turn, each in zip(turns, ends, strict=True))


def _between(a: Point, b: Point, point: Point) -> bool:
    return all(min(a[k], b[k]) <= point[k] <= max(a[k], b[k]) for k in range(2))


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the area of a triangle, positive if it is counter-clockwise."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _area(corners: Sequence[Point]) -> float:
    origin = corners[0]
    return sum(_turn(origin, one, other) for one, other in pairwise(corners[1:])) / 2


def _triangles(corners: Sequence[Point]) -> list[tuple[int, int, int]]:
    """Triangles of corners that make up a polygon, by cutting off one ear after the other (Meisters 1975)."""
    left, found = list(range(len(corners))), []
    while len(left) > 3:
        ear = next((k for k in range(len(left)) if _is_ear(corners, left, k)), None)
        # rounding may hide the last ears of edges that nearly touch; the best corner is then the best that there is
        at = max(range(len(left)), key=lambda k: _turn(*_at(corners, left, k))) if ear is None else ear
        before, here, after = left[at - 1], left[at], left[(at + 1) % len(left)]
        if _turn(corners[before], corners[here], corners[after]) > 0:
            found.append((before, here, after))
        left.pop(at)
    return [*found, (left[0], left[1], left[2])]


def _at(corners: Sequence[Point], left: Sequence[int], k: int) -> tuple[Point, Point, Point]:
    return corners[left[k - 1]], corners[left[k]], corners[left[(k + 1) % len(left)]]


def _is_ear(corners: Sequence[Point], left: Sequence[int], k: int) -> bool:
    a, b, c = _at(corners, left, k)
    if _turn(a, b, c) <= 0:
        return False
    others = (corners[each] for each in left if corners[each] not in (a, b, c))
    return not any(_turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0 for p in others)
