"""Adam and stochastic gradient descent: one gradient a step."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, final

import torch
from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.objective import Fixed
from pinnreg.optimisers.interface import Advance, Optimiser, Parameters, backward
from pinnreg.settings import STRICT, Count, Positive, no_boolean

RateSchedule = Literal["constant", "cosine", "exponential"]


@final
@dataclass(frozen=True, config=STRICT)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980).

    Attributes:
        steps: at most so many steps.
        max_seconds: at most so long.
        max_sweeps: at most about so many network sweeps times points.
        learning_rate: at the start of the stage.
        schedule: how it falls to `final_learning_rate` (1e-3 of it if not given) by the end of the stage.
    """

    optimiser: Literal["adam"] = "adam"
    steps: Count = 2000
    max_seconds: Positive | None = None
    max_sweeps: Positive | None = None
    learning_rate: Positive = 1e-3
    schedule: RateSchedule = "constant"
    final_learning_rate: Positive | None = None

    redraw_every: ClassVar[int] = 1
    first_order: ClassVar[bool] = True
    needs_smooth: ClassVar[bool] = False
    needs_squares: ClassVar[bool] = False
    log_every: ClassVar[int] = 50
    evaluate_every: ClassVar[int] = 100

    @model_validator(mode="after")
    def _final_rate_has_effect(self) -> Adam:
        _check_final_rate(self.schedule, self.final_learning_rate)
        return self

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        return _FirstOrder(torch.optim.Adam(list(parameters.values()), fused=True), parameters, self)


@final
@dataclass(frozen=True, config=STRICT)
class SGD:
    """Stochastic gradient descent, with momentum if asked for.

    The other attributes are those of `Adam`.
    """

    optimiser: Literal["sgd"] = "sgd"
    steps: Count = 2000
    max_seconds: Positive | None = None
    max_sweeps: Positive | None = None
    learning_rate: Positive = 1e-3
    schedule: RateSchedule = "constant"
    final_learning_rate: Positive | None = None
    momentum: Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_boolean)] = 0.0

    redraw_every: ClassVar[int] = 1
    first_order: ClassVar[bool] = True
    needs_smooth: ClassVar[bool] = False
    needs_squares: ClassVar[bool] = False
    log_every: ClassVar[int] = 50
    evaluate_every: ClassVar[int] = 100

    @model_validator(mode="after")
    def _final_rate_has_effect(self) -> SGD:
        _check_final_rate(self.schedule, self.final_learning_rate)
        return self

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        sgd = torch.optim.SGD(list(parameters.values()), momentum=self.momentum, fused=True)
        return _FirstOrder(sgd, parameters, self)


def learning_rate(stage: Adam | SGD, share: float) -> float:
    """The learning rate of a stage of which the share `share` is done."""
    first = stage.learning_rate
    last = stage.final_learning_rate or 1e-3 * first
    match stage.schedule:
        case "constant":
            return first
        case "cosine":
            return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
        case "exponential":
            return float(first * (last / first) ** share)


def _check_final_rate(schedule: RateSchedule, final: float | None) -> None:
    if schedule == "constant" and final is not None:
        raise ValueError("final_learning_rate has no effect with schedule: constant")


@final
class _FirstOrder:
    """A torch optimiser that takes one gradient a step."""

    def __init__(self, inner: torch.optim.Optimizer, parameters: Parameters, stage: Adam | SGD) -> None:
        self._inner = inner
        self._parameters = parameters
        self._stage = stage

    def advance(self, objective: Fixed, step: int, limit: int, *, share: float = 0.0) -> Advance:
        for group in self._inner.param_groups:
            group["lr"] = learning_rate(self._stage, share)
        losses = backward(objective, self._parameters)
        self._inner.step()
        return Advance(1, losses)

    def forget(self) -> None:
        """Averages over steps remain useful."""

    def state(self) -> dict[str, Any]:
        return self._inner.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self._inner.load_state_dict(state)
