"""L-BFGS, torch's own, a few iterations at a time."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.objective import Target
from pinnreg.optimisers.interface import Advance, Parameters
from pinnreg.optimisers.vectors import backward

SEARCH = 25
"""Evaluations of torch's line search, at most."""


class _NotFinite(Exception):
    """Ends a step of torch's, whose line search goes on over NaN."""


@final
class LBFGSSteps:
    """The optimiser of `LBFGS`: torch's own, a few iterations at a time so that a run can stop between them.

    Its own tolerances are off: what counts is whether the parameters still change. When they do not, it drops its pairs
    and tries the gradient once before it gives up.

    torch skips a pair whose curvature yᵀs is below 1e-10, whatever the size of the loss. With losses of 1e-6 that is
    most of them, and convergence stalls (2-D Poisson, tanh, one seed: at 5e-6, against 9e-7 in fewer iterations). So it
    is shown a multiple of the loss that starts at `INITIAL_LOSS`; the method itself does not depend on the scale.
    """

    ITERATIONS = 10
    INITIAL_LOSS = 1e6

    def __init__(self, parameters: Parameters, history: int) -> None:
        self._parameters = parameters
        self._history = history
        self._inner = self._fresh()
        self._scale = 0.0  # chosen at the next evaluation

    def _fresh(self) -> torch.optim.LBFGS:
        return torch.optim.LBFGS(
            list(self._parameters.values()),
            history_size=self._history,
            line_search_fn="strong_wolfe",
            tolerance_grad=0.0,
            tolerance_change=0.0,
        )

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        first: list[dict[str, Tensor]] = []
        before = best = self._copies()
        lost, lowest = 0, math.inf

        def closure() -> float:
            nonlocal lost, lowest, best
            losses = backward(objective, self._parameters)
            if not first:
                first.append(losses)
            with torch.no_grad():
                total = objective.total(losses)
            if not self._scale:
                # a loss near rounding is not blown up as far: the line search squares slopes, which overflow in float32
                floor = torch.finfo(total.dtype).eps ** 0.5
                self._scale = self.INITIAL_LOSS / max(float(total), floor)
            scaled = float(self._scale * total)
            # at the start it is for the training loop to say so; a search may come across it on its way
            lost = 0 if math.isfinite(scaled) else lost + 1
            if lost == SEARCH or (lost and first[0] is losses):
                raise _NotFinite
            if scaled < lowest:
                lowest, best = scaled, self._copies()
            for parameter in self._parameters.values():
                if parameter.grad is not None:
                    parameter.grad = self._scale * parameter.grad
            return scaled

        (group,) = self._inner.param_groups
        group["max_iter"] = min(limit, self.ITERATIONS)
        group["max_eval"] = SEARCH * group["max_iter"]
        done, lost_itself = self._iterations(), False
        try:
            self._inner.step(closure)
        except _NotFinite:
            # torch stands somewhere far out on its search
            lost_itself = True
            with torch.no_grad():
                for parameter, value in zip(self._parameters.values(), best, strict=True):
                    parameter.copy_(value)
        made = max(self._iterations() - done, 1)
        stuck = all(torch.equal(old, new) for old, new in zip(before, self._parameters.values(), strict=True))
        stop = None
        if stuck and done == 0 and math.isfinite(lowest):
            stop = f"L-BFGS found no further decrease in {before[0].dtype}".replace("torch.", "")
        if stuck or lost_itself:
            self.forget()
        return Advance(made, first[0], stop)

    def _copies(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self._parameters.values()]

    def forget(self) -> None:
        self._inner = self._fresh()
        self._scale = 0.0

    def state(self) -> dict[str, Any]:
        return {"inner": self._inner.state_dict(), "scale": self._scale}

    def load_state(self, state: dict[str, Any]) -> None:
        self._inner.load_state_dict(state["inner"])
        self._scale = float(state["scale"])

    def _iterations(self) -> int:
        first = next(iter(self._parameters.values()))
        return int(self._inner.state[first].get("n_iter", 0))
