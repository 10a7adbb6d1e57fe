"""The grid that errors are measured on; training never sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pinnreg.domain import Domain

Axes = dict[str, NDArray[np.float64]]


def grid_sizes(domain: Domain, sizes: Sequence[int] | None) -> tuple[int, ...]:
    """The number of points along each axis; arguments as for `grid_axes`."""
    dimension = domain.dimension
    if sizes is None:
        planned = {1: (1001,), 2: (256, 100)}
        sizes = planned.get(dimension, (max(5, round(70_000 ** (1 / dimension))),))
    return tuple(sizes) if len(sizes) == dimension else tuple(sizes) * dimension


def grid_axes(domain: Domain, sizes: Sequence[int] | None) -> Axes:
    """Equidistant coordinates along each axis, both ends included.

    Args:
        sizes: points along each axis, or one number for all; None: 1001 on a line, 256 x 100 on a plane, otherwise
            about 70 000 points in all and at least 5 along an axis.
    """
    counts = grid_sizes(domain, sizes)
    return {
        name: np.linspace(*bounds, count) for (name, bounds), count in zip(domain.bounds.items(), counts, strict=True)
    }


def grid_points(axes: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """All points of the tensor grid, (n, d), the last axis fastest."""
    return np.stack([mesh.reshape(-1) for mesh in np.meshgrid(*axes.values(), indexing="ij")], axis=1)
