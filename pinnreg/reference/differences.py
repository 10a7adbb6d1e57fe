"""Fourth-order finite differences on a smooth grid of one dimension."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, sinh
from typing import final

import numpy as np
import scipy

from pinnreg.reference.base import Array


@final
@dataclass(frozen=True)
class Grid:
    """Nodes x(s) for uniform s, with x′ and x″ there; x = s, or x = p + c sinh s, gathered around p.

    `cluster` is (p, κ): at p the spacing is about κ / sinh κ of the uniform one.
    """

    s: Array
    ends: tuple[float, float]
    cluster: tuple[float, float] | None

    @classmethod
    def build(cls, ends: tuple[float, float], nodes: int, cluster: tuple[float, float] | None) -> Grid:
        first, last = (float(s) for s in _to_computational(np.array(ends), ends, cluster))
        return cls(np.linspace(first, last, nodes), ends, cluster)

    @property
    def x(self) -> Array:
        if self.cluster is None:
            return self.s
        position, _ = self.cluster
        x = position + _width(self.ends, self.cluster) * np.sinh(self.s)
        # The user's functions may be sensitive to a point just outside.
        x[0], x[-1] = self.ends
        return x

    @property
    def slope(self) -> Array:
        return np.ones_like(self.s) if self.cluster is None else _width(self.ends, self.cluster) * np.cosh(self.s)

    @property
    def curvature(self) -> Array:
        return np.zeros_like(self.s) if self.cluster is None else _width(self.ends, self.cluster) * np.sinh(self.s)

    def interpolate(self, values: Array, points: Array, *, periodic: bool) -> Array:
        """Values at the nodes, (nodes, m), to points, (k, m), by a quintic spline in s."""
        spline = scipy.interpolate.make_interp_spline(self.s, values, k=5, bc_type="periodic" if periodic else None)
        return np.asarray(spline(_to_computational(points, self.ends, self.cluster)), dtype=np.float64)


def _width(ends: tuple[float, float], cluster: tuple[float, float]) -> float:
    return (ends[1] - ends[0]) / (2 * sinh(cluster[1]))


def _to_computational(x: Array, ends: tuple[float, float], cluster: tuple[float, float] | None) -> Array:
    if cluster is None:
        return x
    return np.asarray(np.arcsinh((x - cluster[0]) / _width(ends, cluster)), dtype=np.float64)


def derivative_matrix(grid: Grid, *, periodic: bool) -> scipy.sparse.csr_array:
    """u at all nodes to u_x and u_xx, one above the other, at the unknown nodes.

    u_x = u_s / x′ and u_xx = (u_ss − x″ u_x) / x′², with five-point central differences. Beside a fixed end
    they are skewed, with five points for u_s and six for u_ss, which keeps the fourth order up to the
    boundary.
    """
    nodes = len(grid.s)
    step = float(grid.s[1] - grid.s[0])
    unknown = slice(0, nodes - 1) if periodic else slice(1, nodes - 1)
    by_slope = scipy.sparse.diags_array(1 / grid.slope[unknown])
    bent = scipy.sparse.diags_array((grid.curvature / grid.slope**2)[unknown])
    first = by_slope @ _stencils(nodes, 1, periodic) / step
    second = by_slope @ by_slope @ _stencils(nodes, 2, periodic) / step**2 - bent @ first
    return scipy.sparse.csr_array(scipy.sparse.vstack([first, second]))


def _stencils(nodes: int, order: int, periodic: bool) -> scipy.sparse.csr_array:
    matrix = scipy.sparse.lil_array((nodes, nodes))
    skewed = 4 + order
    rows = range(nodes - 1) if periodic else range(1, nodes - 1)
    for row in rows:
        if periodic or 2 <= row < nodes - 2:
            first, count = row - 2, 5
        else:
            first, count = (0, skewed) if row < 2 else (nodes - skewed, skewed)
        offsets = tuple(range(first - row, first - row + count))
        for offset, weight in zip(offsets, _weights(offsets, order), strict=True):
            # The last node of a period is the first of the next one.
            matrix[row, (row + offset) % (nodes - 1) if periodic else row + offset] = weight
    return scipy.sparse.csr_array(matrix)[rows.start : rows.stop]


def _weights(offsets: tuple[int, ...], order: int) -> Array:
    """Weights of the finite difference of this order on a unit grid, exact for polynomials on the stencil."""
    moments = np.vander(np.array(offsets, dtype=np.float64), increasing=True).T
    wanted = np.zeros(len(offsets))
    wanted[order] = factorial(order)
    return np.asarray(np.linalg.solve(moments, wanted), dtype=np.float64)
