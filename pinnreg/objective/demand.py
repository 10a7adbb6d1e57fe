"""The memory that a term's gradient takes, measured on a few of its points and never on all of them.

What autograd keeps for the way back grows with the points; how fast depends on the network, the derivatives that the
equations ask for and how their formulas are written, all of which a few points show. Peaks of processes were 1.9 to 3.6
times that a point, for four activations, both kinds of networks, all optimisers, k-TV of order 4 and both precisions:
beside it stand the derivatives on the way back, and tensors that are freed late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg import memory
from pinnreg.equations import Points
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.terms import INTERIOR, Term
from pinnreg.taylor import Algebra, Operator

PEAK = 3.0
"""Bytes at the peak for each that is kept."""
FEW = 200
"""So many points are enough; with no more than that a message about the rows shows all of them."""


@final
@dataclass(frozen=True)
class Tried:
    """What a few points of a term show.

    Attributes:
        operators: that it asks for.
        constant: those of its loss terms whose rows do not depend on the parameters.
        lifted: bytes a point kept of the known parts of the trial function, which are made for all points at once.
        swept: the same of the network and the rows, which can be made for some points at a time.
    """

    operators: frozenset[Operator]
    constant: tuple[str, ...]
    lifted: float
    swept: float


@final
class _Kept:
    """Counts what autograd keeps, but the parameters."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._known = {_storage(each)[0] for each in parameters}
        self._held: list[Tensor] = []  # so that no address is used twice
        self.bytes = 0

    def __call__(self, tensor: Tensor) -> Tensor:
        address, size = _storage(tensor)
        if address not in self._known:
            self._known.add(address)
            self._held.append(tensor)
            self.bytes += size
        return tensor


def tried_on(objective: Objective, term: Term, points: Points, parameters: Parameters) -> Tried:
    """What a few of the points of a term show.

    Args:
        objective: whose model.
        term: of it.
        points: of the term.
        parameters: that the rows depend on.
    """
    few, model = points.thinned(FEW), objective.model
    problem = model.problem_at(parameters)
    with torch.no_grad():
        asked = model.sweep(parameters, few)
        term.rows(problem, asked)
    lifted, swept = (_Kept(parameters.values()) for _ in range(2))
    with torch.enable_grad():
        if asked.operators:
            with torch.autograd.graph.saved_tensors_hooks(lifted, _same):
                few = few.lifted(model.trial, Algebra.of(asked.operators, len(model.trial.axes)))
        with torch.autograd.graph.saved_tensors_hooks(swept, _same):
            rows = term.rows(problem, model.sweep(parameters, few, asked.operators, whole=True))
    constant = tuple(name for name, each in rows.items() if not each.values.requires_grad)
    return Tried(asked.operators, constant, lifted.bytes / len(few), swept.bytes / len(few))


def check_gradient(objective: Objective, tried: Mapping[str, Tried], points: Mapping[str, Points]) -> None:
    """Refuse points for which one gradient of the loss would need more memory than is free.

    Args:
        objective: whose settings and device.
        tried: each term.
        points: of each term, all of them.

    Raises:
        InputError: naming the points.
    """
    chunk, needs = objective.settings.chunk, {}
    for name, each in tried.items():
        count = len(points[name])
        at_once = count if chunk is None else min(count, chunk)
        what = "points of the equations" if name == INTERIOR else f"points of {name!r}"
        needs[f"a gradient at {count} {what}"] = int(PEAK * (count * each.lifted + at_once * each.swept))
    like, copies = objective.model.like, 1 if objective.noise is None else objective.noise.copies
    width = sum(each.numel() for each in objective.model.network.parameters())
    needs[f"{copies} times {width} parameters"] = like.element_size() * copies * width
    remedy = "take fewer points or a smaller network" + (", or set points.chunk, as 2000" if chunk is None else "")
    memory.check(needs, remedy, like.device)


def _storage(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor's memory is, and how large."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except RuntimeError:  # one of torch.func's, which has no memory of its own to show
        return id(tensor), tensor.numel() * tensor.element_size()


def _same(tensor: Tensor) -> Tensor:
    return tensor
