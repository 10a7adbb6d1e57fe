"""One Gauss-Newton step as a pure function: a state goes in, the next one comes out, and nothing is changed in place.

    state = init()
    while ...:
        at = target.linearise(parameters)
        parameters, state, info = step(target, at, parameters, state, options)

Both the stages of a training and `pinnreg.least_squares` are this loop, with their own reasons to stop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pinnreg.optimisers.damped import DampedLeastSquares
from pinnreg.optimisers.in_blocks import DampedInBlocks
from pinnreg.optimisers.interface import SKETCHED_ABOVE, Linear, Parameters, SumOfSquares
from pinnreg.optimisers.sketch import SketchedLeastSquares
from pinnreg.optimisers.trust_region import Rules, Subproblem, Trial, TrustRegion, square
from pinnreg.randomness import generator

FIRST_DAMPING = 1e-2
SKETCH = 1500


@final
@dataclass(frozen=True)
class Options:
    """How a step is made.

    Attributes:
        rules: what counts as success, and the remedies for curvature.
        sketch: the dimension of the random subspace that a step is taken in; None for all parameters while these or
            the rows are up to `SKETCHED_ABOVE`, and for `SKETCH` dimensions beyond.
        mixed_precision: whether to factorise in float32 while the damping is large enough for that.
        scaled: whether a parameter is measured by the largest norm that its column of the Jacobian has had (Moré 1978,
            doi:10.1007/BFb0067700); otherwise by 1.
        seed: of the subspaces.
        sum_rows: whether many rows are summed with random signs into few in a subspace: cheaper, and as good while the
            residuals are to vanish.
        first_damping: λ that the first step begins at, beside the squares of the Jacobian.
    """

    rules: Rules
    sketch: int | None = None
    mixed_precision: bool = False
    scaled: bool = False
    seed: int = 0
    sum_rows: bool = True
    first_damping: float = FIRST_DAMPING


@final
@dataclass(frozen=True)
class State:
    """What one step leaves to the next.

    Attributes:
        number: of steps so far; a subspace is a function of the seed and of it.
        damping: λ of the last successful step; None before.
        units: D of the parameters, (p,); None where they are 1.
    """

    number: int = 0
    damping: float | None = None
    units: Tensor | None = None


@final
@dataclass(frozen=True)
class Info:
    """What a step did.

    Attributes:
        loss: the sum of squares before it.
        first: the first that was tried; None if residuals or Jacobian are not finite.
        found: the step taken; None where no step lowers the loss by more than rounding.
        sketched: whether it was looked for in a subspace.
    """

    loss: float
    first: Trial | None
    found: Trial | None
    sketched: bool

    @property
    def finite(self) -> bool:
        """Whether the residuals and their Jacobian were, so that a step could be looked for."""
        return self.first is not None


def init() -> State:
    """The state before the first step."""
    return State()


def step(
    target: SumOfSquares, at: Linear, parameters: Parameters, state: State, options: Options
) -> tuple[Parameters, State, Info]:
    """The boldest step of the target-ratio trust region from some parameters.

    Args:
        target: gives the residuals r (n,) at other parameters.
        at: r and its Jacobian at `parameters`.
        parameters: where the step begins.
        state: what earlier steps have left.
        options: how the step is made.

    Returns:
        The parameters after the step, views of one new vector (those given where there was no step); the state for the
        next; what was done.
    """
    seen, units = _scaled(at, state.units) if options.scaled else (at, None)
    problem = _problem(seen, state.number, options)
    loss, sketched = square(at.residuals), isinstance(problem, SketchedLeastSquares)
    after = replace(state, number=state.number + 1, units=units)
    if not math.isfinite(problem.scale + loss):
        return parameters, after, Info(loss, None, None, sketched)
    region = TrustRegion(target, parameters, seen, problem, options.rules, loss, units)
    first, found = region.search(options.first_damping * problem.scale if state.damping is None else state.damping)
    info = Info(loss, first, found, sketched)
    if found is None:
        return parameters, after, info
    return region.end(found.step), replace(after, damping=found.damping), info


@final
@dataclass(frozen=True)
class Known:
    """Residuals (n,) and their Jacobian (n, p)."""

    residuals: Tensor
    jacobian: Tensor


def _scaled(at: Linear, before: Tensor | None) -> tuple[Known, Tensor]:
    """Residuals to first order in parameters times D, and D."""
    assert isinstance(at.jacobian, Tensor), "stages, which have blocks, do not scale"
    norms = torch.linalg.vector_norm(at.jacobian, dim=0)
    units = norms if before is None else torch.maximum(norms, before)
    # a parameter without influence so far
    units = torch.where(units > 0, units, torch.ones_like(units))
    return Known(at.residuals, at.jacobian / units), units


def _problem(at: Linear, number: int, options: Options) -> Subproblem:
    size, width = options.sketch, at.jacobian.shape[1]
    # few rows have factors as small as few columns have, and all of the parameters to choose from
    if size is None and min(at.jacobian.shape) > SKETCHED_ABOVE:
        size = SKETCH
    if size is None or size >= width:
        if not isinstance(at.jacobian, Tensor):
            return DampedInBlocks(at.jacobian, at.residuals)
        return DampedLeastSquares(at.jacobian, at.residuals, single=options.mixed_precision)
    draws = generator(options.seed, "sketch", number)
    return SketchedLeastSquares(
        at.jacobian, at.residuals, size, draws, sum_rows=options.sum_rows, single=options.mixed_precision
    )
