from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, Split, dirichlet, interface, robin


@dataclass(frozen=True)
class StackedPlates(Problem):
    """∇·(k ∇u) = 0 in two stacked plates, heated from above, with u = 0 below and insulated sides.

    u is linear in each plate, with slopes q/k: a kink where the plates meet, of 290 times the smaller slope. A network
    with continuous derivatives cannot have it, whatever its loss.
    """

    group = "shapes and materials"
    lower: PositiveFloat = 1.38
    upper: PositiveFloat = 400.0
    flux: PositiveFloat = 200.0
    domain = Split(Box(x=(0, 1), y=(0, 2)), Box(x=(0, 1), y=(0, 1)), name="joint")

    @property
    def defaults(self):
        # how large u gets is not seen by the conditions one by one
        size = self.flux / min(self.lower, self.upper)
        return {"network": {"hidden": [16, 16], "scale": size}, "train": [{"optimiser": "gauss_newton", "steps": 200}]}

    @property
    def conditions(self):
        return (
            dirichlet(0.0, on="y=min"),
            robin(0.0, self.upper, self.flux, on="y=max", name="heated"),
            robin(0.0, 1.0, 0.0, on="x", name="insulated"),
            interface(self.lower, self.upper, on="joint"),
        )

    def residual(self, u):
        return u.laplacian

    def reference(self):
        below, above = self.flux / self.lower, self.flux / self.upper
        return lambda x, y: below * np.minimum(y, 1) + above * np.maximum(y - 1, 0) + 0 * x
