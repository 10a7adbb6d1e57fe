from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, periodic, reference


@dataclass(frozen=True)
class Reaction(Problem):
    """uₜ = ρ u (1 - u) on (0, 2π) × (0, 1], u(x, 0) = exp(-8 (x - π)² / π²), periodic in x.

    The logistic equation at each x: the bell becomes a plateau with steep sides. ρ = 5 is that of Krishnapriyan et al.
    (2021), arXiv:2109.01050. The bell's slopes at the two ends differ, by 0.003, so that only u itself is periodic.
    """

    group = "diffusion and reaction"
    rho: PositiveFloat = 5.0
    domain = Box(x=(0, 2 * pi), t=(0, 1))
    conditions = (initial(lambda x: torch.exp(-8 * (x / pi - 1) ** 2)), periodic("x", order=0))

    def residual(self, u):
        return u.t - self.rho * u * (1 - u)

    def reference(self):
        # u / (1 - u) grows by exp(ρt); written so that neither vanishes nor overflows
        odds = lambda x: np.expm1(8 * (x / pi - 1) ** 2)  # noqa: E731
        exact = lambda x, t: 1 / (1 + np.exp(-self.rho * t) * odds(x))  # noqa: E731
        lines = {"x": (0, 2 * pi), "t": (0, 1), "boundary": "periodic"}
        bell = lambda x: np.exp(-8 * (x / pi - 1) ** 2)  # noqa: E731
        scipy = reference.method_of_lines(lambda x, u, ux, uxx: self.rho * u * (1 - u), bell, nodes=1601, **lines)
        return reference.closed_form(exact, scipy=scipy)
