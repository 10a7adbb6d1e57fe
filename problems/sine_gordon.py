from dataclasses import dataclass
from math import pi
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from pinnreg import Box, Problem, dirichlet, even, initial


@dataclass(frozen=True)
class SineGordon(Problem):
    """uₜₜ - uₓₓ + sin u = 0 on (-10, 10) × (0, 2π/ω], u(x, 0) = 0, uₜ(x, 0) = 4k sech kx, k = √(1 - ω²).

    And u = 4 arctan(k/ω sin ωt sech kx) at x = ±10: the breather of M. J. Ablowitz, D. J. Kaup, A. C. Newell and
    H. Segur, Phys. Rev. Lett. 30 (1973) 1262, a pair of kinks that are bound, through one of its periods.
    """

    group = "waves"
    frequency: Annotated[float, Field(gt=0, lt=1)] = 0.4
    domain = property(lambda self: Box(x=(-10, 10), t=(0, 2 * pi / self.frequency)))
    symmetry = even("x")
    decay = property(lambda self: (1 - self.frequency**2) ** 0.5)
    defaults = {"network": {"hidden": [20, 20], "scale": 1}, "train": [{"optimiser": "gauss_newton", "steps": 150}]}

    @property
    def conditions(self):
        velocity = lambda x: 4 * self.decay / torch.cosh(self.decay * x)  # noqa: E731
        return (initial(0.0), initial(velocity, order=1, name="velocity"), dirichlet(self.breather, on="x"))

    def breather(self, x, t, lib=torch):
        swing = lib.sin(self.frequency * t) / self.frequency
        return 4 * lib.arctan(self.decay * swing / lib.cosh(self.decay * x))

    def residual(self, u):
        return u.tt - u.xx + torch.sin(u)

    def reference(self):
        return lambda x, t: self.breather(x, t, np)
