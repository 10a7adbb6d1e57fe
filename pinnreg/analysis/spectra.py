"""The tangent kernel of each loss term of an objective: how fast training by gradients reduces it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from pinnreg.errors import InputError
from pinnreg.objective import Batch, Objective, linearise_rows

ROWS = 500
"""Of each term at most: eigenvalues of K/n hardly change with more, and take time in proportion to the cube."""
NEGLIGIBLE = 1e-8
"""Of the largest eigenvalue; below, nothing is learnt in any feasible number of gradient steps."""


@final
@dataclass(frozen=True)
class TermKernel:
    """K = J Jᵀ/n of n of a term's residuals r, J their derivatives by all parameters.

    Under gradient flow on the term alone, mean(r²), the part of r along an eigenvector of K decays as exp(-2λt).

    Attributes:
        matrix: K, (n, n), in double precision on the CPU.
        rows: of the term; n of them are taken.
    """

    matrix: Tensor
    rows: int

    @property
    def trace(self) -> float:
        """tr K, the mean of |∂r_i/∂θ|², and so the mean eigenvalue of J Jᵀ, whatever n is."""
        return float(self.matrix.trace())

    @cached_property
    def eigenvalues(self) -> Tensor:
        """All n, the largest first; none below zero, where rounding may put them."""
        values: Tensor = torch.linalg.eigvalsh(self.matrix).flip(0).clamp_min(0)
        return values

    @property
    def effective_rank(self) -> int:
        """How many eigenvalues are above 1e-8 of the largest."""
        return int((self.eigenvalues > NEGLIGIBLE * self.eigenvalues[0]).sum())

    def drift(self, before: TermKernel) -> float:
        """|K - K_0|_F / |K_0|_F."""
        change = torch.linalg.matrix_norm(self.matrix - before.matrix)
        return float(change / torch.linalg.matrix_norm(before.matrix))


def term_kernels(
    objective: Objective, batch: Batch, parameters: Mapping[str, Tensor], *, rows: int = ROWS
) -> dict[str, TermKernel]:
    """The tangent kernel of each loss term at the points of a batch, by name.

    Unweighted, and without noise on the parameters. Left out are terms of power 1, which are no sums of squares, and
    penalties on the parameters, whose kernel is the identity.

    Args:
        objective: whose terms.
        batch: with their points.
        parameters: where, all of the objective's.
        rows: how many of a term at most, spread over all of its points; at least those of one point are taken.

    Raises:
        InputError: no rows.

    Source: Wang, Yu & Perdikaris 2022, arXiv:2007.14527.
    """
    if rows < 1:
        raise InputError(f"term_kernels: expected at least 1 row, got {rows}")
    points = {}
    for term in objective.terms:
        runs = objective.shapes[term.name].runs
        if runs and term.power == 2:
            points[term.name] = batch.points[term.name].thinned(max(rows // max(runs.values()), 1))
    linearised = linearise_rows(objective, points, dict(parameters), by_layer=objective.by_layer)
    kernels = {}
    for name, part in linearised.rows.items():
        jacobian = linearised.jacobian[part].double()
        kernels[name] = TermKernel((jacobian @ jacobian.T / len(jacobian)).cpu(), batch.counts[name])
    return kernels


def imbalance(kernels: Mapping[str, TermKernel], weights: Mapping[str, float] | None = None) -> float | None:
    """How many times faster the fastest term is reduced than the slowest: the ratio of the mean eigenvalues w tr K.

    Args:
        kernels: of the terms.
        weights: of the terms in the loss, of which those with 0 do not count; all 1 if not given.

    Returns:
        None for fewer than two terms.

    Source: Wang, Yu & Perdikaris 2022, arXiv:2007.14527, whose adaptive weights make it 1.
    """
    rates = [(1.0 if weights is None else weights[name]) * each.trace for name, each in kernels.items()]
    positive = [rate for rate in rates if rate > 0]
    return max(positive) / min(positive) if len(positive) > 1 else None
