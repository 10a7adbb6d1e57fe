"""`Objective`: problem, points and regularisers as named residual vectors and weights.

The loss is Σ_i w_i mean(r_i²) over the terms i: the PDE's equations, the soft conditions, the regularisers. First-order
optimisers see the loss, second-order ones can take the rows √(w_i/n_i) r_i. Rows are a function of one dict of named
tensors, the network's parameters. Between two draws the objective does not change: a step sees one fixed objective.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pinnreg.equations import PointSet, Problem, Split, Sweep, check_residual, evaluate_residual
from pinnreg.equations.conditions import Condition, Measurements
from pinnreg.errors import InputError, unknown
from pinnreg.objective.blocks import Block, Blocks
from pinnreg.objective.compiled import CompiledGradient
from pinnreg.objective.points import PointSettings, adapted_points, interior_points
from pinnreg.randomness import derive
from pinnreg.regularisers import Regulariser, Rows, annealed
from pinnreg.taylor import Operator

logger = logging.getLogger("pinnreg")

INTERIOR = ""
"""The block of collocation points; no term can have this name."""

Parameters = dict[str, Tensor]


@final
class Objective:
    """The terms of a training run, evaluated at any parameters.

    Attributes:
        parameters: the network's initial parameters by name, leaf tensors.
        names: the loss terms: equations, soft conditions, regularisers.
        drawn_at: the step of the last `redraw`.
        progress: the share of the planned training that weights were annealed by in it.

    Raises:
        InputError: a residual that is not what the engine needs, a weight of no term, two terms of one name.
    """

    def __init__(
        self,
        problem: Problem,
        split: Split,
        network: nn.Module,
        *,
        points: PointSettings,
        weights: Mapping[str, float],
        regularisers: Sequence[Regulariser],
        seed: int,
        compile: bool = False,
    ) -> None:
        self.problem = problem
        self.trial = split.trial
        self.network = network
        self.parameters: Parameters = {
            name: parameter.detach().clone().requires_grad_() for name, parameter in network.named_parameters()
        }
        example = next(iter(self.parameters.values()))
        self._device, self._dtype = example.device, example.dtype
        self._settings = points
        self._seed = seed
        self._soft = tuple(self._on_device(condition) for condition in split.soft)
        self._wanted: dict[str, set[Operator]] = {}
        self._blocks: Blocks = {INTERIOR: self._block(interior_points(points, problem.domain, seed, 0))}
        equations = self._check_interior()
        self._regularisers = _named(regularisers, taken=[*equations, *(c.name for c in split.soft)])
        for regulariser in self._regularisers.values():
            regulariser.indices(problem.domain)
        self.names = (*equations, *(condition.name for condition in split.soft), *self._regularisers)
        self._weights = _weights(weights, (*equations, *(c.name for c in split.soft)), [c.name for c in split.exact])
        self._resampled_at = 0
        self._compiled = CompiledGradient(self) if compile else None
        self._on_device_weights: tuple[tuple[float, ...], Tensor] | None = None
        self._place_conditions(0)
        self.redraw(0, progress=0.0, smooth=False)
        self._check_terms()

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything."""
        return bool(self._regularisers)

    def rows(self, parameters: Parameters, blocks: Blocks | None = None) -> dict[str, Rows]:
        """The residual vectors of all terms, by name; at the current points if no others are given."""
        network, at = self._at(parameters), self._blocks if blocks is None else blocks
        interior = self._sweep(network, INTERIOR, at[INTERIOR].points)
        rows = {name: Rows(values) for name, values in evaluate_residual(self.problem, interior).items()}
        for condition in self._soft:
            block = at[condition.name]
            fields = self._sweep(network, condition.name, block.points).fields()
            rows[condition.name] = Rows(condition.residual(fields, block.samples, self.trial.axes))
        for name, regulariser in self._regularisers.items():
            sweep = self._sweep(network, name, at[name].points)
            rows[name] = regulariser.rows(sweep, self.problem.domain, smooth=self._smooth)
        return rows

    def losses(self, parameters: Parameters, blocks: Blocks | None = None) -> dict[str, Tensor]:
        """The unweighted value of each term, a scalar tensor by name."""
        return {name: rows.mean() for name, rows in self.rows(parameters, blocks).items()}

    def gradient(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The unweighted value of each term, and the gradient of the weighted sum by parameter."""
        values = tuple(self.weights[name] for name in self.names)
        if self._on_device_weights is None or self._on_device_weights[0] != values:
            # kept while they are the same, so that no step waits for a copy to the device
            self._on_device_weights = values, torch.tensor(values, device=self._device, dtype=self._dtype)
        weights = self._on_device_weights[1]
        if self._compiled is not None:
            # smoothing acts on |s| only
            smooth = self._smooth and any(each.power == 1 for each in self._regularisers.values())
            return self._compiled(parameters, weights, self._blocks, smooth=smooth, wanted=self._wanted)
        return self.gradient_at(parameters, weights, self._blocks)

    def gradient_at(
        self, parameters: Parameters, weights: Tensor, blocks: Blocks
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """`gradient` with all that it depends on as arguments; weights in the order of `names`, (terms,)."""
        losses = self.losses(parameters, blocks)
        total = torch.dot(weights, torch.stack(list(losses.values())))
        gradient = torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)
        values = {name: value.detach() for name, value in losses.items()}
        return values, dict(zip(parameters, gradient, strict=True))

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms' values."""
        weights = self.weights
        return torch.stack([weights[name] * value for name, value in losses.items()]).sum()

    @property
    def weights(self) -> dict[str, float]:
        """The current weight of each term; a regulariser's follows its schedule."""
        annealing = {
            name: regulariser.weight * annealed(regulariser.schedule, self.progress)
            for name, regulariser in self._regularisers.items()
        }
        return self._weights | annealing

    def redraw(self, step: int, *, progress: float, smooth: bool) -> None:
        """New points for the regularisers.

        Args:
            step: the training step, on which alone (with the seed) the points depend.
            progress: the fraction of all training steps done, for weight schedules.
            smooth: whether the optimiser needs |s| smoothed.
        """
        self.drawn_at, self.progress, self._smooth = step, progress, smooth
        for name, regulariser in self._regularisers.items():
            self._blocks[name] = self._block(
                regulariser.draw(self.problem.domain, self._seed, name, step, device=self._device, dtype=self._dtype)
            )

    def resample(self, parameters: Parameters, step: int) -> None:
        """New collocation points, for conditions too; interior ones by the residual if the settings say so."""
        if self._settings.resample == "residual":
            points = adapted_points(
                partial(self.residual_size, parameters),
                self.problem.domain,
                self._settings.interior,
                self._seed,
                step,
                device=self._device,
                dtype=self._dtype,
            )
        else:
            points = interior_points(self._settings, self.problem.domain, self._seed, step)
        self._blocks[INTERIOR] = self._block(points)
        self._place_conditions(step)
        self._resampled_at = step

    @property
    def resample_every(self) -> int | None:
        """Steps between new collocation points; None for never."""
        return self._settings.resample_every

    def resample_due(self, step: int) -> bool:
        """Whether the points are to be drawn anew before `step`."""
        every = self.resample_every
        return every is not None and step // every > self._resampled_at // every

    def residual_size(self, parameters: Parameters, points: Tensor) -> Tensor:
        """√(Σ_i w_i r_i²) over the PDE's equations at points (n, d), (n,), without gradients."""
        with torch.no_grad():
            sweep = self._sweep(self._at(parameters), INTERIOR, PointSet(points, self.trial))
            equations = evaluate_residual(self.problem, sweep)
            squares = [self._weights[name] * values.square() for name, values in equations.items()]
            return torch.stack(squares).sum(dim=0).sqrt()

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to continue with the same points."""
        return {
            "interior": self._blocks[INTERIOR].points.points.clone(),
            "resampled_at": self._resampled_at,
            "drawn_at": self.drawn_at,
            "progress": self.progress,
            "smooth": self._smooth,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self._blocks[INTERIOR] = self._block(state["interior"])
        self._resampled_at = state["resampled_at"]
        self._place_conditions(self._resampled_at)
        self.redraw(state["drawn_at"], progress=state["progress"], smooth=state["smooth"])

    def _at(self, parameters: Parameters) -> Callable[[Tensor], Tensor]:
        return lambda points: functional_call(self.network, parameters, (points,))

    def _sweep(self, network: Callable[[Tensor], Tensor], block: str, points: PointSet) -> Sweep:
        wanted = self._wanted.setdefault(block, set())
        return Sweep(self.trial, network, points, wanted, chunk=self._settings.chunk)

    def _block(self, points: Tensor, normals: Tensor | None = None) -> Block:
        at = points.to(self._device, self._dtype)
        return Block(PointSet(at, self.trial), None if normals is None else normals.to(at))

    def _on_device(self, condition: Condition) -> Condition:
        if not isinstance(condition, Measurements):
            return condition
        # once, so that no step copies data to the device
        values = condition.values.to(self._device, self._dtype)
        return replace(condition, values=values)

    def _place_conditions(self, step: int) -> None:
        for condition in self._soft:
            seed = derive(self._seed, f"condition {condition.name}", step)
            drawn = condition.sample(self.problem.domain, self._settings.boundary, self._settings.sampler, seed)
            self._blocks[condition.name] = self._block(drawn.points, drawn.normals)

    def _check_interior(self) -> tuple[str, ...]:
        network = self._at(self.parameters)
        wanted, points = self._wanted.setdefault(INTERIOR, set()), self._blocks[INTERIOR].points
        with torch.no_grad():
            check_residual(self.problem, self.trial, network, points, wanted, chunk=self._settings.chunk)
            equations = evaluate_residual(self.problem, self._sweep(network, INTERIOR, points))
        return tuple(equations)

    def _check_terms(self) -> None:
        with torch.no_grad():
            for name, value in self.losses(self.parameters).items():
                if not torch.isfinite(value):
                    raise InputError(f"the loss term {name!r} is NaN or Inf at the start")


def _named(regularisers: Sequence[Regulariser], taken: Sequence[str]) -> dict[str, Regulariser]:
    named: dict[str, Regulariser] = {}
    for regulariser in regularisers:
        names = (regulariser.kind, *(f"{regulariser.kind}_{number}" for number in range(2, 99)))
        named[next(name for name in names if name not in named)] = regulariser
    for name in taken:
        if name in ("step", "seconds", "loss") or name.startswith("error_") or name.endswith("_weighted"):
            raise InputError(f"a loss term cannot be named {name!r}, which is another column of the history")
    for name in [*named, *taken]:
        if (list(named) + list(taken)).count(name) > 1:
            raise InputError(f"two loss terms are named {name!r}; give the condition or equation another name")
    return named


def _weights(given: Mapping[str, float], terms: Sequence[str], exact: Sequence[str]) -> dict[str, float]:
    for name in given:
        if name in exact:
            logger.warning("weights.%s has no effect: the condition is exact and has no loss term", name)
        elif name not in terms:
            raise unknown("loss term in weights:", name, [*terms, *exact])
    return {name: given.get(name, 1.0) for name in terms}
