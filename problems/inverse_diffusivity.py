from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from torch import cos, sin

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class InverseDiffusivity(Problem):
    """-∇·(a ∇u) = f on (0, 1)², where a is unknown but on the boundary: from measurements of u = sin πx sin πy.

    PInv of PINNacle (Hao et al. 2023, arXiv:2306.08827), whose code has 2x + 1 for 2x - 1 in f: not that of u and a.
    """

    group = "inverse problems"
    contrast: PositiveFloat = 1.0
    outputs = ("u", "a")
    domain = Box(x=(0, 1), y=(0, 1))
    conditions = property(lambda self: (dirichlet(self.diffusivity, of="a"),))
    defaults = {
        "network": {"hidden": [10, 10]},
        "measurements": [{"samples": 2500, "sampler": "grid", "noise": 0.2, "of": "u"}],
        "regularisers": [{"kind": "ktv", "order": 2, "weight": "auto"}],
        "train": [{"optimiser": "gauss_newton", "steps": 50}],
    }

    def diffusivity(self, x, y):
        return 1 / (1 + self.contrast * (x**2 + y**2 + (x - 1) ** 2 + (y - 1) ** 2))

    def residual(self, u, a, x, y):
        true, k, m = self.diffusivity(x, y), pi * x, pi * y
        slopes = (2 * x - 1) * cos(k) * sin(m) + (2 * y - 1) * sin(k) * cos(m)
        source = 2 * pi**2 * true * sin(k) * sin(m) + 2 * pi * self.contrast * true**2 * slopes
        return a * u.laplacian + a.x * u.x + a.y * u.y + source

    def reference(self):
        return {"u": lambda x, y: np.sin(pi * x) * np.sin(pi * y), "a": self.diffusivity}
