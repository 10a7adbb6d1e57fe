from dataclasses import dataclass

import numpy as np
import torch
from pydantic import PositiveFloat
from scipy.special import ndtr

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class BlackScholes(Problem):
    """uₜ = σ²s²/2 uₛₛ + r s uₛ - r u on (0, 3) × (0.1, 1], u = s Φ(a) - exp(-rt) Φ(a - σ√t) at t = 0.1 and the ends.

    The price of an option to buy for 1 what is worth s, a time t before it expires, with a = (ln s + rt)/(σ√t) + σ√t/2:
    F. Black and M. Scholes, J. Polit. Econ. 81 (1973) 637. It expires as max(s - 1, 0), whose corner is rounded by
    t = 0.1 over a width of σ√0.1. At s = 0 the equation is one in time alone.
    """

    group = "diffusion and reaction"
    volatility: PositiveFloat = 0.4
    rate: PositiveFloat = 0.05
    domain = Box(s=(0, 3), t=(0.1, 1))
    defaults = {"network": {"hidden": [16, 16]}, "train": [{"optimiser": "gauss_newton", "steps": 80}]}
    conditions = property(
        lambda self: (initial(lambda s: self.price(s, 0 * s + 0.1, torch)), dirichlet(self.price, on="s"))
    )

    def price(self, s, t, lib=torch, normal=torch.special.ndtr):
        spread = self.volatility * lib.sqrt(t)
        a = (lib.log(s + 1e-300) + self.rate * t) / spread + spread / 2
        return s * normal(a) - lib.exp(-self.rate * t) * normal(a - spread)

    def residual(self, u, s):
        return u.t - self.volatility**2 / 2 * s**2 * u.ss - self.rate * (s * u.s - u)

    def reference(self):
        return lambda s, t: self.price(s, t, np, ndtr)
