from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class WaveDriven(Problem):
    """uₜₜ = uₓₓ + 2 u_yy on (0, 1)² × (0, T], u and uₜ = 0 at t = 0 and u on the edges as of the solution.

    u = (sinh πx sin πy + sin 3πx sinh 2πy) cos πt. Wave2d-MS of PINNacle (Hao et al. 2023, arXiv:2306.08827) with
    T = 100 has sin for sinh and sinh for sin, and so no solution of its equation. The network gets the edges' cos πt.
    """

    group = "waves"
    duration: PositiveFloat = 2.0
    domain = property(lambda self: Box(x=(0, 1), y=(0, 1), t=(0, self.duration)))
    features = (lambda t: torch.cos(pi * t),)
    train = [{"optimiser": "gauss_newton", "steps": 100}]
    defaults = {"network": {"hidden": [20, 20]}, "train": train}

    @property
    def conditions(self):
        shape = lambda x, y: self.wave(x, y, 0 * x, torch)  # noqa: E731
        edges = dirichlet(lambda x, y, t: self.wave(x, y, t, torch))
        return (initial(shape), initial(0.0, order=1, name="velocity"), edges)

    def wave(self, x, y, t, lib):
        shape = lib.sinh(pi * x) * lib.sin(pi * y) + lib.sin(3 * pi * x) * lib.sinh(2 * pi * y)
        return shape * lib.cos(pi * t)

    def residual(self, u):
        return u.tt - u.xx - 2 * u.yy

    def reference(self):
        return lambda x, y, t: self.wave(x, y, t, np)
