"""What a reference is, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pinnreg.errors import InputError, broken, unknown

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Integers = NDArray[np.intp]
Axes = Mapping[str, Array]
"""1-D arrays by axis name, in the domain's order, time `t` last."""
Values = dict[str, Array]
"""Values by output name, each of shape `tuple(len(a) for a in axes.values())`."""

ROUNDING = float(np.finfo(np.float64).eps)
LARGEST = 1e150
"""Of a reference's values."""
MOST_AXES = 6
"""Of tensor grids through scattered points."""
_FEW_VALUES, _MANY_VALUES = 2**6, 2**22


@final
@dataclass(frozen=True)
class Solved:
    """A reference's values on one tensor grid.

    `error_estimate` is the relative L2 difference of two resolutions on that grid, the largest over the
    outputs; None where there is nothing to compare with.
    """

    values: Values
    error_estimate: float | None

    @classmethod
    def finer(cls, fine: Values, coarse: Values) -> Solved:
        """The values of the finer of two resolutions; their difference is at least that of rounding."""
        return cls(fine, max(ROUNDING, *(relative_difference(coarse[output], fine[output]) for output in fine)))


@final
@dataclass(frozen=True)
class Reference:
    """A solution that the network's is compared with.

    `kind` says how it is found; `solve` gives the values on the tensor grid of any 1-D axes inside the
    domain, end points included; `scipy` is an independent SciPy solve of the same problem, beside a closed
    form or a quadrature; `pointwise` says that the cost of `solve` lies in the points that are asked for, as with
    a formula, and not in a solve that comes before them; `scattered`, where there is one, gives the values at n
    points, (n,) by output, without tensor grids through them.
    """

    kind: str
    solve: Callable[[Axes], Solved]
    scipy: Reference | None = None
    pointwise: bool = False
    scattered: Callable[[Axes], Solved] | None = None

    def at(self, points: Axes) -> Values:
        """The values at n scattered points, (n,) by output; `points` holds their coordinates, (n,) by axis.

        They are those of `solve`, not interpolated: a tensor grid through all coordinates of some of the points at
        a time holds these. A pointwise reference gets a few points at a time, since all other values of the grid are
        in vain; others get as many as memory allows, since each call is a whole solve. A thousand points in the plane
        take 0.2 s by the quadrature for Burgers' equation (18 s on one grid), 0.4 s by the method of lines (24 s
        with eight points at a time), below 0.1 s by collocation or a closed form.
        """
        if self.scattered is not None:
            return self.scattered(points).values
        if len(points) > MOST_AXES:
            raise InputError(f"a reference by {self.kind} has no values at scattered points of {len(points)} axes")
        count = len(next(iter(points.values())))
        size = max(1, round((_FEW_VALUES if self.pointwise else _MANY_VALUES) ** (1 / len(points))))
        pieces = [self._piece({name: x[i : i + size] for name, x in points.items()}) for i in range(0, count, size)]
        return {output: np.concatenate([piece[output] for piece in pieces]) for output in pieces[0]}

    def _piece(self, points: Axes) -> Values:
        unique = {name: np.unique(x, return_inverse=True) for name, x in points.items()}
        where = tuple(index for _, index in unique.values())
        solved = self.solve({name: axis for name, (axis, _) in unique.items()})
        return {output: values[where] for output, values in solved.values.items()}


def relative_difference(values: Array, reference: Array) -> float:
    """‖values − reference‖₂ / ‖reference‖₂, or the numerator alone where the reference vanishes."""
    scale = float(np.linalg.norm(reference))
    difference = float(np.linalg.norm(values - reference))
    return difference / scale if scale > 0 else difference


def checked_number(what: str, value: object, *, positive: bool = False) -> float:
    """A finite number as a float; an `InputError` unless it is one, and above zero where that is asked for."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value) or (positive and value <= 0):
        raise InputError(f"{what} as a {'positive' if positive else 'finite'} number, got {value!r}")
    return float(value)


def checked_bounds(what: str, bounds: tuple[float, float]) -> tuple[float, float]:
    """The two ends of an interval as floats; an `InputError` unless they are finite and in order."""
    try:
        lower, upper = (float(end) for end in bounds)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: expected a pair of numbers (lower, upper), got {bounds!r}") from error
    if not (isfinite(lower) and isfinite(upper) and lower < upper):
        raise InputError(f"{what}: expected finite lower < upper, got ({lower:g}, {upper:g})")
    return lower, upper


def checked_axes(axes: Axes) -> dict[str, Array]:
    """The axes as 1-D float64 arrays; an `InputError` names the first that is not finite and 1-D."""
    checked: dict[str, Array] = {}
    for name, given in axes.items():
        axis = np.asarray(given, dtype=np.float64)
        if axis.ndim != 1 or axis.size == 0:
            raise InputError(f"axis {name!r}: expected a non-empty 1-D array, got shape {axis.shape}")
        if not np.isfinite(axis).all():
            raise InputError(f"axis {name!r}: contains NaN or Inf")
        checked[name] = axis
    return checked


def axes_within(axes: Axes, bounds: Mapping[str, tuple[float, float]]) -> dict[str, Array]:
    """The axes, checked to be those of `bounds`, in that order and inside them."""
    checked = _named(axes, bounds)
    for name, ends in bounds.items():
        _check_range(name, checked[name], ends)
    return checked


def points_of(axes: Axes, bounds: Mapping[str, tuple[float, float]]) -> dict[str, Array]:
    """The coordinates of n points, (n,) by axis, checked likewise; in space they may lie outside, but not in time."""
    checked = _named(axes, bounds)
    if len({len(axis) for axis in checked.values()}) > 1:
        listed = ", ".join(f"{name} {len(axis)}" for name, axis in checked.items())
        raise InputError(f"expected as many coordinates of points on each axis, got {listed}")
    if "t" in bounds:
        _check_range("t", checked["t"], bounds["t"])
    return checked


def _named(axes: Axes, bounds: Mapping[str, tuple[float, float]]) -> dict[str, Array]:
    for name in axes:
        if name not in bounds:
            raise unknown("axis", name, bounds)
    if list(axes) != list(bounds):
        raise InputError(f"expected the axes {', '.join(bounds)} in this order, got {', '.join(axes) or 'none'}")
    return checked_axes(axes)


def _check_range(name: str, axis: Array, ends: tuple[float, float]) -> None:
    lower, upper = ends
    # A grid computed elsewhere may miss an end by rounding.
    slack = 1e-9 * (upper - lower)
    low, high = float(axis.min()), float(axis.max())
    if low < lower - slack or high > upper + slack:
        raise InputError(
            f"axis {name!r}: points from {low:g} to {high:g} lie outside the reference's range [{lower:g}, {upper:g}]"
        )


def grid_shape(axes: Axes) -> tuple[int, ...]:
    """The shape of the tensor grid of these axes."""
    return tuple(len(axis) for axis in axes.values())


def open_mesh(axes: Iterable[Array]) -> tuple[Array, ...]:
    """The axes, shaped to broadcast against each other to the full grid."""
    return tuple(np.meshgrid(*axes, indexing="ij", sparse=True))


def on_grid(given: object, shape: tuple[int, ...], what: str, at: Axes) -> Array:
    """What a user's function returned, as finite float64 numbers of the grid's shape, or an `InputError`.

    Args:
        given: what it returned.
        shape: of the grid.
        what: what messages call it.
        at: the coordinates by axis, each of a shape that broadcasts to the grid's, to name the first that fails.
    """
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: expected an array of numbers, got {type(given).__name__} ({error})") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what}: expected real numbers, got {type(given).__name__} of dtype {array.dtype}")
    try:
        full = np.broadcast_to(array, shape).astype(np.float64)
    except ValueError as error:
        raise InputError(f"{what}: has shape {array.shape}, which does not broadcast to {shape}") from error
    check_finite(full, what, at)
    if (largest := np.abs(full).max(initial=0)) > LARGEST:
        raise InputError(f"{what}: reaches {largest:.1e}, and sums of squares would overflow; rescale the problem")
    return full


def check_finite(values: NDArray[Any], what: str, at: Axes) -> None:
    """Refuse values that are not all finite: an `InputError` that counts these, and names the place of the first.

    Args:
        values: of the points, perhaps of several components, the first axis.
        what: what messages call them.
        at: the coordinates by axis, each of a shape that broadcasts to that of the points.
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    first = tuple(np.argwhere(~finite)[0])
    axes = max(column.ndim for column in at.values())
    own, index = values.shape[values.ndim - axes :], first[values.ndim - axes :]
    place = {name: float(np.broadcast_to(column, own)[index]) for name, column in at.items()}
    raise InputError(f"{what}: is {broken(int((~finite).sum()), values.size, place)}")
