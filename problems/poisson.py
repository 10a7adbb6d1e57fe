from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
import torch
from pydantic import PositiveInt

from pinnreg import Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class Poisson(Problem):
    """-Δu = d (kπ)² Πᵢ sin kπxᵢ on (0, 1)ᵈ, u = 0 on the boundary; solved by u = Πᵢ sin kπxᵢ, k the frequency."""

    dimension: Literal[1, 2, 3] = 2
    frequency: PositiveInt = 1
    conditions = (dirichlet(0.0),)
    domain = property(lambda self: Box(**dict.fromkeys("xyz"[: self.dimension], (0, 1))))

    def residual(self, u, points):
        k = self.frequency * pi
        return u.laplacian + self.dimension * k**2 * torch.sin(k * points).prod(dim=1)

    def reference(self):
        k, d, bounds = self.frequency * pi, self.dimension, self.domain.bounds
        exact = lambda *x: np.prod(np.broadcast_arrays(*(np.sin(k * axis) for axis in x)), axis=0)  # noqa: E731
        return reference.closed_form(exact, scipy=reference.poisson(lambda *x: d * k**2 * exact(*x), bounds))
