from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
from torch import cos, sin

from pinnreg import Box, Problem, dirichlet, neumann


@dataclass(frozen=True)
class Plate(Problem):
    """Δ²u = f on (0, 1)², u = 0 on the edges, and ∂²u/∂n² = 0 ("supported") or ∂u/∂n = 0 ("clamped"): a thin plate.

    Kirchhoff and Love's, with u = sin πx sin πy or its square. Order four magnifies rounding, and fine waves.
    """

    group = "steady"
    edges: Literal["supported", "clamped"] = "supported"
    domain = Box(x=(0, 1), y=(0, 1))
    defaults = {
        "network": {"hidden": [20, 20], "activation": "sin"},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }

    @property
    def conditions(self):
        return (dirichlet(0.0), neumann(0.0, order={"supported": 2, "clamped": 1}[self.edges]))

    def load(self, x, y):
        if self.edges == "supported":
            return 4 * pi**4 * sin(pi * x) * sin(pi * y)
        a, b = cos(2 * pi * x), cos(2 * pi * y)
        return 4 * pi**4 * (4 * a * b - a - b)

    def residual(self, u, x, y):
        return u.biharmonic - self.load(x, y)

    def reference(self):
        return lambda x, y: (np.sin(pi * x) * np.sin(pi * y)) ** {"supported": 1, "clamped": 2}[self.edges]
