from dataclasses import dataclass

import numpy as np
from torch import exp

from pinnreg import Ball, Problem, dirichlet


@dataclass(frozen=True)
class PoissonBall(Problem):
    """-Δu = f in the unit ball, u = 0 on the sphere, with f such that u = (1 - r²) e^(slope x)."""

    group = "shapes and materials"
    slope: float = 1.0
    domain = Ball(x=0, y=0, z=0, radius=1)
    conditions = (dirichlet(0.0),)
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}

    def residual(self, u, x, y, z):
        a, squares = self.slope, x**2 + y**2 + z**2
        return u.laplacian + (6 + 4 * a * x - a**2 * (1 - squares)) * exp(a * x)

    def reference(self):
        return lambda x, y, z: (1 - x**2 - y**2 - z**2) * np.exp(self.slope * x)
