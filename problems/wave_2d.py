from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, even, initial


@dataclass(frozen=True)
class Wave2D(Problem):
    """uₜₜ = c² Δu on (0, 1)² × (0, 1], u = sin πx sin πy and uₜ = a √5 πc sin 2πx sin πy at t = 0, u = 0 on the edges.

    A membrane that is let go and struck at once: the ground tone by its shape, the first overtone by its velocity, in
    the ratio √(5/2) of frequencies, which are not harmonic. a is the size of the overtone.
    """

    group = "waves"
    speed: PositiveFloat = 1.0
    overtone: float = 0.5
    domain = Box(x=(0, 1), y=(0, 1), t=(0, 1))
    symmetry = even("y")
    train = [{"optimiser": "gauss_newton", "steps": 60}]
    defaults = {"network": {"hidden": [20, 20], "activation": "sin"}, "train": train}

    @property
    def conditions(self):
        sin, struck = torch.sin, self.overtone * 5**0.5 * pi * self.speed
        shape = initial(lambda x, y: sin(pi * x) * sin(pi * y))
        velocity = initial(lambda x, y: struck * sin(2 * pi * x) * sin(pi * y), order=1, name="velocity")
        return (shape, velocity, dirichlet(0.0))

    def residual(self, u):
        return u.tt - self.speed**2 * u.laplacian

    def reference(self):
        tone = lambda m, x, y: np.sin(m * pi * x) * np.sin(pi * y)  # noqa: E731
        first, second = (n**0.5 * pi * self.speed for n in (2, 5))
        return lambda x, y, t: tone(1, x, y) * np.cos(first * t) + self.overtone * tone(2, x, y) * np.sin(second * t)
