"""The linearised defect: how far a trained network is from the solution, found by solving for the difference.

u + e solves the equations and conditions if R'(u) e = -R(u) to first order. e is looked for among random features,
which the network lacks (by its own functions training has found nothing more), as a least-squares problem at points
that training has not seen. That is linear, and one factorisation solves it: a Gauss-Newton step with another network,
which has the periods, kinks, singular functions and exact conditions of the trained one. Where the residual is then not
what was predicted there is a second step.

Tried and left: features of the trained network's hidden layers (with Burgers' equation they follow its front, but at
points that were not solved for they leave up to 400 times the residual that there was); features where the residual
changes most (SWIM, arXiv:2306.16830: no better at the same cost); conditions that weigh ten times as much (better for
waves, and 28 times too much for plates of two materials); points where the residual is large (the same).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pinnreg import dense
from pinnreg.networks import widened
from pinnreg.objective import INTERIOR, Batch, Model, Objective, Soft, afresh, first_batch, linearise, residuals
from pinnreg.randomness import derive

Parameters = dict[str, Tensor]

POINTS = 3
"""For each coefficient."""
FEWEST = 200
PER_SIDE = 4.0
"""Points of a condition: so many times the root of those inside."""
RIDGE = 1e-12
"""Of the squares of columns of length 1: random features are next to dependent."""
SOLVED = 1e-3
"""Conditions, or equations, that are smaller by this than the other need not become smaller still."""
BENT = 1e-2
"""From so much of the residual on that was not predicted a second step is taken."""
SHORTEST = 1e-10
"""Of the longest column: what is shorter is nothing, as a constant where the solution is odd."""


@final
@dataclass(frozen=True, eq=False)
class Correction:
    """u + e.

    Attributes:
        model: the trial function of the network with random features.
        parameters: their coefficients, and the unknown coefficients of the problem.
        first: the same after the first step, where R is not linear and there were two; else the parameters again.
        left: the largest share of the residual, of the equations or of the conditions, that e leaves at other points.
    """

    model: Model
    parameters: Parameters
    first: Parameters
    left: float

    @property
    def linear(self) -> bool:
        """Whether R was as good as linear, so that one step was enough."""
        return self.first is self.parameters


def correction(objective: Objective, parameters: Parameters, count: int, *, seed: int) -> Correction:
    """What solves the linearised equations and conditions among random features, in float64.

    Args:
        objective: what was minimised; penalties and noise are left out.
        parameters: at which.
        count: of random features for each output.
        seed: of all draws.
    """
    here, batch, start = among_features(objective, parameters, count, seed=seed)
    first, bent = step(here, batch, start)
    found = step(here, batch, first)[0] if bent > BENT else first
    there = replace(here, source=replace(here.source, seed=derive(seed, "defect looked at")), to_balance=())
    other = replace(first_batch(there, start), weights=batch.weights)
    before, after = (_sizes(there, other, at) for at in (start, found))
    least = SOLVED * max(before.values())
    left = max(after[name] / max(before[name], least) for name in before) if least > 0 else 0.0
    return Correction(here.model, found, first, left)


def among_features(
    objective: Objective, parameters: Parameters, count: int, *, seed: int
) -> tuple[Objective, Batch, Parameters]:
    """Equations and conditions of u with random features beside it, at points of their own, all weighed once.

    Arguments as of `correction`. Returns the objective, its batch, and its parameters: the features' coefficients,
    which are zero, and the unknown coefficients of the problem.
    """
    model = objective.model
    inside = model.problem.domain.sample(4 * count, "sobol", derive(seed, "centres of features"))
    own, drawn = model.network_part(parameters), derive(seed, "random features")
    network = widened(model.network, own, count, inside, seed=drawn)
    interior, boundary = _points(objective, count)
    here = afresh(objective, network, interior=interior, boundary=boundary, seed=derive(seed, "defect"))
    start = here.model.initial() | {name: parameters[name].detach().double() for name in model.coefficients}
    return here, first_batch(here, start), start


def _points(objective: Objective, count: int) -> tuple[int, int]:
    """Inside, and of each condition."""
    # as many rows for each coefficient where there are fewer equations than outputs
    share = len(objective.model.problem.outputs) / len(objective.equations)
    interior = max(math.ceil(POINTS * (count + 1) * max(share, 1.0)), FEWEST)
    return interior, round(PER_SIDE * math.sqrt(interior))


def rows_of(objective: Objective, columns: int) -> dict[str, int]:
    """How many points a correction has with so many coefficients of all outputs, by term; penalties have none."""
    interior, boundary = _points(objective, features_of(objective, columns))
    return {
        term.name: boundary if isinstance(term, Soft) else interior
        for term in objective.terms
        if isinstance(term, Soft) or term.name == INTERIOR
    }


def features_of(objective: Objective, columns: int) -> int:
    """For each output, where there are so many coefficients of all together."""
    return max(columns // len(objective.model.problem.outputs), 2)


def step(objective: Objective, batch: Batch, start: Parameters, held: Tensor | None = None) -> tuple[Parameters, float]:
    """The parameters after a Gauss-Newton step, and how far the residual is then from what was predicted, of itself.

    Args:
        objective: of `among_features`, as its batch.
        batch: at whose points.
        start: where it begins.
        held: a row that the step does not change, (p,).
    """
    at = linearise(objective, batch, start)
    jacobian, residual = at.jacobian, at.residuals
    if held is not None:
        row = held * (torch.linalg.matrix_norm(jacobian) / torch.linalg.vector_norm(held))
        jacobian, residual = torch.cat([jacobian, row[None]]), torch.cat([residual, residual.new_zeros(1)])
    lengths = torch.linalg.vector_norm(jacobian, dim=0)
    scale = lengths.clamp_min(SHORTEST * float(lengths.max()))
    r, rotated = dense.qr(jacobian / scale)
    ridged, rotated_again = dense.stacked_qr(r, RIDGE)
    right = rotated_again(rotated(-residual))
    change = torch.linalg.solve_triangular(ridged, right[:, None], upper=True)[:, 0] / scale
    found = moved(start, change)
    with torch.no_grad():
        reached = residuals(objective, batch, found)
    predicted = at.residuals + at.jacobian @ change
    before = float(torch.linalg.vector_norm(at.residuals))
    return found, float(torch.linalg.vector_norm(reached - predicted)) / before if before > 0 else 0.0


def moved(parameters: Parameters, change: Tensor) -> Parameters:
    """The parameters with a change of all of them, (p,), added."""
    parts = change.split([each.numel() for each in parameters.values()])
    return {
        name: each.detach() + part.reshape(each.shape)
        for (name, each), part in zip(parameters.items(), parts, strict=True)
    }


@torch.no_grad()
def _sizes(objective: Objective, batch: Batch, parameters: Parameters) -> dict[str, float]:
    """The roots of the weighted losses: of all equations, and of all conditions."""
    squares = {"equations": 0.0, "conditions": 0.0}
    for name, loss in objective.losses(batch, parameters).items():
        squares["equations" if name in objective.equations else "conditions"] += batch.weights[name] * float(loss)
    return {name: math.sqrt(each) for name, each in squares.items()}
