"""Adam and stochastic gradient descent: one gradient a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch

from pinnreg.objective import Target
from pinnreg.optimisers.interface import Advance, Parameters
from pinnreg.optimisers.vectors import backward


def adam(parameters: Parameters) -> torch.optim.Optimizer:
    """torch's Adam; `FirstOrderSteps` sets its learning rate."""
    return torch.optim.Adam(list(parameters.values()), fused=True)


def sgd(parameters: Parameters, momentum: float) -> torch.optim.Optimizer:
    """torch's gradient descent; `FirstOrderSteps` sets its learning rate."""
    return torch.optim.SGD(list(parameters.values()), momentum=momentum, fused=True)


@final
class FirstOrderSteps:
    """The optimiser of `Adam` and `SGD`: a torch optimiser that takes one gradient a step.

    `rate` is the learning rate as a function of the share of the stage that is done.
    """

    def __init__(self, inner: torch.optim.Optimizer, parameters: Parameters, rate: Callable[[float], float]) -> None:
        self._inner = inner
        self._parameters = parameters
        self._rate = rate

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        for group in self._inner.param_groups:
            group["lr"] = self._rate(share)
        losses = backward(objective, self._parameters)
        self._inner.step()
        return Advance(1, losses)

    def forget(self) -> None:
        """Averages over steps remain useful."""

    def state(self) -> dict[str, Any]:
        return self._inner.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self._inner.load_state_dict(state)
