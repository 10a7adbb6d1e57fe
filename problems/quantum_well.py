from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from scipy.special import iv
from torch import cos, sin

from pinnreg import Box, Problem, dirichlet, integral


@dataclass(frozen=True)
class QuantumWell(Problem):
    """-u''/2 + V u = E u on (0, 1), u = 0 at both ends, ∫ u² dx = 1: a particle's energy E in a tilted well.

    V = 3πc/2 cos πx + c²/2 sin² πx, with the tilt c, keeps the lowest energy of the level well, E = π²/2, and has
    u ~ sin πx exp(-c/π cos πx). u = 0 and, but for the norm, any multiple of u solve the equation; ∫ u |u| dx = 1
    tells u from -u.
    """

    group = "ordinary equations"
    tilt: PositiveFloat = 4.0
    energy: PositiveFloat = pi**2 / 2
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0), integral(lambda u: u * abs(u), over="x", equals=1.0, name="norm"))
    defaults = {
        "network": {"hidden": [18, 18]},
        "unknown": {"energy": {"start": 3.0}},
        "train": [{"optimiser": "gauss_newton", "steps": 100}],
    }

    def residual(self, u, x):
        potential = 1.5 * pi * self.tilt * cos(pi * x) + self.tilt**2 / 2 * sin(pi * x) ** 2
        return -u.xx / 2 + (potential - self.energy) * u

    def reference(self):
        z = 2 * self.tilt / pi
        size = (z / iv(1, z)) ** 0.5
        return lambda x: size * np.sin(pi * x) * np.exp(-z / 2 * np.cos(pi * x))
