from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt

from pinnreg import Box, Problem, dirichlet, initial, reference


@dataclass(frozen=True)
class Heat(Problem):
    """uₜ = α uₓₓ on (0, 1) × (0, 1], u(x, 0) = sin mπx (m the mode), u(0, t) = u(1, t) = 0."""

    alpha: PositiveFloat = 0.4
    mode: PositiveInt = 1
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = property(lambda self: (initial(lambda x: torch.sin(self.mode * pi * x)), dirichlet(0.0, on="x")))

    def residual(self, u):
        return u.t - self.alpha * u.xx

    def reference(self):
        alpha, k = self.alpha, self.mode * pi
        start = lambda x: np.sin(k * x)  # noqa: E731
        scipy = reference.method_of_lines(lambda x, u, ux, uxx: alpha * uxx, start, x=(0, 1), t=(0, 1))
        return reference.closed_form(lambda x, t: np.exp(-alpha * k**2 * t) * start(x), scipy=scipy)
