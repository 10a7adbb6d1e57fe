"""An objective whose rows several processes share: row i of each term is that of process i modulo their number.

One process leads. It draws all points, so that they do not depend on how many processes there are, and gives each its
part of a batch; counts and weights are those of all. Rows are gathered, gradients and Jᵀ b summed, and R of the QR
factorisation of J is that of all triangles on top of each other, exact to rounding. So optimisers see what they see of
one process, and whatever decides anything runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, final

import torch
from torch import Tensor

from pinnreg.dense import with_rows
from pinnreg.equations import Points
from pinnreg.errors import InputError
from pinnreg.objective import functions
from pinnreg.objective.batch import Batch, Placement
from pinnreg.objective.blocks import Blocks, Held
from pinnreg.objective.functions import Gradient, check_squares
from pinnreg.objective.in_blocks import InBlocks, residuals_in_blocks
from pinnreg.objective.linearise import slices
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.parallel import Team

Order = tuple[Any, ...]
"""The name of a method of `Share`, and what it is given."""


@final
class Share:
    """What one process does, at the rows that it was given."""

    def __init__(self, objective: Objective, *, leads: bool) -> None:
        # penalties on the parameters have no points to share
        self._whole = objective if leads else replace(objective, on_parameters=(), sizes={})
        self._points: dict[str, Points] = {}

    def do(self, order: Order) -> Any:
        """One order."""
        name, *given = order
        return getattr(self, name)(*given)

    def take(self, batch: Batch, known: Sequence[str]) -> None:
        """A part of a batch; points that are known have not changed."""
        self._points = {name: self._points[name] for name in known} | dict(batch.points)
        terms = tuple(term for term in self._whole.terms if term.name in self._points)
        self._objective = replace(self._whole, terms=terms)
        weights = [self._whole.model.like.new_full((), batch.weights[name]) for name in self._objective.names]
        self._batch = replace(batch, points=self._points, weight_vector=torch.stack(weights))

    def gradient(self, parameters: Parameters) -> Gradient:
        """The part of the losses and of the gradient."""
        leaves = {name: each.requires_grad_() for name, each in parameters.items()}
        return functions.gradient(self._objective, self._batch, leaves)

    def residuals(self, parameters: Parameters) -> Tensor:
        """The rows."""
        return residuals_in_blocks(self._objective, self._batch, parameters)

    def linearise(self, parameters: Parameters, by_layer: bool) -> tuple[dict[str, Tensor], Tensor]:
        """The part of the losses, and the rows, whose Jacobian J is asked for next."""
        check_squares(self._objective)
        at = {name: each.detach().clone() for name, each in parameters.items()}
        blocks = Blocks(self._objective, self._batch, at, by_layer)
        # its memory is bounded where that was asked for; else no pass computes it again
        self._jacobian = Held.of(blocks) if self._objective.model.chunk is None else blocks
        return blocks.values()

    def times(self, step: Tensor) -> Tensor:
        """J s."""
        return self._jacobian @ step

    def transposed(self, rows: Tensor) -> Tensor:
        """Jᵀ b."""
        return self._jacobian.transposed(rows)

    def misfit(self, rows: Tensor, step: Tensor) -> Tensor:
        """Jᵀ (b + J s)."""
        return self._jacobian.misfit(rows, step)

    def triangle(self, rows: Tensor) -> Tensor:
        """R of [J b]."""
        return self._jacobian.triangle(rows)


@final
class Shared:
    """What the leader sees: the rows of all processes as if they were its own."""

    def __init__(self, objective: Objective, team: Team) -> None:
        self._objective = objective
        self._team = team
        self._own = Share(objective, leads=True)
        self._batch: Batch | None = None
        self._numbers: list[Tensor] = []

    def gradient(self, batch: Batch, parameters: Parameters) -> Gradient:
        """The value of each term and the gradient of the loss."""
        found = self.ask(batch, ("gradient", _plain(parameters)))
        gradients = [each for _, each in found]
        return self._losses([each for each, _ in found]), {
            name: _sum([g[name] for g in gradients]) for name in parameters
        }

    def residuals(self, batch: Batch, parameters: Parameters) -> Tensor:
        """All rows."""
        return self.gathered(self.ask(batch, ("residuals", _plain(parameters))))

    def linearise(
        self, batch: Batch, parameters: Parameters, *, by_layer: bool, counted: Callable[[], None]
    ) -> InBlocks:
        """The rows with their Jacobian."""
        found = self.ask(batch, ("linearise", _plain(parameters), by_layer))
        residuals = self.gathered([each for _, each in found])
        width = sum(each.numel() for each in parameters.values())
        jacobian = SharedJacobian(self, batch, (len(residuals), width), counted)
        return InBlocks(self._losses([each for each, _ in found]), self._rows(batch), residuals, jacobian)

    def ask(self, batch: Batch, order: Order) -> list[Any]:
        """What each process answers, at a batch."""
        return self.ask_each(batch, [order] * self._team.size)

    def ask_each(self, batch: Batch, orders: Sequence[Order]) -> list[Any]:
        """The same of an order for each."""
        if batch is not self._batch:
            self._give(batch)
        return self._team.ask(orders, self._own.do)

    def parted(self, rows: Tensor) -> list[Tensor]:
        """The part of each process in a vector of all rows."""
        return [rows[numbers] for numbers in self._numbers]

    def gathered(self, parts: Sequence[Tensor]) -> Tensor:
        """The vector of all rows, from the part of each process."""
        found = parts[0].new_empty(sum(len(numbers) for numbers in self._numbers))
        for numbers, part in zip(self._numbers, parts, strict=True):
            found[numbers] = part
        return found

    def _give(self, batch: Batch) -> None:
        """Each process its part of a batch."""
        before, size = {} if self._batch is None else self._batch.points, self._team.size
        known = [name for name, points in batch.points.items() if before.get(name) is points]
        orders = []
        for rank in range(size):
            new = {name: points for name, points in batch.points.items() if name not in known}
            parts = {name: points.part(_of(rank, points.rows, size)) for name, points in new.items()}
            own = {name: each for name, each in parts.items() if each.rows}
            # what it was drawn from only the leader looks at
            part = replace(batch, points=own, placement=Placement({}))
            there = [name for name in known if batch.points[name].rows > rank]
            orders.append(("take", part, there))
        self._numbers = [self._numbers_of(batch, rank) for rank in range(size)]
        if any(not len(numbers) for numbers in self._numbers):
            raise InputError(f"{size} processes are more than there are rows to share; take fewer")
        self._team.ask(orders, self._own.do)
        self._batch = batch

    def _rows(self, batch: Batch) -> dict[str, slice]:
        return slices({name: len(batch.shifts) * count for name, count in batch.counts.items()})

    def _numbers_of(self, batch: Batch, rank: int) -> Tensor:
        """The numbers of the rows of a process among all, in the order in which it has them."""
        rows, found = self._rows(batch), [torch.empty(0, dtype=torch.long)]
        for term in self._objective.terms:
            points = batch.points[term.name].rows
            own = _of(rank, points, self._team.size)
            for name, runs in self._objective.shapes[term.name].runs.items():
                starts = rows[name].start + points * torch.arange(len(batch.shifts) * runs)
                found.append((starts[:, None] + own).reshape(-1))
        if rank == 0:
            found += [torch.arange(rows[name].start, rows[name].stop) for name in self._objective.sizes]
        return torch.cat(found)

    def _losses(self, found: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {name: _sum([each[name] for each in found if name in each]) for name in self._objective.names}


@final
@dataclass(frozen=True, eq=False)
class SharedJacobian:
    """J (n, p) of which each process has some rows.

    Attributes:
        shared: the processes.
        batch: at whose points.
        shape: (n, p).
        counted: called at the start of each pass.
    """

    shared: Shared
    batch: Batch
    shape: tuple[int, int]
    counted: Callable[[], None]

    def __iter__(self) -> NoReturn:
        raise InputError("no process has all rows of a Jacobian, which steps in a subspace take")

    def __matmul__(self, step: Tensor) -> Tensor:
        """J s of s (p,), (n,)."""
        self.counted()
        return self.shared.gathered(self.shared.ask(self.batch, ("times", step)))

    def transposed(self, rows: Tensor) -> Tensor:
        """Jᵀ b of b (n,), (p,)."""
        self.counted()
        orders = [("transposed", part) for part in self.shared.parted(rows)]
        return _sum(self.shared.ask_each(self.batch, orders))

    def misfit(self, rows: Tensor, step: Tensor) -> Tensor:
        """Jᵀ (b + J s) of b (n,) and s (p,), (p,)."""
        self.counted()
        orders = [("misfit", part, step) for part in self.shared.parted(rows)]
        return _sum(self.shared.ask_each(self.batch, orders))

    def triangle(self, rows: Tensor) -> Tensor:
        """R of the QR factorisation of [J b] of b (n,), (p + 1, p + 1), upper."""
        self.counted()
        orders = [("triangle", part) for part in self.shared.parted(rows)]
        found, *others = self.shared.ask_each(self.batch, orders)
        for each in others:
            found = with_rows(found, each)
        triangle: Tensor = found
        return triangle


def _of(rank: int, count: int, size: int) -> Tensor:
    """Which of so many things are those of a process."""
    return torch.arange(min(rank, count), count, size)


def _plain(parameters: Parameters) -> Parameters:
    """The parameters as tensors of their own, which do not change."""
    return {name: each.detach().clone() for name, each in parameters.items()}


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(dim=0)
