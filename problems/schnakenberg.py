from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, even, initial, periodic, reference


@dataclass(frozen=True)
class Schnakenberg(Problem):
    """uₜ = d uₓₓ + 0.1 - u + u²v, vₜ = e vₓₓ + b - u²v on (0, 1) × (0, 10], at rest but for 0.2 cos 2πx, periodic.

    Rest is u = 0.1 + b, v = b/u². J. Schnakenberg's reaction, J. Theor. Biol. 81 (1979) 389, whose fast v makes
    that unstable, after A. M. Turing (1952): the wave grows, and sharpens to a spike of u.
    """

    group = "diffusion and reaction"
    feed: PositiveFloat = 0.9
    slow: PositiveFloat = 0.002
    fast: PositiveFloat = 0.08
    outputs, domain = ("u", "v"), Box(x=(0, 1), t=(0, 10))
    symmetry = (even("x", of="u"), even("x", of="v"))
    defaults = {"network": {"hidden": [16, 16]}, "train": [{"optimiser": "gauss_newton", "steps": 80}]}
    rest = property(lambda self: (0.1 + self.feed, self.feed / (0.1 + self.feed) ** 2))
    conditions = property(lambda self: (initial(self.wave, of="u"), initial(self.rest[1], of="v"), periodic("x")))

    def wave(self, x, cos=torch.cos):
        return self.rest[0] + 0.2 * cos(2 * pi * x)

    def residual(self, u, v):
        activator = u.t - self.slow * u.xx - 0.1 + u - u**2 * v
        return {"activator": activator, "inhibitor": v.t - self.fast * v.xx - self.feed + u**2 * v}

    def reference(self):
        linear = lambda k: (-self.slow * k**2 - 1, -self.fast * k**2)  # noqa: E731
        reaction = lambda u, v: (0.1 + u**2 * v, self.feed - u**2 * v)  # noqa: E731
        start = lambda x: (self.wave(x, np.cos), self.rest[1] + 0 * x)  # noqa: E731
        how = {"x": (0, 1), "t": (0, 10), "modes": 128, "steps": 2000, "outputs": self.outputs, "system": True}
        return reference.fourier(linear, reaction, start, **how)
