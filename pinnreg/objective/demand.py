"""The memory that a term's gradient takes, measured on a few of its points and never on all of them.

What autograd keeps for the way back grows with the points; how fast depends on the network, the derivatives that the
equations ask for and how their formulas are written, all of which a few points show. Peaks of processes were 1.9 to 3.6
times that, for four activations, both kinds of networks, all optimisers, k-TV of order 4 and both precisions: beside it
stand the derivatives on the way back, and tensors that are freed late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg import memory
from pinnreg.equations import Asked, Points, own_operators
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.rows import Rows
from pinnreg.objective.terms import INTERIOR, Term
from pinnreg.taylor import Algebra

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
        kept: bytes at the peak of a gradient at all its points.
        seen: how many points the network sees for each row.
    """

    operators: frozenset[Asked]
    constant: tuple[str, ...]
    kept: int
    seen: int


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
        # detached: a node that kept its own output would keep itself for ever, and Python cannot see that circle
        return tensor.detach()

    def counted(self) -> int:
        """The bytes, once all is counted; lets go of the tensors, whose graph knows this object."""
        self._held.clear()
        return self.bytes


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
    operators = asked.operators
    lifted, swept, rows = _kept(objective, term, few, parameters, operators)
    constant = tuple(name for name, each in rows.items() if not each.values.requires_grad)
    more = len(points) - len(few)
    if more:
        half = few.thinned(few.rows // 2)
        # what grows with the points, and not a table that the equations look things up in
        less_lifted, less_swept, _ = _kept(objective, term, half, parameters, operators)
        room = objective.settings.chunk
        at_once = more if room is None else min(max(room - len(few), 0), more)
        lifted += more * (lifted - less_lifted) // (len(few) - len(half))
        swept += at_once * (swept - less_swept) // (len(few) - len(half))
    return Tried(operators, constant, int(PEAK * (lifted + swept)), asked.seen // few.rows)


def _kept(
    objective: Objective, term: Term, points: Points, parameters: Parameters, operators: frozenset[Asked]
) -> tuple[int, int, dict[str, Rows]]:
    """Bytes kept for the known parts of the trial function, and for the rest, which can be made for parts of the
    points; and the rows."""
    model, counts = objective.model, [_Kept(parameters.values()) for _ in range(2)]
    with torch.enable_grad():
        if own := own_operators(operators):
            with torch.autograd.graph.saved_tensors_hooks(counts[0], _same):
                points = points.lifted(model.trial, Algebra.of(own, len(model.trial.axes)))
        with torch.autograd.graph.saved_tensors_hooks(counts[1], _same):
            sweep = model.sweep(parameters, points, operators, whole=True)
            rows = term.rows(model.problem_at(parameters), sweep)
    return counts[0].counted(), counts[1].counted(), rows


def check_gradient(objective: Objective, tried: Mapping[str, Tried], points: Mapping[str, Points]) -> None:
    """Refuse points for which one gradient of the loss would need more memory than is free, and too much noise.

    Args:
        objective: whose settings and device.
        tried: each term.
        points: of each term, all of them.

    Raises:
        InputError: naming the points, or the noise.
    """
    like, noise = objective.model.like, objective.noise
    where = {name: "the equations" if name == INTERIOR else repr(name) for name in tried}
    needs = {f"a gradient at {len(points[name])} points of {where[name]}": each.kept for name, each in tried.items()}
    remedy = "" if objective.settings.chunk else ", or set points.chunk, as 2000"
    memory.check(needs, f"take fewer points or a smaller network{remedy}", like.device)
    if noise is not None:
        width = sum(each.numel() for each in objective.model.network.parameters())
        what = f"regularisers: {noise.kind} at {noise.copies} times {width} parameters"
        memory.check({what: like.element_size() * noise.copies * width}, "take fewer samples", like.device)


def _storage(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor's memory is, and how large."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except RuntimeError:  # one of torch.func's, which has no memory of its own to show
        return id(tensor), tensor.numel() * tensor.element_size()


def _same(tensor: Tensor) -> Tensor:
    return tensor
