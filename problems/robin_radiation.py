from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from scipy.optimize import brentq
from torch import sin

from pinnreg import Box, Problem, condition, dirichlet


@dataclass(frozen=True)
class RobinRadiation(Problem):
    """-u'' = q sin πx on (0, 1), u(0) = 1, u' + h u⁴ = h a⁴ at x = 1: a heated rod that radiates at its end.

    The law of Stefan and Boltzmann with the surroundings at a. What is hard is that the condition is not linear, and
    that u⁴ has a second, cold root: |u| u³ in its place has none, and is the same for u > 0.
    """

    heating: PositiveFloat = 10.0
    emission: PositiveFloat = 2.0
    surroundings: PositiveFloat = 0.5
    domain = Box(x=(0, 1))
    defaults = {
        "network": {"hidden": [18, 18], "activation": "sin"},
        "train": [{"optimiser": "gauss_newton", "steps": 100}],
    }

    @property
    def conditions(self):
        radiation = lambda u, emission, surroundings: u.n + emission * (abs(u) * u**3 - surroundings**4)  # noqa: E731
        return (dirichlet(1.0, on="x=min"), condition(radiation, on="x=max", name="radiation"))

    def residual(self, u, x):
        return u.xx + self.heating * sin(pi * x)

    def reference(self):
        # u = 1 + s x + q/π² sin πx, of which the end says what the slope s is
        q, h, a = self.heating, self.emission, self.surroundings
        s = brentq(lambda s: s - q / pi + h * (abs(1 + s) * (1 + s) ** 3 - a**4), -2 - a, a + q, xtol=1e-15, rtol=1e-15)
        return lambda x: 1 + s * x + q / pi**2 * np.sin(pi * x)
