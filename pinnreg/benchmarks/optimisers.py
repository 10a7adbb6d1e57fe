"""How long each optimiser takes to solve each problem to a given error, beside SciPy.

The clock of a run starts before its config is resolved and stops at the last training step. Not on it are the
reference, which a user's own problem may lack, and everything that measures the error. What a user waits for in all is
given besides: the whole of `pinnreg.solve`, with reference, SciPy check, report and figures. Both are taken in a
process that has solved something before: imports and what happens only once, a few seconds, are on neither.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from pinnreg.benchmarks.classical import ScipyRow, scipy_row
from pinnreg.benchmarks.clocked import OptimiserRun, clocked_run
from pinnreg.benchmarks.measure import machine
from pinnreg.benchmarks.recipes import PROBLEMS, RECIPES, check_names, resolved
from pinnreg.config import Config, as_dict
from pinnreg.errors import InputError
from pinnreg.run import solve
from pinnreg.run.prepare import Prepared, prepare


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
class OptimiserRow:
    """A problem solved by an optimiser, once for each seed."""

    problem: str
    optimiser: str
    runs: tuple[OptimiserRun, ...]

    def median(self, value: Callable[[OptimiserRun], float]) -> float:
        """The median over the seeds."""
        return statistics.median(value(run) for run in self.runs)


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
        solve(as_dict(dataclasses.replace(config, train=train)), out=False, progress=False)


def _rows(
    problem: str, known: Prepared, setting: OptimiserSetting, on_run: Callable[[str, str, OptimiserRun], None]
) -> Iterator[AnyRow]:
    """A problem's rows, each when its last seed is done, and SciPy's."""
    runs: dict[str, list[OptimiserRun]] = {optimiser: [] for optimiser in setting.optimisers}
    for seed in range(setting.seeds):
        for optimiser, done in runs.items():
            done.append(clocked_run(known, problem, optimiser, seed, setting.max_seconds))
            on_run(problem, optimiser, done[-1])
            if len(done) == setting.seeds:
                yield OptimiserRow(problem, optimiser, tuple(done))
    if (scipy := scipy_row(problem, known)) is not None:
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
