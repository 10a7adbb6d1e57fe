from dataclasses import dataclass
from math import log

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, reference

START = (log(100 / 53), log(0.3))


@dataclass(frozen=True)
class LotkaVolterra(Problem):
    """u' = a (1 - exp v), v' = b (exp u - 1) on (0, 12], u(0) = ln 100/53, v(0) = ln 3/10.

    The logarithms of prey and predators, in units of their balance, after A. J. Lotka (1925) and V. Volterra (1926).
    b (exp u - u) + a (exp v - v) stays, so that each period repeats the last, and nothing damps errors of phase.
    """

    group = "ordinary equations"
    growth: PositiveFloat = 2.0
    decay: PositiveFloat = 1.06
    outputs = ("u", "v")
    domain = Box(t=(0, 12))
    conditions = (initial(START[0], of="u"), initial(START[1], of="v"))
    defaults = {"network": {"hidden": [16, 16], "scale": 1}, "train": [{"optimiser": "gauss_newton", "steps": 150}]}

    def residual(self, u, v):
        return {"prey": u.t - self.growth * (1 - torch.exp(v)), "predators": v.t - self.decay * (torch.exp(u) - 1)}

    def reference(self):
        rates = lambda t, u, v: (-self.growth * np.expm1(v), self.decay * np.expm1(u))  # noqa: E731
        return reference.ordinary(rates, START, t=(0, 12), outputs=self.outputs)
