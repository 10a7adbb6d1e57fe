from dataclasses import dataclass
from math import pi

import numpy as np
from torch import exp, sin

from pinnreg import Box, Problem, dirichlet, initial, integral


@dataclass(frozen=True)
class IntegroDifferential(Problem):
    """uₜ = uₓₓ + ∫ u dx - 2 exp(-t) on (0, π) × (0, 1], u = 0 at both ends, with u = exp(-t) sin x.

    Heat that the whole rod's own amount of it feeds. Each row of the residual sees u at all nodes of the quadrature, of
    which a smooth u takes few.
    """

    domain = Box(x=(0, pi), t=(0, 1))
    defaults = {
        "network": {"hidden": [16, 16], "activation": "sin"},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }
    conditions = (initial(lambda x: sin(x)), dirichlet(0.0, on="x"))  # noqa: PLW0108, arguments need names

    def residual(self, u, t):
        return u.t - u.xx - integral(lambda u: u, over="x", nodes=12) + 2 * exp(-t)

    def reference(self):
        return lambda x, t: np.exp(-t) * np.sin(x)
