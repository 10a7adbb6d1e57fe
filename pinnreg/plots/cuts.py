"""Where a grid of many axes is cut to be drawn: times, values of parameters, and the plane of a map."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pinnreg.plots import style
from pinnreg.plots.rows import Array

Index = tuple[int | slice, ...]
"""Of an array on the grid: a number for each axis that is cut."""

LOW_TO_HIGH = (0.0, 0.5, 1.0)
"""Fractions of a parameter's range at which a solution for all of its values is shown."""


def nearest(axis: Array, fractions: Sequence[float]) -> list[int]:
    """Indices of the grid points nearest to fractions of the axis, without repetition."""
    wanted = axis[0] + np.asarray(fractions) * (axis[-1] - axis[0])
    return sorted({int(np.abs(axis - value).argmin()) for value in wanted})


def plane_of(axes: Mapping[str, Array], parameters: Collection[str] = ()) -> tuple[str, ...]:
    """The two axes of a map: the first that are no parameters, where there are two of these."""
    rest = [name for name in axes if name not in parameters]
    return tuple(rest if len(rest) >= 2 else axes)[:2]


def middle(axes: Mapping[str, Array], parameters: Collection[str] = ()) -> dict[str, int]:
    """Where the axes beside the plane of a map are cut: time at its end, others nearest their middle."""
    plane = plane_of(axes, parameters)
    return {
        name: axis.size - 1 if name == "t" else nearest(axis, (0.5,))[0]
        for name, axis in axes.items()
        if name not in plane
    }


def cut(axes: Mapping[str, Array], parameters: Collection[str] = ()) -> dict[str, float]:
    """The coordinates of that plane."""
    return {name: float(axes[name][number]) for name, number in middle(axes, parameters).items()}


def of_parameters(axes: Mapping[str, Array], parameters: Collection[str]) -> list[list[dict[str, int]]]:
    """For each parameter of a grid where it is cut from low to high, others in the middle; once without any."""
    centre = {name: nearest(axes[name], (0.5,))[0] for name in axes if name in parameters}
    found = [[{**centre, name: number} for number in nearest(axes[name], LOW_TO_HIGH)] for name in centre]
    return found or [[{}]]


def index_of(axes: Mapping[str, Array], cuts: Mapping[str, int]) -> Index:
    """The index of what is left of an array on the grid."""
    return tuple(cuts.get(name, slice(None)) for name in axes)


def said(axes: Mapping[str, Array], cuts: Mapping[str, int]) -> str:
    """The coordinates of a cut in words."""
    return said_values({name: float(axes[name][number]) for name, number in cuts.items()})


def said_values(values: Mapping[str, float]) -> str:
    """Coordinates in words."""
    return ", ".join(f"{style.label(name)} = {value:.3g}" for name, value in values.items())
