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
class Row:
    """A row of the history as hooks see it.

    Attributes:
        step: of so many `steps` in all.
        share: of the whole training that is done, by whichever limit is nearest: steps, sweeps or seconds.
        loss: the weighted sum of all terms.
        errors: relative L2 error by output; None where it was not time to evaluate them.
        residual: where there is no reference the largest relative residual at fresh points; None as the errors, or if
            it does not tell.
    """

    step: int
    steps: int
    share: float
    loss: float
    errors: Mapping[str, float] | None = None
    residual: float | None = None


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
        residual: what stands for the errors where there are none.
        progress: called at every row of the history, at least every 50 steps.
        stop: asked after that; true, or a reason in words, ends the training there, in whatever stage, with its
            solution. A run that was ended so can be resumed, in its last stage with more steps.
    """

    errors: Callable[[Parameters], Mapping[str, float]] = lambda _: {}
    evaluate_every: int | None = None
    observe: Callable[[int, float, Parameters], float] = lambda *_: math.inf
    wrong: Callable[[Parameters], float | None] = lambda _: None
    interrupted: Callable[[], int | None] = lambda: None
    undisturbed: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    residual: Callable[[Parameters], float | None] = lambda _: None
    progress: Callable[[Row], object] = lambda _: None
    stop: Callable[[Row], bool | str | None] = lambda _: None
