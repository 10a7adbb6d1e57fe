"""The Jacobian of all rows, some of them at a time: computed when it is asked for, and never held.

With `points.chunk` set and more rows than parameters Gauss-Newton takes it so. A pass over all rows costs as much as a
linearisation, and the memory is that of one block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, final

import torch
from torch import Tensor

from pinnreg.dense import with_rows
from pinnreg.equations import Points
from pinnreg.objective.batch import Batch
from pinnreg.objective.linearise import What, linearised, slices
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.parting import at_once, parts
from pinnreg.objective.rows import Rows
from pinnreg.objective.shifts import shifted
from pinnreg.objective.terms import OnParameters
from pinnreg.regularisers import Shift


@final
@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a Jacobian, valid until the next block.

    Attributes:
        rows: their numbers among all rows, (k,).
        terms: where those of each loss term are among these.
        jacobian: (k, p), one column after the other in memory.
    """

    rows: Tensor
    terms: Mapping[str, slice]
    jacobian: Tensor


class Jacobian(Protocol):
    """A Jacobian J (n, p) that is not held as a whole: each pass over its rows computes it anew."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""

    def __iter__(self) -> Iterator[Block]:
        """Blocks that have each row once."""

    def __matmul__(self, step: Tensor) -> Tensor:
        """J s of s (p,), (n,)."""

    def transposed(self, rows: Tensor) -> Tensor:
        """Jᵀ b of b (n,), (p,)."""

    def misfit(self, rows: Tensor, step: Tensor) -> Tensor:
        """Jᵀ (b + J s) of b (n,) and s (p,), (p,)."""

    def triangle(self, rows: Tensor) -> Tensor:
        """R of the QR factorisation of [J b] of b (n,), (p + 1, p + 1), upper."""


@final
@dataclass(frozen=True, eq=False)
class _Piece:
    """Rows of one perturbation: their numbers among all, by loss term, and the points or penalties whose they are."""

    numbers: Mapping[str, Tensor]
    shift: Shift
    points: Mapping[str, Points] = field(default_factory=dict)
    on_parameters: tuple[OnParameters, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows of each loss term."""
        return {name: len(each) for name, each in self.numbers.items()}


@final
@dataclass(frozen=True, eq=False)
class Blocks:
    """The Jacobian of all rows of a batch, (n, p): iterate for its blocks, each of at most `points.chunk` points.

    Attributes:
        objective: whose rows.
        batch: at whose points.
        parameters: where.
        by_layer: as of `linearise`.
        counted: called at the start of each pass.
    """

    objective: Objective
    batch: Batch
    parameters: Parameters
    by_layer: bool
    counted: Callable[[], None] = lambda: None
    _memory: list[Tensor] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        rows = len(self.batch.shifts) * sum(self._sizes.values())
        return rows, sum(each.numel() for each in self.parameters.values())

    def values(self) -> tuple[dict[str, Tensor], Tensor]:
        """The value of each loss term, means over the perturbations, and all rows √(w/n) r, (n,)."""
        found = self.objective.model.like.new_empty(self.shape[0])
        losses = {name: found.new_zeros(()) for name in self.batch.counts}
        with torch.no_grad():
            for piece in self._pieces():
                for name, rows in self._rows(piece, shifted(self.parameters, piece.shift)).items():
                    found[piece.numbers[name]] = math.sqrt(piece.shift.share) * self._scales[name] * rows.residuals
                    losses[name] += piece.shift.share / self.batch.counts[name] * rows.squares.sum()
        return {name: losses[name] for name in self.objective.names}, found

    def __iter__(self) -> Iterator[Block]:
        self.counted()
        for piece in self._pieces():
            what = What(self.objective, piece.points, piece.counts, self._scales, piece.on_parameters, (piece.shift,))
            room, chunk = self._room(sum(piece.counts.values()), self.shape[1]), self.objective.model.chunk
            at = linearised(what, self.parameters, by_layer=self.by_layer, chunk=chunk, buffer=room)
            numbers = torch.cat([piece.numbers[name] for name in at.rows])
            yield Block(numbers, at.rows, at.jacobian)

    def __matmul__(self, step: Tensor) -> Tensor:
        """J s of s (p,), (n,)."""
        found = step.new_empty(self.shape[0])
        for block in self:
            found[block.rows] = block.jacobian @ step
        return found

    def transposed(self, rows: Tensor) -> Tensor:
        """Jᵀ b of b (n,), (p,): by gradients of b · r, in a third of the time of a pass over the blocks."""
        self.counted()
        found = rows.new_zeros(self.shape[1])
        for piece in self._pieces():
            at = shifted(self.parameters, piece.shift)
            leaves = {name: each.detach().requires_grad_() for name, each in at.items()}
            with torch.enable_grad():
                here = self._rows(piece, leaves)
                scale = math.sqrt(piece.shift.share)
                each = [scale * self._scales[name] * rows[piece.numbers[name]] @ here[name].residuals for name in here]
                total = torch.stack(each).sum()
                if total.requires_grad:  # not of an equation without the network
                    slopes = torch.autograd.grad(total, list(leaves.values()), materialize_grads=True)
                    found += torch.cat([slope.reshape(-1) for slope in slopes])
        return found

    def misfit(self, rows: Tensor, step: Tensor) -> Tensor:
        """Jᵀ (b + J s) of b (n,) and s (p,), (p,)."""
        found = torch.zeros_like(step)
        for block in self:
            found += block.jacobian.T @ (rows[block.rows] + block.jacobian @ step)
        return found

    def triangle(self, rows: Tensor) -> Tensor:
        """R of the QR factorisation of [J b] of b (n,), (p + 1, p + 1), upper."""
        found = rows.new_zeros((self.shape[1] + 1, self.shape[1] + 1))
        for block in self:
            found = with_rows(found, torch.cat([block.jacobian.T, rows[block.rows][None]]).T)
        return found

    @cached_property
    def rows(self) -> dict[str, slice]:
        """Where the rows of each loss term are among all."""
        return slices({name: len(self.batch.shifts) * size for name, size in self._sizes.items()})

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """The number of rows of each loss term here, of one perturbation."""
        return self.objective.counts(self.batch.points)

    @cached_property
    def _scales(self) -> dict[str, float]:
        return {name: math.sqrt(self.batch.weights[name] / count) for name, count in self.batch.counts.items()}

    def _pieces(self) -> Iterator[_Piece]:
        """All rows, those of one perturbation at some of the points of a term at a time."""
        for number, shift in enumerate(self.batch.shifts):
            for term in self.objective.terms:
                shape, points = self.objective.shapes[term.name], self.batch.points[term.name]
                for part, at in parts(points, at_once(shape.seen, self.objective.model.chunk)) if shape.runs else ():
                    numbers = self._numbers(shape.runs, number, at, points.rows)
                    yield _Piece(numbers, shift, {term.name: part})
            for each in self.objective.on_parameters:
                size = self.objective.sizes[each.name]
                numbers = self._numbers({each.name: 1}, number, slice(0, size), size)
                yield _Piece(numbers, shift, on_parameters=(each,))

    def _numbers(self, runs: Mapping[str, int], shift: int, at: slice, points: int) -> dict[str, Tensor]:
        """The numbers of the rows at some of the points of a term, by loss term: each run goes over all points."""
        device, found = self.objective.model.like.device, {}
        for name, count in runs.items():
            first = self.rows[name].start + shift * self._sizes[name]
            starts = first + points * torch.arange(count, device=device)
            found[name] = (starts[:, None] + torch.arange(at.start, at.stop, device=device)).reshape(-1)
        return found

    def _rows(self, piece: _Piece, leaves: Parameters) -> dict[str, Rows]:
        found: dict[str, Rows] = {}
        for name, points in piece.points.items():
            found |= self.objective.rows_at(self.objective.term(name), points, leaves)
        for each in piece.on_parameters:
            found[each.name] = each.rows(self.objective.model.network, self.objective.model.network_part(leaves))
        return found

    def _room(self, count: int, width: int) -> Tensor:
        """Memory for a block, (p, k), the same for all: to ask the system for it takes as long as to fill it."""
        if not self._memory or self._memory[0].numel() < width * count:
            self._memory[:] = [self.objective.model.like.new_empty(width * count)]
        return self._memory[0][: width * count].view(width, count)


@final
@dataclass(frozen=True, eq=False)
class Held:
    """A Jacobian that is held after all, as the part of one process.

    Attributes:
        whole: J, (n, p), one column after the other in memory.
    """

    whole: Tensor

    @staticmethod
    def of(blocks: Blocks) -> Held:
        """All rows of blocks."""
        rows, width = blocks.shape
        whole = blocks.objective.model.like.new_empty((width, rows)).T
        for block in blocks:
            whole[block.rows] = block.jacobian
        return Held(whole)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        return self.whole.shape[0], self.whole.shape[1]

    def __matmul__(self, step: Tensor) -> Tensor:
        """J s of s (p,), (n,)."""
        return self.whole @ step

    def transposed(self, rows: Tensor) -> Tensor:
        """Jᵀ b of b (n,), (p,)."""
        return self.whole.T @ rows

    def misfit(self, rows: Tensor, step: Tensor) -> Tensor:
        """Jᵀ (b + J s) of b (n,) and s (p,), (p,)."""
        return self.whole.T @ (rows + self.whole @ step)

    def triangle(self, rows: Tensor) -> Tensor:
        """R of the QR factorisation of [J b] of b (n,), (p + 1, p + 1), upper."""
        nothing = rows.new_zeros((self.shape[1] + 1, self.shape[1] + 1))
        return with_rows(nothing, torch.cat([self.whole.T, rows[None]]).T)
