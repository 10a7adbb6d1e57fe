from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, periodic, reference


@dataclass(frozen=True)
class Advection(Problem):
    """uₜ + β uₓ = 0 on (0, 2π) × (0, 1], u(x, 0) = sin x, periodic in x: a wave that travels β / 2π periods.

    β = 30 is that of Krishnapriyan et al. (2021), arXiv:2109.01050, at which plain training fails.
    """

    group = "waves"
    beta: PositiveFloat = 30.0
    domain = Box(x=(0, 2 * pi), t=(0, 1))
    defaults = {"network": {"activation": "sin"}, "train": [{"optimiser": "gauss_newton", "steps": 200}]}
    conditions = property(lambda self: (initial(self.start), periodic("x")))

    def start(self, x):
        return torch.sin(x)

    def residual(self, u):
        return u.t + self.beta * u.x

    def reference(self):
        lines = {"x": (0, 2 * pi), "t": (0, 1), "boundary": "periodic"}
        scipy = reference.method_of_lines(lambda x, u, ux, uxx: -self.beta * ux, np.sin, **lines)
        return reference.closed_form(lambda x, t: np.sin(x - self.beta * t), scipy=scipy)
