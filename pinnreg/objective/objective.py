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
from pinnreg.equations.conditions import Condition, Measurements, Samples
from pinnreg.errors import InputError, unknown
from pinnreg.objective.points import PointSettings, adapted_points, interior_points
from pinnreg.randomness import derive
from pinnreg.regularisers import Regulariser, Rows, annealed
from pinnreg.taylor import Operator

logger = logging.getLogger("pinnreg")

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
        self._interior = self._point_set(interior_points(points, problem.domain, seed, 0))
        equations = self._check_interior()
        self._regularisers = _named(regularisers, taken=[*equations, *(c.name for c in split.soft)])
        for regulariser in self._regularisers.values():
            regulariser.indices(problem.domain)
        self.names = (*equations, *(condition.name for condition in split.soft), *self._regularisers)
        self._weights = _weights(weights, (*equations, *(c.name for c in split.soft)), [c.name for c in split.exact])
        self._resampled_at = 0
        self._place_conditions(0)
        self.redraw(0, progress=0.0, smooth=False)
        self._check_terms()

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything."""
        return bool(self._regularisers)

    def rows(self, parameters: Parameters) -> dict[str, Rows]:
        """The residual vectors of all terms, by name."""
        network = self._at(parameters)
        interior = self._sweep(network, "interior", self._interior)
        rows = {name: Rows(values) for name, values in evaluate_residual(self.problem, interior).items()}
        for condition, (samples, points) in zip(self._soft, self._conditions, strict=True):
            fields = self._sweep(network, condition.name, points).fields()
            rows[condition.name] = Rows(condition.residual(fields, samples, self.trial.axes))
        for name, regulariser in self._regularisers.items():
            sweep = self._sweep(network, name, self._penalty_points[name])
            rows[name] = regulariser.rows(sweep, self.problem.domain, smooth=self._smooth)
        return rows

    def losses(self, parameters: Parameters) -> dict[str, Tensor]:
        """The unweighted value of each term, a scalar tensor by name."""
        return {name: rows.mean() for name, rows in self.rows(parameters).items()}

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
        self._penalty_points = {
            name: PointSet(
                regulariser.draw(self.problem.domain, self._seed, name, step, device=self._device, dtype=self._dtype),
                self.trial,
            )
            for name, regulariser in self._regularisers.items()
        }

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
        self._interior = self._point_set(points)
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
            sweep = self._sweep(self._at(parameters), "interior", PointSet(points, self.trial))
            equations = evaluate_residual(self.problem, sweep)
            squares = [self._weights[name] * values.square() for name, values in equations.items()]
            return torch.stack(squares).sum(dim=0).sqrt()

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to continue with the same points."""
        return {
            "interior": self._interior.points.clone(),
            "resampled_at": self._resampled_at,
            "drawn_at": self.drawn_at,
            "progress": self.progress,
            "smooth": self._smooth,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self._interior = self._point_set(state["interior"])
        self._resampled_at = state["resampled_at"]
        self._place_conditions(self._resampled_at)
        self.redraw(state["drawn_at"], progress=state["progress"], smooth=state["smooth"])

    def _at(self, parameters: Parameters) -> Callable[[Tensor], Tensor]:
        return lambda points: functional_call(self.network, parameters, (points,))

    def _sweep(self, network: Callable[[Tensor], Tensor], block: str, points: PointSet) -> Sweep:
        wanted = self._wanted.setdefault(block, set())
        return Sweep(self.trial, network, points, wanted, chunk=self._settings.chunk)

    def _point_set(self, points: Tensor) -> PointSet:
        return PointSet(points.to(self._device, self._dtype), self.trial)

    def _place_conditions(self, step: int) -> None:
        self._conditions = [self._place(condition, step) for condition in self._soft]

    def _on_device(self, condition: Condition) -> Condition:
        if not isinstance(condition, Measurements):
            return condition
        # once, so that no step copies data to the device
        values = condition.values.to(self._device, self._dtype)
        return replace(condition, values=values)

    def _place(self, condition: Condition, step: int) -> tuple[Samples, PointSet]:
        seed = derive(self._seed, f"condition {condition.name}", step)
        drawn = condition.sample(self.problem.domain, self._settings.boundary, self._settings.sampler, seed)
        points = self._point_set(drawn.points)
        return Samples(points.points, drawn.normals.to(points.points)), points

    def _check_interior(self) -> tuple[str, ...]:
        network = self._at(self.parameters)
        wanted = self._wanted.setdefault("interior", set())
        with torch.no_grad():
            check_residual(self.problem, self.trial, network, self._interior, wanted)
            equations = evaluate_residual(self.problem, self._sweep(network, "interior", self._interior))
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
