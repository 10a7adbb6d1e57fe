"""Gauss-Newton: all residuals linearised at once, and a damped step in a trust region."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, final

import torch
from pydantic import BeforeValidator, Field, StrictBool
from pydantic.dataclasses import dataclass
from torch import Tensor

from pinnreg.objective import Fixed, Linearised
from pinnreg.optimisers.damped import DampedLeastSquares
from pinnreg.optimisers.interface import Advance, Optimiser, Parameters
from pinnreg.optimisers.sketch import SketchedLeastSquares
from pinnreg.optimisers.trust_region import LeastSquares, Rules, TrustRegion
from pinnreg.optimisers.vectors import as_vector, assign
from pinnreg.randomness import generator
from pinnreg.settings import STRICT, Count, Positive, no_boolean

FIRST_DAMPING = 1e-2
SKETCHED_ABOVE = 3000
SKETCH = 1500
SHARED = 4e6
"""Entries of the Jacobian from which torch may use all its threads. Two of them on two idle cores took 4.7 s for 55
steps on 2-D Poisson (1200 x 501) against 5.4 with one, and 9.7 s for 50 on Burgers (2500 x 921) against 8.6; on busy
cores they took many times as long."""
SLOW_STEPS = 20
SLOW = 0.25


@final
@dataclass(frozen=True, config=STRICT)
class GaussNewton:
    """Gauss-Newton with a target-ratio trust region: the method of choice up to some thousand parameters.

    Each term has to be a sum of squares: regularisers with power 2. Penalty points are drawn anew before each step and
    are the same for the Jacobian and all trial steps. The stage ends by itself when no step lowers the loss by more
    than rounding, or when twenty in a row lower it by less than a quarter in all; not while a regulariser's weight is
    still to fall.

    Attributes:
        steps: at most so many steps.
        max_seconds: at most so long.
        max_sweeps: at most about so many network sweeps times points.
        ratio: the share of the predicted decrease that a step must reach; the boldest step that does is taken.
        acceleration: whether steps follow the curvature of the residuals to second order.
        corrections: at most so many corrections at the end of a trial step.
        sketch: the dimension of the random subspace that a step is taken in; null for all parameters up to 3000, and
            for 1500 dimensions beyond.
        mixed_precision: whether to factorise in float32 while the damping is large enough for that.

    Source: after Webb, Jerad & Cartis 2026, arXiv:2607.02194.
    """

    optimiser: Literal["gauss_newton"] = "gauss_newton"
    steps: Count = 500
    max_seconds: Positive | None = None
    max_sweeps: Positive | None = None
    ratio: Annotated[float, Field(gt=0, lt=1), BeforeValidator(no_boolean)] = 0.075
    acceleration: StrictBool = True
    corrections: Annotated[int, Field(ge=0), BeforeValidator(no_boolean)] = 3
    sketch: Count | None = None
    mixed_precision: StrictBool = False

    redraw_every: ClassVar[int] = 1
    first_order: ClassVar[bool] = False
    needs_smooth: ClassVar[bool] = False
    needs_squares: ClassVar[bool] = True
    log_every: ClassVar[int] = 5
    evaluate_every: ClassVar[int] = 10

    def start(self, parameters: Parameters) -> Optimiser:
        """The optimiser at the start of the stage."""
        return _GaussNewton(parameters, self)


@final
class _GaussNewton:
    def __init__(self, parameters: Parameters, settings: GaussNewton) -> None:
        self._parameters = parameters
        self._settings = settings
        self._rules = Rules(settings.ratio, settings.acceleration, settings.corrections)
        self._damping: float | None = None
        self._gains: list[float] = []
        self._entries = 0
        self._sketched = False

    def advance(self, objective: Fixed, step: int, limit: int, *, share: float = 0.0) -> Advance:
        with _threads_for(self._entries):
            return self._advance(objective, step)

    def _advance(self, objective: Fixed, step: int) -> Advance:
        linearised = objective.linearise(self._parameters)
        self._entries = linearised.jacobian.numel()
        problem = self._problem(objective, linearised, step)
        if not math.isfinite(problem.scale + float(linearised.residuals @ linearised.residuals)):
            return Advance(1, _with_bad_slopes(linearised))  # the training loop says which term it is
        start = as_vector(self._parameters)
        region = TrustRegion(objective, self._parameters, start, linearised, problem, self._rules)
        found = region.search(FIRST_DAMPING * problem.scale if self._damping is None else self._damping)
        if found is not None:
            assign(self._parameters, start + found.step)
            self._damping = found.damping
        gain = 1.0 if found is None else found.loss / region.loss
        self._gains = [] if objective.annealing else [*self._gains, gain][-SLOW_STEPS:]
        # with other points or another subspace the next step may succeed
        final = not (objective.annealing or objective.stochastic or objective.resample_every or self._sketched)
        return Advance(1, linearised.losses, self._stop(exhausted=final and found is None))

    def _problem(self, objective: Fixed, at: Linearised, step: int) -> LeastSquares:
        size = self._settings.sketch
        if size is None and at.jacobian.shape[1] > SKETCHED_ABOVE:
            size = SKETCH
        self._sketched = size is not None and size < at.jacobian.shape[1]
        if size is None or not self._sketched:
            return DampedLeastSquares(at.jacobian, at.residuals, single=self._settings.mixed_precision)
        return SketchedLeastSquares(at.jacobian, at.residuals, size, generator(objective.seed, "sketch", step))

    def _stop(self, *, exhausted: bool) -> str | None:
        if exhausted:
            return "gauss_newton: no step lowers the loss by more than rounding"
        if len(self._gains) == SLOW_STEPS and math.prod(self._gains) > 1 - SLOW:
            return f"gauss_newton: the last {SLOW_STEPS} steps lowered the loss by less than {SLOW:.0%}"
        return None

    def forget(self) -> None:
        """The damping remains useful, and so do the gains: each is that of a step on its own objective."""

    def state(self) -> dict[str, Any]:
        return {"damping": self._damping, "gains": list(self._gains), "entries": self._entries}

    def load_state(self, state: dict[str, Any]) -> None:
        self._damping, self._gains, self._entries = state["damping"], list(state["gains"]), state["entries"]
        if self._stop(exhausted=False):
            self._gains = []  # a stage that had ended is to go on


def _with_bad_slopes(at: Linearised) -> dict[str, Tensor]:
    """The terms' values, NaN where their derivatives are not finite."""
    finite = {term: at.jacobian[rows].isfinite().all() for term, rows in at.rows.items()}
    return {term: torch.where(finite[term], value, torch.nan) for term, value in at.losses.items()}


@contextmanager
def _threads_for(entries: int) -> Iterator[None]:
    """One thread of torch's where a Jacobian with so many entries leaves too little to share."""
    threads = torch.get_num_threads()
    if entries > SHARED:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
