"""Gauss-Newton as a stage of a training: one step of the trust region at a time, and the reasons to end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.objective import Linearised, Target
from pinnreg.optimisers.interface import Advance, Parameters
from pinnreg.optimisers.step import Info, Options, init, step
from pinnreg.optimisers.vectors import assign

SHARED = 4e6
"""Entries of the Jacobian from which torch may use all its threads. Two of them on two idle cores took 4.7 s for 55
steps on 2-D Poisson (1200 x 501) against 5.4 with one, and 9.7 s for 50 on Burgers (2500 x 921) against 8.6; on busy
cores they took many times as long."""
SLOW_STEPS = 20
SLOW = 0.25


@final
class GaussNewtonSteps:
    """The optimiser of `GaussNewton`."""

    def __init__(self, parameters: Parameters, options: Options) -> None:
        self._parameters = parameters
        self._options = options
        self._state = init()
        self._gains: list[float] = []
        self._entries = 0

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        with _threads_for(self._entries):
            return self._advance(objective, step)

    def _advance(self, objective: Target, number: int) -> Advance:
        at = objective.linearise(self._parameters)
        self._entries = at.jacobian.numel()
        options, state = replace(self._options, seed=objective.seed), replace(self._state, number=number)
        after, self._state, info = step(objective, at, self._parameters, state, options)
        if not info.finite:
            return Advance(1, _with_bad_slopes(at))  # the training loop says which term it is
        if info.found is not None:
            assign(self._parameters, after)
        gain = 1.0 if info.found is None else info.found.loss / info.loss
        self._gains = [] if objective.annealing else [*self._gains, gain][-SLOW_STEPS:]
        return Advance(1, at.losses, self._stop(exhausted=info.found is None and _is_final(objective, info)))

    def _stop(self, *, exhausted: bool) -> str | None:
        if exhausted:
            return "gauss_newton: no step lowers the loss by more than rounding"
        if len(self._gains) == SLOW_STEPS and math.prod(self._gains) > 1 - SLOW:
            return f"gauss_newton: the last {SLOW_STEPS} steps lowered the loss by less than {SLOW:.0%}"
        return None

    def forget(self) -> None:
        """The damping remains useful, and so do the gains: each is that of a step on its own objective."""

    def state(self) -> dict[str, Any]:
        return {"damping": self._state.damping, "gains": list(self._gains), "entries": self._entries}

    def load_state(self, state: dict[str, Any]) -> None:
        self._state = replace(init(), damping=state["damping"])
        self._gains, self._entries = list(state["gains"]), state["entries"]
        if self._stop(exhausted=False):
            self._gains = []  # a stage that had ended is to go on


def _is_final(objective: Target, info: Info) -> bool:
    """Whether a failed step would fail again: not with other points, weights or another subspace."""
    return not (objective.annealing or objective.stochastic or objective.resample_every or info.sketched)


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
