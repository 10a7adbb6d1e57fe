from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import exp

from pinnreg import Ball, Problem, initial, neumann


@dataclass(frozen=True)
class HeatBall(Problem):
    """uₜ = Δu/d - (|x|²/d) exp(|x|²/2 + t) in the unit ball of d dimensions, t in (0, 1], u(x, 0) = exp(|x|²/2).

    HNd of PINNacle (Hao et al. 2023, arXiv:2306.08827) with d = 5: on the sphere the flux ∂u/∂n = exp(1/2 + t) is
    given, and nowhere after the start a value. u = exp(|x|²/2 + t).
    """

    group = "many dimensions"
    dimension: Annotated[int, Field(ge=2)] = 5
    conditions = (
        initial(lambda points: exp(points[:, :-1].square().sum(dim=1) / 2)),
        neumann(lambda points: exp(0.5 + points[:, -1])),
    )
    defaults = {
        "network": {"hidden": [16, 16], "spread": 0.4},
        "points": {"interior": 800, "boundary": 800},
        "train": [{"optimiser": "gauss_newton", "steps": 80}],
    }

    @property
    def domain(self):
        return Ball(**{f"x{n + 1}": 0 for n in range(self.dimension)}, radius=1).over(t=(0, 1))

    def residual(self, u, points):
        squares = points[:, :-1].square().sum(dim=1)
        return u.t - (u.laplacian - squares * exp(squares / 2 + points[:, -1])) / self.dimension

    def reference(self):
        return lambda *x: np.exp(sum(a**2 for a in x[:-1]) / 2 + x[-1])
