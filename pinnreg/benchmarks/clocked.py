"""A run against the clock: its error over the seconds that it has taken.

The clock starts before the config is resolved and stops at the last training step. Not on it are the reference, which a
user's own problem may lack, and everything that measures the error.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from pinnreg.benchmarks.recipes import resolved
from pinnreg.benchmarks.trace import Parameters, Trace, first_below
from pinnreg.config import Config, as_dict
from pinnreg.errors import Diverged
from pinnreg.objective import Evaluator
from pinnreg.optimisers import SGD, Adam
from pinnreg.reference import forget_solves
from pinnreg.report import relative_l2, taken
from pinnreg.run import solve
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.training import Hooks

PROBE = 20  # steps that tell how many fit into the time
FILLED = 0.9  # of the time by as many steps as fit: the training loop needs some, too


@final
@dataclass(frozen=True)
class OptimiserRun:
    """One run: its error over time and how it ended.

    Attributes:
        seconds: set-up and training until each measurement of the error.
        errors: relative L2 error on the evaluation grid, the largest over the outputs.
        total_seconds: all of `pinnreg.solve`, figures included.
        train: the stages as they were run.
        unknown: the coefficients that were found with the solution.
    """

    seed: int
    seconds: tuple[float, ...]
    errors: tuple[float, ...]
    steps: int
    parameters: int
    stop_reason: str
    total_seconds: float
    train: tuple[dict[str, Any], ...]
    unknown: Mapping[str, float] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """The last error; infinity if that is not a number."""
        return math.inf if math.isnan(self.errors[-1]) else self.errors[-1]

    def seconds_to(self, decade: int) -> float:
        """When the error was first 1e-`decade` or less; infinity if it never was."""
        return first_below(self.seconds, self.errors, decade)


def clocked_run(known: Prepared, problem: str, optimiser: str, seed: int, seconds: float) -> OptimiserRun:
    """Make a run against the clock.

    Args:
        known: the problem with its reference on the evaluation grid.
        problem: its name.
        optimiser: a name in `RECIPES`.
        seed: of the run.
        seconds: of training, at most.
    """
    started = time.perf_counter()
    planned = resolved(problem, optimiser, seed, seconds)
    prepared = prepare(planned, with_reference=False)
    trace = Trace(_error(known, prepared), time.perf_counter() - started)
    config = as_dict(_fitted(planned.config, prepared, seconds))
    with tempfile.TemporaryDirectory() as folder:
        forget_solves()  # which a user's first run has to make
        out, started = Path(folder) / "run", time.perf_counter()
        try:
            solution = solve(config, out=out, hooks=Hooks(observe=trace.observe), progress=False)
            assert solution.report is not None
            facts, unknown = solution.report.facts, dict(solution.unknown)
            steps, stop_reason = facts["steps"], facts["stop_reason"]
        except Diverged as error:
            steps, stop_reason, unknown = trace.step, str(error).partition(";")[0], {}
        total = time.perf_counter() - started - trace.spent
    parameters = sum(tensor.numel() for tensor in prepared.objective.model.initial().values())
    train = tuple(config["train"])
    seconds_at, errors = tuple(trace.seconds), tuple(trace.errors)
    return OptimiserRun(seed, seconds_at, errors, steps, parameters, stop_reason, total, train, unknown)


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
