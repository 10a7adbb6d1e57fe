from dataclasses import dataclass
from math import pi
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial, odd, reference


@dataclass(frozen=True)
class Burgers(Problem):
    """uₜ + u uₓ = ν uₓₓ on (-1, 1) × (0, 1], u(x, 0) = -sin πx + a cos(πx/2), u(±1, t) = 0, a the shift.

    a = 0 is the standing front of Basdevant et al. (1986); another a makes it form near x = 0.3 a and travel to 0.8 a.
    Beyond |a| = 1 it would come close to the wall.
    """

    group = "diffusion and reaction"
    nu: PositiveFloat = 0.01 / pi
    shift: Annotated[float, Field(ge=-1, le=1)] = 0.0
    domain = Box(x=(-1, 1), t=(0, 1))
    defaults = {
        "network": {"hidden": [20, 20, 20]},
        "train": [{"optimiser": "gauss_newton", "steps": 250}],
    }
    conditions = property(lambda self: (initial(self.start), dirichlet(0.0, on="x")))
    symmetry = property(lambda self: odd("x") if self.shift == 0 else ())

    def start(self, x):
        return -torch.sin(pi * x) + self.shift * torch.cos(pi / 2 * x)

    def residual(self, u):
        return u.t + u * u.x - self.nu * u.xx

    def reference(self):
        return reference.burgers_cole_hopf(self.nu, self.shift)
