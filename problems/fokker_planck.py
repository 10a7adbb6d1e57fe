from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class FokkerPlanck(Problem):
    """uₜ = k (x u)ₓ + d uₓₓ on (-3, 3) × (0, 2], u a normal density of mean exp(-kt) and variance d/k + c exp(-2kt).

    The density of a particle on a spring, after G. E. Uhlenbeck and L. S. Ornstein, Phys. Rev. 36 (1930) 823, that is
    known at first to w, c = w² - d/k, and forgets where it was. u is given at t = 0 and, nearly zero, at both ends.
    """

    group = "diffusion and reaction"
    stiffness: PositiveFloat = 1.0
    diffusivity: PositiveFloat = 0.2
    width: PositiveFloat = 0.2
    domain = Box(x=(-3, 3), t=(0, 2))
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}
    conditions = property(
        lambda self: (initial(lambda x: self.density(x, 0 * x, torch)), dirichlet(self.density, on="x"))
    )

    def density(self, x, t, lib=torch):
        fade, rest = lib.exp(-self.stiffness * t), self.diffusivity / self.stiffness
        variance = rest + (self.width**2 - rest) * fade**2
        return lib.exp(-((x - fade) ** 2) / 2 / variance) / (2 * pi * variance) ** 0.5

    def residual(self, u, x):
        return u.t - self.stiffness * (u + x * u.x) - self.diffusivity * u.xx

    def reference(self):
        return lambda x, t: self.density(x, t, np)
