"""References on shapes: their values at points of the plane, NaN outside, and on tensor grids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pinnreg.reference.base import Array, Axes, Integers, Solved, Values, grid_shape, relative_difference
from pinnreg.reference.outline import Plane, contained, extent

SLACK = 1e-9
"""Of the size of a shape: points that miss it by so little are on its boundary."""


def masked(plane: Plane, points: Array, at: Callable[..., Array], *others: Array) -> Array:
    """Values of components, (c, n, ...), by a function of points inside, and of what belongs to them; NaN elsewhere."""
    inside = contained(plane, points, SLACK * extent(plane))
    some = inside if inside.any() else np.arange(len(points)) < 1
    inside_values = at(points[some], *(each[some] for each in others))[:, : inside.sum()]
    values = np.full((len(inside_values), len(points), *inside_values.shape[2:]), np.nan)
    values[:, inside] = inside_values
    return values


def by_time(times: Array) -> Iterator[tuple[float, Integers]]:
    """Each of the times (n,) once, in their order, and the numbers of the points that share it, ascending."""
    order = np.argsort(times, kind="stable")
    found, starts = np.unique(times[order], return_index=True)
    pieces = np.split(order, starts)[1:]  # nothing comes before the first start
    return zip(found.tolist(), pieces, strict=True)


def finite_difference(values: Array, reference: Array) -> float:
    """The largest relative L2 difference of components, (c, n), over the points where both are finite."""
    there = np.isfinite(reference).all(axis=0) & np.isfinite(values).all(axis=0)
    pairs = zip(values[:, there], reference[:, there], strict=True)
    return max(relative_difference(one, other) for one, other in pairs)


def plane_grid(axes: Sequence[Array]) -> Array:
    """The points of the tensor grid of two axes, (n, 2)."""
    return np.column_stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")])


def on_tensor_grid(axes: Axes, at: Callable[[Array], tuple[Values, float]]) -> Solved:
    """The values on the tensor grid of two axes."""
    values, error = at(plane_grid(list(axes.values())))
    return Solved({output: each.reshape(grid_shape(axes)) for output, each in values.items()}, error)
