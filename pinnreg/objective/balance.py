"""Weights of soft conditions and of several equations, so that no term drowns in another.

Rows of all of them should answer alike to a change of the parameters: the weight of a condition c is mean |∂r/∂θ|² /
mean |∂c/∂θ|² over its rows and those of the PDE's residual r, the ratio of the mean diagonals of their neural tangent
kernels (Wang, Yu & Perdikaris 2022, arXiv:2007.14527, eq. 6.5), and so is that of one equation of several. It depends
on the derivatives of the terms and not on their values, so that a term that has become small is not blown up: nothing
runs away. The units of equations, coordinates and outputs cancel, so that there are no other limits than those of
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinnreg.equations import Points
from pinnreg.objective.batch import Batch
from pinnreg.objective.linearise import linearise_rows
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.terms import INTERIOR

SMALLEST, LARGEST = 1e-100, 1e100
ROWS, ENTRIES = 200, 10**7


def looked_at(batch: Batch, parameters: Parameters, names: Sequence[str]) -> dict[str, Points]:
    """Some points of each of some terms."""
    # few where there are very many parameters, to bound memory
    size = sum(values.numel() for values in parameters.values())
    rows = min(ROWS, max(ENTRIES // (size * len(names)), 10))
    return {name: batch.points[name].thinned(rows) for name in names}


def balanced(objective: Objective, batch: Batch, parameters: Parameters) -> dict[str, float]:
    """A weight for each term to be balanced, relative to the mean of all equations."""
    conditions = [name for name in objective.to_balance if name not in objective.equations]
    points = looked_at(batch, parameters, (INTERIOR, *conditions))
    at = linearise_rows(objective, points, parameters, by_layer=objective.by_layer)
    # unknown coefficients, whose columns come last, have a scale of their own
    columns = sum(each.numel() for each in objective.model.network_part(parameters).values())
    squares = {term: float(at.jacobian[part, :columns].square().sum(dim=1).mean()) for term, part in at.rows.items()}
    target = sum(squares[term] for term in objective.equations) / len(objective.equations)
    found = {}
    for term in objective.to_balance:
        own = squares[term]
        found[term] = min(max(target / own, SMALLEST), LARGEST) if own > 0 and target > 0 else 1.0
    return found
