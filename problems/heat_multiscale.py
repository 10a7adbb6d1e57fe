from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt

from pinnreg import Box, Problem, dirichlet, even, initial, odd


@dataclass(frozen=True)
class HeatMultiscale(Problem):
    """uₜ = uₓₓ/(aπ)² + u_yy/(bπ)² on (0, 1)² × (0, 5], u(x, y, 0) = sin mπx sin πy, u = 0 on the edges.

    Heat2d-MS of PINNacle (Hao et al. 2023, arXiv:2306.08827) with a = 500, b = 1 and m = 20: ten waves along x, which
    would hardly decay by themselves, and half a wave along y, by which all but exp(-5) of u decays. The start tells
    what the waves are, and the network gets them besides x.
    """

    group = "many scales"
    mode: PositiveInt = 20
    along: PositiveFloat = 500.0
    across: PositiveFloat = 1.0
    domain = Box(x=(0, 1), y=(0, 1), t=(0, 5))
    stage = {"optimiser": "gauss_newton", "steps": 60}
    defaults = {"network": {"hidden": [16, 16]}, "conditions": "soft", "train": [stage]}
    features = property(lambda self: (lambda x: torch.sin(self.mode * pi * x),))
    symmetry = property(lambda self: (even("x") if self.mode % 2 else odd("x"), even("y")))
    conditions = property(lambda self: (initial(lambda x, y: self.wave(x, y, torch)), dirichlet(0.0)))

    def wave(self, x, y, lib):
        return lib.sin(self.mode * pi * x) * lib.sin(pi * y)

    def residual(self, u):
        return u.t - u.xx / (self.along * pi) ** 2 - u.yy / (self.across * pi) ** 2

    def reference(self):
        rate = (self.mode / self.along) ** 2 + 1 / self.across**2
        return lambda x, y, t: self.wave(x, y, np) * np.exp(-rate * t)
