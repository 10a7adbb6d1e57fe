"""Do intervals contain the truth as often as they say? Over many data sets, linearised and by the bootstrap.

A training is repeated on data sets that differ in their noise and in where was measured, from the same network and with
the same collocation points. Of each the 95 % intervals of the unknown coefficients are looked at, and the band of u at
some points inside: whether they contain the truth, and how wide they are beside 1.96 times the standard deviation of
the estimates over all data sets.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.benchmarks.covered import FEWER, CoverageCase
from pinnreg.benchmarks.runs import Answer, Wanted, answered, runs_in_order, where_and_when
from pinnreg.config import problem_folders, resolve
from pinnreg.equations import Problem, reference_of
from pinnreg.errors import Diverged, InputError
from pinnreg.estimates import NORMAL, Bootstrap, Refit, Uncertainty, required_uncertainty
from pinnreg.objective import Batch, Evaluator
from pinnreg.randomness import derive
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.training import History, Outcome, train

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]

FIELD = "u"
"""What the band at points inside is called among the coefficients."""
UNWATCHED = {"evaluate": {"estimate": "none", "every": 1_000_000}}


@final
@dataclass(frozen=True)
class Found:
    """A number that was estimated from a data set: a coefficient, or u at a point.

    Attributes:
        estimate: of it.
        truth: of it.
        linearised: the ends of its 95 % interval.
        bootstrap: the same by replicates; None without any.
    """

    estimate: float
    truth: float
    linearised: tuple[float, float]
    bootstrap: tuple[float, float] | None


@final
@dataclass(frozen=True)
class DataSet:
    """What a training on one data set found.

    Attributes:
        seed: of the measurements.
        found: by coefficient one number, and of u one for each point; empty where there were no intervals.
        seconds: of training and of the linearised intervals,
        bootstrap_seconds: and of the replicates.
        failed: replicates that found no minimum.
    """

    seed: int
    found: Mapping[str, tuple[Found, ...]]
    seconds: float
    bootstrap_seconds: float = 0.0
    failed: int = 0


@final
@dataclass(frozen=True)
class Coverage:
    """Intervals of one kind over data sets; NaN where there are none.

    Attributes:
        sets: how many data sets.
        share: of them, and of points, whose interval contains the truth.
        width: the mean of half the width, of 1.96 times the standard deviation of the estimates over data sets.
    """

    sets: int
    share: float
    width: float

    @property
    def standard_error(self) -> float:
        """Of the share, of a binomial distribution; points of the same data set count as one."""
        return math.sqrt(self.share * (1 - self.share) / self.sets) if self.sets else math.nan


@final
@dataclass(frozen=True)
class CoverageRow:
    """One quantity of a case.

    Attributes:
        case: which.
        quantity: a coefficient's name, or that of the field.
        linearised: its intervals.
        bootstrap: the same by replicates.
        bias: how far the mean of the estimates is from the truth, in standard deviations of an estimate; of u the root
            of the mean square over the points.
        spread: that standard deviation, relative to the truth, or to the root of its mean square.
        lost: data sets without intervals.
        seconds: of a data set without bootstrap.
    """

    case: CoverageCase
    quantity: str
    linearised: Coverage
    bootstrap: Coverage
    bias: float
    spread: float
    lost: int
    seconds: float


@final
@dataclass(frozen=True)
class CoverageBenchmark:
    """The rows so far, and all that is needed to repeat them."""

    rows: tuple[CoverageRow, ...]
    sets: int
    replicates: int
    jobs: int
    failed: int
    seconds: float
    machine: dict[str, str | int]
    date: str


def bench_coverage(
    cases: Sequence[CoverageCase],
    sets: int = 200,
    replicates: int = 40,
    jobs: int = 1,
    on_rows: Callable[[CoverageBenchmark, Sequence[CoverageRow]], None] = lambda *_: None,
    interrupted: Callable[[], int | None] = lambda: None,
) -> CoverageBenchmark:
    """Train all cases on all their data sets, in processes of one thread each.

    Args:
        cases: which.
        sets: data sets of a case; of some fewer, as `CoverageCase.share` says.
        replicates: of a bootstrap, which one in `FEWER` data sets gets; 0 for none.
        jobs: trainings side by side.
        on_rows: called when a case is done with what there is so far, and its rows.
        interrupted: asked now and then; a signal's number stops it all.

    Raises:
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
        RuntimeError: a training that failed other than by diverging or having no intervals.
    """
    began = time.monotonic()
    where, today = where_and_when()
    found = CoverageBenchmark((), sets, replicates, jobs, 0, 0.0, where, today)
    groups = [
        [Wanted(case.label, seed, _task(case, seed, replicates)) for seed in range(max(sets // case.share, 2))]
        for case in cases
    ]
    with contextlib.closing(runs_in_order(_work, groups, jobs, lambda *_: None, interrupted)) as ended:
        for case, made in zip(cases, ended, strict=True):
            rows, failed = rows_of(case, made), found.failed + sum(each.failed for each in made)
            seconds = time.monotonic() - began
            found = dataclasses.replace(found, rows=(*found.rows, *rows), failed=failed, seconds=seconds)
            on_rows(found, rows)
    return found


def rows_of(case: CoverageCase, sets: Sequence[DataSet]) -> tuple[CoverageRow, ...]:
    """A row for each quantity of a case."""
    whole = [each for each in sets if each.found]
    seconds = float(np.mean([each.seconds for each in sets]))
    rows = []
    for quantity in whole[0].found if whole else ():
        table = [each.found[quantity] for each in whole]
        estimates = np.array([[each.estimate for each in row] for row in table])
        truth = np.array([each.truth for each in table[0]])
        spread = estimates.std(axis=0, ddof=1) if len(table) > 1 else np.full(len(truth), math.nan)
        bias = (estimates.mean(axis=0) - truth) / spread
        size = float(np.sqrt(np.mean(truth**2)))
        rows.append(
            CoverageRow(
                case,
                quantity,
                _coverage([[(each.linearised, each.truth) for each in row] for row in table], spread),
                _coverage(
                    [[(each.bootstrap, each.truth) for each in row if each.bootstrap is not None] for row in table],
                    spread,
                ),
                float(bias[0] if len(bias) == 1 else np.sqrt(np.mean(bias**2))),
                float(np.sqrt(np.mean(spread**2))) / size if size else math.nan,
                len(sets) - len(whole),
                seconds,
            )
        )
    return tuple(rows)


def _coverage(table: Sequence[Sequence[tuple[tuple[float, float], float]]], spread: Array) -> Coverage:
    """Of the intervals and the truth by data set and point; data sets without intervals do not count."""
    rows = [row for row in table if row]
    if not rows:
        return Coverage(0, math.nan, math.nan)
    inside = [[low <= truth <= high for (low, high), truth in row] for row in rows]
    halves = np.array([[(high - low) / 2 for (low, high), _ in row] for row in rows])
    return Coverage(len(rows), float(np.mean(inside)), float(np.mean(halves.mean(axis=0) / (NORMAL * spread))))


class _Task(TypedDict):
    case: CoverageCase
    seed: int
    replicates: int


def _task(case: CoverageCase, number: int, replicates: int) -> _Task:
    some = case.bootstrap and (number % FEWER == 0 or case.share > 1)
    return {"case": case, "seed": number, "replicates": replicates if some else 0}


def _work(task: _Task) -> Answer[DataSet]:
    """Train on a data set; in a process of its own."""
    found = answered(lambda: data_set(task["case"], task["seed"], task["replicates"]))
    return {**found, "notes": []}  # of hundreds of alike trainings


def data_set(case: CoverageCase, seed: int, replicates: int) -> DataSet:
    """What a training on one data set finds.

    Args:
        case: what is trained.
        seed: of the measurements: where, and their noise.
        replicates: of the bootstrap; 0 for none.
    """
    began = time.monotonic()
    prepared = prepare(_resolved(case, seed), with_reference=False)
    objective, unknown = prepared.objective, list(prepared.resolved.config.unknown)
    try:
        history = History(objective.names, (), None, unknown)
        outcome = train(Evaluator(objective), prepared.resolved.config.train, history)
        uncertain = required_uncertainty(objective, outcome.batch, outcome.parameters)
    except (InputError, Diverged) as failed:
        logger.debug("%s, data set %s: %s", case.label, seed, failed)
        return DataSet(seed, {}, time.monotonic() - began)
    trained = time.monotonic() - began
    spread = _bootstrapped(prepared, outcome, uncertain, replicates) if replicates else None
    found = _found(case, prepared, outcome.parameters, uncertain, spread)
    failed_ones = 0 if spread is None else spread.failed
    return DataSet(seed, found, trained, time.monotonic() - began - trained, failed_ones)


def _resolved(case: CoverageCase, seed: int) -> Any:
    from pinnreg.benchmarks import growing  # noqa: PLC0415 - which only its own case needs

    config: dict[str, Any] = {**case.config, **UNWATCHED}
    if config["problem"] == growing.Growing.__name__:
        config["problem"] = growing.Growing()
    return resolve(config, {"seed": 0, "measurements.0.seed": seed}, problem_folders(None))


def _bootstrapped(prepared: Prepared, outcome: Outcome[Batch], uncertain: Uncertainty, count: int) -> Bootstrap | None:
    objective, parameters = prepared.objective, outcome.parameters
    seed = derive(prepared.resolved.config.measurements[0].seed or 0, "bootstrap")
    errors = {name: each.standard_error for name, each in uncertain.intervals().items()}
    refit = Refit(objective, outcome.batch, parameters, uncertain.noise, errors, seed)
    try:
        return Bootstrap.of(objective, parameters, [refit.replicate(number) for number in range(count)])
    except InputError:  # they find no minimum
        return None


def _found(
    case: CoverageCase,
    prepared: Prepared,
    parameters: Mapping[str, Tensor],
    uncertain: Uncertainty,
    spread: Bootstrap | None,
) -> dict[str, tuple[Found, ...]]:
    """All numbers with their intervals by either way."""
    estimates = prepared.objective.model.coefficient_values(dict(parameters))
    linearised = uncertain.intervals()
    by_replicates = {} if spread is None else spread.intervals()
    found: dict[str, tuple[Found, ...]] = {}
    for name, each in linearised.items():
        other = by_replicates.get(name)
        ends = None if other is None else (other.low, other.high)
        truth = float(getattr(prepared.problem, name))
        found[name] = (Found(estimates[name], truth, (each.low, each.high), ends),)
    points = np.array(list(itertools.product(*case.at)))
    values, truths = prepared.solution(parameters, {})(points)[:, 0], _truth(prepared.problem, points)
    one = uncertain.band(points)[FIELD]
    two = None if spread is None else spread.band(points)[FIELD]
    found[FIELD] = tuple(
        Found(u, true, _around(u, one[number]), None if two is None else _around(u, two[number]))
        for number, (u, true) in enumerate(zip(values.tolist(), truths.tolist(), strict=True))
    )
    return found


def _truth(problem: Problem, points: Array) -> Array:
    reference = reference_of(problem)
    assert reference is not None
    return reference.at(dict(zip(problem.domain.axes, points.T, strict=True)))[FIELD]


def _around(value: float, error: float) -> tuple[float, float]:
    return value - NORMAL * float(error), value + NORMAL * float(error)
