"""What the training loop and the optimisers need of what they minimise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from pinnreg.objective.jacobian import Linearised

Parameters = dict[str, Tensor]


class Trainable(Protocol):
    """An `Objective`, or several side by side (`Replicas`): fixed between two draws, a function of one dict of tensors.

    Attributes:
        parameters: leaf tensors, which training changes in place.
        seed: of all draws.
    """

    parameters: Parameters
    seed: int

    @property
    def sweeps(self) -> int:
        """Network sweeps times points so far."""

    @property
    def names(self) -> tuple[str, ...]:
        """The loss terms."""

    @property
    def drawn_at(self) -> int:
        """The step of the last redraw."""

    @property
    def progress(self) -> float:
        """The share of the training that the schedules of now are for."""

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything but weights."""

    @property
    def annealing(self) -> bool:
        """Whether a regulariser's strength is still to change."""

    @property
    def scheduled(self) -> bool:
        """Whether a regulariser's strength follows a schedule."""

    @property
    def resample_every(self) -> int | None:
        """Steps between new collocation points; None for never."""

    def gradient(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The unweighted value of each term, and the gradient of the weighted sum by parameter."""

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms' values."""

    def residuals(self, parameters: Parameters) -> Tensor:
        """All rows, whose sum of squares is the loss, (n,)."""

    def linearise(self, parameters: Parameters) -> Linearised:
        """The rows with their Jacobian."""

    def recorded(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The value of each term and its share of the loss, for the history."""

    def coefficient_values(self, parameters: Parameters) -> dict[str, float]:
        """The unknown coefficients by name."""

    def redraw(self, step: int, *, progress: float, smooth: bool) -> None:
        """New random points, noise and batches, as a function of the step."""

    def resample(self, parameters: Parameters, step: int) -> None:
        """New collocation points."""

    def resample_due(self, step: int) -> bool:
        """Whether the collocation points are to be drawn anew before `step`."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to continue."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
