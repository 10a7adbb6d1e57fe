from dataclasses import dataclass
from math import pi, prod
from typing import Literal

import numpy as np
import torch
from pydantic import PositiveInt

from pinnreg import Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class Poisson(Problem):
    """-Δu = d (kπ)² f on (0, 1)ᵈ, u = 0 on the boundary, with frequency k and source f.

    "sine": f = Πᵢ sin kπxᵢ, solved by u = f. "skewed": f = Πᵢ sin(kπxᵢ) exp(xᵢ - 1/2), compared with SciPy's solve.
    """

    group = "steady"
    dimension: Literal[1, 2, 3] = 2
    frequency: PositiveInt = 1
    source: Literal["sine", "skewed"] = "sine"
    conditions = (dirichlet(0.0),)
    domain = property(lambda self: Box(**dict.fromkeys("xyz"[: self.dimension], (0, 1))))

    @property
    def defaults(self):
        width = 17 + self.frequency if self.dimension == 1 else 21 + 3 * min(self.frequency, 8)
        network = {"hidden": [width, width], "activation": "sin", "spread": 2.0}
        return {"network": network, "train": [{"optimiser": "gauss_newton", "steps": 60}]}

    def residual(self, u, points):
        k = self.frequency * pi
        skew = torch.exp(points - 0.5) if self.source == "skewed" else 1.0
        return u.laplacian + self.dimension * k**2 * (torch.sin(k * points) * skew).prod(dim=1)

    def reference(self):
        k, skewed = self.frequency * pi, self.source == "skewed"
        f = lambda *x: prod(np.sin(k * each) * np.exp((each - 0.5) * skewed) for each in x)  # noqa: E731
        scipy = reference.poisson(lambda *x: self.dimension * k**2 * f(*x), self.domain.bounds)
        return scipy if skewed else reference.closed_form(f, scipy=scipy)
