"""How accurate the defaults of each problem are, and whether a run knows how far it got.

A run is exactly what a user gets who calls `pinnreg.solve(name, {"seed": seed})`, with the changes of its case, and
without files and figures. Its seconds are those of that call, reference and SciPy check included, in a process of one
thread that has solved something like it before: imports and what happens only once are not among them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict, final

import torch

from pinnreg import processes
from pinnreg.benchmarks.cases import Case
from pinnreg.benchmarks.runs import Answer, Wanted, answered, prepared_case, runs_in_order, where_and_when
from pinnreg.config import problem_folders, resolve
from pinnreg.errors import Diverged, InputError
from pinnreg.reference import forget_solves
from pinnreg.run import solve

WARM_UP_STEPS = 2


@final
@dataclass(frozen=True)
class AccuracyRun:
    """One run, and what it says of itself.

    Attributes:
        error: relative L2 error on the evaluation grid, the largest over the outputs; infinity if it diverged.
        seconds: of `solve`.
        steps: of training; None if it diverged, as `relative_residual` then is.
        stop_reason: why training ended.
        converged: what its report says, without the reference.
        relative_residual: by which it says so; None if that cannot be told.
    """

    seed: int
    error: float
    seconds: float
    steps: int | None
    stop_reason: str
    converged: bool | None
    relative_residual: float | None


@final
@dataclass(frozen=True)
class AccuracyRow:
    """A case solved once for each seed.

    Attributes:
        reference: what the errors are measured against.
        reference_error: its own relative error, below which no error means anything; None if unknown.
        parameters: that are trained.
    """

    case: Case
    runs: tuple[AccuracyRun, ...]
    reference: str
    reference_error: float | None
    parameters: int

    @property
    def errors(self) -> list[float]:
        """From the smallest to the largest."""
        return sorted(run.error for run in self.runs)

    @property
    def error(self) -> float:
        """The median over the seeds."""
        return statistics.median(self.errors)

    @property
    def seconds(self) -> float:
        """The median over the seeds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def steps(self) -> float | None:
        """The median over the runs that did not diverge; None if all did."""
        steps = [run.steps for run in self.runs if run.steps is not None]
        return statistics.median(steps) if steps else None

    @property
    def converged(self) -> int:
        """How many runs say that they have."""
        return sum(run.converged is True for run in self.runs)


@final
@dataclass(frozen=True)
class AccuracyBenchmark:
    """The rows so far, and all that is needed to repeat them."""

    rows: tuple[AccuracyRow, ...]
    seeds: int
    jobs: int
    machine: dict[str, str | int]
    date: str


def bench_accuracy(
    cases: Sequence[Case],
    seeds: int = 3,
    jobs: int = 1,
    on_row: Callable[[AccuracyBenchmark], None] = lambda _: None,
    on_run: Callable[[str, AccuracyRun], None] = lambda *_: None,
    interrupted: Callable[[], int | None] = lambda: None,
) -> AccuracyBenchmark:
    """Solve all cases, one after the other, in processes of one thread each.

    Args:
        cases: what to solve.
        seeds: runs of each, with seeds from 0, but no more than the case has.
        jobs: runs side by side.
        on_row: called when a case and all before it are done with the rows so far, of which its is the last.
        on_run: called with a case's label and a run when that is done.
        interrupted: asked now and then; a signal's number stops it all.

    Raises:
        InputError: a case without reference, or that cannot be prepared; nothing was run.
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
        RuntimeError: a run that failed other than by diverging.
    """
    rows = [_unsolved(case, interrupted) for case in cases]
    where, today = where_and_when()
    found = AccuracyBenchmark((), seeds, jobs, where, today)
    groups = [
        [Wanted(case.label, seed, _task(case, seed)) for seed in range(min(seeds, case.seeds or seeds))]
        for case in cases
    ]

    def told(label: str, _: int, run: AccuracyRun) -> None:
        on_run(label, run)

    with contextlib.closing(runs_in_order(_work, groups, jobs, told, interrupted)) as ended:
        for row, runs in zip(rows, ended, strict=True):
            found = dataclasses.replace(found, rows=(*found.rows, dataclasses.replace(row, runs=tuple(runs))))
            on_row(found)
    return found


def _unsolved(case: Case, interrupted: Callable[[], int | None]) -> AccuracyRow:
    """The row of a case without its runs, after a check that it can be solved and compared."""
    prepared = prepared_case(case, interrupted)
    if prepared.reference is None or prepared.solved is None:
        raise InputError(f"problem {case.label!r} has no reference to measure the error against")
    parameters = sum(tensor.numel() for tensor in prepared.objective.model.initial().values())
    return AccuracyRow(case, (), prepared.reference.kind, prepared.solved.error_estimate, parameters)


class _Task(TypedDict):
    config: str
    changes: dict[str, Any]
    seed: int


def _task(case: Case, seed: int) -> _Task:
    return {"config": case.config, "changes": dict(case.changes), "seed": seed}


def _work(task: _Task) -> Answer[AccuracyRun]:
    """Make a run; in a process of its own."""
    torch.set_num_threads(1)
    with processes.noted():
        warm_up(task["config"])
    return answered(lambda: _run(task))


@cache
def warm_up(config: str) -> None:
    """Import what a run of it needs, once in a process; what is wrong with it the run itself will say."""
    with contextlib.suppress(Exception):
        stages = resolve(config, {}, problem_folders(None)).config.train
        short = {f"train.{number}.steps": WARM_UP_STEPS for number in range(len(stages))}
        solve(config, short, out=False, figures=False)


def _run(task: _Task) -> AccuracyRun:
    forget_solves()  # which a user's first run has to make
    seed, started = task["seed"], time.perf_counter()
    try:
        report = solve(task["config"], {"seed": seed, **task["changes"]}, out=False, figures=False).report
    except Diverged as error:
        reason = str(error).partition(";")[0]
        return AccuracyRun(seed, math.inf, time.perf_counter() - started, None, reason, False, None)
    seconds = time.perf_counter() - started
    assert report is not None
    errors = [each.rel_l2 for each in report.errors.values()]
    return AccuracyRun(
        seed,
        math.inf if any(map(math.isnan, errors)) else max(errors),
        seconds,
        report.facts["steps"],
        report.facts["stop_reason"],
        report.facts["converged"],
        report.facts["relative_residual"],
    )
