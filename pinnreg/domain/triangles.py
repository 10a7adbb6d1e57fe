"""`Triangles`: which of many is nearest to a point, and how often closed ones go around it, by a tree of boxes.

Seconds for 10⁵ points in the box around a torus of m triangles, on one core; comparing all with all was measured with
fewer points:

| m      | all with all: winding, nearest | tree: winding, nearest, nearest within 1 % of the size |
|--------|--------------------------------|--------------------------------------------------------|
| 200    | 2.3, 4.4                       | 0.12, 1.0, 0.2                                         |
| 2,048  | 8.1, 22                        | 0.11, 1.2, 0.2                                         |
| 20,000 | 103, 611                       | 0.16, 2.4, 0.2                                         |

The tree is gone down by all points together, level by level, so that it takes some tens of tensor operations, on a GPU
as on a CPU. A point looks into about 50 boxes for the winding and 100 to 300 for the nearest, which grow where many
triangles are nearly as near: in the middle of a ball all of them are. Boxes of 8 were faster than of 4 or 16. A grid
across the rays would be faster for triangles of one size, but surfaces of CAD programs have few large and many small
ones; SciPy's trees of points do not bound distances to long triangles, and are on the CPU only. The side of the nearest
triangle does not tell what is inside at sharp edges and for triangles without an area to speak of; crossings do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd import Function

from pinnreg.domain.copies import Copies

BITS = 3
"""A box holds two to so many others, the innermost fewer."""
HELD = 2**16
"""Pairs of points and boxes that are looked into together."""
LEAN = 0.0141, 0.0173
"""How far rays lean along x and y for each unit of z: parallel to no triangle that someone drew."""

Columns = Sequence[Tensor] | Tensor
"""Of each axis."""
Search = Callable[[Tensor], Tensor]
"""Of points, (n, 3), in float64."""
Look = Callable[[Tensor, Tensor], Tensor]
"""Which boxes to look into, (k, b), by numbers of points, (k,), and the boxes that each is to choose from, (columns, k,
b)."""


@final
class Triangles:
    """Triangles, (m, 3, 3), in a balanced tree of boxes. All is looked for in float64, without derivatives."""

    def __init__(self, corners: Tensor) -> None:
        slots, blank = _slots(corners.mean(dim=1))
        corners = _square_first(corners)[slots]
        leaning = _leaning(corners.unbind(dim=2))
        around = _boxes(corners, blank)
        shadows = [table[:6].contiguous() for table in _boxes(torch.stack(leaning, dim=2), blank)]
        self._depth = len(around)
        # by columns, as short rows add up slowly: (corners, axes, triangles)
        self._copies = Copies(corners.permute(1, 2, 0).contiguous(), *around, *shadows)

    def nearest(self, points: Tensor, within: float = math.inf) -> Tensor:
        """The nearest points of the triangles to points, (n, 3), in float64; NaN where none is so near."""
        return _found(points, partial(self._nearest, within=within))

    def winding(self, points: Tensor) -> Tensor:
        """How often closed triangles go around points, (n,), by the signed number of those above them."""
        return _found(points, self._winding)

    def _nearest(self, points: Tensor, within: float) -> Tensor:
        corners, *tables = self._copies.at(points)
        columns = points.T.contiguous()
        # squares of how far the nearest is at most, and of how far the nearest so far is
        most = torch.full_like(columns[0], within**2)
        least = torch.full_like(most, math.inf)
        found = torch.zeros_like(most, dtype=torch.long)

        def look(point: Tensor, boxes: Tensor) -> Tensor:
            here = columns[:, point, None]
            lower, upper, place = boxes.split(3)
            most.scatter_reduce_(0, point, _dot(place - here, place - here).amin(dim=1), "amin")
            gaps = torch.maximum(lower - here, here - upper).clamp_min_(0)
            return _dot(gaps, gaps) <= most[point, None]

        for point, triangle in self._pairs(len(points), tables[: self._depth], look):
            away = _away(columns[:, point], corners[..., triangle])
            squares = _dot(away, away)
            best = least.scatter_reduce(0, point, squares, "amin")
            # of those that are equally near the first
            (won,) = ((squares == best[point]) & (squares < least[point])).nonzero(as_tuple=True)
            first = torch.full_like(found, corners.shape[2]).scatter_reduce_(0, point[won], triangle[won], "amin")
            found, least = torch.where(best < least, first, found), best
            torch.minimum(most, least, out=most)
        away = _away(columns, corners[..., found])
        return torch.where(least <= within**2, columns + torch.stack(away), math.nan).T

    def _winding(self, points: Tensor) -> Tensor:
        corners, *tables = self._copies.at(points)
        columns = torch.stack(_leaning(points.T))
        found = torch.zeros_like(columns[0], dtype=torch.long)

        def look(point: Tensor, boxes: Tensor) -> Tensor:
            x, y, z = columns[:, point, None].unbind()
            left, near, _, right, far, top = boxes.unbind()
            return (left <= x) & (x <= right) & (near <= y) & (y <= far) & (z <= top)

        for point, triangle in self._pairs(len(points), tables[self._depth :], look):
            crossed = _crossed(columns[:, point], [_leaning(corner) for corner in corners[..., triangle]])
            found.index_add_(0, point, crossed)
        return found

    def _pairs(self, count: int, tables: Sequence[Tensor], look: Look) -> Iterator[tuple[Tensor, Tensor]]:
        """Numbers of points and of triangles whose boxes are looked into, (k,) and (k,)."""
        point = torch.arange(count, device=tables[0].device)
        waiting = [(0, point, torch.zeros_like(point))]
        while waiting:
            level, point, box = waiting.pop()
            if len(point) > HELD:
                parts = zip(point.split(HELD), box.split(HELD), strict=True)
                waiting += [(level, *part) for part in parts]
            elif level == len(tables):
                yield point, box
            else:
                pair, inner = look(point, tables[level][:, box]).nonzero(as_tuple=True)
                waiting.append((level + 1, point[pair], tables[level].shape[2] * box[pair] + inner))


def _found(points: Tensor, search: Search) -> Tensor:
    found: Tensor = _Search.apply(points.detach(), search)  # type: ignore[no-untyped-call]
    return found


@final
class _Search(Function):
    """What is found for each of points, (n, 3); of a batch, (b, n, 3), for all as one, as their paths differ."""

    @staticmethod
    def forward(points: Tensor, search: Search) -> Tensor:
        return torch.cat([search(part) for part in points.double().split(max(HELD // 2**BITS, 1))])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info: Any, in_dims: Any, points: Tensor, search: Search) -> tuple[Tensor, int]:
        batch = points.movedim(in_dims[0], 0)
        found = _found(batch.reshape(-1, 3), search)
        return found.reshape(*batch.shape[:2], *found.shape[1:]), 0


def _square_first(corners: Tensor) -> Tensor:
    """The corners of triangles, (m, 3, 3), in the same turn, from that across the longest edge: the normal of the edges
    there is known best."""
    across = torch.linalg.vector_norm(corners.roll(1, dims=1) - corners.roll(-1, dims=1), dim=2).argmax(dim=1)
    turn = (across[:, None] + torch.arange(3)) % 3
    return corners.gather(1, turn[..., None].expand_as(corners))


def _slots(centres: Tensor) -> tuple[Tensor, Tensor]:
    """Which triangle is at each leaf of a tree, (2^k,), and where that is one that another leaf has already, (2^k,)."""
    size = 2 ** math.ceil(math.log2(len(centres)))
    slots = torch.arange(size) * len(centres) // size
    blank = slots.diff(prepend=slots.new_full((1,), -1)) == 0
    while size > 1:  # halved along its longest side
        places = centres[slots].reshape(-1, size, 3)
        longest = (places.amax(dim=1) - places.amin(dim=1)).argmax(dim=1)
        along = places.gather(2, longest[:, None, None].expand(-1, size, 1))[..., 0]
        order = (along.argsort(dim=1, stable=True) + size * torch.arange(len(along))[:, None]).reshape(-1)
        slots, blank, size = slots[order], blank[order], size // 2
    return slots, blank


def _boxes(corners: Tensor, blank: Tensor) -> list[Tensor]:
    """The boxes in each box of a level, (9, boxes, boxes in each), the outermost level first: their lower and upper
    ends, and one of the corners in them."""
    lower, upper, place = corners.amin(dim=1), corners.amax(dim=1), corners[:, 0].clone()
    lower[blank], upper[blank], place[blank] = math.inf, -math.inf, math.inf
    tables: list[Tensor] = []
    while not tables or len(place) > 1:
        width = min(2**BITS, len(place))
        lower, upper, place = (each.reshape(-1, width, 3) for each in (lower, upper, place))
        tables.insert(0, torch.cat([lower, upper, place], dim=2).permute(2, 0, 1).contiguous())
        lower, upper = lower.amin(dim=1), upper.amax(dim=1)
        middle = (place - (lower + upper)[:, None] / 2).square().sum(dim=2).argmin(dim=1)
        place = place[torch.arange(len(place)), middle]
    return tables


def _leaning(point: Columns) -> list[Tensor]:
    """Coordinates of which the last one goes along rays."""
    x, y, z = point
    # step by step, so that a corner of several triangles is rounded alike in all
    return [x - LEAN[0] * z, y - LEAN[1] * z, z]


def _crossed(points: Columns, corners: Sequence[Sequence[Tensor]]) -> Tensor:
    """1 for triangles above points that face upwards, -1 for those that face downwards, else 0, (k,).

    Of triangles side by side one is above a point or below it, not both or none: of their common edge both see the same
    number (Woop, Benthin and Wald 2013), and where that is 0 points count as moved along x, and less so along y.
    """
    a, b, c = ([x - y for x, y in zip(corner, points, strict=True)] for corner in corners)
    turns = [_turn(one, other) for one, other in ((b, c), (c, a), (a, b))]
    height = _dot([turn for turn, _ in turns], [a[2], b[2], c[2]])
    up, down = (torch.stack([sign * side > 0 for _, sign in turns]).all(dim=0) for side in (1, -1))
    return (up & (height > 0)).long() - (down & (height < 0)).long()


def _turn(one: Columns, other: Columns) -> tuple[Tensor, Tensor]:
    """Twice the area of the origin and two points, seen from above, and on which side of them the origin is."""
    area, x, y = one[0] * other[1] - one[1] * other[0], other[0] - one[0], other[1] - one[1]
    return area, torch.where(area != 0, area, torch.where(y != 0, -y, x))


def _away(points: Tensor, corners: Tensor) -> list[Tensor]:
    """What leads from points, (3, k), to the nearest ones of triangles, (3, 3, k), one each."""
    a, b, c = (corner - points for corner in corners)
    one, other = b - a, c - a
    normal = _cross(one, other)
    size, high = _dot(normal, normal), _dot(a, normal)
    # the foot on the plane is a + s one + t other; these are s and t times the size
    s, t = _dot(_cross(other, a), normal), _dot(_cross(a, one), normal)
    within = (s >= 0) & (t >= 0) & (s + t <= size) & (size > 0)
    best = torch.where(within, high**2 / size, math.inf)
    found = [torch.where(within, high / size * each, math.inf) for each in normal]
    for start, along in ((a, one), (a, other), (b, c - b)):
        share = (-_dot(start, along) / _dot(along, along)).clamp(0, 1)
        there = [x + share * y for x, y in zip(start, along, strict=True)]
        squares = _dot(there, there)
        closer = squares < best
        best = torch.where(closer, squares, best)
        found = [torch.where(closer, x, y) for x, y in zip(there, found, strict=True)]
    return found


def _dot(one: Columns, other: Columns) -> Tensor:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def _cross(one: Columns, other: Columns) -> list[Tensor]:
    return [one[i] * other[j] - one[j] * other[i] for i, j in ((1, 2), (2, 0), (0, 1))]
