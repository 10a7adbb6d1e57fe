"""Parametric bootstrap: how coefficients and u spread where all is measured again, and the network trained again.

The trained solution û is taken for the truth. The values q(û) + σ ε, with fresh standard normal numbers ε and with the
standard deviation σ that `intervals` finds for each set of measurements, take the place of those that were measured,
and the loss is minimised again by Gauss-Newton steps from the trained parameters, with the points, weights and
penalties of the end of the training. The spread of what many such replicates find is that of the estimates (Efron &
Tibshirani 1993, section 6.5). Nothing is linear in it but each step, so that an interval may be lopsided; where the
problem is nearly linear over the width of the noise it agrees with the linearised one, and either checks the other.

It is assumed, as for the linearised intervals, that the noise is Gaussian, independent from value to value and of one
size in each set of measurements, and that the equation holds. What a penalty or a network that is too small takes from
the truth is taken from each replicate once more: it moves their mean, and is not in their spread.

Intervals are basic ones (Davison & Hinkley 1997, section 5.2): replicates lie about û as û lies about the truth, so
that the truth is as far below û as they are above it. From percentile to percentile, as was tried first, an interval
has the bias of a refit twice: of u_t = D u_xx + k u (1 - u), where replicates lie a fifth of a standard error below û
and û as far below the truth, it held k in 82 % of data sets, with a width that was right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.equations import Points
from pinnreg.errors import InputError
from pinnreg.estimates.intervals import Interval
from pinnreg.objective import Batch, Evaluator, InBlocks, Linearised, Objective
from pinnreg.objective.evaluator import FixedObjective
from pinnreg.optimisers.step import Options, init, step
from pinnreg.optimisers.trust_region import Rules
from pinnreg.randomness import generator

Array = NDArray[np.float64]

FEWEST_REPLICATES = 2
"""Replicates that have a spread."""
PERCENTILES = (2.5, 97.5)
"""Of the replicates, which give the ends of an interval: the k-th of n in order counts as k/(n + 1), so that it holds
95 % also where they are few; of fewer than 39 it is as wide as from the smallest to the largest, and holds less."""
STEPS = 40
"""At most so many; a replicate that has not converged by then has failed."""
SETTLED = 0.02
"""As soon as a step moves the fit at the measured points by no more than this share of the noise of one value, and each
coefficient by no more than this share of its standard error, the replicate has converged. What is left of the equation
may fall for long, and moves neither."""
DAMPING = 1e-8
"""Of the trace of JᵀJ, at the first step: it begins near a minimum."""
RULES = Rules(ratio=0.25, acceleration=False, corrections=0)
AT_ONCE = 8192
"""Points at a time."""


@final
@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Replicates of a training.

    Attributes:
        objective: what was minimised.
        replicates: the parameters at the minima that were found, as vectors (p,).
        failed: how many replicates found none.
        like: the trained parameters, for names and shapes.
    """

    objective: Objective
    replicates: Sequence[Tensor]
    failed: int
    like: Mapping[str, Tensor]

    @staticmethod
    def of(objective: Objective, parameters: Mapping[str, Tensor], found: Sequence[Tensor | None]) -> Bootstrap:
        """What replicates, None for those that failed, say together.

        Raises:
            InputError: fewer than two of them did not fail.
        """
        replicates = [each for each in found if each is not None]
        if len(replicates) < FEWEST_REPLICATES:
            raise InputError(f"bootstrap: {len(found) - len(replicates)} of {len(found)} replicates found no minimum")
        return Bootstrap(objective, replicates, len(found) - len(replicates), dict(parameters))

    def coefficients(self) -> dict[str, Array]:
        """The unknown coefficients of all replicates by name, (replicates,)."""
        values = [self.objective.model.coefficient_values(each) for each in self._each()]
        return {name: np.array([each[name] for each in values]) for name in self.objective.model.unknown}

    def intervals(self) -> dict[str, Interval]:
        """Those of the unknown coefficients, by name: percentiles of the replicates, mirrored at what was trained."""
        model, found = self.objective.model, dict[str, Interval]()
        trained = model.coefficient_values({name: each.detach() for name, each in self.like.items()})
        for name, values in self.coefficients().items():
            low, high = np.percentile(values, PERCENTILES, method="weibull")
            value = trained[name]
            ends = (2 * value - high, 2 * value - low)
            if model.unknown[name].positive:  # the same of the logarithm, which keeps it above zero
                ends = (value**2 / high, value**2 / low)
            found[name] = Interval(float(values.std(ddof=1)), float(ends[0]), float(ends[1]))
        return found

    def band(self, points: Array) -> dict[str, Array]:
        """The standard deviations of the outputs at points (n, d), (n,), by output."""
        model = self.objective.model
        pieces = torch.from_numpy(points).split(AT_ONCE)
        at, index = [Points(piece).on(model.like) for piece in pieces], (0,) * points.shape[1]
        count, mean = 0, torch.zeros((len(points), len(model.trial.outputs)), dtype=torch.float64)
        squares = torch.zeros_like(mean)
        for parameters in self._each():  # Welford's sums, in the order of the replicates
            with torch.no_grad():
                values = torch.cat([model.sweep(parameters, piece)(index) for piece in at]).double().cpu()
            count, apart = count + 1, values - mean
            mean = mean + apart / count
            squares = squares + apart * (values - mean)
        spread: Array = (squares / (count - 1)).sqrt().numpy()
        return dict(zip(model.trial.outputs, spread.T, strict=True))

    def _each(self) -> list[dict[str, Tensor]]:
        return [_as_parameters(each.to(self.objective.model.like), self.like) for each in self.replicates]


@final
class Refit:
    """Trains again with other noise: replicate i is a function of the seed and of i.

    Args:
        objective: what was minimised.
        batch: of the last step.
        parameters: where it ended, which are not changed.
        noise: the standard deviation of each set of measurements.
        errors: the linearised standard errors of the unknown coefficients.
        seed: of all draws.
    """

    def __init__(
        self,
        objective: Objective,
        batch: Batch,
        parameters: Mapping[str, Tensor],
        noise: Mapping[str, float],
        errors: Mapping[str, float],
        seed: int,
    ) -> None:
        self._evaluator = Evaluator(objective)
        self._batch = batch
        self._start = {name: each.detach() for name, each in parameters.items()}
        self._noise, self._errors, self._seed = noise, errors, seed
        self._clean = {name: self._fitted(name) for name in noise}

    def replicate(self, number: int) -> Tensor | None:
        """The parameters of a replicate as one vector (p,), on the CPU; None where it did not converge."""
        target = FixedObjective(self._evaluator, self._with_noise(number))
        parameters, state = self._start, init()
        before: _Seen | None = None
        for _ in range(STEPS + 1):
            at = target.linearise(parameters)
            now = self._seen(at, parameters)
            if before is not None and self._settled(before, now):
                return _vector(parameters)
            options = Options(RULES, seed=self._seed, first_damping=DAMPING)
            parameters, state, info = step(target, at, parameters, state, options)
            if not info.finite:
                return None
            if info.found is None:  # no step lowers the loss
                return _vector(parameters)
            before = now
        return None

    def _seen(self, at: Linearised | InBlocks, parameters: dict[str, Tensor]) -> _Seen:
        """The misfit at the measured points, in standard deviations of the noise, and the coefficients."""
        scaled = []
        for name, deviation in self._noise.items():
            scale = math.sqrt(self._batch.weights[name] / self._batch.counts[name])
            # a copy: the rows are valid until the next linearisation
            scaled.append(at.residuals[at.rows[name]].clone() / (scale * deviation))
        return _Seen(torch.cat(scaled), self._evaluator.coefficient_values(parameters))

    def _settled(self, before: _Seen, now: _Seen) -> bool:
        """Whether a step has moved next to nothing."""
        moved = {name: abs(value - before.coefficients[name]) for name, value in now.coefficients.items()}
        still = all(each <= SETTLED * self._errors[name] for name, each in moved.items())
        return still and float(torch.linalg.vector_norm(now.misfit - before.misfit)) <= SETTLED

    def _fitted(self, name: str) -> Tensor:
        """What the trained solution has where was measured, (n,)."""
        objective, at = self._evaluator.objective, self._batch.points[name]
        assert at.values is not None
        with torch.no_grad():
            apart = objective.rows_at(objective.term(name), at, self._start)[name].values
        return at.values + apart

    def _with_noise(self, number: int) -> Batch:
        """The batch with the values of a replicate."""
        points = dict(self._batch.points)
        for name, clean in self._clean.items():
            draws = generator(self._seed, f"bootstrap {name}", number)
            noise = torch.randn(len(clean), generator=draws, dtype=torch.float64).to(clean)
            points[name] = replace(points[name], values=clean + self._noise[name] * noise)
        return replace(self._batch, points=points)


@final
@dataclass(frozen=True, eq=False)
class _Seen:
    """What is looked at between two steps."""

    misfit: Tensor
    coefficients: Mapping[str, float]


def _vector(parameters: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in parameters.values()]).double().cpu()


def _as_parameters(vector: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    pieces = vector.split([each.numel() for each in like.values()])
    return {name: piece.view(like[name].shape) for name, piece in zip(like, pieces, strict=True)}
