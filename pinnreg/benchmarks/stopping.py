"""A training looked at each time that its true error has fallen by another factor of ten."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from pinnreg.config import Resolved
from pinnreg.errors import Diverged, Interrupted
from pinnreg.estimates import Reliability
from pinnreg.objective import Evaluator
from pinnreg.report import main_error
from pinnreg.run.convergence import wrong
from pinnreg.run.estimating import by_defect
from pinnreg.run.prepare import Prepared, check_stages, prepare
from pinnreg.training import History, Hooks, train
from pinnreg.training.checkpoint import copied

FIRST, LAST = 2, 10
"""n of the errors 1e-n between which states are kept."""
ABOVE = 10.0
"""By so much more than that of the reference an error has to be to be known."""


@final
@dataclass(frozen=True)
class State:
    """An output of a training that was stopped early.

    Attributes:
        output: its name.
        error: its true relative L2 error over the evaluation points, the RMSE where the reference is zero.
        estimate: that of its estimate, of the same size; None if there is none.
        reliability: what the estimate is called.
    """

    output: str
    error: float
    estimate: float | None
    reliability: Reliability | None

    @property
    def ratio(self) -> float:
        """Estimate to true error; NaN without an estimate."""
        return float("nan") if self.estimate is None else self.estimate / self.error

    @property
    def is_good(self) -> bool:
        """Whether the estimate is called good."""
        return self.reliability == "good"


@final
@dataclass(frozen=True)
class Stop:
    """A training that was stopped early.

    Attributes:
        seed: of the run.
        step: after which.
        trained_seconds: until then.
        estimate_seconds: of estimating its error.
        reason: what the estimate is judged by, in words.
        states: of its outputs, but for those whose error is as small as the reference's.
    """

    seed: int
    step: int
    trained_seconds: float
    estimate_seconds: float
    reason: str
    states: tuple[State, ...]

    @property
    def error(self) -> float:
        """The largest of the outputs'."""
        return max((state.error for state in self.states), default=float("nan"))


def stops_of(resolved: Resolved) -> tuple[Stop, ...]:
    """Train until the last of the errors is reached, and estimate each on the way.

    Args:
        resolved: the config and problem of the run, with a reference.
    """
    prepared = prepare(resolved, trains=True)
    check_stages(prepared)
    kept = _kept(prepared)
    return tuple(_stopped(prepared, *each) for each in kept)


def _kept(prepared: Prepared) -> list[tuple[int, float, Mapping[str, Tensor]]]:
    """Step, seconds and parameters whenever the error has fallen below another power of ten."""
    config, kept = prepared.resolved.config, list[tuple[int, float, Mapping[str, Tensor]]]()
    wanted = FIRST

    def observe(step: int, seconds: float, parameters: Mapping[str, Tensor]) -> float:
        nonlocal wanted
        error = max(_errors(prepared, parameters).values())
        if wanted <= LAST and error <= 10.0**-wanted:
            kept.append((step, seconds, copied(dict(parameters))))
            while wanted <= LAST and error <= 10.0**-wanted:
                wanted += 1
        return 0.0  # at once again

    hooks = Hooks(
        evaluate_every=1,
        observe=observe,
        wrong=lambda parameters: wrong(prepared.solution(parameters, {}), prepared),
        interrupted=lambda: signal.SIGTERM if wanted > LAST else None,
    )
    history = History(prepared.objective.names, (), None, list(config.unknown))
    evaluator = Evaluator(prepared.objective, compile=config.compile)
    with contextlib.suppress(Interrupted, Diverged):  # what was kept until then counts
        train(evaluator, config.train, history, hooks=hooks)
    return kept


def _stopped(prepared: Prepared, step: int, seconds: float, parameters: Mapping[str, Tensor]) -> Stop:
    solution, errors = prepared.solution(parameters, {}), _errors(prepared, parameters)
    started = time.perf_counter()
    estimate = by_defect(solution, prepared, step)
    spent = time.perf_counter() - started
    sizes = {} if estimate is None else {n: _rms(each) for n, each in estimate.at(prepared.places).items()}
    truth = {name: _rms(values) or 1.0 for name, values in prepared.truth.items()}
    assert prepared.solved is not None
    least = ABOVE * (prepared.solved.error_estimate or 0.0)
    states = tuple(
        State(
            name,
            error,
            sizes[name] / truth[name] if estimate else None,
            estimate.reliability[name] if estimate else None,
        )
        for name, error in errors.items()
        if error > least
    )
    seed = prepared.resolved.config.seed
    return Stop(seed, step, seconds, spent, "" if estimate is None else estimate.reason, states)


def _errors(prepared: Prepared, parameters: Mapping[str, Tensor]) -> dict[str, float]:
    looked_at = prepared.looked_at(prepared.solution(parameters, {}))
    return {name: main_error(*pair) for name, pair in looked_at.items()}


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
