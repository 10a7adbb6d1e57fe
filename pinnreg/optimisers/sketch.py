"""Gauss-Newton in a random subspace, for networks with many parameters.

The step is S y with S (p, s) from random signs, a real Fourier transform and a random choice of s of its coefficients
(Woolfe et al. 2008, doi:10.1016/j.acha.2007.12.002): J S costs n p log p where the factorisation of all of J would cost
n p². Each step has its own S. Many rows are then summed with random signs into few (CountSketch, Clarkson & Woodruff
2013, arXiv:1207.6365). As in Webb, Jerad & Cartis 2026, arXiv:2607.02194.
"""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from torch import Tensor

from pinnreg.objective import Jacobian
from pinnreg.optimisers.damped import Damped, DampedLeastSquares

ROWS_PER_COLUMN = 4


@final
class SketchedLeastSquares:
    """`DampedLeastSquares` whose solutions lie in a random subspace of dimension `size`.

    `sum_rows` sums many rows into few; `single` is that of `DampedLeastSquares`.
    """

    def __init__(
        self,
        jacobian: Tensor | Jacobian,
        residuals: Tensor,
        size: int,
        draws: torch.Generator,
        *,
        sum_rows: bool = True,
        single: bool = False,
    ) -> None:
        rows, self._parameters = jacobian.shape
        device = residuals.device
        # an odd length: then all coefficients but the first, which is left out, are pairs
        self._length = self._parameters + 1 - self._parameters % 2
        self._signs = _signs(self._parameters, draws).to(residuals)
        chosen = torch.randperm(self._length - 1, generator=draws, device=draws.device)[:size]
        self._chosen = chosen.to(device) + 2
        self._buckets: tuple[Tensor, Tensor] | None = None
        if sum_rows and rows > ROWS_PER_COLUMN * size:
            bucket = torch.randint(ROWS_PER_COLUMN * size, (rows,), generator=draws, device=draws.device)
            self._buckets = bucket.to(device), _signs(rows, draws).to(residuals)
        self._count = ROWS_PER_COLUMN * size
        sketched = self._sketched(jacobian) if isinstance(jacobian, Tensor) else self._sketched_blocks(jacobian)
        # one column after the other, as the factorisations want it
        columns_first = sketched.T.contiguous().T
        self._inner = DampedLeastSquares(columns_first, self._summed(residuals), single=single)
        self.scale = self._inner.scale

    def _sketched(self, jacobian: Tensor) -> Tensor:
        return self._summed(self._projected(jacobian))

    def _sketched_blocks(self, jacobian: Jacobian) -> Tensor:
        rows, chosen = jacobian.shape[0], len(self._chosen)
        found = self._signs.new_zeros((rows if self._buckets is None else self._count, chosen))
        for block in jacobian:
            projected = self._projected(block.jacobian)
            if self._buckets is None:
                found[block.rows] = projected
            else:
                bucket, signs = self._buckets
                found.index_add_(0, bucket[block.rows], signs[block.rows, None] * projected)
        return found

    def _projected(self, jacobian: Tensor) -> Tensor:
        """J S, (n, s)."""
        columns = torch.fft.rfft(self._signs[:, None] * jacobian.T, n=self._length, dim=0, norm="ortho")
        pairs = 2**0.5 * torch.view_as_real(columns).movedim(-1, 1).flatten(0, 1)
        return pairs[self._chosen].T

    def at(self, damping: float) -> Damped:
        """The solution for one λ > 0, among the vectors of the subspace."""
        damped = self._inner.at(damping)
        return replace(
            damped,
            step=self._lifted(damped.step),
            solve=lambda b: self._lifted(damped.solve(self._summed(b))),
        )

    def _lifted(self, y: Tensor) -> Tensor:
        """S y, (p,)."""
        pairs = y.new_zeros(self._length + 1).index_copy(0, self._chosen, y)
        coefficients = torch.view_as_complex(pairs.view(-1, 2)) / 2**0.5
        signal: Tensor = torch.fft.irfft(coefficients, n=self._length, norm="ortho")
        return self._signs * signal[: self._parameters]

    def _summed(self, rows: Tensor) -> Tensor:
        if self._buckets is None:
            return rows
        bucket, signs = self._buckets
        signed = signs.view(-1, *[1] * (rows.ndim - 1)) * rows
        return rows.new_zeros((self._count, *rows.shape[1:])).index_add_(0, bucket, signed)


def _signs(count: int, draws: torch.Generator) -> Tensor:
    return 2 * torch.randint(2, (count,), generator=draws, device=draws.device) - 1
