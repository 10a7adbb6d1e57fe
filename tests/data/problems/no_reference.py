from dataclasses import dataclass

import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class NoReference(Problem):
    """-uₓₓ + k u³ = sin πx on (0, 1), u = 0 at both ends: no closed form is known here."""

    k: PositiveFloat = 2.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0, on="x"),)

    def residual(self, u, x):
        return -u.xx + self.k * u**3 - torch.sin(torch.pi * x)
