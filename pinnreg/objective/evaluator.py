"""`Evaluator`: an objective in training, with what is worth keeping between its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.objective import drawing, functions
from pinnreg.objective.balance import looked_at
from pinnreg.objective.batch import Batch
from pinnreg.objective.compiled import CompiledGradient
from pinnreg.objective.functions import Gradient
from pinnreg.objective.in_blocks import InBlocks, goes_in_blocks, in_blocks, residuals_in_blocks
from pinnreg.objective.linearise import Linearised, by_layer_suffices, linearise
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.shared import Shared
from pinnreg.objective.tuning import settled
from pinnreg.parallel import Team

LAST = 0.1
"""The share of a stage, at its end, in which no points are chosen by their residual: ending right after Burgers'
equation was given others cost up to fifty times the error."""


@final
class Evaluator:
    """Trains one objective: keeps the compiled gradient, the memory of the Jacobian, and counts sweeps.

    With a `team`, which this process leads, others have a part of the rows.

    Attributes:
        objective: what is minimised.
        sweeps: network sweeps times points that optimisers have asked for.
    """

    def __init__(self, objective: Objective, *, compile: bool = False, team: Team | None = None) -> None:
        self.objective = objective
        self.sweeps = 0
        self._shared = None if team is None else Shared(objective, team)
        self._compiled = CompiledGradient(objective) if compile else None
        self._by_layer = objective.by_layer
        self._buffer = torch.empty(0)

    @property
    def names(self) -> tuple[str, ...]:
        """The loss terms."""
        return self.objective.names

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything but weights."""
        return self.objective.stochastic

    @property
    def scheduled(self) -> bool:
        """Whether a regulariser's strength follows a schedule."""
        return self.objective.scheduled

    @property
    def resample_every(self) -> int | None:
        """Steps after which points are looked after; None for never."""
        settings = self.objective.settings
        # there is nothing to refine by where there are no equations, and where points are measured ones
        useless = settings.interior == "data" or not self.objective.equations
        return None if settings.resample == "refine" and useless else settings.resample_every

    @property
    def refines(self) -> bool:
        """Whether `resample` adds points where there are too few, and changes nothing else."""
        return self.objective.settings.resample == "refine" and self.resample_every is not None

    @property
    def in_time(self) -> bool:
        """Whether what happens first does not depend on what happens later."""
        return self.objective.in_time

    def initial(self) -> Parameters:
        """The parameters that training begins with."""
        return self.objective.model.initial()

    def first(self, parameters: Parameters) -> Batch:
        """The batch at step 0."""
        return drawing.first_batch(self.objective, parameters)

    def redraw(self, batch: Batch, parameters: Parameters, step: int, *, progress: float, smooth: bool) -> Batch:
        """A batch with new random points, noise and measurements, as a function of the step."""
        return drawing.redraw(
            self.objective, batch.placement, parameters, step, progress=progress, smooth=smooth, before=batch
        )

    def resample_due(self, batch: Batch, step: int, share: float) -> bool:
        """Whether the collocation points are to be looked after before `step`, after a share of the stage."""
        every = self.resample_every
        last = share >= 1 - LAST and self.objective.settings.resample != "fresh"
        return every is not None and not last and step // every > batch.placement.step // every

    def may_refine(self, batch: Batch, share: float) -> bool:
        """Whether `resample` does nothing but add points, and may do so, after a share of the stage."""
        return self.refines and not batch.settled and share < 1 - LAST

    def resample(self, batch: Batch, parameters: Parameters, step: int) -> Batch:
        """A batch with other collocation points, or the same where they are settled."""
        return drawing.resample(self.objective, batch, parameters, step)

    def tune(self, batch: Batch, parameters: Parameters, step: int) -> Batch:
        """A batch with other weights of penalties whose weights are found, or the same."""
        return drawing.tune(self.objective, batch, parameters, step, by_layer=self._by_layer)

    def widen(self, batch: Batch, parameters: Parameters, step: int, window: float) -> Batch:
        """A batch with points in a share of the time, from the start."""
        return drawing.widen(self.objective, batch, parameters, step, window)

    def at(self, batch: Batch) -> FixedObjective:
        """What an optimiser sees of a batch."""
        return FixedObjective(self, batch)

    def recorded(self, batch: Batch, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The value of each term at the parameters themselves, and its share of the loss."""
        losses = self.objective.losses(batch, parameters)
        return losses, functions.weighted(batch, losses)

    def coefficient_values(self, parameters: Parameters) -> dict[str, float]:
        """The unknown coefficients by name."""
        return self.objective.model.coefficient_values(parameters)

    def tuned_weights(self, batch: Batch) -> dict[str, float]:
        """The weights of penalties that are found, by loss term."""
        return batch.found_weights

    def state(self, batch: Batch) -> dict[str, Any]:
        """What a checkpoint needs to continue with a batch."""
        return drawing.state_of(self.objective, batch)

    def restored(self, state: Mapping[str, Any], parameters: Parameters) -> Batch:
        """The batch of a `state()`."""
        return drawing.batch_of(self.objective, state, parameters)

    def count(self, batch: Batch, times: int = 1) -> None:
        """Add sweeps over all points where the network is needed."""
        self.sweeps += times * functions.sweep_points(self.objective, batch)

    def gradient(self, batch: Batch, parameters: Parameters) -> Gradient:
        """The value of each term and the gradient of the loss."""
        self.count(batch)
        if self._shared is not None:
            return self._shared.gradient(batch, parameters)
        if self._compiled is None:
            return functions.gradient(self.objective, batch, parameters)
        compiled = self._compiled
        return functions.over_shifts(batch, parameters, lambda at: compiled(batch, at))

    def residuals(self, batch: Batch, parameters: Parameters) -> Tensor:
        """All rows, whose sum of squares is the loss."""
        self.count(batch)
        if self._shared is not None:
            return self._shared.residuals(batch, parameters)
        if goes_in_blocks(self.objective, batch, parameters):
            return residuals_in_blocks(self.objective, batch, parameters)
        return functions.residuals(self.objective, batch, parameters)

    def linearise(self, batch: Batch, parameters: Parameters) -> Linearised | InBlocks:
        """The rows with their Jacobian, valid until the next call; in blocks if there are chunks of points."""
        # unknown coefficients are differentiated in a sweep of their own
        sweeps = 2 if self.objective.model.coefficients else 1
        if self._by_layer is None:
            some = looked_at(batch, parameters, tuple(batch.points))
            self._by_layer = by_layer_suffices(self.objective, some, parameters)
        counted = partial(self.count, batch, sweeps)
        if self._shared is not None:
            held = self.objective.model.chunk is None  # as by one process, which needs no other pass
            self.count(batch, sweeps if held else 1)
            passed = partial(self.count, batch, 0) if held else counted
            return self._shared.linearise(batch, parameters, by_layer=self._by_layer, counted=passed)
        if goes_in_blocks(self.objective, batch, parameters):
            self.count(batch)
            return in_blocks(self.objective, batch, parameters, by_layer=self._by_layer, counted=counted)
        self.count(batch, sweeps)
        rows = len(batch.shifts) * sum(batch.counts.values())
        shape = (sum(values.numel() for values in parameters.values()), rows)
        if self._buffer.shape != shape:
            self._buffer = self.objective.model.like.new_empty(shape)
        return linearise(self.objective, batch, parameters, by_layer=self._by_layer, buffer=self._buffer)


@final
@dataclass(frozen=True, eq=False)
class FixedObjective:
    """An objective between two draws, as optimisers see it."""

    evaluator: Evaluator
    batch: Batch

    @property
    def seed(self) -> int:
        """Of all draws."""
        return self.evaluator.objective.seed

    @property
    def stochastic(self) -> bool:
        """Whether the next batch has other points that count, or noise."""
        objective = self.evaluator.objective
        return objective.noise is not None or any(
            term.stochastic and any(self.batch.weights[name] for name in objective.shapes[term.name].runs)
            for term in objective.terms
        )

    @property
    def annealing(self) -> bool:
        """Whether a regulariser's strength is still to change."""
        unsettled = self.evaluator.objective.to_tune and not settled(self.batch)
        return bool(unsettled) or (self.batch.progress < 1 and self.evaluator.scheduled)

    @property
    def keeps_points(self) -> bool:
        """Whether the collocation points stay while they are enough."""
        return self.evaluator.refines or self.evaluator.resample_every is None

    def gradient(self, parameters: Parameters) -> Gradient:
        """The unweighted value of each term and the gradient of the weighted sum by parameter."""
        return self.evaluator.gradient(self.batch, parameters)

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms' values."""
        return functions.total(self.batch, losses)

    def residuals(self, parameters: Parameters) -> Tensor:
        """All rows, whose sum of squares is the loss, (n,)."""
        return self.evaluator.residuals(self.batch, parameters)

    def linearise(self, parameters: Parameters) -> Linearised | InBlocks:
        """The rows with their Jacobian, valid until the next call."""
        return self.evaluator.linearise(self.batch, parameters)
