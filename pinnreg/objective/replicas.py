"""`Replicas`: several objectives trained side by side, as one batch with a leading axis over their parameters.

Thousands of steps of small networks cost hardly more for fifty of them than for one. Each replica keeps its own
objective, which draws its points, batches and noise as it would alone: a replica in a batch is trained as it would be
by itself, to rounding. Only the evaluation of the terms is common, by `torch.func.vmap`, and the step of the optimiser,
which for Adam and gradient descent acts on each number by itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, final

import torch
from torch import Tensor
from torch.func import vmap

from pinnreg.compilation import recorded
from pinnreg.errors import InputError
from pinnreg.objective.blocks import Block, Blocks, BlockTensors
from pinnreg.objective.jacobian import Linearised
from pinnreg.objective.objective import Objective
from pinnreg.objective.shifts import shifted
from pinnreg.regularisers import Shift
from pinnreg.taylor import Algebra

Parameters = dict[str, Tensor]

Gradient = tuple[dict[str, Tensor], dict[str, Tensor]]
Stacked = Mapping[str, Mapping[int, Tensor]]
"""What belongs to the points of each block, by its place, replicas first."""


@final
class Replicas:
    """Objectives of one structure as one: what is stacked has the replicas along its first axis.

    They may differ in initial parameters, seed, weights, measured values and points; not in shapes, in the problem, or
    in regularisers beyond their weights. The parameters of each objective become views of the stacked ones: when these
    are trained, so are those. Values that a residual reads from outside (other than its parameters) are taken as they
    are at the first step.

    Attributes:
        objectives: one for each replica.
        parameters: all of them stacked, leaf tensors (replicas, ...) by name.
        diverged: the numbers of the replicas that were NaN or Inf at the last record.

    Raises:
        InputError: none, or objectives that cannot share one evaluation.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        if not objectives:
            raise InputError("replicas: expected at least one objective")
        self.objectives = tuple(objectives)
        self._first = first = objectives[0]
        for other in objectives[1:]:
            _check_alike(first, other)
        self.seed = first.seed
        self.parameters: Parameters = {
            name: torch.stack([each.parameters[name].detach() for each in objectives]).requires_grad_()
            for name in first.parameters
        }
        for number, each in enumerate(objectives):
            for name, stacked in self.parameters.items():
                each.parameters[name].data = stacked.data[number]
        self.diverged: list[int] = []
        self._records: dict[object, Callable[..., Gradient]] = {}
        self._stacked: dict[str, tuple[Sequence[Block], BlockTensors]] = {}
        self._stack()
        self._check_values()

    def each(self, parameters: Parameters) -> dict[str, Tensor]:
        """Each term of each replica, unweighted, (replicas,) by name; without noise, of the batches of now."""
        return self._losses(parameters)

    def gradient(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The value of each term, the mean over replicas (and noise); and the gradient of each replica's own loss."""
        for each in self.objectives:
            each.count_sweeps()
        values: dict[str, Tensor] = {}
        gradients: dict[str, Tensor] = {}
        for shift in self._shifts:
            losses, found = self._gradient_at(shifted(parameters, shift))
            for name, value in losses.items():
                share = shift.share * value.mean()
                values[name] = values[name] + share if name in values else share
            for name, gradient in found.items():
                share = shift.share * gradient if shift.share != 1 else gradient
                gradients[name] = gradients[name] + share if name in gradients else share
        return values, gradients

    def recorded(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The mean over the replicas of each term, and of its share of the replica's loss."""
        losses = self._losses(parameters)
        finite = torch.stack([value.isfinite() for value in losses.values()]).all(dim=0)
        self.diverged = [number for number, each in enumerate(finite.tolist()) if not each]
        weighted = {name: (self._weights[name] * value).mean() for name, value in losses.items()}
        return {name: value.mean() for name, value in losses.items()}, weighted

    def redraw(self, step: int, *, progress: float, smooth: bool) -> None:
        """New random points, batches and noise, for each replica its own."""
        if not (self.stochastic or self.scheduled):
            return
        for each in self.objectives:
            each.redraw(step, progress=progress, smooth=smooth)
        self._stack()

    def resample(self, parameters: Parameters, step: int) -> None:
        """New collocation points, for each replica its own."""
        for each in self.objectives:
            each.resample(each.parameters, step)
        self._stack()

    def resample_due(self, step: int) -> bool:
        """Whether the collocation points are to be drawn anew before `step`."""
        return self._first.resample_due(step)

    def coefficient_values(self, parameters: Parameters) -> dict[str, float]:
        """None: unknown coefficients differ from replica to replica, and are in their objectives."""
        return {}

    @property
    def names(self) -> tuple[str, ...]:
        """The loss terms."""
        return self._first.names

    @property
    def sweeps(self) -> int:
        """Network sweeps times points of all replicas so far."""
        return sum(each.sweeps for each in self.objectives)

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything but weights."""
        return self._first.stochastic

    @property
    def annealing(self) -> bool:
        """Whether a regulariser's strength is still to change."""
        return any(each.annealing for each in self.objectives)

    @property
    def scheduled(self) -> bool:
        """Whether a regulariser's strength follows a schedule."""
        return any(each.scheduled for each in self.objectives)

    @property
    def resample_every(self) -> int | None:
        """Steps between new collocation points; None for never."""
        return self._first.resample_every

    @property
    def drawn_at(self) -> int:
        """The step of the last redraw."""
        return self._first.drawn_at

    @property
    def progress(self) -> float:
        """The share of the training that the schedules of now are for."""
        return self._first.progress

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to continue."""
        return {"replicas": [each.state() for each in self.objectives]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        for each, own in zip(self.objectives, state["replicas"], strict=True):
            each.load_state(own)
        self._stack()

    def total(self, losses: Mapping[str, Tensor]) -> NoReturn:
        """Refused: there is no one loss."""
        _refuse()

    def residuals(self, parameters: Parameters) -> NoReturn:
        """Refused: there is no one vector of rows."""
        _refuse()

    def linearise(self, parameters: Parameters) -> Linearised:
        """Refused: there is no one vector of rows."""
        _refuse()

    def _check_values(self) -> None:
        """Refuse replicas that the first one's evaluation does not describe, as of another activation."""
        with torch.no_grad():
            together = self.each(self.parameters)
            for number, one in enumerate(self.objectives):
                for name, value in one.losses(one.parameters).items():
                    tolerance = 1e-3 if value.dtype == torch.float32 else 1e-8
                    if not torch.allclose(together[name][number], value, rtol=tolerance, atol=0, equal_nan=True):
                        raise InputError(
                            f"replicas: number {number} computes {name!r} otherwise than the first; all must have the "
                            "same network, conditions and problem, and differ in numbers only"
                        )

    def _gradient_at(self, parameters: Parameters) -> Gradient:
        """The terms of each replica, and the gradient of each replica's loss.

        The calls of `torch.func` and autograd take several times as long as the arithmetic of a small network, so they
        are recorded once for each shape of what was drawn, and the record is run.
        """
        tensors = self._tensors()
        shapes = tuple((name, at, each.shape) for name, places in tensors.items() for at, each in places.items())
        key = (self._first.evaluation.smooth, tuple(map(self._algebra, tensors)), shapes)
        if key not in self._records:
            self._records[key] = recorded(self._plain_gradient, parameters, self._weights, tensors)
        with torch.no_grad():
            found: Gradient = self._records[key](parameters, self._weights, tensors)
        return found

    def _plain_gradient(self, parameters: Parameters, weights: Mapping[str, Tensor], tensors: Stacked) -> Gradient:
        losses: dict[str, Tensor] = vmap(self._one)(parameters, tensors)
        total = torch.stack([weights[name] @ value for name, value in losses.items()]).sum()
        gradient = torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)
        values = {name: value.detach() for name, value in losses.items()}
        return values, dict(zip(parameters, gradient, strict=True))

    def _losses(self, parameters: Parameters) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = vmap(self._one)(parameters, self._tensors())
        return losses

    def _tensors(self) -> Stacked:
        return {
            name: {place: each for place, each in enumerate(stacked) if each is not None}
            for name, (_, stacked) in self._stacked.items()
        }

    def _one(self, parameters: Parameters, tensors: Stacked) -> dict[str, Tensor]:
        """The terms of one replica; `tensors` of its blocks, by their places."""
        blocks: Blocks = {}
        for name, (templates, stacked) in self._stacked.items():
            own = tuple(tensors[name].get(place) for place in range(len(stacked)))
            blocks[name] = templates[0].replaced(own, self._algebra(name), self._first.trial)
        return self._first.losses(parameters, blocks)

    def _algebra(self, name: str) -> Algebra:
        return Algebra.of(self._first.evaluation.wanted[name], len(self._first.trial.axes))

    def _stack(self) -> None:
        """Put together what each replica has drawn."""
        first = self._first
        for name in first.blocks:
            blocks = [each.blocks[name] for each in self.objectives]
            known = self._stacked.get(name)
            # where the network is not needed there is nothing to stack, and what nobody drew anew is stacked already
            if not first.evaluation.wanted.get(name) or (
                known is not None and all(map(operator.is_, known[0], blocks))
            ):
                continue
            algebra = self._algebra(name)
            columns = zip(*(block.tensors(algebra) for block in blocks), strict=True)
            stacked = tuple(_stacked(column) for column in columns)
            self._stacked[name] = blocks, stacked
        self._shifts = [_side_by_side(each) for each in zip(*(each.shifts for each in self.objectives), strict=True)]
        like = next(iter(self.parameters.values()))
        self._weights = {
            name: like.new_tensor([each.weights[name] for each in self.objectives]) for name in first.names
        }


def _stacked(column: Sequence[Tensor | None]) -> Tensor | None:
    present = [each for each in column if each is not None]
    return torch.stack(present) if present else None


def _side_by_side(shifts: Sequence[Shift]) -> Shift:
    first = shifts[0].offset
    if first is None:
        return shifts[0]
    offsets = [each.offset for each in shifts if each.offset is not None]
    return Shift(shifts[0].share, {name: torch.stack([each[name] for each in offsets]) for name in first})


def _check_alike(first: Objective, other: Objective) -> None:
    def structure(of: Objective) -> dict[str, object]:
        return {
            "loss terms": of.names,
            "precision": {each.dtype for each in of.parameters.values()},
            "problems": of.problem,
            "shapes of parameters": {name: tuple(each.shape) for name, each in of.parameters.items()},
            "numbers of points": {name: len(block.points) for name, block in of.blocks.items()},
            "regularisers": of.regularisers_but_weights,
            "point settings": of.settings,
        }

    one, two = structure(first), structure(other)
    for what, value in one.items():
        if value != two[what]:
            raise InputError(f"replicas: all must have the same {what}, got {value} and {two[what]}")
    for (name, mine), theirs in zip(first.network.named_buffers(), other.network.buffers(), strict=True):
        if not torch.equal(mine, theirs):
            raise InputError(f"replicas: the networks differ in {name}, which is no parameter")


def _refuse() -> NoReturn:
    raise InputError("replicas are trained side by side by adam and sgd only, whose steps act on each number by itself")
