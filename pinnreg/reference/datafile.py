"""A reference read from an .npz file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import (
    Array,
    Axes,
    Integers,
    Reference,
    Solved,
    axes_within,
    grid_shape,
    relative_difference,
)
from pinnreg.reference.reading import read_arrays


def from_file(path: str | Path, axes_names: Sequence[str], outputs: Sequence[str]) -> Reference:
    """Values read from an .npz file, interpolated by tensor-product cubic splines where other axes are asked.

    Args:
        path: a file that holds one increasing 1-D array for each axis and, for some or all outputs, an array on their
            tensor grid. Other keys are ignored. An axis of fewer than four points is interpolated at the
            highest degree that it allows.
        axes_names: the axes in the domain's order.
        outputs: the output names.

    Returns:
        A reference whose `error_estimate` is None on the file's own grid. Elsewhere it is the relative L2
        difference from interpolating every second point: the error of interpolation, not that of the file's
        own data.

    Raises:
        InputError: naming file and key, at once for what is wrong in the file; in `solve` for points outside
            it.
    """
    path = Path(path)
    arrays = read_arrays(path, axes_names, outputs)
    outputs = [name for name in outputs if name in arrays]
    nodes = {name: _axis(path, name, arrays[name]) for name in axes_names}
    values = {name: _output(path, name, arrays[name], grid_shape(nodes)) for name in outputs}
    bounds = {name: (float(axis[0]), float(axis[-1])) for name, axis in nodes.items()}

    def solve(axes: Axes) -> Solved:
        try:
            asked = axes_within(axes, bounds)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        found = {name: _interpolate(nodes, given, asked) for name, given in values.items()}
        keep = {name: _thinned(axis, asked[name]) for name, axis in nodes.items()}
        if all(len(keep[name]) == len(axis) for name, axis in nodes.items()):
            return Solved(found, None)
        thin = {name: axis[keep[name]] for name, axis in nodes.items()}
        chosen = np.ix_(*keep.values())
        differences = [
            relative_difference(_interpolate(thin, values[name][chosen], asked), found[name]) for name in outputs
        ]
        return Solved(found, max(differences))

    return Reference("data file", solve)


def _axis(path: Path, key: str, axis: Array) -> Array:
    if axis.ndim != 1 or axis.size == 0:
        raise InputError(f"{path}, key {key!r}: expected a non-empty 1-D array for an axis, got shape {axis.shape}")
    if not (np.diff(axis) > 0).all():
        raise InputError(f"{path}, key {key!r}: the axis is not strictly increasing")
    return axis


def _output(path: Path, key: str, values: Array, shape: tuple[int, ...]) -> Array:
    if values.shape != shape:
        raise InputError(f"{path}, key {key!r}: has shape {values.shape}, but the axes in the file give {shape}")
    return values


def _interpolate(nodes: Mapping[str, Array], values: Array, asked: Axes) -> Array:
    """One spline per axis: RegularGridInterpolator's interpolant, but each axis at the degree it allows."""
    for position, (name, axis) in enumerate(nodes.items()):
        if np.array_equal(axis, asked[name]):
            continue
        if len(axis) == 1:
            values = np.repeat(values, len(asked[name]), axis=position)
            continue
        spline = scipy.interpolate.make_interp_spline(axis, values, k=min(3, len(axis) - 1), axis=position)
        values = np.asarray(spline(asked[name]), dtype=np.float64)
    return values


def _thinned(axis: Array, asked: Array) -> Integers:
    """Every second point and the last one of an axis that is interpolated; all points of one that is not."""
    index = np.arange(len(axis))
    if np.array_equal(axis, asked):
        return index
    return np.flatnonzero((index % 2 == 0) | (index == len(axis) - 1))
