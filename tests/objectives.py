"""An objective with a batch and parameters, as most tests look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pinnreg.equations import Points, Problem, Sweep, Trial
from pinnreg.objective import (
    INTERIOR,
    Evaluator,
    Linearised,
    Objective,
    Rows,
    Target,
    batch_of,
    redraw,
    resample,
    state_of,
    whole,
)
from pinnreg.objective.batch import Batch
from pinnreg.objective.drawing import widen
from pinnreg.objective.functions import Gradient
from pinnreg.objective.model import Model, Parameters
from pinnreg.objective.terms import Penalised
from pinnreg.regularisers import PointPenalty
from pinnreg.reproductions.fit import Replica
from pinnreg.training import Outcome


@dataclass(frozen=True, eq=False)
class Placed:
    """An objective at the points of one batch; methods that draw return another."""

    evaluator: Evaluator
    batch: Batch
    parameters: Parameters

    @property
    def objective(self) -> Objective:
        return self.evaluator.objective

    @property
    def model(self) -> Model:
        return self.objective.model

    @property
    def problem(self) -> Problem:
        return self.model.problem

    @property
    def trial(self) -> Trial:
        return self.model.trial

    @property
    def network(self) -> nn.Module:
        return self.model.network

    @property
    def names(self) -> tuple[str, ...]:
        return self.objective.names

    @property
    def weights(self) -> Mapping[str, float]:
        return self.batch.weights

    @property
    def points(self) -> Mapping[str, Points]:
        return self.batch.points

    @property
    def x(self) -> Tensor:
        """The collocation points."""
        return self.batch.points[INTERIOR].x

    @property
    def fixed(self) -> Target:
        """What an optimiser sees."""
        return self.evaluator.at(self.batch)

    def rows(self, parameters: Parameters) -> dict[str, Rows]:
        return self.objective.rows(self.batch, parameters)

    def losses(self, parameters: Parameters) -> dict[str, Tensor]:
        return self.objective.losses(self.batch, parameters)

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        return self.fixed.total(losses)

    def gradient(self, parameters: Parameters) -> Gradient:
        return self.fixed.gradient(parameters)

    def residuals(self, parameters: Parameters) -> Tensor:
        return self.fixed.residuals(parameters)

    def linearise(self, parameters: Parameters) -> Linearised:
        """With the whole Jacobian, also where the optimiser sees it in blocks."""
        at = self.fixed.linearise(parameters)
        if isinstance(at, Linearised):
            return at
        jacobian = at.residuals.new_full(at.jacobian.shape, torch.nan)
        for block in at.jacobian:
            jacobian[block.rows] = block.jacobian
        return Linearised(at.losses, at.rows, at.residuals, jacobian)

    def rows_at(self, name: str, points: Points, parameters: Parameters) -> dict[str, Rows]:
        """The rows of the term of a name at any points."""
        return self.objective.rows_at(self.objective.term(name), points, parameters)

    def resample_due(self, step: int, share: float = 0.0) -> bool:
        return self.evaluator.resample_due(self.batch, step, share)

    def at(self, batch: Batch) -> Placed:
        return replace(self, batch=batch)

    def after(self, outcome: Outcome[Batch]) -> Placed:
        """Where a training has ended."""
        return replace(self, batch=outcome.batch, parameters=outcome.parameters)

    def redraw(
        self, step: int, *, progress: float, smooth: bool = False, parameters: Parameters | None = None
    ) -> Placed:
        own = self.parameters if parameters is None else parameters
        placement, before = self.batch.placement, self.batch
        return self.at(redraw(self.objective, placement, own, step, progress=progress, smooth=smooth, before=before))

    def resample(self, parameters: Parameters, step: int) -> Placed:
        return self.at(resample(self.objective, self.batch, parameters, step))

    def widen(self, step: int, window: float) -> Placed:
        return self.at(widen(self.objective, self.batch, self.parameters, step, window))

    def whole(self) -> Placed:
        return self.at(whole(self.objective, self.batch))

    def state(self) -> dict[str, Any]:
        return state_of(self.objective, self.batch)

    def with_state(self, state: Mapping[str, Any]) -> Placed:
        return self.at(batch_of(self.objective, state, self.parameters))


def placed(objective: Objective, *, compile: bool = False) -> Placed:
    """The first batch, at the parameters that training begins with."""
    evaluator = Evaluator(objective, compile=compile)
    parameters = evaluator.initial()
    return Placed(evaluator, evaluator.first(parameters), parameters)


def untrained(objective: Objective) -> Replica:
    """As a replica before the first step."""
    of = placed(objective)
    return Replica(objective, of.batch, of.parameters)


def penalty_rows(penalty: PointPenalty, problem: Problem, sweep: Sweep) -> Rows:
    """The rows of a penalty's term at the points of a sweep."""
    return Penalised("penalty", penalty).rows(problem, sweep)["penalty"]


def value_of(rows: Rows, *, smooth: bool = False) -> Tensor:
    """The value of a loss term."""
    return rows.total(smooth=smooth) / rows.values.numel()
