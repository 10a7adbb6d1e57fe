from dataclasses import dataclass
from math import pi
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import cos, exp, sin

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class InverseHeat(Problem):
    """uₜ - ∇·(a ∇u) = f on (-1, 1)² × (0, 1], where a(x, y) is unknown but on the edges: from measurements of u.

    HInv of PINNacle (Hao et al. 2023, arXiv:2306.08827): u = exp(-t) sin πx sin πy and a = c + sin πx sin πy with
    c = 2, u with noise of 0.1, 0.3 of its size, at 2500 points. With few points for the equation a can end far off.
    """

    group = "inverse problems"
    level: Annotated[float, Field(gt=1)] = 2.0
    outputs, domain = ("u", "a"), Box(x=(-1, 1), y=(-1, 1), t=(0, 1))
    conditions = property(lambda self: (dirichlet(self.level, of="a"),))
    defaults = {
        "network": {"hidden": [12, 12], "activation": "sin"},
        "measurements": [{"samples": 2500, "noise": 0.304, "of": "u"}],
        "regularisers": [{"kind": "ktv", "order": 3, "weight": "auto"}],
        "points": {"interior": 1200},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }

    def residual(self, u, a, x, y, t):
        k, m = pi * x, pi * y
        both, slopes = sin(k) * sin(m), (cos(k) * sin(m)) ** 2 + (sin(k) * cos(m)) ** 2
        source = exp(-t) * ((2 * pi**2 * (self.level + both) - 1) * both - pi**2 * slopes)
        return {"balance": u.t - a * u.laplacian - a.x * u.x - a.y * u.y - source, "steady": a.t}

    def reference(self):
        both = lambda x, y: np.sin(pi * x) * np.sin(pi * y)  # noqa: E731
        return {"u": lambda x, y, t: np.exp(-t) * both(x, y), "a": lambda x, y, t: self.level + both(x, y) + 0 * t}
