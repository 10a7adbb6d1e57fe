"""Triangles that fill a plane shape, whose edges follow its boundary and interfaces inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import scipy
from numpy.typing import NDArray

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Integers
from pinnreg.reference.grading import Lengths
from pinnreg.reference.outline import Arc, Outline, Plane, contained, distances

MOST_POINTS = 150_000
SWEEPS = 20
"""Of the relaxation."""
REPAIRS = 40
CLEAR = 0.55
"""Of the wanted length: so near to the boundary no point inside stays."""
LATTICE = np.array([[1.0, 0.0], [0.5, 3**0.5 / 2]])
OUTSIDE = 1e-9
"""Of the size: a triangle whose centre is not deeper inside than this is outside."""


@final
@dataclass(frozen=True)
class Segments:
    """Edges along arcs: the numbers of their two points (s, 2), of the arc (s,), and the lengths along it (s, 2)."""

    points: Integers
    arcs: Integers
    spans: Array

    def middles(self, arcs: Sequence[Arc]) -> Array:
        """The points of the arcs half-way, (s, 2)."""
        found = np.empty((len(self.arcs), 2))
        for number in np.unique(self.arcs):
            own = self.arcs == number
            found[own] = arcs[number].at(self.spans[own].mean(axis=1))
        return found

    def split(self, chosen: NDArray[np.bool_], first: int) -> Segments:
        """With points in the middles of the chosen ones, numbered from `first` on."""
        new = first + np.arange(int(chosen.sum()))
        points, spans = self.points[chosen], self.spans[chosen]
        middle = spans.mean(axis=1)
        return Segments(
            np.concatenate(
                [self.points[~chosen], np.column_stack([points[:, 0], new]), np.column_stack([new, points[:, 1]])]
            ),
            np.concatenate([self.arcs[~chosen], self.arcs[chosen], self.arcs[chosen]]),
            np.concatenate(
                [self.spans[~chosen], np.column_stack([spans[:, 0], middle]), np.column_stack([middle, spans[:, 1]])]
            ),
        )


@final
@dataclass(frozen=True)
class Triangles:
    """A triangulation.

    Attributes:
        points: (n, 2).
        corners: of the triangles, (m, 3).
        segments: those edges that lie on the outline.
        delaunay: of all points, the triangles outside included.
        kept: the number of a triangle by that in `delaunay`, −1 outside.
    """

    points: Array
    corners: Integers
    segments: Segments
    delaunay: Any
    kept: Integers

    @property
    def neighbours(self) -> Integers:
        """The triangles across the edges of each, (m, 3), −1 for none."""
        beside = self.delaunay.neighbors[self.kept >= 0]
        return np.where(beside >= 0, self.kept[beside], -1)


def triangulate(domain: Plane, found: Outline, wanted: Lengths) -> Triangles:
    """A Delaunay triangulation of points on the arcs and of a lattice inside, relaxed as springs are.

    Source: P.-O. Persson and G. Strang, A Simple Mesh Generator in MATLAB (2004), with fixed points on the boundary
    and a lattice of rhombi that are cut in four until they are small enough; missing edges as in J. Ruppert (1995).

    Raises:
        InputError: more than 150 000 points, or a boundary that the edges do not come to follow.
    """
    fixed, segments = _along(found, wanted)
    points = _relaxed(fixed, _lattice(domain, segments, found, fixed, wanted), segments, found, wanted)
    count = len(fixed)
    for _ in range(REPAIRS):
        delaunay = scipy.spatial.Delaunay(points)
        missing = _missing(delaunay.simplices, segments.points, len(points))
        if not missing.any():
            break
        points, segments, count = _repaired(points, segments, count, missing, found)
        if len(points) > 2 * MOST_POINTS:
            raise _too_many()
    else:
        raise InputError("finite_elements: the mesh does not come to follow the boundary; try a smaller size")
    inside = _inside(domain, delaunay, segments.points, OUTSIDE * found.size)
    kept = np.where(inside, np.cumsum(inside) - 1, -1)
    return Triangles(points, delaunay.simplices[inside].astype(np.intp), segments, delaunay, kept)


def _along(found: Outline, wanted: Lengths) -> tuple[Array, Segments]:
    """Points on the arcs, the vertices first, and the edges between them."""
    points, count = [found.vertices], len(found.vertices)
    pairs, arcs, spans = [], [], []
    for number, arc in enumerate(found.arcs):
        far = arc.lengths
        # finer than the samples of the arc, as towards singular corners
        ends = far[-1] * np.concatenate([np.geomspace(1e-8, 0.5, 400), 1 - np.geomspace(1e-8, 0.5, 400)])
        near = np.unique(np.concatenate([far, ends]))
        middles = (near[1:] + near[:-1]) / 2
        on_arc = np.column_stack([np.interp(middles, far, arc.points[:, k]) for k in range(2)])
        until = np.concatenate([[0.0], (np.diff(near) / wanted(on_arc)).cumsum()])
        least = 1 if arc.straight else 3 if arc.ends[0] == arc.ends[1] else 2
        edges = max(least, int(np.ceil(until[-1])))
        if count + edges > MOST_POINTS:
            raise _too_many()
        at = np.interp(np.linspace(0, until[-1], edges + 1), until, near)
        numbers = np.concatenate([[arc.ends[0]], count + np.arange(edges - 1), [arc.ends[1]]])
        points.append(arc.at(at[1:-1]))
        pairs.append(np.column_stack([numbers[:-1], numbers[1:]]))
        spans.append(np.column_stack([at[:-1], at[1:]]))
        arcs.append(np.full(edges, number))
        count += edges - 1
    return np.concatenate(points), Segments(np.concatenate(pairs), np.concatenate(arcs), np.concatenate(spans))


def _lattice(domain: Plane, segments: Segments, found: Outline, fixed: Array, wanted: Lengths) -> Array:
    """Centres of rhombi inside, of about the wanted length."""
    lower, upper = (np.array(each) for each in zip(*domain.bounds.values(), strict=True))
    length = wanted.size
    spread = int(np.ceil(2 * (upper - lower).max() / length)) + 2
    if spread**2 > 40 * MOST_POINTS:
        raise _too_many()
    grid = np.stack(np.meshgrid(np.arange(-spread, spread), np.arange(-spread, spread)), axis=-1).reshape(-1, 2)
    centres = grid @ LATTICE * length + (lower + upper) / 2
    centres = centres[((centres > lower - length) & (centres < upper + length)).all(axis=1)]
    centres = centres[distances(domain, centres) < length]
    whole = []
    while len(centres):
        cut = wanted(centres) < 0.75 * length
        whole.append(centres[~cut])
        length /= 2
        quarters = length / 2 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) @ LATTICE
        centres = (centres[cut][:, None] + quarters).reshape(-1, 2)
        if len(fixed) + sum(map(len, whole)) + len(centres) > 2 * MOST_POINTS:
            raise _too_many()
    points = np.concatenate(whole)
    points = points[contained(domain, points)]
    return points[_clear(points, fixed, segments, found, wanted)]


def _clear(points: Array, fixed: Array, segments: Segments, found: Outline, wanted: Lengths) -> NDArray[np.bool_]:
    """Which points keep away from the outline."""
    tree = scipy.spatial.KDTree(np.concatenate([fixed, segments.middles(found.arcs)]))
    return np.asarray(tree.query(points)[0] > CLEAR * wanted(points))


def _relaxed(fixed: Array, inside: Array, segments: Segments, found: Outline, wanted: Lengths) -> Array:
    """All points, those inside moved by springs that only push."""
    count = len(fixed)
    points = np.concatenate([fixed, inside])
    for _ in range(SWEEPS if len(inside) else 0):
        edges = np.unique(edges_of(scipy.spatial.Delaunay(points).simplices), axis=0)
        along = points[edges[:, 0]] - points[edges[:, 1]]
        length, rest = np.hypot(*along.T), wanted(points[edges].mean(axis=1))
        near = length < 2.5 * rest  # others lie outside, or beyond the boundary
        edges, along, length, rest = edges[near], along[near], length[near], rest[near]
        rest = 1.2 * rest * np.sqrt((length**2).sum() / (rest**2).sum())
        push = (np.maximum(rest - length, 0) / length)[:, None] * along
        force = np.zeros_like(points)
        np.add.at(force, edges[:, 0], push)
        np.add.at(force, edges[:, 1], -push)
        points[count:] += 0.2 * force[count:]
    return np.concatenate([fixed, points[count:][_clear(points[count:], fixed, segments, found, wanted)]])


def edges_of(triangles: Integers) -> Integers:
    """The first edges of all triangles (m, 3), the second and the third ones: pairs in order, (3 m, 2)."""
    return np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)


def _keys(pairs: Integers, count: int) -> Integers:
    low, high = np.sort(pairs, axis=1).T.astype(np.int64)
    return np.asarray(low * count + high)


def _missing(triangles: Integers, pairs: Integers, count: int) -> NDArray[np.bool_]:
    return ~np.isin(_keys(pairs, count), _keys(edges_of(triangles), count))


def _repaired(
    points: Array, segments: Segments, count: int, missing: NDArray[np.bool_], found: Outline
) -> tuple[Array, Segments, int]:
    """Without the points inside the circles on missing edges; edges that no such point hinders are split."""
    ends = points[segments.points[missing]]
    middles, radii = ends.mean(axis=1), np.hypot(*(ends[:, 0] - ends[:, 1]).T) / 2
    near = [[] for _ in middles] if len(points) == count else _within(points[count:], middles, radii)
    dropped = np.array(sorted({point for each in near for point in each}), dtype=np.intp)
    hindered = np.array([len(each) > 0 for each in near])
    chosen = missing.copy()
    chosen[missing] = ~hindered
    new = segments.middles(found.arcs)[chosen]
    inside = np.delete(points[count:], dropped, axis=0)
    return np.concatenate([points[:count], new, inside]), segments.split(chosen, count), count + len(new)


def _within(points: Array, centres: Array, radii: Array) -> list[list[int]]:
    """The numbers of the points in each circle."""
    return list(scipy.spatial.KDTree(points).query_ball_point(centres, radii))


def _inside(domain: Plane, delaunay: Any, pairs: Integers, slack: float) -> NDArray[np.bool_]:
    """Which triangles are inside: of all that edges of the outline surround, what the largest one is."""
    triangles = delaunay.simplices
    count = len(delaunay.points)
    walls = np.unique(_keys(pairs, count))
    rows, columns = [], []
    for k in range(3):
        beside = delaunay.neighbors[:, k]
        # neighbour k lies across the edge opposite to corner k
        open_edge = ~np.isin(_keys(np.delete(triangles, k, axis=1), count), walls) & (beside >= 0)
        rows.append(np.flatnonzero(open_edge))
        columns.append(beside[open_edge])
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = scipy.sparse.coo_array((np.ones(len(row)), (row, column)), shape=(len(triangles), len(triangles)))
    parts, which = scipy.sparse.csgraph.connected_components(graph, directed=False)
    one, other = (delaunay.points[triangles[:, k]] - delaunay.points[triangles[:, 0]] for k in (1, 2))
    areas = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    order = np.lexsort((areas, which))
    largest = order[np.searchsorted(which[order], np.arange(parts), side="right") - 1]
    centres = delaunay.points[triangles[largest]].mean(axis=1)
    found: NDArray[np.bool_] = (distances(domain, centres) < -slack)[which]
    return found


def _too_many() -> InputError:
    return InputError(f"finite_elements: such a small size takes more than {MOST_POINTS} points; give a larger one")
