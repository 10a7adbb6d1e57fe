from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class AnisotropicDiffusion(Problem):
    """-∇·(K ∇u) = f on (0, 1)², u = 0 on the edges, with f such that u = sin πx sin πy.

    K conducts 1 along the direction at `angle` degrees to the x axis, and 1/ratio across it. As the ratio grows the
    equation says less and less of u across: what is left of it there shows in a residual that is ratio times smaller.
    """

    group = "steady"
    ratio: PositiveFloat = 1000.0
    angle: float = 30.0
    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}

    def tensor(self):
        """K_xx, K_xy and K_yy."""
        c, s, across = cos(self.angle * pi / 180), sin(self.angle * pi / 180), 1 / self.ratio
        return c**2 + across * s**2, (1 - across) * c * s, s**2 + across * c**2

    def residual(self, u, x, y):
        along, mixed, upward = self.tensor()
        waves = (along + upward) * torch.sin(pi * x) * torch.sin(pi * y)
        source = pi**2 * (waves - 2 * mixed * torch.cos(pi * x) * torch.cos(pi * y))
        return -along * u.xx - 2 * mixed * u.xy - upward * u.yy - source

    def reference(self):
        return lambda x, y: np.sin(pi * x) * np.sin(pi * y)
