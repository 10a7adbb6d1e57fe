"""Whether the errors that runs estimate without a reference are right, and what runs that end wrong say of themselves.

A training is run with the defaults of a problem. Each time that its true error, against the reference, has fallen by
another factor of ten the parameters are kept, as if training had been stopped there, and the error is estimated by the
linearised defect, at the resolution that a tenth of the training until then pays for: what `evaluate.estimate: auto`
begins with. Its size over the evaluation points is compared with that of the true error.

Runs that end wrong are what a user gets who calls `pinnreg.solve`, with all that it does unasked, a second run too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, final

from pinnreg import processes
from pinnreg.benchmarks.cases import Case
from pinnreg.benchmarks.failures import FAR, RIGHT, WRONG, Failure
from pinnreg.benchmarks.runs import Answer, Wanted, answered, prepared_case, runs_in_order, where_and_when
from pinnreg.benchmarks.stopping import State, Stop, stops_of
from pinnreg.config import problem_folders, resolve
from pinnreg.errors import Diverged, InputError
from pinnreg.run import solve

Warned = Literal["not converged", "estimate poor", "estimate large", "a note"]


@final
@dataclass(frozen=True)
class Ratios:
    """Of estimates to true errors: how many, and the smallest, the median and the largest; NaN if there are none."""

    count: int
    smallest: float
    median: float
    largest: float


@final
@dataclass(frozen=True)
class EstimatesRow:
    """A case trained once for each seed, and the states that training was in on its way."""

    case: Case
    runs: int
    stops: tuple[Stop, ...]

    @property
    def states(self) -> list[State]:
        """One for each output at each stop."""
        return [state for stop in self.stops for state in stop.states]

    def ratios(self, trusted: bool) -> Ratios:
        """Of the estimates that are called good, or of all others."""
        return _ratios([each.ratio for each in self.states if each.is_good is trusted and each.estimate is not None])

    @property
    def share(self) -> float:
        """The seconds of all estimates of those of training until then; NaN where no state was kept."""
        trained = sum(stop.trained_seconds for stop in self.stops)
        return sum(stop.estimate_seconds for stop in self.stops) / trained if trained else math.nan


@final
@dataclass(frozen=True)
class Totals:
    """Over all rows; shares are NaN where there is nothing to count.

    Attributes:
        states: how many.
        good: of them called good.
        none: of them without an estimate.
        right: the share of the good ones within a factor of `RIGHT`.
        far: the share of the good ones that are smaller than the error by more than `FAR`.
        right_of_poor: as `right`, of those called poor.
    """

    states: int
    good: int
    none: int
    right: float
    far: float
    right_of_poor: float

    @property
    def called_good(self) -> float:
        """The share of all states."""
        return self.good / self.states if self.states else math.nan


@final
@dataclass(frozen=True)
class Training:
    """What came of one training of a case."""

    stops: tuple[Stop, ...]

    @property
    def said(self) -> str:
        """How far it came, in words."""
        return f"{len(self.stops)} states, the last at {self.stops[-1].error:.1e}" if self.stops else "no state"


@final
@dataclass(frozen=True)
class FailedRun:
    """A run that was to end wrong, and what it says of itself.

    Attributes:
        error: relative L2 on the evaluation grid, the largest over the outputs; infinity if it diverged.
        converged: what its report says, as the following.
        estimate: the largest relative estimate over the outputs; None without one.
        reliability: "poor" if any output's is.
        kind: of the estimate.
        notes: of the report.
        stop_reason: why training ended.
    """

    failure: Failure
    error: float
    converged: bool | None
    estimate: float | None
    reliability: str | None
    kind: str | None
    notes: tuple[str, ...]
    stop_reason: str

    @property
    def said(self) -> str:
        """How wrong it is, in words."""
        return f"error {self.error:.1e}"

    @property
    def is_wrong(self) -> bool:
        """Whether it did end wrong."""
        return not self.error <= WRONG

    @property
    def warned(self) -> tuple[Warned, ...]:
        """By what a user was told."""
        told: dict[Warned, bool] = {
            "not converged": self.converged is False,
            "estimate poor": self.reliability == "poor",
            "estimate large": self.estimate is not None and not self.estimate <= WRONG,
            "a note": bool(self.notes),
        }
        return tuple(what for what, so in told.items() if so)


@final
@dataclass(frozen=True)
class EstimatesBenchmark:
    """The rows and failed runs so far, and all that is needed to repeat them."""

    rows: tuple[EstimatesRow, ...]
    failed: tuple[FailedRun, ...]
    seeds: int
    jobs: int
    machine: dict[str, str | int]
    date: str

    @property
    def totals(self) -> Totals:
        """Over all rows."""
        states = [state for row in self.rows for state in row.states]
        good, poor = ([each.ratio for each in states if each.reliability == called] for called in ("good", "poor"))
        none = sum(each.reliability is None for each in states)
        return Totals(
            len(states), len(good), none, _share(good, is_right), _share(good, _is_far), _share(poor, is_right)
        )


def bench_estimates(
    cases: Sequence[Case],
    failures: Sequence[Failure],
    seeds: int = 3,
    jobs: int = 1,
    on_row: Callable[[EstimatesBenchmark], None] = lambda _: None,
    on_failed: Callable[[EstimatesBenchmark], None] = lambda _: None,
    on_run: Callable[[str, int, str], None] = lambda *_: None,
    interrupted: Callable[[], int | None] = lambda: None,
) -> EstimatesBenchmark:
    """Train all cases and make all failed runs, in processes of one thread each.

    Args:
        cases: where estimates are compared with errors.
        failures: each is run once, with seed 0.
        seeds: trainings of each case, with seeds from 0.
        jobs: runs side by side.
        on_row: called when a case and all before it are done with what there is so far, of which its is the last row.
        on_failed: the same for a failed run.
        on_run: called with a label, a seed and what happened when a run is done.
        interrupted: asked now and then; a signal's number stops it all.

    Raises:
        InputError: a case without reference, or that cannot be prepared; nothing was run.
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
        RuntimeError: a run that failed other than by diverging.
    """
    for case in cases:
        if prepared_case(case, interrupted).solved is None:
            raise InputError(f"problem {case.label!r} has no reference to compare the estimates with")
    where, today = where_and_when()
    found = EstimatesBenchmark((), (), seeds, jobs, where, today)
    wanted: list[Case | Failure] = [*cases, *failures]
    groups = [
        [
            Wanted(each.label, seed, _Task(given=each, seed=seed))
            for seed in range(seeds if isinstance(each, Case) else 1)
        ]
        for each in wanted
    ]

    def told(label: str, seed: int, result: Training | FailedRun) -> None:
        on_run(label, seed, result.said)

    with contextlib.closing(runs_in_order(_work, groups, jobs, told, interrupted)) as ended:
        for given, results in zip(wanted, ended, strict=True):
            if isinstance(given, Case):
                stops = tuple(stop for each in results if isinstance(each, Training) for stop in each.stops)
                found = dataclasses.replace(found, rows=(*found.rows, EstimatesRow(given, seeds, stops)))
                on_row(found)
            else:
                failed = tuple(each for each in results if isinstance(each, FailedRun))
                found = dataclasses.replace(found, failed=(*found.failed, *failed))
                on_failed(found)
    return found


class _Task(TypedDict):
    given: Case | Failure
    seed: int


def _runs(given: Case | Failure, seeds: int) -> list[Wanted[_Task]]:
    return [Wanted(given.label, seed, _Task(given=given, seed=seed)) for seed in range(seeds)]


def _work(task: _Task) -> Answer[Training | FailedRun]:
    """Make a run; in a process of its own."""
    return answered(lambda: _made(task["given"], task["seed"]))


def _made(given: Case | Failure, seed: int) -> Training | FailedRun:
    if isinstance(given, Case):
        return Training(stops_of(resolve(given.config, {"seed": seed, **given.changes}, problem_folders(None))))
    with processes.noted():  # what a failed run notes is its own concern
        return _failed(given)


def _failed(failure: Failure) -> FailedRun:
    from pinnreg.benchmarks import unfit  # noqa: PLC0415 - SciPy, which only its references need

    own = getattr(unfit, failure.problem, None)
    config: Any = failure.problem if own is None else {"problem": own()}
    try:
        report = solve(config, {"seed": 0, **failure.changes}, out=False, figures=False, progress=False).report
    except Diverged as error:
        reason = str(error).partition(";")[0]
        return FailedRun(failure, math.inf, False, None, None, None, (), reason)
    assert report is not None
    errors = [each.rel_l2 for each in report.errors.values()]
    estimates = report.estimates.values()
    poor = any(each.reliability != "good" for each in estimates)
    return FailedRun(
        failure,
        math.inf if any(map(math.isnan, errors)) else max(errors),
        report.facts["converged"],
        max(each.rel_l2 for each in estimates) if estimates else None,
        ("poor" if poor else "good") if estimates else None,
        next((each.kind for each in estimates), None),
        tuple(report.facts.get("notes", ())),
        report.facts["stop_reason"],
    )


def _ratios(values: Sequence[float]) -> Ratios:
    if not values:
        return Ratios(0, math.nan, math.nan, math.nan)
    return Ratios(len(values), min(values), statistics.median(values), max(values))


def _share(values: Sequence[float], what: Callable[[float], bool]) -> float:
    return sum(map(what, values)) / len(values) if values else math.nan


def is_right(ratio: float) -> bool:
    """Whether an estimate is within a factor of `RIGHT` of the error."""
    return 1 / RIGHT <= ratio <= RIGHT


def _is_far(ratio: float) -> bool:
    return ratio < 1 / FAR
