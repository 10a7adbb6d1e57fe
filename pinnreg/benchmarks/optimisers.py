"""How long each optimiser takes to solve each problem to a given error, beside SciPy.

The clock of a run starts before its config is resolved and stops at the last training step. Not on it are the
reference, which a user's own problem may lack, and everything that measures the error. What a user waits for in all is
given besides: the whole of `pinnreg.solve`, with reference, SciPy check, report and figures. Both are taken in a
process that has solved something before: imports and what happens only once, a few seconds, are on neither.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from pinnreg.benchmarks.measure import machine
from pinnreg.benchmarks.recipes import PROBLEMS, RECIPES, check_names, resolved
from pinnreg.benchmarks.trace import Parameters, Trace, first_below
from pinnreg.config import Config, as_dict
from pinnreg.equations import reference_of
from pinnreg.errors import Diverged, InputError
from pinnreg.objective import Evaluator
from pinnreg.optimisers import SGD, Adam
from pinnreg.reference import SCIPY_KINDS, Reference, forget_solves
from pinnreg.report import relative_l2, solved_inside, taken
from pinnreg.run import solve
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.training import Hooks

logger = logging.getLogger("pinnreg")

PROBE = 20  # steps that tell how many fit into the time
FILLED = 0.9  # of the time by as many steps as fit: the training loop needs some, too
SCIPY_SOLVES = 3


@final
@dataclass(frozen=True)
class OptimiserSetting:
    """What is compared: problems and optimisers by name, so many seeds of each, so many seconds of training a run.

    Raises:
        InputError: a name that is not known.
    """

    problems: tuple[str, ...] = PROBLEMS
    optimisers: tuple[str, ...] = tuple(RECIPES)
    seeds: int = 3
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_names(self.problems, self.optimisers)


@final
@dataclass(frozen=True)
class OptimiserRun:
    """One run: its error over time and how it ended.

    Attributes:
        seconds: set-up and training until each measurement of the error.
        errors: relative L2 error on the evaluation grid, the largest over the outputs.
        total_seconds: all of `pinnreg.solve`, figures included.
        train: the stages as they were run.
    """

    seed: int
    seconds: tuple[float, ...]
    errors: tuple[float, ...]
    steps: int
    parameters: int
    stop_reason: str
    total_seconds: float
    train: tuple[dict[str, Any], ...]

    @property
    def error(self) -> float:
        """The last error; infinity if that is not a number."""
        return math.inf if math.isnan(self.errors[-1]) else self.errors[-1]

    def seconds_to(self, decade: int) -> float:
        """When the error was first 1e-`decade` or less; infinity if it never was."""
        return first_below(self.seconds, self.errors, decade)


@final
@dataclass(frozen=True)
class OptimiserRow:
    """A problem solved by an optimiser, once for each seed."""

    problem: str
    optimiser: str
    runs: tuple[OptimiserRun, ...]

    def median(self, value: Callable[[OptimiserRun], float]) -> float:
        """The median over the seeds."""
        return statistics.median(value(run) for run in self.runs)


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


AnyRow = OptimiserRow | ScipyRow


@final
@dataclass(frozen=True)
class OptimiserBenchmark:
    """The rows so far, and all that is needed to repeat them; `configs` hold each problem's settings but `train`."""

    rows: tuple[AnyRow, ...]
    setting: OptimiserSetting
    configs: dict[str, dict[str, Any]]
    machine: dict[str, str | int]
    date: str


def bench_optimisers(
    setting: OptimiserSetting,
    on_row: Callable[[OptimiserBenchmark], None] = lambda _: None,
    on_run: Callable[[str, str, OptimiserRun], None] = lambda *_: None,
) -> OptimiserBenchmark:
    """Measure all rows, one problem after the other, its optimisers in turn for each seed.

    A busy moment of the machine so hits all optimisers alike.

    Args:
        setting: what to measure.
        on_row: called when a row is done with the rows so far, of which it is the last.
        on_run: called with problem, optimiser and run when a run is done.

    Raises:
        InputError: a problem without reference, or settings that do not go together; nothing was measured.
    """
    problems = {name: _with_reference(name, setting) for name in setting.problems}
    device = next(iter(problems.values())).device
    configs = {name: _without_train(known.resolved.config) for name, known in problems.items()}
    _warm_up(setting)
    found = OptimiserBenchmark((), setting, configs, machine(device), datetime.now(UTC).strftime("%Y-%m-%d"))
    for name, known in problems.items():
        for row in _rows(name, known, setting, on_run):
            found = dataclasses.replace(found, rows=(*found.rows, row))
            on_row(found)
    return found


def _warm_up(setting: OptimiserSetting) -> None:
    for optimiser in setting.optimisers:
        config = resolved(setting.problems[0], optimiser, 0, setting.max_seconds).config
        train = tuple(dataclasses.replace(stage, steps=2) for stage in config.train)
        solve(as_dict(dataclasses.replace(config, train=train)), out=False)


def _rows(
    problem: str, known: Prepared, setting: OptimiserSetting, on_run: Callable[[str, str, OptimiserRun], None]
) -> Iterator[AnyRow]:
    """A problem's rows, each when its last seed is done, and SciPy's."""
    runs: dict[str, list[OptimiserRun]] = {optimiser: [] for optimiser in setting.optimisers}
    for seed in range(setting.seeds):
        for optimiser, done in runs.items():
            done.append(_run(known, problem, optimiser, seed, setting.max_seconds))
            on_run(problem, optimiser, done[-1])
            if len(done) == setting.seeds:
                yield OptimiserRow(problem, optimiser, tuple(done))
    if (scipy := _scipy(problem, known)) is not None:
        yield scipy


def _with_reference(problem: str, setting: OptimiserSetting) -> Prepared:
    """The problem with its reference on the evaluation grid, after a check that all optimisers can be used on it."""
    every = [resolved(problem, optimiser, 0, setting.max_seconds) for optimiser in setting.optimisers]
    known = prepare(every[0])
    if known.solved is None:
        raise InputError(f"problem {problem!r} has no reference to measure the error against")
    return known


def _without_train(config: Config) -> dict[str, Any]:
    return {key: value for key, value in as_dict(config).items() if key not in ("train", "seed")}


def _run(known: Prepared, problem: str, optimiser: str, seed: int, seconds: float) -> OptimiserRun:
    started = time.perf_counter()
    planned = resolved(problem, optimiser, seed, seconds)
    prepared = prepare(planned, with_reference=False)
    trace = Trace(_error(known, prepared), time.perf_counter() - started)
    config = as_dict(_fitted(planned.config, prepared, seconds))
    with tempfile.TemporaryDirectory() as folder:
        forget_solves()  # which a user's first run has to make
        out, started = Path(folder) / "run", time.perf_counter()
        try:
            report = solve(config, out=out, hooks=Hooks(observe=trace.observe)).report
            assert report is not None
            steps, stop_reason = report.facts["steps"], report.facts["stop_reason"]
        except Diverged as error:
            steps, stop_reason = trace.step, str(error).partition(";")[0]
        total = time.perf_counter() - started - trace.spent
    parameters = sum(tensor.numel() for tensor in prepared.objective.model.initial().values())
    train = tuple(config["train"])
    return OptimiserRun(seed, tuple(trace.seconds), tuple(trace.errors), steps, parameters, stop_reason, total, train)


def _error(known: Prepared, prepared: Prepared) -> Callable[[Parameters], float]:
    def error(parameters: Parameters) -> float:
        assert known.solved is not None
        values = prepared.solution(parameters, {}).on_grid(known.axes)
        truth, inside = known.solved.values, known.inside
        return max(relative_l2(taken(each, inside), taken(truth[name], inside)) for name, each in values.items())

    return error


def _fitted(config: Config, prepared: Prepared, seconds: float) -> Config:
    """The config with as many steps in a last stage of Adam as fit into the seconds.

    Its learning rate falls with the steps: of more than there is time for, it would stop long before it is small.
    """
    *others, last = config.train
    if not isinstance(last, Adam | SGD) or last.schedule == "constant":
        return config
    evaluator = Evaluator(prepared.objective, compile=config.compile)
    parameters = evaluator.initial()
    fixed = evaluator.at(evaluator.first(parameters))
    optimiser = last.start(parameters)
    optimiser.advance(fixed, 0, 1)
    started = time.perf_counter()
    for step in range(PROBE):
        float(sum(optimiser.advance(fixed, step, 1).losses.values()))
    fitting = round(FILLED * seconds * PROBE / (time.perf_counter() - started))
    stage = dataclasses.replace(last, steps=min(last.steps, max(fitting, 1)))
    return dataclasses.replace(config, train=(*others, stage))


def _scipy(problem: str, known: Prepared) -> ScipyRow | None:
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
