from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, even, initial, periodic, reference


@dataclass(frozen=True)
class AllenCahn(Problem):
    """uₜ = d uₓₓ + r (u - u³) on (-1, 1) × (0, 1], u(x, 0) = x² cos πx, periodic in x.

    u tends to 1 and -1, with fronts of width √(d/r) between. The start has a corner at x = ±1, that a thin layer
    rounds. d = 10⁻⁴, r = 5 are those of Raissi, Perdikaris and Karniadakis (2019), arXiv:1711.10566.
    """

    group = "diffusion and reaction"
    diffusivity: PositiveFloat = 1e-4
    rate: PositiveFloat = 5.0
    domain = Box(x=(-1, 1), t=(0, 1))
    symmetry = even("x")
    defaults = {"train": [{"optimiser": "gauss_newton", "steps": 200}]}
    conditions = (initial(lambda x: x**2 * torch.cos(pi * x)), periodic("x"))

    def residual(self, u):
        return u.t - self.diffusivity * u.xx - self.rate * (u - u**3)

    def reference(self):
        # about u = -1, where the corner is, r (u - u³) has the slope -2r
        linear = lambda k: -self.diffusivity * k**2 - 2 * self.rate  # noqa: E731
        rest = lambda u: self.rate * (3 * u - u**3)  # noqa: E731
        start = lambda x: x**2 * np.cos(pi * x)  # noqa: E731
        return reference.fourier(linear, rest, start, x=(-1, 1), t=(0, 1), modes=2048, steps=1000)
