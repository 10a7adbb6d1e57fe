"""One step of the target-ratio trust region: the boldest step that still does what its model promises, in part.

A smaller damping λ means a larger trust region. From the λ of the last step it goes down by factors while the true
decrease of the loss is at least `ratio` of the decrease that the linearised residuals predict, and up until it is. A
target of 0.075, far below the usual quarter to three quarters, is what makes the method fast (Webb, Jerad & Cartis
2026, arXiv:2607.02194).

What limits λ is curvature: along the directions in which the residuals hardly change the step is long, and on the way
the others are no longer at rest. Two cheap remedies let λ fall by orders of magnitude, for two to four evaluations of
the residuals (2 ms each where a factorisation takes 50):

- *geodesic acceleration*, the second-order term of the path, from the second derivative of the residuals along the
  step and a solve with the same factors (Transtrum & Sethna 2012, arXiv:1201.5885);
- *corrections*: steps from the end of the trial step back to the floor of the valley, with the same Jacobian and a
  damping larger by `CORRECTION`, so that they act on the stiff directions only. They belong to the trial step: its
  ratio is taken at their end.

Without corrections heat (sin, 20-20, 1500 points) stood still at an error of 2e-10 or 1e-7, depending on the seed;
with them four seeds of four ended below 1e-11 in 50 steps, and Burgers with ν = 0.01/π had 1e-5 after the time in which
it had 1e-4. Tried and left: corrections with the trial step's own λ (as good on heat, with one seed); up to ten of
them, or a damping larger by 1e5 or 1e6 (Burgers a factor of two better, heat a hundred worse); factors of 10 and 30
between the λ (2-D Poisson at 1e-15 in 40 steps, but heat stood still at 1e-7); momentum from earlier steps (no gain);
the λ with the lowest loss instead of the boldest (slower by far); acceleration or corrections alone (slower).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.optimisers.damped import Damped, DampedLeastSquares
from pinnreg.optimisers.in_blocks import DampedInBlocks
from pinnreg.optimisers.interface import Linear, Parameters, SumOfSquares
from pinnreg.optimisers.sketch import SketchedLeastSquares
from pinnreg.optimisers.vectors import as_parameters, as_vector

Subproblem = DampedLeastSquares | DampedInBlocks | SketchedLeastSquares

FACTOR = 4.0
BOLDER = 5
"""At most so many λ below the first in one step."""
CAUTIOUS = 20
"""At most so many above it: by then a step is far below rounding."""
GROWTH = 1 + 1e-8
"""Without this limit λ falls for ever where it has no effect any more, and cannot come back when it should: Wood's
function, without corrections, was left at 7.07 with λ = 1e-101."""
CORRECTION = 1e4
ACCELERATION = 0.75
"""An acceleration longer than so much of its step is not to be trusted (Transtrum & Sethna)."""
PROBE = 0.1
"""The share of the step at which its second derivative is taken."""


@final
@dataclass(frozen=True)
class Rules:
    """What counts as success, and which remedies for curvature are used.

    Attributes:
        ratio: the share of the predicted decrease that a step must reach.
        acceleration: whether steps are bent by it.
        corrections: at most so many at the end of a trial step.
        worth: the share of the loss that a step must promise for its end to be looked at, and a bolder one `GROWTH`
            times as much as the one before; None looks at every step.
    """

    ratio: float
    acceleration: bool
    corrections: int
    worth: float | None = None


@final
@dataclass(frozen=True)
class Trial:
    """A step that was tried.

    Attributes:
        damping: λ.
        step: in the units of the Jacobian, (p,).
        residuals: where it ends, (n,).
        loss: their sum of squares.
        predicted: the decrease of the loss that the linearised residuals promise.
        ratio: the true decrease relative to that; minus infinity where the step is of no use.
    """

    damping: float
    step: Tensor
    residuals: Tensor
    loss: float
    predicted: float
    ratio: float


@final
class TrustRegion:
    """The search for one step from parameters where the residuals are known to first order.

    Args:
        target: what is minimised.
        parameters: the start.
        at: the residuals there and their Jacobian; with units, that by D x.
        problem: the damped least squares of `at`, whole or in a subspace.
        rules: what counts as success.
        loss: the sum of squares at the start.
        units: D > 0, (p,): steps are lengths of D x. None for 1.
    """

    def __init__(
        self,
        target: SumOfSquares,
        parameters: Parameters,
        at: Linear,
        problem: Subproblem,
        rules: Rules,
        loss: float,
        units: Tensor | None = None,
    ) -> None:
        self._target = target
        self._parameters = parameters
        self._start = as_vector(parameters)
        self._at = at
        self._problem = problem
        self._rules = rules
        self._units = units
        self._corrector: Damped | None = None
        self._loss = loss

    def search(self, damping: float) -> tuple[Trial, Trial | None]:
        """The first step tried, and the boldest successful one from a damping on; None if there is no such."""
        worth = self._rules.worth
        least = -math.inf if worth is None else worth * self._loss
        first = trial = self._try(damping, least)
        if trial.ratio >= self._rules.ratio:
            for _ in range(BOLDER):
                bolder = self._try(trial.damping / FACTOR, -math.inf if worth is None else GROWTH * trial.predicted)
                if bolder.ratio < self._rules.ratio:
                    break
                trial = bolder
            return first, trial
        for _ in range(CAUTIOUS):
            if trial.predicted <= least:
                break  # the more damping, the less is promised
            trial = self._try(FACTOR * trial.damping, least)
            if trial.ratio >= self._rules.ratio:
                return first, trial
        return first, None

    def _try(self, damping: float, least: float = -math.inf) -> Trial:
        """One damping; the residuals are not asked for where no more than `least` is promised."""
        damped = self._problem.at(damping)
        step = damped.step
        slope = self._at.jacobian @ step
        predicted = self._loss - square(self._at.residuals + slope)
        if predicted <= least:
            return Trial(damping, step, self._at.residuals, self._loss, predicted, -math.inf)
        if self._rules.acceleration:
            step = step + self._acceleration(damped, slope)
        residuals = self._residuals(step)
        loss = square(residuals)
        for _ in range(self._rules.corrections):
            corrected = step + self._corrector_from(damping).solve(residuals)
            found = self._residuals(corrected)
            if not square(found) < loss:  # or NaN
                break
            step, residuals, loss = corrected, found, square(found)
        # what rounding may do to the loss is no decrease
        possible = predicted > torch.finfo(step.dtype).eps * self._loss and math.isfinite(loss)
        ratio = (self._loss - loss) / predicted if possible else -math.inf
        return Trial(damping, step, residuals, loss, predicted, ratio)

    def _acceleration(self, damped: Damped, slope: Tensor) -> Tensor:
        """Half of the path's second derivative at its start, or zero where it is too long."""
        step = damped.step
        along = self._residuals(PROBE * step)
        curvature = 2 / PROBE * ((along - self._at.residuals) / PROBE - slope)
        acceleration = damped.solve(curvature) / 2
        # not where it is NaN
        return torch.where(acceleration.norm() < ACCELERATION * step.norm(), acceleration, torch.zeros_like(step))

    def _corrector_from(self, damping: float) -> Damped:
        """One for all trials of a step: what matters is that its damping is far above theirs."""
        if self._corrector is None:
            self._corrector = self._problem.at(CORRECTION * damping)
        return self._corrector

    def _residuals(self, step: Tensor) -> Tensor:
        return self._target.residuals(self.end(step))

    def end(self, step: Tensor) -> Parameters:
        """Where a step leads: views of one new vector."""
        moved = step if self._units is None else step / self._units
        return as_parameters(self._start + moved, self._parameters)


def square(residuals: Tensor) -> float:
    """The sum of squares."""
    return float(residuals @ residuals)
