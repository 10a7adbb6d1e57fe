"""`Objective`: problem, points and regularisers as named residual vectors and weights.

The loss is Σ_i w_i mean(r_i²) over the terms i: the PDE's equations, the soft conditions, the penalties. First-order
optimisers see the loss, second-order ones can take the rows √(w_i/n_i) r_i. Rows are a function of one dict of named
tensors, the network's parameters and the unknown coefficients. With noise on the parameters, what optimisers see is
Σ_j s_j loss(W + U_j), or the rows of all W + U_j. Between two draws the objective does not change: a step sees one
fixed objective.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn

from pinnreg.equations import PointSet, Problem, Split, Unknown
from pinnreg.errors import InputError
from pinnreg.objective.balance import balanced_rows, balanced_weights
from pinnreg.objective.blocks import Block, Blocks
from pinnreg.objective.compiled import CompiledGradient
from pinnreg.objective.evaluation import Evaluation, Parameters
from pinnreg.objective.jacobian import Linearisation, Linearised
from pinnreg.objective.placement import INTERIOR, Placement, points_in
from pinnreg.objective.regularised import Regularised
from pinnreg.objective.settings import PointSettings
from pinnreg.objective.shifts import shifted
from pinnreg.objective.terms import check_finite, check_names, weights_of
from pinnreg.regularisers import Regulariser, Rows, Shift


@final
class Objective:
    """The terms of a training run, evaluated at any parameters.

    Attributes:
        evaluation: the terms as functions of parameters and points.
        parameters: the initial parameters by name, leaf tensors: the network's, then `unknown.<name>` each coefficient.
        names: the loss terms: equations, soft conditions, penalties.
        equations: those that are the PDE's.
        seed: of all draws of points.
        settings: those of the points.
        sweeps: network sweeps times points that optimisers have asked for.
        shifts: where the parameters are perturbed to, with shares; one unperturbed without noise.

    Raises:
        InputError: a residual that is not what the engine needs, a weight of no term, two terms of one name, nothing to
            minimise, an unknown coefficient that cannot be trained.
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
        unknown: Mapping[str, Unknown] | None = None,
        balance: bool = False,
        compile: bool = False,
    ) -> None:
        self.problem = problem
        self.trial = split.trial
        self.network = network
        self._regularised = Regularised(regularisers, problem, split.trial)
        self.evaluation = Evaluation(problem, split, network, unknown or {}, self._regularised, points.chunk)
        self.parameters = self.evaluation.parameters
        self.settings = points
        self.seed = seed
        self.sweeps = 0
        like = next(iter(self.parameters.values())).detach()
        self._placement = Placement(problem, split.trial, split.soft, points, seed, like)
        self.equations = self.evaluation.equations(self.blocks[INTERIOR])
        given = (*self.equations, *(condition.name for condition in split.soft))
        if not given:
            raise InputError(f"nothing to minimise: {type(problem).__name__} has no residual, and there are no data")
        if points.resample == "residual" and not self.equations:
            raise InputError(f"points.resample: residual: {type(problem).__name__} has no residual to draw points by")
        self.names = (*given, *self._regularised.names)
        check_names(self.names)
        self._weights = weights_of(weights, given, [c.name for c in split.exact])
        # how much measured data count is for the user to say
        unweighted = [c.name for c in split.soft if c.kind != "measurements" and c.name not in weights]
        self._to_balance = tuple(unweighted) if balance and self.equations else ()
        self._balanced: dict[str, float] = {}
        self._compiled = CompiledGradient(self) if compile else None
        self._linearisation = Linearisation(self, points.chunk)
        self._balancing = Linearisation(self, None)
        self._on_device_weights: tuple[tuple[float, ...], Tensor] | None = None
        self.redraw(0, progress=0.0, smooth=False)
        with torch.no_grad():
            check_finite(self.losses(self.parameters))
        self.balance(self.parameters)

    @property
    def blocks(self) -> Blocks:
        """The points of now, by term; penalties on the parameters have none."""
        return self._placement.blocks

    @property
    def stochastic(self) -> bool:
        """Whether `redraw` changes anything but weights: points of penalties, batches, noise, what is trimmed."""
        return self._regularised.stochastic or self._placement.stochastic

    @property
    def annealing(self) -> bool:
        """Whether a regulariser's strength is still to change."""
        return self.progress < 1 and self.scheduled

    @property
    def scheduled(self) -> bool:
        """Whether a regulariser's strength follows a schedule."""
        return self._regularised.scheduled

    @property
    def regularisers_but_weights(self) -> tuple[Regulariser, ...]:
        """The regularisers, with the weight of each penalty left out."""
        return self._regularised.but_weights

    def rows(self, parameters: Parameters, blocks: Blocks | None = None) -> dict[str, Rows]:
        """The residual vectors of all terms, by name; at the current points if no others are given."""
        return self.evaluation.rows(parameters, self.blocks if blocks is None else blocks)

    def losses(self, parameters: Parameters, blocks: Blocks | None = None) -> dict[str, Tensor]:
        """The unweighted value of each term at the parameters themselves, a scalar tensor by name."""
        return {name: rows.mean() for name, rows in self.rows(parameters, blocks).items()}

    def gradient(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The unweighted value of each term and the gradient of the weighted sum by parameter, means over the noise."""
        values = tuple(self.weights[name] for name in self.names)
        if self._on_device_weights is None or self._on_device_weights[0] != values:
            # kept while they are the same, so that no step waits for a copy to the device
            example = next(iter(parameters.values())).detach()
            self._on_device_weights = values, example.new_tensor(values)
        self.count_sweeps()
        found = [
            (shift.share, self._gradient_at(shifted(parameters, shift), self._on_device_weights[1]))
            for shift in self.shifts
        ]
        if len(found) == 1:
            return found[0][1]
        losses, gradients = ([(share, each[part]) for share, each in found] for part in (0, 1))
        return _mean(losses), _mean(gradients)

    def _gradient_at(self, parameters: Parameters, weights: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if self._compiled is None:
            return self.gradient_at(parameters, weights, self.blocks)
        # smoothing acts on |s| only
        smooth = self.evaluation.smooth and self._regularised.powers != {2}
        return self._compiled(parameters, weights, self.blocks, smooth=smooth, wanted=self.evaluation.wanted)

    def gradient_at(
        self, parameters: Parameters, weights: Tensor, blocks: Blocks
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """`gradient` without noise, with all that it depends on as arguments; weights in the order of `names`."""
        losses = self.losses(parameters, blocks)
        total = torch.dot(weights, torch.stack(list(losses.values())))
        gradient = torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)
        values = {name: value.detach() for name, value in losses.items()}
        return values, dict(zip(parameters, gradient, strict=True))

    def residuals(self, parameters: Parameters) -> Tensor:
        """All rows √(s_j w_i/n_i) r_i(W + U_j), (n,), without gradients, by term and then by shift.

        The loss is their sum of squares. No term of power 1.
        """
        weights = self.weights
        self.count_sweeps()
        with torch.no_grad():
            found = [self.rows(shifted(parameters, shift)) for shift in self.shifts]
            return torch.cat(
                [
                    math.sqrt(shift.share * weights[name] / rows[name].values.numel()) * rows[name].residuals
                    for name in self.names
                    for shift, rows in zip(self.shifts, found, strict=True)
                ]
            )

    def linearise(self, parameters: Parameters) -> Linearised:
        """The rows of `residuals` with their Jacobian, valid until the next call. No term of power 1."""
        self.count_sweeps(2 if self.evaluation.coefficients else 1)  # which are differentiated in a sweep of their own
        return self._linearisation(parameters, shifts=self.shifts)

    def recorded(self, parameters: Parameters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The value of each term at the parameters themselves, and its share of the loss."""
        losses = self.losses(parameters)
        return losses, {name: self.weights[name] * value for name, value in losses.items()}

    def coefficient_values(self, parameters: Parameters) -> dict[str, float]:
        """The unknown coefficients by name."""
        return self.evaluation.coefficient_values(parameters)

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms' values."""
        weights = self.weights
        return torch.stack([weights[name] * value for name, value in losses.items()]).sum()

    @property
    def weights(self) -> dict[str, float]:
        """The current weight of each term: given, balanced, or a regulariser's, which follows its schedule."""
        return self._weights | self._balanced | self._regularised.weights(self.progress)

    def balance(self, parameters: Parameters) -> None:
        """Weigh the soft conditions that have no weight of their own, as the parameters act on them now."""
        if self._to_balance:
            names = (INTERIOR, *self._to_balance)
            some = {name: self.blocks[name].thinned(balanced_rows(parameters, len(names))) for name in names}
            at = self._balancing(parameters, some, weighted=False)
            columns = sum(each.numel() for each in self.evaluation.network_part(parameters).values())
            self._balanced = balanced_weights(at, columns, self.equations, self._to_balance)

    def redraw(self, step: int, *, progress: float, smooth: bool) -> None:
        """New points for the penalties, new batches and noise, and another look at which measurements are the worst.

        Args:
            step: the training step, on which alone (with the seed) they depend.
            progress: the fraction of all training steps done, for the schedules of regularisers.
            smooth: whether the optimiser needs |s| smoothed.
        """
        self.drawn_at, self.progress, self.evaluation.smooth = step, progress, smooth
        self._placement.redraw(self._regularised.at_points, step)
        self._trim(self.parameters)
        network = {name: each.detach() for name, each in self.evaluation.network_part(self.parameters).items()}
        self.shifts: Sequence[Shift] = self._regularised.shifts(network, self.seed, step, progress)

    def show_all(self) -> None:
        """Take all measurements where steps see batches, until the next redraw."""
        self._placement.show_all()

    def resample(self, parameters: Parameters, step: int) -> None:
        """New collocation points, for conditions too; interior ones by the residual if the settings say so."""
        self._placement.resample(partial(self.residual_size, parameters), step)
        # some penalties are at collocation points, and the conditions are whole again
        self._placement.redraw(self._regularised.at_points, self.drawn_at)
        self._trim(parameters)
        self.balance(parameters)

    @property
    def resample_every(self) -> int | None:
        """Steps between new collocation points; None for never."""
        return self.settings.resample_every

    def resample_due(self, step: int) -> bool:
        """Whether the points are to be drawn anew before `step`."""
        every = self.resample_every
        return every is not None and step // every > self._placement.resampled_at // every

    def residual_size(self, parameters: Parameters, points: Tensor) -> Tensor:
        """√(Σ_i w_i r_i²) over the PDE's equations at points (n, d), (n,), without gradients."""
        self.sweeps += len(points)
        with torch.no_grad():
            block = Block(PointSet(points, self.trial))
            rows = self.evaluation.block_rows(INTERIOR, parameters, block, chunk=self.settings.chunk)
            squares = [self._weights[name] * each.values.square() for name, each in rows.items()]
            return torch.stack(squares).sum(dim=0).sqrt()

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to continue with the same points."""
        own = {
            "drawn_at": self.drawn_at,
            "progress": self.progress,
            "smooth": self.evaluation.smooth,
        }
        return self._placement.state() | own | {"balanced": dict(self._balanced)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self._placement.load_state(state)
        self._balanced = dict(state["balanced"])
        self.redraw(state["drawn_at"], progress=state["progress"], smooth=state["smooth"])
        self._placement.load_trimmed(state)

    def _trim(self, parameters: Parameters) -> None:
        if not self._placement.shares:
            return
        self.sweeps += points_in(self.blocks[name] for name in self._placement.shares)
        with torch.no_grad():
            rows = {
                name: self.evaluation.block_rows(name, parameters, self.blocks[name], chunk=self.settings.chunk)
                for name in self._placement.shares
            }
        self._placement.trim({name: each[name].values for name, each in rows.items()})

    def count_sweeps(self, times: int = 1) -> None:
        """Add sweeps over all points where the network is needed, once for each perturbation."""
        wanted = self.evaluation.wanted
        used = [block for name, block in self.blocks.items() if wanted.get(name)]
        self.sweeps += times * len(self.shifts) * points_in(used)


def _mean(weighted: Sequence[tuple[float, Mapping[str, Tensor]]]) -> dict[str, Tensor]:
    return {name: torch.stack([share * each[name] for share, each in weighted]).sum(dim=0) for name in weighted[0][1]}
