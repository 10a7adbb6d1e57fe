from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveInt

from pinnreg import Box, Problem, dirichlet, initial


@dataclass(frozen=True)
class KleinGordon(Problem):
    """uₜₜ - uₓₓ + u³ = f on (0, 1) × (0, 1] with f such that u = x cos kπt + (xt)³, k the frequency.

    f = -k²π² x cos kπt + 6x³t - 6xt³ + u³; k = 5 is that of Wang, Teng and Perdikaris (2021), arXiv:2001.04536.
    """

    group = "waves"
    frequency: PositiveInt = 5
    domain = Box(x=(0, 1), t=(0, 1))

    @property
    def conditions(self):
        ends = dirichlet(lambda x, t: self.swing(x, t) + (x * t) ** 3, on="x")
        return (initial(lambda x: x), initial(0.0, order=1, name="velocity"), ends)

    def swing(self, x, t):
        return x * torch.cos(self.frequency * pi * t)

    def residual(self, u, x, t):
        swing = self.swing(x, t)
        source = -((self.frequency * pi) ** 2) * swing + 6 * x**3 * t - 6 * x * t**3 + (swing + (x * t) ** 3) ** 3
        return u.tt - u.xx + u**3 - source

    def reference(self):
        return lambda x, t: x * np.cos(self.frequency * pi * t) + (x * t) ** 3
