from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from scipy.optimize import brentq
from torch import sin

from pinnreg import Box, Problem, condition, dirichlet


@dataclass(frozen=True)
class RobinRadiation(Problem):
    """-u'' = q sin πx on (0, 1), u(0) = 1, u' + h (u⁴ - a⁴) = 0 at x = 1: a heated rod that radiates at its end.

    The law of Stefan and Boltzmann, with the surroundings at a. What is hard is that the condition is not linear, and
    holds for a second, cold u, too: |u| u³ in the place of u⁴ has none, and is the same for u > 0.
    """

    group = "ordinary equations"
    heating: PositiveFloat = 10.0
    emission: PositiveFloat = 2.0
    ambient: PositiveFloat = 0.5
    domain = Box(x=(0, 1))
    defaults = {"network": {"hidden": [18, 18]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}
    conditions = (
        dirichlet(1.0, on="x=min"),
        condition(lambda u, emission, ambient: u.n + emission * (abs(u) * u**3 - ambient**4), on="x=max"),
    )

    def residual(self, u, x):
        return u.xx + self.heating * sin(pi * x)

    def reference(self):
        # u = 1 + s x + q/π² sin πx, where the end says what the slope s is
        q, h, a = self.heating, self.emission, self.ambient
        s = brentq(lambda s: s - q / pi + h * (abs(1 + s) * (1 + s) ** 3 - a**4), -2 - a, a + q, xtol=1e-15, rtol=1e-15)
        return lambda x: 1 + s * x + q / pi**2 * np.sin(pi * x)
