from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from torch import cos, sin

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Elasticity(Problem):
    """-∇·σ = f on (0, 1)², σ = λ (uₓ + v_y) I + 2ε, u = v = 0 on the edges, with f such that u and v are as below.

    Plane strain: u = sin² πx sin 2πy keeps the area together with the first part of v = -sin 2πx sin² πy + sin πx
    sin πy/(1 + λ), the second changes it. λ = 10 is Poisson's number 0.45; the larger λ is the less can be compressed,
    and the more the equations see the area alone.
    """

    group = "steady"
    stiffness: PositiveFloat = 10.0
    outputs = ("u", "v")
    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0, of="u"), dirichlet(0.0, of="v"))
    defaults = {
        "network": {"hidden": [20, 20], "activation": "sin"},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }

    def residual(self, u, v, x, y):
        k, a, b = 1 + self.stiffness, pi * x, pi * y
        along = (2 - 4 * cos(2 * a)) * sin(2 * b) - cos(a) * cos(b)
        across = (4 * cos(2 * b) - 2) * sin(2 * a) + (1 + 2 / k) * sin(a) * sin(b)
        along, across = u.laplacian + pi**2 * along, v.laplacian + pi**2 * across
        return {"along": k * (u.xx + v.xy) + along, "across": k * (u.xy + v.yy) + across}

    def reference(self):
        s = lambda x: np.sin(pi * x)  # noqa: E731
        up = lambda x, y: s(y) * (s(x) / (1 + self.stiffness) - s(y) * s(2 * x))  # noqa: E731
        return {"u": lambda x, y: s(x) ** 2 * s(2 * y), "v": up}
