from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, periodic, reference


@dataclass(frozen=True)
class KuramotoSivashinsky(Problem):
    """uₜ + a u uₓ + b uₓₓ + c uₓₓₓₓ = 0 on (0, 2π) × (0, T], u(x, 0) = cos x (1 + sin x), periodic in x.

    a = 100/16, b = 100/16² and c = 100/16⁴ are those of Hao et al. (2023), arXiv:2306.08827, with T = 1. uₓₓ feeds
    long waves, u uₓ has steepened them to a shock by t = 0.1, and uₓₓₓₓ keeps that smooth. From there on errors grow.
    """

    group = "waves"
    advection: PositiveFloat = 100 / 16
    growth: PositiveFloat = 100 / 16**2
    damping: PositiveFloat = 100 / 16**4
    duration: PositiveFloat = 0.1
    domain = property(lambda self: Box(x=(0, 2 * pi), t=(0, self.duration)))
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 150}]}
    conditions = (initial(lambda x: torch.cos(x) * (1 + torch.sin(x))), periodic("x"))

    def residual(self, u):
        return u.t + self.advection * u * u.x + self.growth * u.xx + self.damping * u.xxxx

    def reference(self):
        linear = lambda k: self.growth * k**2 - self.damping * k**4  # noqa: E731
        start = lambda x: np.cos(x) * (1 + np.sin(x))  # noqa: E731
        span = {"x": (0, 2 * pi), "t": (0, self.duration), "modes": 384, "steps": 4000}
        return reference.fourier(linear, lambda u: u**2 / 2, start, factor=lambda k: -1j * self.advection * k, **span)
