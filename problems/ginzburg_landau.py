from dataclasses import dataclass
from math import pi

import numpy as np
import torch

from pinnreg import Box, Problem, even, initial, periodic, reference


@dataclass(frozen=True)
class GinzburgLandau(Problem):
    """Aₜ = A + (1 + ib) Aₓₓ - (1 + ic) |A|² A for A = u + iv on (-5, 5) × (0, 3], A(x, 0) = cos² πx/10, periodic.

    Waves beyond the onset of an instability, as I. S. Aranson and L. Kramer (2002) review them: A grows to |A| = 1 and
    turns, the faster the larger it is, by which its phase winds up. Where bc < -1 nothing holds the waves in step.
    """

    group = "waves"
    dispersion: float = 1.0
    detuning: float = 2.0
    outputs = ("u", "v")
    domain = Box(x=(-5, 5), t=(0, 3))
    symmetry = even("x")
    defaults = {"train": [{"optimiser": "gauss_newton", "steps": 60}], "network": {"hidden": [20, 20]}}

    conditions = (initial(lambda x: torch.cos(pi / 10 * x) ** 2, of="u"), initial(0.0, of="v"), periodic("x"))

    def residual(self, u, v):
        b, c, square = self.dispersion, self.detuning, u**2 + v**2
        real = u.t - u - u.xx + b * v.xx + square * (u - c * v)
        return {"real": real, "imaginary": v.t - v - v.xx - b * u.xx + square * (v + c * u)}

    def reference(self):
        linear = lambda k: 1 - (1 + 1j * self.dispersion) * k**2  # noqa: E731
        rest = lambda a: -(1 + 1j * self.detuning) * np.abs(a) ** 2 * a  # noqa: E731
        span = {"x": (-5, 5), "t": (0, 3), "outputs": ("u", "v")}
        return reference.fourier(linear, rest, lambda x: np.cos(pi / 10 * x) ** 2, **span, modes=48, steps=800)
