"""What SciPy makes of a problem, and how long that takes."""

from __future__ import annotations

import logging
import math
import statistics
import time
from dataclasses import dataclass
from typing import final

from pinnreg.equations import reference_of
from pinnreg.reference import SCIPY_KINDS, Reference, forget_solves
from pinnreg.report import relative_l2, solved_inside, taken
from pinnreg.run.prepare import Prepared

logger = logging.getLogger("pinnreg")

SCIPY_SOLVES = 3


@final
@dataclass(frozen=True)
class ScipyRow:
    """A problem solved by SciPy.

    Attributes:
        method: what SciPy does.
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
    """SciPy's row; None if the problem has no SciPy solve or it fails."""
    reference, exact = known.reference, known.solved
    assert reference is not None
    assert exact is not None
    if (scipy := _solve_of(reference)) is None:
        return None
    times = []
    try:
        for _ in range(SCIPY_SOLVES):
            forget_solves()
            # one that has been asked may keep what it found
            fresh = _solve_of(reference_of(known.problem))
            assert fresh is not None
            started = time.perf_counter()
            found = solved_inside(fresh, known.axes, known.inside)
            times.append(time.perf_counter() - started)
    except RuntimeError as failure:
        logger.warning("%s: the SciPy solve failed: %s", problem, failure)
        return None
    if scipy is reference:
        error = math.nan if found.error_estimate is None else found.error_estimate
    else:
        inside = known.inside
        pairs = [(taken(each, inside), taken(exact.values[name], inside)) for name, each in found.values.items()]
        error = max(relative_l2(*pair) for pair in pairs)
    return ScipyRow(problem, scipy.kind, statistics.median(times), error, reference.kind, exact.error_estimate)


def _solve_of(reference: Reference | None) -> Reference | None:
    """The SciPy solve that a reference is or is checked by."""
    return reference if reference is None or reference.kind in SCIPY_KINDS else reference.scipy
