from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from torch import exp, sin

from pinnreg import Box, Problem, dirichlet, initial, integral


@dataclass(frozen=True)
class IntegroDifferential(Problem):
    """uₜ = uₓₓ + c (∫ u dx - 2 exp(-t)) on (0, π) × (0, 1], u = 0 at both ends, with u = exp(-t) sin x.

    Heat that is fed by how much of it there is. Each row of the residual sees u at all nodes of the quadrature, of
    which a smooth u takes few.
    """

    group = "diffusion and reaction"
    feed: PositiveFloat = 1.0
    domain = Box(x=(0, pi), t=(0, 1))
    defaults = {"network": {"hidden": [16, 16]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}
    conditions = (initial(lambda x: sin(x)), dirichlet(0.0, on="x"))  # noqa: PLW0108

    def residual(self, u, t):
        return u.t - u.xx - self.feed * (integral(lambda u: u, over="x", nodes=12) - 2 * exp(-t))

    def reference(self):
        return lambda x, t: np.exp(-t) * np.sin(x)
