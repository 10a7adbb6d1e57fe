"""`Fixed`: a solution where some of its axes have values, as parameters of the problem have, as one of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pinnreg.domain.given import points_of
from pinnreg.errors import InputError, unknown

Array = NDArray[np.float64]


class Function(Protocol):
    """What is known of a solution at points."""

    def __call__(self, points: ArrayLike) -> Array: ...

    def derivative(self, points: ArrayLike, name: str) -> Array: ...

    def on_grid(self, axes: Mapping[str, Array]) -> dict[str, Array]: ...


@final
@dataclass(frozen=True)
class Fixed:
    """A solution at fixed values of some axes: `solution.at(alpha=0.3)`.

    Attributes:
        solution: of all axes.
        all_axes: their names.
        values: of the fixed ones.
    """

    solution: Function
    all_axes: tuple[str, ...]
    values: Mapping[str, float]

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes that are left."""
        return tuple(axis for axis in self.all_axes if axis not in self.values)

    def __call__(self, points: ArrayLike) -> Array:
        """The outputs at points (n, d) of the axes that are left, (n, outputs)."""
        return self.solution(self._whole(points))

    def derivative(self, points: ArrayLike, name: str) -> Array:
        """A partial derivative of every output, (n, outputs), also by a fixed axis."""
        return self.solution.derivative(self._whole(points), name)

    def on_grid(self, axes: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name on a tensor grid of axes that are left, each of the grid's shape."""
        if both := [axis for axis in axes if axis in self.values]:
            raise InputError(f"on_grid: {both[0]!r} is fixed at {self.values[both[0]]:g}")
        if odd := [axis for axis in axes if axis not in self.axes]:
            raise unknown("axis:", odd[0], self.axes)
        found = self.solution.on_grid({**axes, **{axis: np.array([value]) for axis, value in self.values.items()}})
        shape = tuple(len(axis) for axis in axes.values())
        return {name: each.reshape(shape) for name, each in found.items()}

    def _whole(self, points: ArrayLike) -> Array:
        """The points with the columns of the fixed axes, (n, all)."""
        at = points_of("a solution", self.axes, points).detach().double().cpu().numpy()
        columns = dict(zip(self.axes, at.T, strict=True))
        return np.stack([columns.get(axis, np.full(len(at), self.values.get(axis))) for axis in self.all_axes], axis=1)


def fixed(
    solution: Function, axes: tuple[str, ...], bounds: Mapping[str, tuple[float, float]], values: Mapping[str, float]
) -> Fixed:
    """The solution at values of some axes.

    Raises:
        InputError: no such axis, a value outside of the domain, or none that is left.
    """
    for axis, value in values.items():
        if axis not in axes:
            raise unknown("axis:", axis, axes)
        low, high = bounds[axis]
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value <= high:
            raise InputError(f"at({axis}={value!r}): expected a number from {low:g} to {high:g}, where it was trained")
    if not values or len(values) == len(axes):
        raise InputError(f"at(): expected values of some of the axes {', '.join(axes)}, not of none or all")
    return Fixed(solution, axes, {axis: float(value) for axis, value in values.items()})
