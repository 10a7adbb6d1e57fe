from dataclasses import dataclass
from math import pi
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import sin

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class PoissonSines(Problem):
    """-Δu = (π²/4) Σ sin(πxᵢ/2) on (0, 1)^d with u = Σ sin(πxᵢ/2) on all faces, which is the solution.

    PNd of PINNacle (Hao et al. 2023, arXiv:2306.08827) with d = 5. The condition is soft: exact, its function of the
    coordinates would be the answer, as is a network whose activation is sin.
    """

    group = "many dimensions"
    dimension: Annotated[int, Field(ge=2)] = 5
    domain = property(lambda self: Box.cube(self.dimension))
    conditions = (dirichlet(lambda points: sin(pi / 2 * points).sum(dim=1), exact=False),)
    defaults = {
        "network": {"hidden": [40], "spread": 0.4},
        "points": {"interior": 800, "boundary": 800},
        "train": [{"optimiser": "gauss_newton", "steps": 80}],
    }

    def residual(self, u, points):
        return u.laplacian + pi**2 / 4 * sin(pi / 2 * points).sum(dim=1)

    def reference(self):
        return lambda *x: sum(np.sin(pi / 2 * a) for a in x)
