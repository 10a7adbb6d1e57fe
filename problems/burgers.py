from dataclasses import dataclass
from math import pi

import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial, reference


@dataclass(frozen=True)
class Burgers(Problem):
    """uₜ + u uₓ = ν uₓₓ on (-1, 1) × (0, 1], u(x, 0) = -sin πx, u(±1, t) = 0 (Basdevant et al. 1986)."""

    nu: PositiveFloat = 0.01 / pi
    domain = Box(x=(-1, 1), t=(0, 1))
    defaults = {
        "network": {"hidden": [20, 20, 20, 20, 20]},
        "points": {"interior": 2000, "resample": "residual", "resample_every": 1000},
        "train": [
            {"optimiser": "adam", "steps": 300, "learning_rate": 1e-2, "schedule": "exponential"},
            {"optimiser": "lbfgs", "steps": 4700, "history": 100},
        ],
    }
    conditions = (initial(lambda x: -torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u):
        return u.t + u * u.x - self.nu * u.xx

    def reference(self):
        return reference.burgers_cole_hopf(self.nu)
