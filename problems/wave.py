from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class Wave(Problem):
    """uₜₜ = c² uₓₓ on (0, 1) × (0, 1], u(x, 0) = sin πx + ½ sin βπx, uₜ(x, 0) = 0, u(0, t) = u(1, t) = 0.

    A string that is let go, with two of its tones, of frequencies c/2 and βc/2; β is the overtone.
    """

    group = "waves"
    speed: PositiveFloat = 2.0
    overtone: PositiveInt = 4
    domain = Box(x=(0, 1), t=(0, 1))
    defaults = {"network": {"activation": "sin"}, "train": [{"optimiser": "gauss_newton", "steps": 200}]}

    @property
    def conditions(self):
        start = initial(lambda x: torch.sin(pi * x) + 0.5 * torch.sin(self.overtone * pi * x))
        return (start, initial(0.0, order=1, name="velocity"), dirichlet(0.0, on="x"))

    def residual(self, u):
        return u.tt - self.speed**2 * u.xx

    def reference(self):
        tone = lambda k, x, t: np.sin(k * x) * np.cos(k * self.speed * t)  # noqa: E731
        return lambda x, t: tone(pi, x, t) + 0.5 * tone(self.overtone * pi, x, t)
