from dataclasses import dataclass
from math import pi
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveFloat

from pinnreg import Box, Problem, dirichlet, even, initial


@dataclass(frozen=True)
class HeatFamily(Problem):
    """uₜ = α uₓₓ on (0, 1) × (0, 1], u(x, 0) = sin πx, u(0, t) = u(1, t) = 0, for all α from a to ra at once.

    α is an axis, but no space: one network has the solutions of all rods, which at the end have decayed by factors
    from exp(-π² a) to exp(-π² ra). `solution.at(alpha=0.2)` is one of them, `solution.calibrate` finds the α of
    measurements.
    """

    group = "parametrised"
    slowest: PositiveFloat = 0.1
    ratio: Annotated[float, Field(gt=1)] = 5.0
    parameters = ("alpha",)
    symmetry = even("x")
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}
    domain = property(lambda self: Box(x=(0, 1), alpha=(self.slowest, self.ratio * self.slowest), t=(0, 1)))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0))

    def residual(self, u, alpha):
        return u.t - alpha * u.xx

    def reference(self):
        return lambda x, alpha, t: np.exp(-alpha * pi**2 * t) * np.sin(pi * x)
