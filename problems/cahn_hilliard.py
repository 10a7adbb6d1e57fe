from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, even, initial, periodic, reference


@dataclass(frozen=True)
class CahnHilliard(Problem):
    """uₜ = (u³ - u - ε² uₓₓ)ₓₓ on (-1, 1) × (0, T], u(x, 0) = (cos πx + cos 3πx)/4, periodic in x.

    An alloy that comes apart, after J. W. Cahn and J. E. Hilliard, J. Chem. Phys. 28 (1958) 258: u tends to 1 and -1,
    with layers of width ε, and its mean stays. Of fourth order, and stiff: short waves fade like exp(-ε²k⁴t), and
    those with k < 1/ε grow.
    """

    group = "diffusion and reaction"
    width: PositiveFloat = 0.1
    duration: PositiveFloat = 0.05
    symmetry = even("x")
    domain = property(lambda self: Box(x=(-1, 1), t=(0, self.duration)))
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}
    conditions = (initial(lambda x: (torch.cos(pi * x) + torch.cos(3 * pi * x)) / 4), periodic("x"))

    def residual(self, u):
        potential = 3 * u**2 * u.xx + 6 * u * u.x**2 - u.xx  # (u³ - u)ₓₓ
        return u.t - potential + self.width**2 * u.xxxx

    def reference(self):
        linear = lambda k: k**2 - self.width**2 * k**4  # noqa: E731
        start = lambda x: (np.cos(pi * x) + np.cos(3 * pi * x)) / 4  # noqa: E731
        span = {"x": (-1, 1), "t": (0, self.duration), "modes": 128, "steps": 1000}
        return reference.fourier(linear, lambda u: u**3, start, factor=lambda k: -(k**2), **span)
