"""How accurate the defaults of each problem are, and whether a run knows how far it got.

A run is exactly what a user gets who calls `pinnreg.solve(name, {"seed": seed})`, with the changes of its case, and
without files and figures. Its seconds are those of that call, reference and SciPy check included, in a process of one
thread that has solved something like it before: imports and what happens only once are not among them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, TypedDict, final

import torch

from pinnreg import processes
from pinnreg.benchmarks.cases import Case
from pinnreg.benchmarks.measure import machine
from pinnreg.config import problem_folders, resolve
from pinnreg.errors import Diverged, InputError, Interrupted
from pinnreg.reference import forget_solves
from pinnreg.run import choose_device, solve
from pinnreg.run.prepare import prepare

logger = logging.getLogger("pinnreg")

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
    where: dict[str, str | int] = {**machine(choose_device("auto")), "threads": 1}
    found = AccuracyBenchmark((), seeds, jobs, where, datetime.now(UTC).strftime("%Y-%m-%d"))
    counts = [min(seeds, case.seeds or seeds) for case in cases]
    planned = [(index, seed) for index, count in enumerate(counts) for seed in range(count)]
    tasks = [
        _Task(config=cases[index].config, changes=dict(cases[index].changes), seed=seed) for index, seed in planned
    ]
    runs: list[list[AccuracyRun]] = [[] for _ in cases]
    with contextlib.closing(processes.side_by_side(_serve, tasks, jobs, _lost, interrupted)) as answers:
        for number, answer in answers:
            index, seed = planned[number]
            label = cases[index].label
            for note in answer["notes"]:
                logger.warning("%s", note)
            if (run := answer["run"]) is None:
                if (signal := interrupted()) is not None:  # which may have come to its process first
                    raise Interrupted(signal, None)
                raise RuntimeError(f"{label}, seed {seed}: {answer['failure']}")
            runs[index].append(run)
            on_run(label, run)
            while (ended := len(found.rows)) < len(cases) and len(runs[ended]) == counts[ended]:
                in_order = tuple(sorted(runs[ended], key=lambda run: run.seed))
                found = dataclasses.replace(found, rows=(*found.rows, dataclasses.replace(rows[ended], runs=in_order)))
                on_row(found)
    return found


def _unsolved(case: Case, interrupted: Callable[[], int | None]) -> AccuracyRow:
    """The row of a case without its runs, after a check that it can be solved and compared."""
    if (number := interrupted()) is not None:
        raise Interrupted(number, None)
    with processes.noted():  # which comes again with the runs
        prepared = prepare(resolve(case.config, {"seed": 0, **case.changes}, problem_folders(None)))
    if prepared.reference is None or prepared.solved is None:
        raise InputError(f"problem {case.label!r} has no reference to measure the error against")
    parameters = sum(tensor.numel() for tensor in prepared.objective.model.initial().values())
    return AccuracyRow(case, (), prepared.reference.kind, prepared.solved.error_estimate, parameters)


class _Task(TypedDict):
    config: str
    changes: dict[str, Any]
    seed: int


class _Answer(TypedDict):
    """The run, or why there is none, and what the package noted along the way."""

    run: AccuracyRun | None
    failure: str
    notes: list[str]


def _serve(connection: Connection) -> None:
    processes.serve(connection, _work)


def _lost(how: str) -> _Answer:
    return {"run": None, "failure": how, "notes": []}


def _work(task: _Task) -> _Answer:
    """Make a run; in a process of its own."""
    torch.set_num_threads(1)
    with processes.noted():
        _warm_up(task["config"])
    with processes.noted() as notes:
        try:
            return {"run": _run(task), "failure": "", "notes": notes}
        except Exception as error:  # whatever it is, the command has to say of which run
            return {"run": None, "failure": f"{type(error).__name__}: {error}", "notes": notes}


@cache
def _warm_up(config: str) -> None:
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
