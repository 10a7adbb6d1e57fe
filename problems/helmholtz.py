from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat, PositiveInt
from torch import sin

from pinnreg import Box, Problem, dirichlet, odd, reference


@dataclass(frozen=True)
class Helmholtz(Problem):
    """Δu + k² u = f on (-1, 1)², u = 0 on the boundary, with f such that u = sin mπx sin nπy.

    f = (k² - (m² + n²) π²) u; k = 1, m = 1, n = 4 as in Wang, Teng and Perdikaris (2021), arXiv:2001.04536: waves
    much shorter along one axis than along the other. Near k² = (i² + j²) π²/4 the equation is hardly solvable.
    """

    group = "steady"
    k: PositiveFloat = 1.0
    m: PositiveInt = 1
    n: PositiveInt = 4
    domain = Box(x=(-1, 1), y=(-1, 1))
    symmetry = odd("x"), odd("y")
    conditions = (dirichlet(0.0),)
    defaults = {
        "network": {"hidden": [20, 20], "activation": "sin", "spread": 2.0},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }

    def residual(self, u, x, y):
        source = (self.k**2 - (self.m**2 + self.n**2) * pi**2) * sin(self.m * pi * x) * sin(self.n * pi * y)
        return u.laplacian + self.k**2 * u - source

    def reference(self):
        u = lambda x, y: np.sin(self.m * pi * x) * np.sin(self.n * pi * y)  # noqa: E731
        source = lambda x, y: ((self.m**2 + self.n**2) * pi**2 - self.k**2) * u(x, y)  # noqa: E731
        return reference.closed_form(u, scipy=reference.poisson(source, self.domain.bounds, shift=self.k**2))
