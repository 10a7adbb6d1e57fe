"""What every optimiser is to the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

from torch import Tensor

from pinnreg.objective import Fixed

Parameters = dict[str, Tensor]


@final
@dataclass(frozen=True)
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

    def advance(self, objective: Fixed, step: int, limit: int, *, share: float = 0.0) -> Advance:
        """Make at least one and at most `limit` steps; this stage has made `step`, which is the share `share` of it."""

    def forget(self) -> None:
        """The objective is another one now: drop what was learnt about the old one, if that would mislead."""

    def state(self) -> dict[str, Any]:
        """Dicts, lists, numbers, strings and tensors from which `load_state` continues bit for bit."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""


def backward(objective: Fixed, parameters: Parameters) -> dict[str, Tensor]:
    """The terms' values; leaves the gradient of their weighted sum in the parameters."""
    losses, gradient = objective.gradient(parameters)
    for name, parameter in parameters.items():
        # torch's fused steps take for granted that both lie in memory alike
        parameter.grad = gradient[name].contiguous()
    return losses
