from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class ConvectionDiffusion(Problem):
    """-ε u'' + u' = 0 on (0, 1), u(0) = 0, u(1) = 1: zero but for a layer of width ε at x = 1."""

    group = "ordinary equations"
    eps: PositiveFloat = 0.01
    domain = Box(x=(0, 1))
    conditions = (dirichlet(lambda x: x, on="x"),)

    def residual(self, u):
        return u.x - self.eps * u.xx

    def reference(self):
        # (exp(x/ε) - 1) / (exp(1/ε) - 1) without its overflow for small ε
        e = self.eps
        return lambda x: np.exp((x - 1) / e) * np.expm1(-x / e) / np.expm1(-1 / e)
