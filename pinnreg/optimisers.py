"""Optimisers behind one small interface.

A settings class (`Adam`, `SGD`, `LBFGS`) is one stage of the `train` section of a config. `start(parameters)` gives the
`Optimiser` that advances those parameters in place on an `Objective`. The objective does not change within `advance`;
`forget` tells the optimiser that it has changed since.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Protocol, final

import torch
from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from pinnreg.objective import Objective
from pinnreg.settings import STRICT, Count, Positive, no_boolean

Parameters = dict[str, Tensor]


@final
@dataclass(frozen=True, config={"arbitrary_types_allowed": True})
class Advance:
    """What `advance` did.

    Attributes:
        steps: how many steps it made.
        losses: the unweighted value of each term where it began.
        stop: why the stage should end, or None.
    """

    steps: int
    losses: dict[str, Tensor]
    stop: str | None = None


class Optimiser(Protocol):
    """Advances parameters in place; all its state is in `state()`."""

    def advance(self, objective: Objective, step: int, limit: int) -> Advance:
        """Make at least one and at most `limit` steps; `step` is how many this stage has made."""

    def forget(self) -> None:
        """The objective is another one now: drop what was learnt about the old one, if that would mislead."""

    def state(self) -> dict[str, Any]:
        """Dicts, lists, numbers, strings and tensors from which `load_state` continues bit for bit."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""


RateSchedule = Literal["constant", "cosine", "exponential"]


@final
@dataclass(frozen=True, config=STRICT)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980).

    Attributes:
        steps: at most so many steps.
        max_seconds: at most so long.
        learning_rate: at the start of the stage.
        schedule: how it falls to `final_learning_rate` (1e-3 of it if not given) by the end of the stage.
    """

    optimiser: Literal["adam"] = "adam"
    steps: Count = 2000
    max_seconds: Positive | None = None
    learning_rate: Positive = 1e-3
    schedule: RateSchedule = "constant"
    final_learning_rate: Positive | None = None

    redraw_every: ClassVar[int] = 1
    needs_smooth: ClassVar[bool] = False

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
    learning_rate: Positive = 1e-3
    schedule: RateSchedule = "constant"
    final_learning_rate: Positive | None = None
    momentum: Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_boolean)] = 0.0

    redraw_every: ClassVar[int] = 1
    needs_smooth: ClassVar[bool] = False

    @model_validator(mode="after")
    def _final_rate_has_effect(self) -> SGD:
        _check_final_rate(self.schedule, self.final_learning_rate)
        return self

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        sgd = torch.optim.SGD(list(parameters.values()), momentum=self.momentum, fused=True)
        return _FirstOrder(sgd, parameters, self)


@final
@dataclass(frozen=True, config=STRICT)
class LBFGS:
    """L-BFGS with a strong Wolfe line search. One step is one iteration; float64 is strongly advised.

    In float32 the line search soon finds no decrease above rounding, and the stage ends early; the report says so.

    Attributes:
        steps: at most so many iterations.
        max_seconds: at most so long.
        history: number of pairs kept.
        redraw_every: iterations between new penalty points; the pairs are dropped then, since they describe another
            function. Without a stochastic regulariser it has nothing to do.
    """

    optimiser: Literal["lbfgs"] = "lbfgs"
    steps: Count = 500
    max_seconds: Positive | None = None
    history: Count = 50
    redraw_every: Count = 200

    needs_smooth: ClassVar[bool] = True

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        return _LBFGS(parameters, self.history)


Stage = Adam | SGD | LBFGS
"""The settings of one stage; its `optimiser` key says which."""


def learning_rate(stage: Adam | SGD, step: int) -> float:
    """The learning rate of a stage after `step` of its steps."""
    first, fraction = stage.learning_rate, min(step / stage.steps, 1.0)
    last = stage.final_learning_rate or 1e-3 * first
    match stage.schedule:
        case "constant":
            return first
        case "cosine":
            return last + (first - last) * (1 + math.cos(math.pi * fraction)) / 2
        case "exponential":
            return float(first * (last / first) ** fraction)


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

    def advance(self, objective: Objective, step: int, limit: int) -> Advance:
        for group in self._inner.param_groups:
            group["lr"] = learning_rate(self._stage, step)
        losses = _backward(objective, self._parameters)
        self._inner.step()
        return Advance(1, losses)

    def forget(self) -> None:
        """Averages over steps remain useful."""

    def state(self) -> dict[str, Any]:
        return self._inner.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self._inner.load_state_dict(state)


@final
class _LBFGS:
    """torch's L-BFGS, a few iterations at a time so that a run can stop between them.

    Its own tolerances are off: what counts is whether the parameters still change. When they do not, it drops its pairs
    and tries the gradient once before it gives up.

    torch skips a pair whose curvature yᵀs is below 1e-10, whatever the size of the loss. With losses of 1e-6 that is
    most of them, and convergence stalls (2-D Poisson, tanh, one seed: at 5e-6, against 9e-7 in fewer iterations). So it
    is shown a multiple of the loss that starts at `INITIAL_LOSS`; the method itself does not depend on the scale.
    """

    ITERATIONS = 10
    INITIAL_LOSS = 1e6

    def __init__(self, parameters: Parameters, history: int) -> None:
        self._parameters = parameters
        self._history = history
        self._inner = self._fresh()
        self._scale = 0.0  # chosen at the next evaluation

    def _fresh(self) -> torch.optim.LBFGS:
        return torch.optim.LBFGS(
            list(self._parameters.values()),
            history_size=self._history,
            line_search_fn="strong_wolfe",
            tolerance_grad=0.0,
            tolerance_change=0.0,
        )

    def advance(self, objective: Objective, step: int, limit: int) -> Advance:
        first: list[dict[str, Tensor]] = []

        def closure() -> Tensor:
            losses = _backward(objective, self._parameters)
            if not first:
                first.append(losses)
            with torch.no_grad():
                total = objective.total(losses)
            if not self._scale:
                # a loss near rounding is not blown up as far: the line search squares slopes, which overflow in float32
                floor = torch.finfo(total.dtype).eps ** 0.5
                self._scale = self.INITIAL_LOSS / max(float(total), floor)
            for parameter in self._parameters.values():
                if parameter.grad is not None:
                    parameter.grad = self._scale * parameter.grad
            return self._scale * total

        (group,) = self._inner.param_groups
        group["max_iter"] = min(limit, self.ITERATIONS)
        group["max_eval"] = 25 * group["max_iter"]
        before = [parameter.detach().clone() for parameter in self._parameters.values()]
        done = self._iterations()
        self._inner.step(closure)
        made = max(self._iterations() - done, 1)
        stop = None
        if all(torch.equal(old, new) for old, new in zip(before, self._parameters.values(), strict=True)):
            if done == 0:
                stop = f"L-BFGS found no further decrease in {before[0].dtype}".replace("torch.", "")
            self.forget()
        return Advance(made, first[0], stop)

    def forget(self) -> None:
        self._inner = self._fresh()
        self._scale = 0.0

    def state(self) -> dict[str, Any]:
        return {"inner": self._inner.state_dict(), "scale": self._scale}

    def load_state(self, state: dict[str, Any]) -> None:
        self._inner.load_state_dict(state["inner"])
        self._scale = float(state["scale"])

    def _iterations(self) -> int:
        first = next(iter(self._parameters.values()))
        return int(self._inner.state[first].get("n_iter", 0))


def _backward(objective: Objective, parameters: Parameters) -> dict[str, Tensor]:
    """The terms' values; leaves the gradient of their weighted sum in the parameters."""
    losses, gradient = objective.gradient(parameters)
    for name, parameter in parameters.items():
        parameter.grad = gradient[name]
    return losses
