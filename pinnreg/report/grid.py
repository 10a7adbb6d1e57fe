"""Where solutions are compared with references: points that training never sees.

Up to four axes that is a tensor grid, which figures and `fields.npz` show as well. Of a grid in ten dimensions with
five points along an axis 99.4 % would lie on the boundary, where exact conditions leave no error. Beyond four axes
errors are therefore taken at scattered points, and the grid is a plane through the middle of the domain, to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pinnreg.domain import Domain, unit_points

Axes = dict[str, NDArray[np.float64]]

MOST_AXES = 4
"""Of a tensor grid by default."""
SCATTERED = 10_000
"""Points at which errors are taken beyond that."""
PLANE = 100
"""Points along each axis of a plane to look at."""


def grid_sizes(domain: Domain, sizes: Sequence[int] | None) -> tuple[int, ...]:
    """The number of points along each axis that has more than one; arguments as for `grid_axes`."""
    dimension = domain.dimension
    if sizes is None and dimension > MOST_AXES:
        return (PLANE, PLANE)
    if sizes is None:
        planned = {1: (1001,), 2: (256, 100)}
        sizes = planned.get(dimension, (max(5, round(70_000 ** (1 / dimension))),))
    return tuple(sizes) if len(sizes) == dimension else tuple(sizes) * dimension


def grid_axes(domain: Domain, sizes: Sequence[int] | None) -> Axes:
    """Equidistant coordinates along each axis, both ends included; beyond four axes of the first two only.

    Args:
        domain: to cover.
        sizes: points along each axis, or one number for all; None: 1001 on a line, 256 x 100 on a plane, up to four
            axes about 70 000 points in all, and of more a plane.
    """
    counts = grid_sizes(domain, sizes)
    return {name: np.linspace(*domain.bounds[name], count) for name, count in zip(domain.axes, counts, strict=False)}


def middle_of(domain: Domain, axes: Mapping[str, object]) -> dict[str, float]:
    """The coordinates of the plane of some axes: the middle of all others, and the end of time."""
    return {
        name: upper if name == "t" else (lower + upper) / 2
        for name, (lower, upper) in domain.bounds.items()
        if name not in axes
    }


def grid_points(
    axes: Mapping[str, NDArray[np.float64]],
    order: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> NDArray[np.float64]:
    """All points of the tensor grid, (n, d), the last axis fastest.

    Args:
        axes: coordinates along each.
        order: of all columns; None for that of the axes.
        fixed: the coordinates of columns that are no axes.
    """
    meshes = {
        name: mesh.reshape(-1) for name, mesh in zip(axes, np.meshgrid(*axes.values(), indexing="ij"), strict=True)
    }
    count = len(next(iter(meshes.values())))
    columns = (meshes[name] if name in meshes else np.full(count, (fixed or {})[name]) for name in order or axes)
    return np.stack(list(columns), axis=1)


def scattered_points(domain: Domain, sizes: Sequence[int] | None) -> NDArray[np.float64] | None:
    """Points inside at which errors are taken in the place of the grid, (n, d), the same for all runs.

    None where it is the grid: up to four axes, and where a grid is asked for.
    """
    if sizes is not None or domain.dimension <= MOST_AXES:
        return None
    points: NDArray[np.float64] = domain.interior(unit_points("sobol", SCATTERED, domain.dimension, 0)).numpy()
    return points
