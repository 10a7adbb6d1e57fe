"""Calibration: the values of parameters at which a solution for all of them fits measurements best.

Nothing is trained: the network is the solution at any values of its parameter axes, and its derivatives by them are
exact, so that least squares over one or a few numbers is all that is left.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from pinnreg.domain.given import points_of
from pinnreg.errors import InputError
from pinnreg.estimates import Interval
from pinnreg.report.fixed import Function, fixed

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]

CONFIDENCE = 0.95
STARTS = 5
"""Along each parameter, from the best of which least squares begins."""
AT_END = 1e-6
"""Of a parameter's range: so near to its end it was stopped there."""
MOST_STARTS = 200


@final
@dataclass(frozen=True)
class Calibrated:
    """A parameter that was found.

    Attributes:
        value: the best one.
        interval: `low` and `high` of 95 % and the `standard_error`, by the noise that the measurements turn out to
            have, independent and of one size; infinite where they do not tell. The network's error is not in it.
        noise: the deviation of the measurements from the solution there, by as many as are left; where it is larger
            than what was measured with, the solution does not fit them.
    """

    value: float
    interval: Interval
    noise: float


def calibrated(
    solution: Function,
    axes: tuple[str, ...],
    parameters: Sequence[str],
    bounds: Mapping[str, tuple[float, float]],
    output: int,
    points: ArrayLike,
    values: ArrayLike,
) -> dict[str, Calibrated]:
    """The parameters at which an output is nearest to measured values, with intervals.

    Args:
        solution: for all values of the parameters.
        axes: all of its axes.
        parameters: those that are to be found.
        bounds: of all axes.
        output: which was measured.
        points: where, (n, d), columns in the order of the axes that are no parameters.
        values: (n,).

    Raises:
        InputError: no parameters, shapes that do not fit, or fewer values than parameters and one more.
    """
    if not parameters:
        raise InputError("calibrate: the problem has no axes that are parameters; name them: parameters = ('alpha',)")
    at, measured = _checked([axis for axis in axes if axis not in parameters], len(parameters), bounds, points, values)
    low, high = (np.array([bounds[name][end] for name in parameters]) for end in (0, 1))

    def there(theta: Array) -> Function:
        return fixed(solution, axes, bounds, dict(zip(parameters, np.clip(theta, low, high).tolist(), strict=True)))

    def gaps(theta: Array) -> Array:
        found: Array = there(theta)(at)[:, output] - measured
        return found

    def slopes(theta: Array) -> Array:
        return np.stack([there(theta).derivative(at, name)[:, output] for name in parameters], axis=1)

    starts = (low + share * (high - low) for share in _shares(len(parameters)))
    start = min(starts, key=lambda theta: float(np.sum(gaps(theta) ** 2)))
    found = scipy.optimize.least_squares(gaps, start, jac=slopes, bounds=(low, high), x_scale=high - low)
    jacobian = slopes(found.x)
    left = len(measured) - len(parameters)
    noise = math.sqrt(float(np.sum(gaps(found.x) ** 2)) / left)
    # of a few values the deviation is hardly known, which makes the interval wider
    wide = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, left))
    inverse = np.linalg.pinv(jacobian.T @ jacobian)
    told = np.linalg.matrix_rank(jacobian) == len(parameters)
    for name, value, *ends in zip(parameters, found.x.tolist(), low.tolist(), high.tolist(), strict=True):
        if min(abs(value - end) for end in ends) <= AT_END * (ends[1] - ends[0]):
            logger.warning("calibrate: %s is at the end of what was trained, %g: the best may lie beyond", name, value)
    errors = [noise * math.sqrt(each) if told else math.inf for each in np.diag(inverse)]
    return {
        name: Calibrated(value, Interval(error, value - wide * error, value + wide * error), noise)
        for name, value, error in zip(parameters, found.x.tolist(), errors, strict=True)
    }


def _checked(
    rest: Sequence[str],
    count: int,
    bounds: Mapping[str, tuple[float, float]],
    points: ArrayLike,
    values: ArrayLike,
) -> tuple[Array, Array]:
    """Points (n, d) and values (n,) by which so many parameters can be told."""
    at: Array = points_of("calibrate", rest, points).detach().double().cpu().numpy()
    try:
        measured = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"calibrate: expected values (n,), got {values!r}") from None
    if measured.shape != at.shape[:1]:
        raise InputError(f"calibrate: expected as many values as points, got {measured.shape} and {at.shape}")
    for axis, column in zip(rest, at.T, strict=True):
        lower, upper = bounds[axis]
        if len(column) and not (lower <= column.min() and column.max() <= upper):
            raise InputError(f"calibrate: expected {axis} from {lower:g} to {upper:g}, where the solution was trained")
    if len(measured) <= count or not (np.isfinite(at).all() and np.isfinite(measured).all()):
        finite = np.isfinite(at).all(axis=1) & np.isfinite(measured)
        which = "" if finite.all() else f"; the value of row {int(np.argmin(finite))}, or its point, is not finite"
        raise InputError(
            f"calibrate: expected more than {count} values, all of them finite, got {len(measured)}{which}"
        )
    return at, measured


def _shares(count: int) -> Array:
    """Where least squares could begin, as shares of the ranges of so many parameters, (starts, count)."""
    each = max(min(STARTS, int(MOST_STARTS ** (1 / count))), 1)
    shares = (np.arange(each) + 0.5) / each
    found: Array = np.stack(np.meshgrid(*[shares] * count, indexing="ij"), axis=-1).reshape(-1, count)
    return found
