"""The values of finite elements at scattered points of a triangulation, curved edges included."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from pinnreg.reference.base import Array, Integers
from pinnreg.reference.triangles import Triangles, edges_of

NEWTON = 20
BEYOND = 1e-12
"""An edge, in barycentric coordinates."""
MOST_POINTS = 20_000
"""At a time."""


def probe(triangles: Triangles, basis: Any, points: Array) -> Any:
    """The matrix, (c n, N), that gives c components at points (n, 2) of the domain from coefficients (N,).

    A point between a curved edge and its chord belongs to the triangle of the nearest edge.
    """
    rows = [
        _probe(triangles, basis, points[start : start + MOST_POINTS])
        for start in range(0, max(len(points), 1), MOST_POINTS)
    ]
    # all points of the first component come first
    components = len(rows[0])
    return scipy.sparse.vstack([piece[k] for k in range(components) for piece in rows]).tocsr()


def _probe(triangles: Triangles, basis: Any, points: Array) -> list[Any]:
    """The matrices, (n, N), of the components."""
    cells, local = _placed(triangles, basis.mapping, points)
    fields = np.array(
        [
            np.asarray(basis.elem.gbasis(basis.mapping, local[:, :, None], number, tind=cells)[0]).reshape(
                -1, len(cells)
            )
            for number in range(basis.Nbfun)
        ]
    )
    columns = basis.element_dofs[:, cells]
    rows = np.broadcast_to(np.arange(len(cells)), columns.shape)
    shape = (len(cells), basis.N)
    return [
        scipy.sparse.coo_array((fields[:, k].ravel(), (rows.ravel(), columns.ravel())), shape=shape)
        for k in range(fields.shape[1])
    ]


def _placed(triangles: Triangles, mapping: Any, points: Array) -> tuple[Integers, Array]:
    """The triangle of each point, (n,), and the coordinates there, (2, n).

    A curved edge may bend across a point in the triangle of its chord: the point is then the neighbour's.
    """
    cells = _cells(triangles, points)
    local = _local(mapping, cells, points)
    beyond = np.flatnonzero(_depth(local) < -BEYOND)
    neighbours = triangles.neighbours[cells[beyond]]
    for beside in neighbours.T:
        there = beyond[beside >= 0]
        found = _local(mapping, beside[beside >= 0], points[there])
        deeper = _depth(found) > _depth(local[:, there])
        cells[there[deeper]] = beside[beside >= 0][deeper]
        local[:, there[deeper]] = found[:, deeper]
    return cells, local


def _depth(local: Array) -> Array:
    """The least barycentric coordinate, negative outside, (n,)."""
    return np.asarray(np.minimum(local.min(axis=0), 1 - local.sum(axis=0)))


def _cells(triangles: Triangles, points: Array) -> Integers:
    """The number of the triangle for each point."""
    simplex = triangles.delaunay.find_simplex(points)
    cells = np.where(simplex >= 0, triangles.kept[simplex], -1)
    lost = cells < 0
    if lost.any():
        edges, owners = _border(triangles)
        # by places along the edges, of which a short one may lie nearer than the middle of a long one
        shares = np.linspace(0.1, 0.9, 5)[:, None, None]
        along = (1 - shares) * triangles.points[edges[:, 0]] + shares * triangles.points[edges[:, 1]]
        _, nearest = scipy.spatial.KDTree(along.reshape(-1, 2)).query(points[lost])
        cells[lost] = np.tile(owners, len(shares))[nearest]
    return cells


def _border(triangles: Triangles) -> tuple[Integers, Integers]:
    """The edges that belong to one triangle only, (e, 2), and that triangle, (e,)."""
    corners = triangles.corners
    owners = np.tile(np.arange(len(corners)), 3)
    found, first, count = np.unique(edges_of(corners), axis=0, return_index=True, return_counts=True)
    return found[count == 1], owners[first[count == 1]]


def _local(mapping: Any, cells: Integers, points: Array) -> Array:
    """Coordinates in the reference triangle, (2, n), by Newton's method; not cut off at its edges."""
    local = np.full((2, len(points), 1), 1 / 3)
    for _ in range(NEWTON):
        missed = points.T[:, :, None] - mapping.F(local, tind=cells)
        step = np.einsum("ijkl,jkl->ikl", mapping.invDF(local, tind=cells), missed)
        local = np.clip(local + step, -1, 2)
        if np.abs(step).max(initial=0) < 1e-14:
            break
    return np.asarray(local[:, :, 0])
