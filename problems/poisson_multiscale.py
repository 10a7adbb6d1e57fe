from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveInt

from pinnreg import Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class PoissonMultiscale(Problem):
    """-u'' = f on (0, 1), u(0) = u(1) = 0, with f such that u = Σ sin kπx / k for k = m, 2m, 3m and 4m.

    f = π² Σ k sin kπx: four scales that are of equal weight in u', but in f the shortest has four times that of the
    longest. A network whose weights are small at the start sees none of them, hence the spread.
    """

    group = "many scales"
    frequency: PositiveInt = 4
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = {
        "network": {"hidden": [30, 30], "activation": "sin", "spread": 4.0},
        "train": [{"optimiser": "gauss_newton", "steps": 100}],
    }

    def waves(self, x, lib, power):
        return sum(k**power * lib.sin(k * pi * x) for k in (self.frequency * n for n in (1, 2, 3, 4)))

    def residual(self, u, x):
        return -u.xx - pi**2 * self.waves(x, torch, 1)

    def reference(self):
        solved = reference.poisson(lambda x: pi**2 * self.waves(x, np, 1), {"x": (0, 1)})
        return reference.closed_form(lambda x: self.waves(x, np, -1), scipy=solved)
