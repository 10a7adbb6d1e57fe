from dataclasses import dataclass

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, reference

START, UNIT, TRAIN = (1.0, 0.0, 0.0), 1e-4, [{"optimiser": "gauss_newton", "steps": 150, "windows": 4}]


@dataclass(frozen=True)
class Robertson(Problem):
    """u' = -a u + b y w, y' = a u - b y w - c y², w' = c y² by the time τ, u = 1, y = w = 0 at τ = 0: stiff kinetics.

    After H. H. Robertson (1966). It takes decades: the axis is t = ln(1 + 10⁴τ), and v = 10⁴y. With the first equation
    goes the sum of all, and that of v is divided by 1 + its rate: else what cancels in them would drown the rest.
    """

    group = "ordinary equations"
    slow: PositiveFloat = 0.04
    back: PositiveFloat = 1e4
    fast: PositiveFloat = 3e7
    end: PositiveFloat = 1e5
    outputs = ("u", "v", "w")
    domain = property(lambda self: Box(t=(0, np.log1p(self.end / UNIT))))
    conditions = tuple(initial(value, of=name) for name, value in zip(outputs, START, strict=True))
    defaults = {"network": {"hidden": [20, 20], "scale": 1}, "train": TRAIN}

    def residual(self, u, v, w, t):
        tempo, made = UNIT * torch.exp(t), UNIT**2 * self.fast * v**2
        fast = v.t - tempo / UNIT * (self.slow * u - UNIT * self.back * v * w - made)
        return {"sum": u.t + UNIT * v.t + w.t, "v": fast / (1 + tempo * self.back), "w": w.t - tempo * made}

    def reference(self):
        first, last = np.array([[-1, 1 / UNIT, 0], [0, -1 / UNIT, 1]])
        change = lambda u, y, w: first * (self.slow * u - self.back * y * w) + last * self.fast * y**2  # noqa: E731
        rates = lambda t, u, v, w: UNIT * np.exp(t) * change(u, UNIT * v, w)  # noqa: E731
        return reference.ordinary(rates, START, t=self.domain.bounds["t"], outputs=self.outputs, stiff=True)
