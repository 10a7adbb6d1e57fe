"""`Replicas`: several objectives trained side by side, as one batch with a leading axis over their parameters.

Thousands of steps of small networks cost hardly more for fifty of them than for one. Each replica keeps its own
objective, which draws its points, batches and noise as it would alone: a replica in a batch is trained as it would be
by itself, to rounding. Only the evaluation of the terms is common, by `torch.func.vmap`, and the step of the optimiser,
which for Adam and gradient descent acts on each number by itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, final

import torch
from torch import Tensor, nn
from torch.func import vmap

from pinnreg.compilation import recorded
from pinnreg.equations.points import Tensors
from pinnreg.errors import InputError
from pinnreg.networks import trained
from pinnreg.objective import drawing, functions
from pinnreg.objective.batch import Batch
from pinnreg.objective.evaluator import Evaluator
from pinnreg.objective.functions import Gradient
from pinnreg.objective.linearise import Linearised
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.shifts import shifted
from pinnreg.regularisers import Shift, but_weight

Stacked = Mapping[str, Mapping[int, Tensor]]
"""What belongs to the points of each term, by its place, replicas first."""


@final
@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of all replicas, and what they hold side by side.

    Attributes:
        each: one for each replica.
        tensors: those of the points of each term, replicas first, where the network is needed.
        shifts: the perturbations, replicas first.
        weights: of each loss term, (replicas,).
    """

    each: tuple[Batch, ...]
    tensors: Mapping[str, Tensors]
    shifts: tuple[Shift, ...]
    weights: Mapping[str, Tensor]

    @property
    def step(self) -> int:
        """At which they were drawn."""
        return self.each[0].step

    @property
    def progress(self) -> float:
        """The share of the training that the schedules of then are for."""
        return self.each[0].progress

    @property
    def settled(self) -> bool:
        """Never: what is drawn for each is drawn anew for all."""
        return False

    @property
    def cost(self) -> int:
        """Network sweeps times points that drawing them took."""
        return sum(batch.cost for batch in self.each)


@final
class Replicas:
    """Objectives of one structure as one: what is stacked has the replicas along its first axis.

    They may differ in initial parameters, seed, weights, measured values and points; not in shapes, in the problem, or
    in regularisers beyond their weights. Values that a residual reads from outside (other than its parameters) are
    taken as they are at the first step.

    Attributes:
        objectives: one for each replica.
        sweeps: network sweeps times points of all replicas that optimisers have asked for.
        diverged: the numbers of the replicas that were NaN or Inf at the last record.

    Raises:
        InputError: none, or objectives that cannot share one evaluation.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        if not objectives:
            raise InputError("replicas: expected at least one objective")
        self.objectives = tuple(objectives)
        self.sweeps = 0
        self.diverged: list[int] = []
        self._first = objectives[0]
        self._alone = Evaluator(self._first)
        if self._alone.refines:
            raise InputError(
                "replicas: points.resample: refine adds to each another number of points; for fixed ones: "
                "resample_every: null"
            )
        if self._first.to_tune:
            raise InputError(f"replicas: regularisers: {self._first.to_tune[0]}: weight: auto is for one run by itself")
        self._records: dict[object, Callable[..., Gradient]] = {}
        own = [each.model.initial() for each in objectives]
        for other, parameters in zip(objectives[1:], own[1:], strict=True):
            _check_alike(self._first, other, own[0], parameters)
        self._initial = {name: torch.stack([each[name].detach() for each in own]) for name in own[0]}
        batches = [drawing.first_batch(each, at) for each, at in zip(objectives, own, strict=True)]
        _check_points(batches)
        self._start = self._stack(batches)
        self._check_values(self._start, own)

    def initial(self) -> Parameters:
        """The parameters that training begins with, (replicas, ...) by name."""
        return {name: each.clone().requires_grad_() for name, each in self._initial.items()}

    def of_replica(self, number: int, parameters: Mapping[str, Tensor]) -> Parameters:
        """The parameters of one replica, leaf tensors of their own."""
        return {name: each[number].detach().clone().requires_grad_() for name, each in parameters.items()}

    def first(self, parameters: Parameters) -> Batches:
        """The batches at step 0."""
        return self._start

    def each(self, batch: Batches, parameters: Parameters) -> dict[str, Tensor]:
        """Each term of each replica, unweighted, (replicas,) by name; without noise."""
        return self._losses(batch, parameters)

    def recorded(self, batch: Batches, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The mean over the replicas of each term, and of its share of the replica's loss."""
        losses = self._losses(batch, parameters)
        finite = torch.stack([value.isfinite() for value in losses.values()]).all(dim=0)
        self.diverged = [number for number, each in enumerate(finite.tolist()) if not each]
        weighted = {name: (batch.weights[name] * value).mean() for name, value in losses.items()}
        return {name: value.mean() for name, value in losses.items()}, weighted

    def redraw(self, batch: Batches, parameters: Parameters, step: int, *, progress: float, smooth: bool) -> Batches:
        """New random points, batches and noise, for each replica its own."""
        if not (self.stochastic or self.scheduled):
            moved = tuple(replace(each, step=step, progress=progress, smooth=smooth, cost=0) for each in batch.each)
            return replace(batch, each=moved)
        drawn = [
            drawing.redraw(each, own.placement, at, step, progress=progress, smooth=smooth, before=own)
            for each, own, at in self._alongside(batch, parameters)
        ]
        return self._stack(drawn, batch)

    def resample_due(self, batch: Batches, step: int, share: float) -> bool:
        """Whether the collocation points are to be drawn anew before `step`, after a share of the stage."""
        return self._alone.resample_due(batch.each[0], step, share)

    def may_refine(self, batch: Batches, share: float) -> bool:
        """Never: each would come to another number of points."""
        return False

    def resample(self, batch: Batches, parameters: Parameters, step: int) -> Batches:
        """New collocation points, for each replica its own."""
        drawn = [drawing.resample(each, own, at, step) for each, own, at in self._alongside(batch, parameters)]
        return self._stack(drawn, batch)

    def tune(self, batch: Batches, parameters: Parameters, step: int) -> Batches:
        """The same: adam and sgd find no weights."""
        return batch

    def widen(self, batch: Batches, parameters: Parameters, step: int, window: float) -> NoReturn:
        """Refused: each would be ready for a wider window at another step."""
        _refuse()

    def at(self, batch: Batches) -> FixedReplicas:
        """What an optimiser sees of the batches."""
        return FixedReplicas(self, batch)

    def coefficient_values(self, parameters: Parameters) -> dict[str, float]:
        """None: unknown coefficients differ from replica to replica."""
        return {}

    def tuned_weights(self, batch: Batches) -> dict[str, float]:
        """None: adam and sgd find no weights."""
        return {}

    @property
    def names(self) -> tuple[str, ...]:
        """The loss terms."""
        return self._alone.names

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything but weights."""
        return self._alone.stochastic

    @property
    def scheduled(self) -> bool:
        """Whether a regulariser's strength follows a schedule."""
        return any(each.scheduled for each in self.objectives)

    @property
    def resample_every(self) -> int | None:
        """Steps between new collocation points; None for never."""
        return self._alone.resample_every

    @property
    def in_time(self) -> bool:
        """There are no windows for several."""
        return False

    def state(self, batch: Batches) -> dict[str, Any]:
        """What a checkpoint needs to continue."""
        pairs = zip(self.objectives, batch.each, strict=True)
        return {"replicas": [drawing.state_of(each, own) for each, own in pairs]}

    def restored(self, state: Mapping[str, Any], parameters: Parameters) -> Batches:
        """The batches of a `state()`."""
        own = (self.of_replica(number, parameters) for number in range(len(self.objectives)))
        each = zip(self.objectives, state["replicas"], own, strict=True)
        return self._stack([drawing.batch_of(objective, one, at) for objective, one, at in each])

    def gradient(self, batch: Batches, parameters: Parameters) -> Gradient:
        """The value of each term, the mean over replicas (and noise); and the gradient of each replica's own loss.

        The calls of `torch.func` and autograd take several times as long as the arithmetic of a small network, so they
        are recorded once for each shape of what was drawn, and the record is run.
        """
        self.sweeps += sum(functions.sweep_points(self._first, each) for each in batch.each)
        tensors = _present(batch.tensors)
        shapes = tuple((name, at, each.shape) for name, places in tensors.items() for at, each in places.items())
        key = (batch.each[0].smooth, shapes)
        if key not in self._records:
            plain = lambda *arguments: self._plain_gradient(batch.each[0], *arguments)  # noqa: E731
            self._records[key] = recorded(plain, parameters, batch.weights, tensors)
        values: dict[str, Tensor] = {}
        gradients: dict[str, Tensor] = {}
        for shift in batch.shifts:
            with torch.no_grad():
                losses, found = self._records[key](shifted(parameters, shift), batch.weights, tensors)
            for name, value in losses.items():
                share = shift.share * value.mean()
                values[name] = values[name] + share if name in values else share
            for name, gradient in found.items():
                share = shift.share * gradient if shift.share != 1 else gradient
                gradients[name] = gradients[name] + share if name in gradients else share
        return values, gradients

    def _plain_gradient(
        self, template: Batch, parameters: Parameters, weights: Mapping[str, Tensor], tensors: Stacked
    ) -> Gradient:
        losses: dict[str, Tensor] = vmap(lambda own, one: self._one(template, own, one))(parameters, tensors)
        total = torch.stack([weights[name] @ value for name, value in losses.items()]).sum()
        gradient = torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)
        values = {name: value.detach() for name, value in losses.items()}
        return values, dict(zip(parameters, gradient, strict=True))

    def _losses(self, batch: Batches, parameters: Parameters) -> dict[str, Tensor]:
        template, tensors = batch.each[0], _present(batch.tensors)
        losses: dict[str, Tensor] = vmap(lambda own, one: self._one(template, own, one))(parameters, tensors)
        return losses

    def _one(self, template: Batch, parameters: Parameters, tensors: Stacked) -> dict[str, Tensor]:
        """The terms of one replica, with `tensors` in the place of those of a batch of the same structure."""
        places = {name: len(template.points[name].tensors()) for name in tensors}
        own = {name: tuple(tensors[name].get(place) for place in range(count)) for name, count in places.items()}
        return self._first.losses(template.replaced(own, template.weight_vector), parameters)

    def _alongside(self, batch: Batches, parameters: Parameters) -> list[tuple[Objective, Batch, Parameters]]:
        own = [self.of_replica(number, parameters) for number in range(len(self.objectives))]
        return list(zip(self.objectives, batch.each, own, strict=True))

    def _stack(self, batches: Sequence[Batch], before: Batches | None = None) -> Batches:
        """What each replica has drawn side by side; what nobody drew anew is so already."""
        tensors = {}
        for name in batches[0].points:
            points = [each.points[name] for each in batches]
            if not self._first.shapes[name].operators:
                continue
            if before is not None and all(map(operator.is_, points, (each.points[name] for each in before.each))):
                tensors[name] = before.tensors[name]
            else:
                tensors[name] = tuple(map(_stacked, zip(*(each.tensors() for each in points), strict=True)))
        shifts = tuple(_side_by_side(each) for each in zip(*(each.shifts for each in batches), strict=True))
        vectors = torch.stack([each.weight_vector for each in batches], dim=1)
        return Batches(tuple(batches), tensors, shifts, dict(zip(self.names, vectors.unbind(), strict=True)))

    def _check_values(self, batch: Batches, parameters: Sequence[Parameters]) -> None:
        """Refuse replicas that the first one's evaluation does not describe, as of another activation."""
        with torch.no_grad():
            together = self.each(batch, self._initial)
            for number, (one, own, at) in enumerate(zip(self.objectives, batch.each, parameters, strict=True)):
                for name, value in one.losses(own, at).items():
                    tolerance = 1e-3 if value.dtype == torch.float32 else 1e-8
                    if not torch.allclose(together[name][number], value, rtol=tolerance, atol=0, equal_nan=True):
                        raise InputError(
                            f"replicas: number {number} computes {name!r} otherwise than the first; all must have the "
                            "same network, conditions and problem, and differ in numbers only"
                        )


@final
@dataclass(frozen=True, eq=False)
class FixedReplicas:
    """Replicas between two draws, as first-order optimisers see them."""

    replicas: Replicas
    batch: Batches

    @property
    def seed(self) -> int:
        """That of the first."""
        return self.replicas.objectives[0].seed

    @property
    def stochastic(self) -> bool:
        """Whether the next batches have other points, or noise."""
        return self.replicas.stochastic

    @property
    def annealing(self) -> bool:
        """Whether a regulariser's strength is still to change."""
        return self.batch.progress < 1 and self.replicas.scheduled

    @property
    def keeps_points(self) -> bool:
        """Whether the collocation points stay."""
        return self.replicas.resample_every is None

    def gradient(self, parameters: Parameters) -> Gradient:
        """As `Replicas.gradient`."""
        return self.replicas.gradient(self.batch, parameters)

    def total(self, losses: Mapping[str, Tensor]) -> NoReturn:
        """Refused: there is no one loss."""
        _refuse()

    def residuals(self, parameters: Parameters) -> NoReturn:
        """Refused: there is no one vector of rows."""
        _refuse()

    def linearise(self, parameters: Parameters) -> Linearised:
        """Refused: there is no one vector of rows."""
        _refuse()


def _present(tensors: Mapping[str, Tensors]) -> dict[str, dict[int, Tensor]]:
    return {name: {place: each for place, each in enumerate(own) if each is not None} for name, own in tensors.items()}


def _stacked(column: Sequence[Tensor | None]) -> Tensor | None:
    present = [each for each in column if each is not None]
    return torch.stack(present) if present else None


def _side_by_side(shifts: Sequence[Shift]) -> Shift:
    first = shifts[0].offset
    if first is None:
        return shifts[0]
    offsets = [each.offset for each in shifts if each.offset is not None]
    return Shift(shifts[0].share, {name: torch.stack([each[name] for each in offsets]) for name in first})


def _check_alike(first: Objective, other: Objective, own: Parameters, others: Parameters) -> None:
    def structure(of: Objective, parameters: Parameters) -> dict[str, object]:
        return {
            "loss terms": of.names,
            "precision": {each.dtype for each in parameters.values()},
            "problems": of.model.problem,
            "shapes of parameters": {name: tuple(each.shape) for name, each in parameters.items()},
            "regularisers": [but_weight(each) for each in of.regularisers],
            "point settings": of.settings,
        }

    one, two = structure(first, own), structure(other, others)
    for what, value in one.items():
        if value != two[what]:
            raise InputError(f"replicas: all must have the same {what}, got {value} and {two[what]}")
    theirs = _fixed(other.model.network)
    for name, mine in _fixed(first.model.network).items():
        if name not in theirs or not torch.equal(mine, theirs[name]):
            raise InputError(f"replicas: the networks differ in {name}, which is not trained")


def _fixed(network: nn.Module) -> dict[str, Tensor]:
    """What a network has that is not trained."""
    return {name: each for name, each in network.state_dict().items() if name not in trained(network)}


def _check_points(batches: Sequence[Batch]) -> None:
    numbers = [{name: len(points) for name, points in each.points.items()} for each in batches]
    for other in numbers[1:]:
        if other != numbers[0]:
            raise InputError(f"replicas: all must have the same numbers of points, got {numbers[0]} and {other}")


def _refuse() -> NoReturn:
    raise InputError("replicas are trained side by side by adam and sgd only, whose steps act on each number by itself")
