"""Gauss-Newton as a stage of a training: one step of the trust region at a time, and the reasons to end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.objective import InBlocks, Linearised, Target
from pinnreg.optimisers.interface import Advance, Parameters
from pinnreg.optimisers.step import Info, Options, init, step
from pinnreg.optimisers.vectors import assign

SHARED = 4e6
"""Entries of the Jacobian from which torch may use all its threads. Two of them on two idle cores took 4.7 s for 55
steps on 2-D Poisson (1200 x 501) against 5.4 with one, and 9.7 s for 50 on Burgers (2500 x 921) against 8.6; on busy
cores they took many times as long."""
SLOW_STEPS, PATIENCE = 20, 60
"""Steps in which the loss has to fall by `SLOW`: where it has come down by `DEEP`, and before. With 20 alone
u' = u (1 - u) from 0.01 stopped with an error of 0.7 on a plateau that it leaves 40 steps later, for 1e-9."""
SLOW = 0.25
DEEP = 1e-18


@final
class GaussNewtonSteps:
    """The optimiser of `GaussNewton`."""

    def __init__(self, parameters: Parameters, options: Options) -> None:
        self._parameters = parameters
        self._options = options
        self._state = init()
        self._gains: list[float] = []
        self._first: float | None = None
        self._deep = False
        self._entries = 0

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        with _threads_for(self._entries):
            return self._advance(objective, step)

    def _advance(self, objective: Target, number: int) -> Advance:
        at = objective.linearise(self._parameters)
        self._entries = math.prod(at.jacobian.shape)
        options, state = replace(self._options, seed=objective.seed), replace(self._state, number=number)
        after, self._state, info = step(objective, at, self._parameters, state, options)
        if not info.finite:
            return Advance(1, _with_bad_slopes(at))  # the training loop says which term it is
        if info.found is not None:
            assign(self._parameters, after)
        self._first = info.loss if self._first is None else self._first
        gain = 1.0 if info.found is None else info.found.loss / info.loss
        self._gains = [] if objective.annealing else [*self._gains, gain][-PATIENCE:]
        if info.found is None and _is_final(objective, info):
            return Advance(1, at.losses, "gauss_newton: no step lowers the loss by more than rounding")
        self._deep = info.loss <= DEEP * self._first
        return Advance(1, at.losses, self._slow())

    def _slow(self) -> str | None:
        """Why it is not worth going on, if it is not."""
        patience = SLOW_STEPS if self._deep else PATIENCE
        recent = self._gains[-patience:]
        if len(recent) < patience or math.prod(recent) <= 1 - SLOW:
            return None
        return f"gauss_newton: the last {len(recent)} steps lowered the loss by less than {SLOW:.0%}"

    def forget(self) -> None:
        """The damping remains useful, and so do the gains: each is that of a step on its own objective."""

    def state(self) -> dict[str, Any]:
        return {
            "damping": self._state.damping,
            "gains": list(self._gains),
            "first": self._first,
            "deep": self._deep,
            "entries": self._entries,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._state = replace(init(), damping=state["damping"])
        self._gains, self._entries = list(state["gains"]), state["entries"]
        self._first, self._deep = state["first"], state["deep"]
        if self._slow():
            self._gains = []  # a stage that had ended is to go on


def _is_final(objective: Target, info: Info) -> bool:
    """Whether a failed step would fail again: not with other points, weights or another subspace."""
    return not (objective.annealing or objective.stochastic or info.sketched) and objective.keeps_points


def _with_bad_slopes(at: Linearised | InBlocks) -> dict[str, Tensor]:
    """The terms' values, NaN where their derivatives are not finite."""
    sums = at.jacobian @ at.residuals.new_ones(at.jacobian.shape[1])
    finite = {term: sums[rows].isfinite().all() for term, rows in at.rows.items()}
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
