"""What the training loop needs of what it minimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from torch import Tensor

from pinnreg.objective.in_blocks import InBlocks
from pinnreg.objective.linearise import Linearised
from pinnreg.objective.model import Parameters


class Target(Protocol):
    """What an optimiser sees: the objective of one batch, a function of one dict of tensors.

    Attributes:
        seed: of all draws.
        stochastic: whether the next batch has other points that count, or noise.
        annealing: whether a regulariser's strength is still to change.
        keeps_points: whether its collocation points stay while they are enough.
    """

    @property
    def seed(self) -> int: ...
    @property
    def stochastic(self) -> bool: ...
    @property
    def annealing(self) -> bool: ...
    @property
    def keeps_points(self) -> bool: ...

    def gradient(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The unweighted value of each term, and the gradient of the weighted sum by parameter."""

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms' values."""

    def residuals(self, parameters: Parameters) -> Tensor:
        """All rows, whose sum of squares is the loss, (n,)."""

    def linearise(self, parameters: Parameters) -> Linearised | InBlocks:
        """The rows with their Jacobian, valid until the next call."""


class Drawn(Protocol):
    """A batch, as far as the training loop looks into it.

    Attributes:
        step: at which it was drawn.
        progress: the share of the training that the schedules of then are for.
        cost: network sweeps times points that drawing it took.
        settled: whether a look at the residual between the collocation points found them to be enough.
    """

    @property
    def settled(self) -> bool: ...
    @property
    def step(self) -> int: ...
    @property
    def progress(self) -> float: ...
    @property
    def cost(self) -> int: ...


DrawnBatch = TypeVar("DrawnBatch", bound=Drawn)


class Trainable(Protocol[DrawnBatch]):
    """An objective, or several side by side, with what is worth keeping between the steps of a training.

    Attributes:
        names: the loss terms.
        stochastic: whether `redraw` changes anything but weights.
        scheduled: whether a regulariser's strength follows a schedule.
        resample_every: steps between new collocation points; None for never.
        sweeps: network sweeps times points that were asked for so far.
    """

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def stochastic(self) -> bool: ...
    @property
    def scheduled(self) -> bool: ...
    @property
    def resample_every(self) -> int | None: ...
    @property
    def sweeps(self) -> int: ...
    @property
    def in_time(self) -> bool:
        """Whether what happens first does not depend on what happens later, so that `widen` has its use."""

    def initial(self) -> Parameters:
        """The parameters that training begins with, leaf tensors of their own."""

    def first(self, parameters: Parameters) -> DrawnBatch:
        """The batch at step 0."""

    def redraw(
        self, batch: DrawnBatch, parameters: Parameters, step: int, *, progress: float, smooth: bool
    ) -> DrawnBatch:
        """A batch with new random points, noise and measurements, as a function of the step."""

    def resample_due(self, batch: DrawnBatch, step: int, share: float) -> bool:
        """Whether the collocation points are to be looked after before `step`, after a share of the stage."""

    def may_refine(self, batch: DrawnBatch, share: float) -> bool:
        """Whether `resample` does nothing but add points, and may do so, after a share of the stage."""

    def resample(self, batch: DrawnBatch, parameters: Parameters, step: int) -> DrawnBatch:
        """A batch with other collocation points, or the same where they are settled."""

    def tune(self, batch: DrawnBatch, parameters: Parameters, step: int) -> DrawnBatch:
        """A batch with other weights of penalties whose weights are found, or the same."""

    def widen(self, batch: DrawnBatch, parameters: Parameters, step: int, window: float) -> DrawnBatch:
        """A batch with points in a share of the time, from the start."""

    def at(self, batch: DrawnBatch) -> Target:
        """What an optimiser sees of a batch."""

    def recorded(self, batch: DrawnBatch, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The value of each term and its share of the loss, for the history."""

    def coefficient_values(self, parameters: Parameters) -> dict[str, float]:
        """The unknown coefficients by name."""

    def tuned_weights(self, batch: DrawnBatch) -> dict[str, float]:
        """The weights of penalties that are found, by loss term."""

    def state(self, batch: DrawnBatch) -> dict[str, Any]:
        """What a checkpoint needs to continue with a batch."""

    def restored(self, state: Mapping[str, Any], parameters: Parameters) -> DrawnBatch:
        """The batch of a `state()`."""
