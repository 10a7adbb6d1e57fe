from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
from torch import cosh

from pinnreg import Box, Problem, even, initial, periodic, reference


@dataclass(frozen=True)
class Schroedinger(Problem):
    """i hₜ + ½ hₓₓ + |h|² h = 0 for h = u + iv on (-5, 5) × (0, π/2], h(x, 0) = 2 sech x, periodic in x.

    As in Raissi et al. (2019), arXiv:1711.10566. "sech" has a corner of 0.05 at x = ±5, whose waves run through all of
    the domain: 1e-4 takes 25 of them, with frequencies up to 123. "images" adds those of all periods, and is smooth.
    """

    group = "waves"
    start: Literal["sech", "images"] = "sech"
    outputs = ("u", "v")
    domain = Box(x=(-5, 5), t=(0, pi / 2))
    symmetry = even("x")
    defaults = {"train": [{"optimiser": "gauss_newton", "steps": 100}]}
    conditions = property(lambda self: (initial(self.pulse, of="u"), initial(0.0, of="v"), periodic("x")))

    def pulse(self, x, cosh=cosh):
        return sum(2 / cosh(x - 10 * n) for n in {"sech": [0], "images": range(-5, 6)}[self.start])

    def residual(self, u, v):
        square = u**2 + v**2
        return {"real": u.xx / 2 - v.t + square * u, "imaginary": v.xx / 2 + u.t + square * v}

    def reference(self):
        # on average over a period, which does not change, |h|² h has the slope 2 |h|²
        slope = 2 * np.mean(self.pulse(np.linspace(-5, 5, 1000, endpoint=False), np.cosh) ** 2)
        linear = lambda k: 1j * (slope - k**2 / 2)  # noqa: E731
        rest = lambda h: 1j * (h.real**2 + h.imag**2 - slope) * h  # noqa: E731
        modes, steps = {"sech": (1024, 8000), "images": (384, 3000)}[self.start]
        how = {"x": (-5, 5), "t": (0, pi / 2), "outputs": ("u", "v"), "modes": modes, "steps": steps}
        return reference.fourier(linear, rest, lambda x: self.pulse(x, np.cosh), **how)
