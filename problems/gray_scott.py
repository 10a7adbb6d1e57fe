from dataclasses import dataclass

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, periodic, reference


@dataclass(frozen=True)
class GrayScott(Problem):
    """uₜ = d Δu + b (1 - u) - uv², vₜ = d/2 Δv - v/10 + uv² on (-1, 1)² × (0, T], d = 1e-5, periodic, from a spot each.

    The beginning of GS of PINNacle (Hao et al. 2023, arXiv:2306.08827), b = 0.04. The network gets the spots.
    """

    group = "diffusion and reaction"
    outputs = ("u", "v")
    feed: PositiveFloat = 0.04
    duration: PositiveFloat = 0.5
    domain = property(lambda self: Box(x=(-1, 1), y=(-1, 1), t=(0, self.duration)))
    features = property(lambda self: (lambda x, y: self.at(x, y, -1), lambda x, y: self.at(x, y, 1)))
    begin = property(lambda self: initial(lambda x, y: 1 - self.at(x, y, -1), of="u"))
    conditions = property(lambda self: (self.begin, initial(self.features[1], of="v"), periodic("x"), periodic("y")))
    train = [{"optimiser": "gauss_newton", "steps": 60}]
    defaults = {"network": {"hidden": [16, 16]}, "points": {"interior": 1200}, "train": train}

    def at(self, x, y, side, exp=torch.exp):
        return exp(-80 * ((x - 0.05 * side) ** 2 + (y - 0.02 * side) ** 2))

    def residual(self, u, v):
        fed, eaten = self.feed * (1 - u), u * v**2
        return {"u": u.t - 1e-5 * u.laplacian - fed + eaten, "v": v.t - 5e-6 * v.laplacian + 0.1 * v - eaten}

    def reference(self):
        linear = lambda k, m: [-1e-5 / n * (k**2 + m**2) for n in (1, 2)]  # noqa: E731
        react = lambda u, v: (self.feed * (1 - u) - u * v**2, u * v**2 - 0.1 * v)  # noqa: E731
        how = {"t": (0, self.duration), "modes": 192, "steps": 50, "outputs": self.outputs, "system": True}
        start = lambda x, y: (1 - self.at(x, y, -1, np.exp), self.at(x, y, 1, np.exp))  # noqa: E731
        return reference.fourier(linear, react, start, x=(-1, 1), y=(-1, 1), **how)
