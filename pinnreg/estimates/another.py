"""Another solution: a function away from u that satisfies equations and conditions as well, where data leave u open.

A residual says nothing of what was not asked for. With a condition too few many functions have none, and training finds
one of them. Among random features the combination of the size of u is looked for that changes the rows least, u is
moved along it, and Gauss-Newton steps that leave that much of it alone take off what is not linear. Where the data
determine u they notice: about that share of the equations' own terms is left, or the step comes back to u.

With 360 features and a tenth of u, 3e-9 to 4e-5 of the terms were left of six problems that lacked a condition (heat,
Laplace, wave, Burgers, a pendulum, a system of two), and 2e-4 and more of 22 shipped problems, of those that did not
come back: the least of two plates of very different materials, and 3e-4 of Duffing's, whose errors grow fast, with any
of six seeds. With 120 features it was up to 2e-3 of the former. Of Burgers' equation it depends on the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.equations import Points
from pinnreg.equations.relative import ZERO
from pinnreg.estimates.defect import Parameters, among_features, features_of, moved, step
from pinnreg.objective import Model, Objective, linearise
from pinnreg.randomness import derive

AWAY = 0.1
"""Of the variation of u, by which the other function is to differ."""
STEPS = 2
INDEPENDENT = 1e-6
"""Of the largest combination of features of length 1: smaller ones are rounding."""
POINTS = 2
"""At which functions are compared, for each coefficient."""


@final
@dataclass(frozen=True, eq=False)
class Another:
    """A function beside u.

    Attributes:
        model: the trial function of the network with random features.
        parameters: their coefficients, and the unknown coefficients of the problem.
        distance: by how much of its variation each output differs from u, root mean square, in their order.
    """

    model: Model
    parameters: Parameters
    distance: tuple[float, ...]


def another(objective: Objective, parameters: Mapping[str, Tensor], columns: int, *, seed: int) -> Another:
    """The function a tenth away from u that satisfies equations, conditions and measurements best.

    Args:
        objective: what was minimised; penalties and noise are left out.
        parameters: those of u.
        columns: coefficients of random features, of all outputs together.
        seed: of all draws.
    """
    here, batch, start = among_features(objective, dict(parameters), features_of(objective, columns), seed=seed)
    domain = here.model.problem.domain
    width = sum(each.numel() for each in start.values())
    points = Points(domain.sample(POINTS * width, "sobol", derive(seed, "functions compared"))).on(here.model.like)
    values = _values(here.model, start, points)
    expected = values.new_tensor(here.model.trial.sizes or (1.0,) * values.shape[1])
    spread = torch.maximum(values.std(dim=0, correction=0), ZERO * expected)

    def shares(found: Parameters) -> Tensor:
        return (_values(here.model, found, points) - values) / spread

    columns_of = torch.stack([shares(moved(start, unit)).reshape(-1) for unit in torch.eye(width).to(values)], dim=1)
    table = columns_of / math.sqrt(len(values))
    _, sizes, directions = torch.linalg.svd(torch.linalg.qr(table)[1])
    kept = sizes > INDEPENDENT * sizes[0]
    basis = directions[kept].T / sizes[kept]
    changes = linearise(here, batch, start).jacobian @ basis
    weakest = basis @ torch.linalg.svd(torch.linalg.qr(changes)[1])[2][-1]
    found, held = moved(start, AWAY * weakest), table.T @ (table @ weakest)
    for _ in range(STEPS):
        found, _ = step(here, batch, found, held)
    distance = shares(found).square().mean(dim=0).sqrt()
    return Another(here.model, found, tuple(distance.tolist()))


@torch.no_grad()
def _values(model: Model, parameters: Parameters, points: Points) -> Tensor:
    """The outputs, (n, outputs)."""
    return model.sweep(parameters, points)((0,) * points.x.shape[1])
