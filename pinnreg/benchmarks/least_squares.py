"""`pinnreg.least_squares` beside SciPy's on the functions of Moré, Garbow & Hillstrom: evaluations and least values.

SciPy's are its default, a reflective trust region, and MINPACK's Levenberg-Marquardt, with the exact Jacobian and
tolerances of `TOLERANCE`, below which MINPACK refuses to go. Counts do not depend on the machine's speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.benchmarks.measure import machine
from pinnreg.benchmarks.mgh import FUNCTIONS, TestFunction
from pinnreg.errors import unknown
from pinnreg.optimisers.nonlinear import least_squares

METHODS = ("pinnreg", "trf", "lm")
TOLERANCE = 1e-15
MOST = 2000
NEAR = 1e-6
ZERO = 1e-15
"""A loss that counts as zero."""

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Fit:
    """Where a method ended.

    Attributes:
        loss: Σ r².
        residuals: evaluations of r.
        jacobians: evaluations of its Jacobian.
        least: whether the loss is the least value that the function has.
        minimum: whether it is that or a known local minimum.
        reason: why it ended.
    """

    loss: float
    residuals: int
    jacobians: int
    least: bool
    minimum: bool
    reason: str


@final
@dataclass(frozen=True)
class FitRow:
    """One function: n parameters, m residuals, and the fit of each method."""

    function: str
    parameters: int
    residuals: int
    minima: tuple[float, ...]
    fits: dict[str, Fit]


@final
@dataclass(frozen=True)
class LeastSquaresBenchmark:
    """The rows, and what they were measured with."""

    rows: tuple[FitRow, ...]
    machine: dict[str, str | int]
    date: str

    def total(self, method: str) -> Fit:
        """The sum of evaluations over the functions."""
        fits = [row.fits[method] for row in self.rows]
        return Fit(
            sum(fit.loss for fit in fits),
            sum(fit.residuals for fit in fits),
            sum(fit.jacobians for fit in fits),
            all(fit.least for fit in fits),
            all(fit.minimum for fit in fits),
            "",
        )


def bench_least_squares(
    names: Sequence[str] = (), on_row: Callable[[FitRow], None] = lambda _: None
) -> LeastSquaresBenchmark:
    """Minimise the functions of these names, or all; `on_row` is called with each row when it is done.

    Raises:
        InputError: there is no function of a name.
    """
    known = {function.name: function for function in FUNCTIONS}
    for name in names:
        if name not in known:
            raise unknown("test function", name, known)
    rows = []
    for function in [known[name] for name in dict.fromkeys(names)] or FUNCTIONS:
        rows.append(_row(function))
        on_row(rows[-1])
    return LeastSquaresBenchmark(tuple(rows), machine(torch.device("cpu")), datetime.now(UTC).strftime("%Y-%m-%d"))


def _row(function: TestFunction) -> FitRow:
    fits = {"pinnreg": _ours(function), **{method: _scipys(function, method) for method in METHODS[1:]}}
    count = len(function.residuals(function.point()))
    return FitRow(function.name, len(function.start), count, function.minima, fits)


def _ours(function: TestFunction) -> Fit:
    found = least_squares(function.residuals, function.point())
    return _fit(function, found.loss, found.residual_evaluations, found.jacobian_evaluations, found.reason)


def _scipys(function: TestFunction, method: str) -> Fit:
    from scipy import optimize  # noqa: PLC0415

    jacobian = torch.func.jacfwd(function.residuals)

    def residuals_at(x: Array) -> Array:
        return function.residuals(torch.from_numpy(x)).numpy()

    def jacobian_at(x: Array) -> Array:
        return np.asarray(jacobian(torch.from_numpy(x)).numpy())

    found = optimize.least_squares(
        residuals_at,
        function.point().numpy(),
        jac=jacobian_at,
        method=method,
        ftol=TOLERANCE,
        xtol=TOLERANCE,
        gtol=TOLERANCE,
        max_nfev=MOST,
    )
    return _fit(function, 2 * float(found.cost), int(found.nfev), int(found.njev), str(found.message))


def _fit(function: TestFunction, loss: float, residuals: int, jacobians: int, reason: str) -> Fit:
    reached = [abs(loss - value) <= NEAR * value + ZERO for value in function.minima]
    return Fit(loss, residuals, jacobians, reached[0], any(reached), reason)
