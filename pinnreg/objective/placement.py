"""`Placement`: the points of all terms, and when they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.equations import Condition, PointSet, Problem, Trial
from pinnreg.equations.conditions import Measurements
from pinnreg.objective.blocks import Block, Blocks
from pinnreg.objective.points import adapted_points, interior_points
from pinnreg.objective.settings import PointSettings
from pinnreg.randomness import derive, generator
from pinnreg.regularisers import Jacobian, PointPenalty, uniform_points

INTERIOR = ""
"""The block of collocation points; no term can have this name."""


@final
class Placement:
    """Blocks of points by the name of their term: collocation points, soft conditions, penalties.

    Attributes:
        blocks: those of now.
        resampled_at: the step of the last `resample`.
        shares: the shares to trim, by condition.
        batches: how many measurements each step sees, by condition that shows some of them only.
    """

    def __init__(
        self,
        problem: Problem,
        trial: Trial,
        soft: Sequence[Condition],
        settings: PointSettings,
        seed: int,
        like: Tensor,
    ) -> None:
        self._problem = problem
        self._trial = trial
        self._soft = soft
        self._settings = settings
        self._seed = seed
        self._like = like
        self.resampled_at = 0
        self.shares = {each.name: each.trim for each in soft if isinstance(each, Measurements) and each.trim}
        self.batches = {each.name: each.batch for each in soft if isinstance(each, Measurements) and each.batch}
        self._whole: Blocks = {}
        measured = [each.points for each in soft if isinstance(each, Measurements)]
        self._measured = torch.cat(measured) if measured else None
        self.blocks: Blocks = {INTERIOR: self._block(self._interior(0))}
        self._place_conditions(0)

    @property
    def stochastic(self) -> bool:
        """Whether which measurements count changes from step to step."""
        return bool(self.shares or self.batches)

    def redraw(self, penalties: Mapping[str, PointPenalty], step: int) -> None:
        """Batches; points of the penalties, fresh ones or the collocation points, and what they draw for each."""
        for name, size in self.batches.items():
            whole = self._whole[name]
            draws = generator(self._seed, f"batch {name}", step, device=self._like.device)
            chosen = torch.randperm(len(whole.points), generator=draws, device=self._like.device)[:size]
            self.blocks[name] = whole.part(chosen)
        for name, penalty in penalties.items():
            if penalty.samples is None:
                interior = self.blocks[INTERIOR]
                block = Block(interior.points, importance=interior.importance)
            else:
                domain, device, dtype = self._problem.domain, self._like.device, self._like.dtype
                block = self._block(
                    uniform_points(domain, penalty.samples, self._seed, name, step, device=device, dtype=dtype)
                )
            if isinstance(penalty, Jacobian):
                draws = generator(self._seed, f"{name} projections", step, device=self._like.device)
                values = penalty.project(len(block.points), len(self._trial.outputs), draws, self._like)
                block = replace(block, values=values)
            self.blocks[name] = block

    def resample(self, residual_size: Callable[[Tensor], Tensor], step: int) -> None:
        """New collocation points, for conditions too; interior ones by the residual if the settings say so."""
        importance = None
        if self._settings.resample == "residual":
            points, importance = adapted_points(
                residual_size,
                self._problem.domain,
                len(self.blocks[INTERIOR].points),
                self._seed,
                step,
                device=self._like.device,
                dtype=self._like.dtype,
            )
        else:
            points = self._interior(step)
        self.blocks[INTERIOR] = self._block(points, importance=importance if self._settings.importance else None)
        self._place_conditions(step)
        self.resampled_at = step

    def show_all(self) -> None:
        """All measurements, until the next batch."""
        self.blocks |= self._whole

    def trim(self, residuals: Mapping[str, Tensor]) -> None:
        """Leave the share of the largest residuals of some conditions out, until this is called again.

        That is trimmed least squares by its concentration steps (Rousseeuw & Van Driessen 2006): which residuals are
        the largest is decided between two steps, so that each step sees one fixed objective.
        """
        for name, values in residuals.items():
            left_out = round(self.shares[name] * len(values))
            importance = torch.full_like(values, len(values) / (len(values) - left_out))
            importance[values.abs().argsort(descending=True, stable=True)[:left_out]] = 0.0
            self.blocks[name] = replace(self.blocks[name], importance=importance)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs for the same points, those of penalties apart."""
        interior = self.blocks[INTERIOR]
        return {
            "interior": interior.points.points.clone(),
            "importance": None if interior.importance is None else interior.importance.clone(),
            "resampled_at": self.resampled_at,
            "trimmed": {name: self.blocks[name].importance for name in self.shares},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.blocks[INTERIOR] = self._block(state["interior"], importance=state["importance"])
        self.resampled_at = state["resampled_at"]
        self._place_conditions(self.resampled_at)

    def load_trimmed(self, state: Mapping[str, Any]) -> None:
        """What was trimmed then, which depends on the parameters of then; after `load_state`."""
        for name, importance in state["trimmed"].items():
            self.blocks[name] = replace(self.blocks[name], importance=importance.to(self._like))

    def _place_conditions(self, step: int) -> None:
        for condition in self._soft:
            seed = derive(self._seed, f"condition {condition.name}", step)
            drawn = condition.sample(self._problem.domain, self._settings.boundary, self._settings.sampler, seed)
            block = self._block(drawn.points, drawn.normals, drawn.values)
            self.blocks[condition.name] = replace(block, points_per_row=2 if condition.kind == "periodic" else 1)
        self._whole = {name: self.blocks[name] for name in self.batches}

    def _interior(self, step: int) -> Tensor:
        return interior_points(self._settings, self._problem.domain, self._measured, self._seed, step)

    def _block(
        self,
        points: Tensor,
        normals: Tensor | None = None,
        values: Tensor | None = None,
        importance: Tensor | None = None,
    ) -> Block:
        """Points and what belongs to them where the network is, so that no step copies them there."""
        at = points.to(self._like)
        normals, values, importance = (None if each is None else each.to(at) for each in (normals, values, importance))
        return Block(PointSet(at, self._trial), normals, values, importance)


def points_in(blocks: Iterable[Block]) -> int:
    """How many points the network is evaluated at."""
    return sum(len(block.points) for block in blocks)
