from dataclasses import dataclass
from math import pi
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import exp

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Darcy(Problem):
    """q = -k p', q' = 1 on (0, 1), p(0) = 1, q(0) = 1/2 with k = exp m unknown, from measurements of the pressure p.

    Flow through an aquifer on which it rains: the permeability k = 1/(1 + c sin 2πx) is sought. As an output m keeps k
    positive, and with q as another no derivative of m is in the equations. k = -q/p' amplifies the noise of p, the more
    the shorter the waves: a total variation, whose weight is found, takes these away.
    """

    group = "inverse problems"
    contrast: Annotated[float, Field(gt=0, lt=1)] = 0.4
    outputs = ("p", "q", "m")
    domain = Box(x=(0, 1))
    conditions = dirichlet(1.0, on="x=min", of="p", name="inlet"), dirichlet(0.5, on="x=min", of="q", name="rate")
    defaults = {
        "network": {"hidden": [16]},
        "measurements": [{"samples": 100, "noise": 0.01, "of": "p"}],
        "regularisers": [{"kind": "ktv", "order": 2, "weight": "auto"}],
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }

    def residual(self, p, q, m):
        return {"law": q + exp(m) * p.x, "balance": q.x - 1}

    def reference(self):
        c, w, q = self.contrast, 2 * pi, lambda x: 0.5 + x
        wave = lambda x: (q(x) * np.cos(w * x) - 0.5) / w - np.sin(w * x) / w**2  # noqa: E731
        pressure = lambda x: 1 - x / 2 - x**2 / 2 + c * wave(x)  # noqa: E731
        return {"p": pressure, "q": q, "m": lambda x: -np.log(1 + c * np.sin(w * x))}
