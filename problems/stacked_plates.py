from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, Split, dirichlet, interface, robin


@dataclass(frozen=True)
class StackedPlates(Problem):
    """∇·(k ∇u) = 0 in two stacked plates, heated from above, with u = 0 below and insulated sides.

    u is linear in each, with a kink of 290 times the smaller slope, which no network with continuous derivatives has.
    """

    group = "shapes and materials"
    lower: PositiveFloat = 1.38
    upper: PositiveFloat = 400.0
    flux: PositiveFloat = 200.0
    domain = Split(Box(x=(0, 1), y=(0, 2)), Box(x=(0, 1), y=(0, 1)), name="joint")

    @property
    def defaults(self):
        size = self.flux / min(self.lower, self.upper)  # which no condition by itself shows
        return {"network": {"hidden": [16, 16], "scale": size}, "train": [{"optimiser": "gauss_newton", "steps": 200}]}

    @property
    def conditions(self):
        heated = robin(0.0, self.upper, self.flux, on="y=max", name="heated")
        insulated = robin(0.0, 1.0, 0.0, on="x", name="insulated")
        return dirichlet(0.0, on="y=min"), heated, insulated, interface(self.lower, self.upper, on="joint")

    def residual(self, u):
        return u.laplacian

    def reference(self):
        below, above = self.flux / self.lower, self.flux / self.upper
        return lambda x, y: below * np.minimum(y, 1) + above * np.maximum(y - 1, 0) + 0 * x
