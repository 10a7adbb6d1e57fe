"""Errors over repetitions, and their comparison with a baseline seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import scipy
from numpy.typing import NDArray

CONFIDENCE = 0.95
DECADES = 300.0
SMALLEST = 1e-300  # an error of zero has no logarithm


@final
@dataclass(frozen=True)
class Spread:
    """Errors over the seeds; NaN where there are none, and for the deviation where there is one."""

    mean: float
    standard_deviation: float
    median: float
    minimum: float
    quartile_1: float
    quartile_3: float
    maximum: float


@final
@dataclass(frozen=True)
class Ratio:
    """How many times the error of the baseline an error is.

    Attributes:
        pairs: seeds for which both are known.
        value: the geometric mean of the ratios of these pairs; NaN without any.
        low, high: its confidence interval; NaN with fewer than two pairs.
        p: that the mean logarithm of as many ratios is as far from zero by chance, two-sided; NaN as well.
    """

    pairs: int
    value: float
    low: float
    high: float
    p: float = math.nan


def spread(errors: Sequence[float]) -> Spread:
    """Mean, standard deviation (n - 1) and quantiles."""
    if not errors:
        return Spread(*[math.nan] * 7)
    values = np.asarray(errors)
    deviation = float(values.std(ddof=1)) if values.size > 1 else math.nan
    low, first, middle, third, high = (float(q) for q in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    return Spread(float(values.mean()), deviation, middle, low, first, third, high)


def median(errors: Sequence[float]) -> float:
    """The median, also where some are infinite; NaN of nothing."""
    return statistics.median(errors) if errors else math.nan


def paired_ratio(errors: Mapping[str, float], baseline: Mapping[str, float]) -> Ratio:
    """Compare errors with those of a baseline, by seed.

    With dᵢ = log₁₀ eᵢ - log₁₀ bᵢ over the n seeds i that both have, the ratio is 10^d̄ and its interval
    10^(d̄ ± t s/√n), where s is the standard deviation of the dᵢ and t the quantile of Student's distribution with n - 1
    degrees of freedom.

    Args:
        errors: positive errors by seed.
        baseline: those of the baseline.
    """
    differences = np.array(
        [_log(error) - _log(baseline[seed]) for seed, error in errors.items() if seed in baseline], dtype=np.float64
    )
    return ratio_of(differences)


def ratio_of(differences: NDArray[np.float64]) -> Ratio:
    """What ratios come to whose decimal logarithms are given, (n,): their geometric mean, and Student's t of them."""
    count = differences.size
    if count == 0:
        return Ratio(0, math.nan, math.nan, math.nan)
    mean = float(differences.mean())
    if count == 1:
        return Ratio(1, _power(mean), math.nan, math.nan)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    half = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    # identical ratios leave nothing to chance
    p = 2 * float(scipy.stats.t.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return Ratio(count, _power(mean), _power(mean - half), _power(mean + half), p)


def holm(values: Sequence[float]) -> list[float]:
    """p-values of several tests, corrected so that the chance of any wrong one below a level is at most that level.

    S. Holm, Scand. J. Statist. 6 (1979) 65: the k-th smallest of m is multiplied by m - k + 1, and none is below one
    that was smaller. NaN is no test, and stays.
    """
    tests = sorted((p, place) for place, p in enumerate(values) if not math.isnan(p))
    found, largest = list(values), 0.0
    for number, (p, place) in enumerate(tests):
        largest = max(largest, min(1.0, (len(tests) - number) * p))
        found[place] = largest
    return found


def _power(decades: float) -> float:
    """10^decades, as far as that is a number: a difference of a few hundred decades is none any more."""
    return 10 ** min(max(decades, -DECADES), DECADES)


def _log(error: float) -> float:
    return math.log10(max(error, SMALLEST))
