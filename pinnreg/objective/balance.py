"""Weights of soft conditions, so that no term drowns in another.

A condition's row and a row of the PDE's residual should answer alike to a change of the parameters: the weight of
condition c is mean |∂r/∂θ|² / mean |∂c/∂θ|² over their rows, the ratio of the mean diagonals of their neural tangent
kernels (Wang, Yu & Perdikaris 2022, arXiv:2007.14527, eq. 6.5). It depends on the derivatives of the terms and not on
their values, so that a term that has become small is not blown up: nothing runs away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from pinnreg.objective.jacobian import Linearised

SMALLEST, LARGEST = 1e-3, 1e6
ROWS, ENTRIES = 200, 10**7


def balanced_rows(parameters: Mapping[str, Tensor], terms: int) -> int:
    """About how many rows of each term to look at: few where there are very many parameters, to bound memory."""
    size = sum(values.numel() for values in parameters.values())
    return min(ROWS, max(ENTRIES // (size * terms), 10))


def balanced_weights(
    at: Linearised, columns: int, equations: Sequence[str], conditions: Sequence[str]
) -> dict[str, float]:
    """A weight for each of `conditions` relative to equations of weight 1, within 1e-3 and 1e6.

    Args:
        at: the objective, linearised without weights.
        columns: how many columns of its Jacobian are the network's; unknown coefficients have a scale of their own.
        equations: the terms of the PDE's residual.
        conditions: the terms to be weighted.
    """
    squares = {term: float(at.jacobian[rows, :columns].square().sum(dim=1).mean()) for term, rows in at.rows.items()}
    target = sum(squares[term] for term in equations) / len(equations)
    found = {}
    for term in conditions:
        own = squares[term]
        found[term] = min(max(target / own, SMALLEST), LARGEST) if own > 0 and target > 0 else 1.0
    return found
