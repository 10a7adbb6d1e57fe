"""The arithmetic on rows of coefficients, without gradients; `functions` puts it into autograd's graph.

A row is the coefficient of one operator at all points, a tensor (n, ...). Results are written row by row into one
stack, so that the next layer is a single matrix product. A compiler's tracer gets fresh tensors instead, joined at the
end: from writes into slices it recomputes each row in every later one (measured: 21 ms against 11 ms at order 3).

What was tried and brought nothing: blocks of rows that fit the cache (the matrix products take most of the time, and
small blocks keep torch from using its threads), and computing s again in the backward pass instead of keeping it (a
quarter less memory, no gain in time at order 1 to 3, a loss at order 5). What did: points last in memory, see `linear`;
argument lists that are not inspected at each call, see `calls`; slopes that are the same at all points as one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from pinnreg.taylor.algebra import Table, Term

Rows = Sequence[Tensor]


@final
class Stack:
    """Rows of one result, (K, n, ...), written one after the other."""

    def __init__(self, count: int, like: Tensor) -> None:
        self.rows: list[Tensor] = []
        self._like = like
        plain = type(like) is Tensor and not torch.compiler.is_compiling()
        self._buffer = _empty(count, like) if plain else None
        self._slots = self._buffer.unbind() if self._buffer is not None else (None,) * count

    @property
    def slot(self) -> Tensor | None:
        """Where to write the next row with `out=`; None for a new tensor."""
        return self._slots[len(self.rows)]

    def put(self, row: Tensor) -> Tensor:
        """Take what was computed for `slot` as the next row."""
        self.rows.append(row)
        return row

    def add(self, terms: Sequence[Term], left: Rows, right: Rows, start: Tensor | None = None) -> Tensor:
        """The next row: start + Σ w left_i right_j."""
        out = self.slot
        row = start
        for i, j, weight in terms:
            if row is None and weight == 1:
                row = torch.mul(left[i], right[j], out=out)
            else:
                base = self._like.new_zeros(()) if row is None else row
                row = torch.addcmul(base, left[i], right[j], value=weight, out=out)
        if row is None:
            row = torch.zeros_like(self._like) if out is None else out.zero_()
        return self.put(row)

    def tensor(self) -> Tensor:
        """All rows as one tensor."""
        return torch.stack(self.rows) if self._buffer is None else self._buffer


def _empty(count: int, like: Tensor) -> Tensor:
    """A stack whose rows lie in memory as `like` does."""
    if like.ndim == 2:
        points, features = like.shape
        # points last in memory is how layers leave them
        return (
            like.new_empty((count, features, points)).mT
            if like.stride(0) == 1
            else like.new_empty((count, points, features))
        )
    strides = like.stride()
    order = sorted(range(like.ndim), key=lambda dim: -strides[dim])
    inner = like.new_empty((count, *(like.shape[dim] for dim in order)))
    return inner.permute(0, *(1 + order.index(dim) for dim in range(like.ndim)))


def multiply(table: Table, left: Rows, right: Rows) -> Tensor:
    """The rows Σ w left_i right_j of a table; all rows of `right` have the shape of the result's."""
    stack = Stack(len(table), right[0])
    for terms in table:
        stack.add(terms, left, right)
    return stack.tensor()
