from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class InverseSource(Problem):
    """-Δu = f on (0, 1)², u = 0 on the edges, where f is unknown: from measurements of u with noise.

    u = sin πx sin πy + a sin 2πx sin πy. Second derivatives of noise are far larger than itself: without more, f is
    anything. A total variation of f, and u, whose weight is found by how well measurements are predicted from others,
    chooses the smoothest that they allow.
    """

    group = "inverse problems"
    skew: PositiveFloat = 0.3
    outputs = ("u", "f")
    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0, of="u"),)
    defaults = {
        "network": {"hidden": [16, 16]},
        "measurements": [{"samples": 400, "noise": 0.05, "of": "u"}],
        "regularisers": [{"kind": "ktv", "order": 3, "weight": "auto"}],
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }

    def sum(self, x, y, first, second):
        return (first * np.sin(pi * x) + self.skew * second * np.sin(2 * pi * x)) * np.sin(pi * y)

    def residual(self, u, f):
        return -u.laplacian - f

    def reference(self):
        source = lambda x, y: self.sum(x, y, 2 * pi**2, 5 * pi**2)  # noqa: E731
        return {"u": lambda x, y: self.sum(x, y, 1, 1), "f": source}
