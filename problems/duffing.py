from dataclasses import dataclass
from math import cos
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat

from pinnreg import Box, Problem, initial, reference


@dataclass(frozen=True)
class Duffing(Problem):
    """u'' + δ u' + α u + β u³ = γ cos ωt on (0, 10], u(0) = 1, u'(0) = 0: a spring that hardens, driven and damped.

    α < 0 makes u = 0 unstable, between two wells at u² = -α/β.
    """

    group = "ordinary equations"
    delta: Annotated[float, Field(ge=0)] = 0.3
    alpha: float = -1.0
    beta: PositiveFloat = 1.0
    gamma: float = 0.5
    omega: PositiveFloat = 1.2
    domain = Box(t=(0, 10))
    defaults = {"network": {"hidden": [20, 20]}}
    conditions = (initial(1.0), initial(0.0, order=1))

    def residual(self, u, t):
        drive = self.gamma * torch.cos(self.omega * t)
        return u.tt + self.delta * u.t + self.alpha * u + self.beta * u**3 - drive

    def reference(self):
        def rhs(t, u, v):
            return v, self.gamma * cos(self.omega * t) - self.delta * v - self.alpha * u - self.beta * u**3

        return reference.ordinary(rhs, (1.0, 0.0), t=(0, 10))
