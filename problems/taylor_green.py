from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial, periodic


@dataclass(frozen=True)
class TaylorGreen(Problem):
    """uₜ + u uₓ + v u_y = νΔu - pₓ, vₜ + u vₓ + v v_y = νΔv - p_y, uₓ + v_y = 0, periodic on (0, 2π)² × (0, 1].

    u = -cos x sin y exp(-2νt), v = sin x cos y exp(-2νt) and p = -(cos 2x + cos 2y)/4 exp(-4νt): vortices that decay,
    after G. I. Taylor and A. E. Green (1937). What is added to p may change with time: it is given at a point, always.
    """

    group = "flows"
    viscosity: PositiveFloat = 0.1
    outputs = ("u", "v", "p")
    domain = Box(x=(0, 2 * pi), y=(0, 2 * pi), t=(0, 1))
    train = [{"optimiser": "gauss_newton", "steps": 180}]
    defaults = {"network": {"hidden": [16, 16], "activation": "sin"}, "train": train}
    conditions = (
        initial(lambda x, y: -torch.cos(x) * torch.sin(y), of="u"),
        initial(lambda x, y: torch.sin(x) * torch.cos(y), of="v"),
        *(periodic(axis) for axis in "xy"),
        dirichlet(0.0, at={"x": pi / 4, "y": pi / 4}, of="p"),
    )

    def residual(self, u, v, p):
        along = u.t + u * u.x + v * u.y + p.x - self.viscosity * u.laplacian
        across = v.t + u * v.x + v * v.y + p.y - self.viscosity * v.laplacian
        return {"along": along, "across": across, "continuity": u.x + v.y}

    def reference(self):
        fade, sin, cos = (lambda t: np.exp(-2 * self.viscosity * t)), np.sin, np.cos
        u, v = (lambda x, y, t: -cos(x) * sin(y) * fade(t)), (lambda x, y, t: sin(x) * cos(y) * fade(t))
        return {"u": u, "v": v, "p": lambda x, y, t: -(cos(2 * x) + cos(2 * y)) / 4 * fade(t) ** 2}
