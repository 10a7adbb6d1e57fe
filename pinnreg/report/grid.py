"""Where solutions are compared with references: points that training never sees.

Up to four axes that is a tensor grid, which figures and `fields.npz` show as well. Of a grid in ten dimensions with
five points along an axis 99.4 % would lie on the boundary, where exact conditions leave no error. Beyond four axes
errors are therefore taken at scattered points, and the grid is a plane through the middle of the domain, to look at.

The grid covers the box around a domain. Of one that is no box itself only the points inside count: all fields are NaN
at the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.domain import Box, Domain
from pinnreg.errors import InputError

Axes = dict[str, NDArray[np.float64]]
Inside = NDArray[np.bool_] | None
"""Which points of a grid lie in the domain, of the grid's shape; None for all."""

MOST_AXES = 4
"""Of a tensor grid by default."""
SCATTERED = 10_000
"""Points at which errors are taken beyond that."""
PLANE = 100
"""Points along each axis of a plane to look at."""
FLAT = 256 * 100
"""Points in all of a grid around a shape in the plane."""
FEWEST = 10
"""Points of a grid inside a domain at which errors are taken at least."""
CHUNK = 8192
"""Points at a time of which is asked whether they lie in the domain."""


def grid_sizes(domain: Domain, sizes: Sequence[int] | None) -> tuple[int, ...]:
    """The number of points along each axis that has more than one; arguments as for `grid_axes`."""
    dimension = domain.dimension
    if sizes is None and dimension > MOST_AXES:
        return (PLANE, PLANE)
    if sizes is None:
        planned = {1: (1001,), 2: (256, 100)}
        if dimension == 2 and "t" not in domain.axes and not isinstance(domain, Box):
            return _square_cells(domain)
        sizes = planned.get(dimension, (max(5, round(70_000 ** (1 / dimension))),))
    return tuple(sizes) if len(sizes) == dimension else tuple(sizes) * dimension


def _square_cells(domain: Domain) -> tuple[int, ...]:
    """So many points along two axes that they are equally far apart, on each as many as a picture needs at least."""
    lengths = [upper - lower for lower, upper in domain.bounds.values()]
    apart = math.sqrt(math.prod(lengths) / FLAT)
    return tuple(max(round(length / apart), 40) for length in lengths)


def grid_axes(domain: Domain, sizes: Sequence[int] | None) -> Axes:
    """Equidistant coordinates along each axis, both ends included; beyond four axes of the first two only.

    Args:
        domain: to cover.
        sizes: points along each axis, or one number for all; None: 1001 on a line, 256 x 100 on a plane, as many in
            squares around a shape, up to four axes about 70 000 points in all, and of more a plane.
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
    points: NDArray[np.float64] = domain.sample(SCATTERED, "sobol", 0).numpy()
    return points


def inside_of(
    domain: Domain, axes: Mapping[str, NDArray[np.float64]], fixed: Mapping[str, float] | None = None
) -> Inside:
    """Which points of a tensor grid lie in the domain; None for all, as of a box.

    Axes that are not given are at `fixed`, or else at their middle, and time at its end.
    """
    if isinstance(domain, Box):
        return None
    points = torch.from_numpy(grid_points(axes, domain.axes, {**middle_of(domain, axes), **(fixed or {})}))
    inside = torch.cat([domain.contains(piece) for piece in points.split(CHUNK)])
    found: NDArray[np.bool_] = inside.numpy().reshape(tuple(len(axis) for axis in axes.values()))
    return found


def check_inside(domain: Domain, inside: Inside) -> None:
    """Refuse a grid that nearly misses the domain.

    Raises:
        InputError: fewer than ten of its points lie in the domain.
    """
    if inside is not None and (count := int(inside.sum())) < FEWEST:
        sizes = " x ".join(map(str, inside.shape))
        raise InputError(
            f"evaluate.grid ({sizes}): {count} of its {inside.size} points lie in {domain!r}, and errors need "
            f"{FEWEST} at least; take more points along each axis"
        )


def taken(values: NDArray[np.float64], inside: Inside) -> NDArray[np.float64]:
    """The values at the points of a grid that lie in the domain, (n,)."""
    found: NDArray[np.float64] = values.reshape(-1) if inside is None else values[inside]
    return found


def spread(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """An array on the grid from the values inside, (n,): NaN elsewhere."""
    whole = np.full(inside.shape, np.nan)
    whole[inside] = values
    return whole
