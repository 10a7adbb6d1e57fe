from dataclasses import dataclass

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class FisherKPP(Problem):
    """uₜ = d uₓₓ + r u (1 - u) on (0, 1) × (0, 1], where u = (1 + exp z)⁻², z = √(r/6d) (x - 1/4 - ct), travels.

    u is given at t = 0 and at both ends. The front is that of M. J. Ablowitz and A. Zeppetella, Bull. Math. Biol. 41
    (1979) 835, whose speed, c = 5 √(dr/6), allows a closed form. It is about √(6d/r) wide; ahead of it errors grow by
    exp rt, so that a small residual is not enough.
    """

    group = "diffusion and reaction"
    diffusivity: PositiveFloat = 0.002
    rate: PositiveFloat = 10.0
    domain = Box(x=(0, 1), t=(0, 1))
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 200}]}
    conditions = property(lambda self: (initial(lambda x: self.front(x, 0 * x, torch)), dirichlet(self.front, on="x")))

    def front(self, x, t, lib=torch):
        z = (self.rate / 6 / self.diffusivity) ** 0.5 * (x - 0.25) - 5 / 6 * self.rate * t
        return 1 / (1 + lib.exp(z)) ** 2

    def residual(self, u):
        return u.t - self.diffusivity * u.xx - self.rate * u * (1 - u)

    def reference(self):
        return lambda x, t: self.front(x, t, np)
