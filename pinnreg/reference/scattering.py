"""References on shapes: their values at points of the plane, NaN outside, and on tensor grids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pinnreg.reference.base import Array, Axes, Solved, Values, grid_shape, open_mesh, relative_difference
from pinnreg.reference.outline import Plane, contained, extent

SLACK = 1e-9
"""Of the size of a shape: points that miss it by so little are on its boundary."""


def masked(plane: Plane, points: Array, at: Callable[[Array], Array]) -> Array:
    """Values of components, (c, n), by a function of points inside; NaN at those outside."""
    inside = contained(plane, points, SLACK * extent(plane))
    inside_values = at(points[inside]) if inside.any() else at(points[:1])[:, :0]
    values = np.full((len(inside_values), len(points)), np.nan)
    values[:, inside] = inside_values
    return values


def finite_difference(values: Array, reference: Array) -> float:
    """The largest relative L2 difference of components, (c, n), over the points where both are finite."""
    there = np.isfinite(reference).all(axis=0) & np.isfinite(values).all(axis=0)
    pairs = zip(values[:, there], reference[:, there], strict=True)
    return max(relative_difference(one, other) for one, other in pairs)


def on_tensor_grid(axes: Axes, at: Callable[[Array], tuple[Values, float]]) -> Solved:
    """The values on the tensor grid of two axes."""
    shape = grid_shape(axes)
    points = np.column_stack([np.broadcast_to(each, shape).ravel() for each in open_mesh(axes.values())])
    values, error = at(points)
    return Solved({output: each.reshape(shape) for output, each in values.items()}, error)
