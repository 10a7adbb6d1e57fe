from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat
from torch import sin

from pinnreg import Box, Problem, dirichlet, initial, odd, reference


@dataclass(frozen=True)
class HeatPulsed(Problem):
    """uₜ = d Δu + s sin u² (1 + 2 sin πt/4) sin 4πx sin 2πy on (0, 1)² × (0, T], u = sin 4πx sin 3πy at t = 0.

    u = 0 on the edges. Heat2d-LT of PINNacle (Hao et al. 2023, arXiv:2306.08827) with d = 0.001, s = 5 and T = 100, of
    which this is the beginning. u is nearly a function of its start and the source, whose shapes the network gets.
    """

    group = "diffusion and reaction"
    diffusivity: PositiveFloat = 0.001
    source: PositiveFloat = 5.0
    duration: PositiveFloat = 0.1
    domain = property(lambda self: Box(x=(0, 1), y=(0, 1), t=(0, self.duration)))
    symmetry, train = odd("x"), [{"optimiser": "gauss_newton", "steps": 100}]
    defaults = {"network": {"hidden": [20, 20]}, "conditions": "soft", "train": train}
    features = property(lambda self: (lambda x, y: self.wave(2, x, y), lambda x, y: self.wave(3, x, y)))
    conditions = property(lambda self: (initial(lambda x, y: self.wave(3, x, y)), dirichlet(0.0)))

    def wave(self, m, x, y, sin=sin):
        return sin(4 * pi * x) * sin(m * pi * y)

    def residual(self, u, x, y, t):
        heat = self.source * (1 + 2 * sin(pi / 4 * t)) * sin(u**2) * self.wave(2, x, y)
        return u.t - self.diffusivity * u.laplacian - heat

    def reference(self):
        linear, span = (lambda k, m: -self.diffusivity * (k**2 + m**2)), {"t": (0, self.duration), "steps": 50}
        start, shape = (lambda x, y, m=m: self.wave(m, x, y, np.sin) for m in (3, 2))
        heat = lambda u, x, y, t: self.source * (1 + 2 * np.sin(pi / 4 * t)) * np.sin(u**2) * shape(x, y)  # noqa: E731
        return reference.fourier(linear, heat, start, x=(-1, 1), y=(-1, 1), modes=192, **span)
