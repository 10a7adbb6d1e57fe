from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat
from scipy.optimize import brentq
from scipy.special import erf

from pinnreg import Box, Problem, condition, dirichlet, initial


@dataclass(frozen=True)
class Stefan(Problem):
    """s² uₜ - x s sₜ uₓ = uₓₓ, s = s(1, t) on (0, 1) × (0.1, 1], u = 1 at x = 0, u = 0, s sₜ = -S uₓ at x = 1.

    u(ξ/s, t) is the temperature of water on ice, at ξ up to the front ξ = s(t), whose equation says that it depends
    on time alone. u = 1 - erf(λx)/erf λ and s = 2λ√t with √π λ exp λ² erf λ = S, after J. Stefan (1891).
    """

    group = "diffusion and reaction"
    number: PositiveFloat = 1.0
    outputs = ("u", "s")
    domain = Box(x=(0, 1), t=(0.1, 1))
    defaults = {"network": {"hidden": [12, 12]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}
    speed = property(lambda self: brentq(lambda k: pi**0.5 * k * np.exp(k**2) * erf(k) - self.number, 0, 5))

    @property
    def conditions(self):
        k = self.speed
        start = (initial(lambda x: 1 - torch.erf(k * x) / erf(k), of="u"), initial(2 * k * 0.1**0.5, of="s"))
        ends = (dirichlet(1.0, on="x=min", of="u", name="wall"), dirichlet(0.0, on="x=max", of="u", name="front"))
        return (*start, *ends, condition(lambda u, s, number: s * s.t + number * u.x, on="x=max", name="melting"))

    def residual(self, u, s, x):
        return {"heat": s**2 * u.t - x * s * s.t * u.x - u.xx, "front": s - s.at(x=1.0)}

    def reference(self):
        k = self.speed
        return {"u": lambda x, t: 1 - erf(k * x) / erf(k) + 0 * t, "s": lambda x, t: 2 * k * np.sqrt(t) + 0 * x}
