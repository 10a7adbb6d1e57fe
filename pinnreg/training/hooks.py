"""What training calls along the way, and what it comes to."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, final

from torch import Tensor

from pinnreg.objective import DrawnBatch

Parameters = dict[str, Tensor]


@final
@dataclass(frozen=True)
class Outcome(Generic[DrawnBatch]):
    """A finished training: the parameters, the last batch, and how it got there."""

    parameters: Parameters
    batch: DrawnBatch
    seconds: float
    steps: int
    sweeps: int
    stop_reason: str


@final
@dataclass(frozen=True)
class Hooks:
    """What the loop calls; measuring takes no time from a stage's seconds, and only `wrong` changes the result.

    Attributes:
        errors: relative L2 error by output at parameters; empty without a reference.
        evaluate_every: steps between evaluations of it; None leaves that to the stage.
        observe: called with (step, seconds, parameters) at the start, at the end of each stage, and between two
            advances once the seconds that it returned last have passed.
        wrong: how large the residual is, relative to its own terms, where training has not looked; None if that is not
            known, or does not tell. By that a stage that has stuck is begun again.
        interrupted: the signal number that asks to stop, or None.
        undisturbed: a context in which a signal only does that; elsewhere it may stop what goes on at once.
        progress: called with (step, steps in all, loss, errors) at every row of the history; errors are None where it
            was not time to evaluate them.
    """

    errors: Callable[[Parameters], Mapping[str, float]] = lambda _: {}
    evaluate_every: int | None = None
    observe: Callable[[int, float, Parameters], float] = lambda *_: math.inf
    wrong: Callable[[Parameters], float | None] = lambda _: None
    interrupted: Callable[[], int | None] = lambda: None
    undisturbed: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    progress: Callable[[int, int, float, Mapping[str, float] | None], None] = lambda *_: None
