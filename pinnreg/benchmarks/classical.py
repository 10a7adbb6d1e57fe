"""What SciPy makes of a problem, and how long that takes.

Unknown coefficients it finds by least squares: it solves the problem with one value after the other.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pinnreg.equations import Problem, reference_of, with_values
from pinnreg.reference import SCIPY_KINDS, Reference, forget_solves
from pinnreg.report import relative_l2, solved_inside, taken
from pinnreg.run.prepare import Prepared

logger = logging.getLogger("pinnreg")

SCIPY_SOLVES = 3
DIFFERENCE = 1e-4
"""Of coefficients, relative, for slopes: large beside the errors of the solves."""

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class ScipyRow:
    """A problem solved by SciPy.

    Attributes:
        method: what SciPy does; with unknown coefficients, a least-squares fit over such solves.
        seconds: of the solve and its interpolation to the grid, at all the resolutions by which it knows its own error.
        error: relative L2 error against the closed form or the quadrature, or the solve's own estimate where there is
            neither.
        reference: what all errors of this problem are measured against.
        reference_error: the reference's own relative error, below which no error means anything.
    """

    problem: str
    method: str
    seconds: float
    error: float
    reference: str
    reference_error: float | None


def scipy_row(problem: str, known: Prepared) -> ScipyRow | None:
    """SciPy's row; None if the problem has no SciPy solve, or that fails or cannot be fitted to what was measured."""
    reference, exact = known.reference, known.solved
    assert reference is not None
    assert exact is not None
    if (scipy := _solve_of(reference)) is None:
        return None
    fits = bool(known.resolved.config.unknown)
    if fits and not (known.measurements and all(each.plain for each in known.measurements)):
        return None
    times = []
    try:
        for _ in range(SCIPY_SOLVES):
            forget_solves()
            # one that has been asked may keep what it found
            fresh = _solve_of(reference_of(known.problem))
            started = time.perf_counter()
            if fits:
                fresh = _solve_of(reference_of(_fitted(known)))
            assert fresh is not None
            found = solved_inside(fresh, known.axes, known.inside)
            times.append(time.perf_counter() - started)
    except RuntimeError as failure:
        logger.warning("%s: the SciPy solve failed: %s", problem, failure)
        return None
    if scipy is reference and not fits:
        error = math.nan if found.error_estimate is None else found.error_estimate
    else:
        inside = known.inside
        pairs = [(taken(each, inside), taken(exact.values[name], inside)) for name, each in found.values.items()]
        error = max(relative_l2(*pair) for pair in pairs)
    method = f"least squares by {scipy.kind}" if fits else scipy.kind
    return ScipyRow(problem, method, statistics.median(times), error, reference.kind, exact.error_estimate)


def _fitted(known: Prepared) -> Problem:
    """The problem with the coefficients whose SciPy solve is closest to the measurements."""
    unknown, axes = known.resolved.config.unknown, known.problem.domain.axes
    start = np.array([each.start for each in unknown.values()])
    lowest = [0.0 if each.positive else -np.inf for each in unknown.values()]

    def tried(values: Array) -> Problem:
        return with_values(known.problem, dict(zip(unknown, values.tolist(), strict=True)))

    def gaps(values: Array) -> Array:
        solve = _solve_of(reference_of(tried(values)))
        assert solve is not None
        return np.concatenate(
            [
                solve.at(dict(zip(axes, each.points.numpy().T, strict=True)))[str(each.of)] - each.values.numpy()
                for each in known.measurements
            ]
        )

    sizes = np.where(start == 0, 1.0, np.abs(start))
    found = least_squares(gaps, start, bounds=(lowest, np.inf), x_scale=sizes, diff_step=DIFFERENCE)
    return tried(found.x)


def _solve_of(reference: Reference | None) -> Reference | None:
    """The SciPy solve that a reference is or is checked by."""
    return reference if reference is None or reference.kind in SCIPY_KINDS else reference.scipy
