from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
import torch

from pinnreg import Box, Problem, even, initial, periodic, reference


@dataclass(frozen=True)
class Schroedinger(Problem):
    """i hₜ + ½ hₓₓ + |h|² h = 0 for h = u + iv on (-5, 5) × (0, π/2], h(x, 0) = 2 sech x, periodic in x.

    A pulse that contracts and recovers, as in Raissi, Perdikaris and Karniadakis (2019), arXiv:1711.10566. "sech" has
    a corner of 0.05 at x = ±5, which nothing rounds off: its waves run through the whole domain, and 1e-4 takes 25 of
    them, with frequencies up to 123. "images" adds the pulses of the other periods, and is smooth.
    """

    group = "waves"
    start: Literal["sech", "images"] = "sech"
    outputs = ("u", "v")
    domain = Box(x=(-5, 5), t=(0, pi / 2))
    symmetry = even("x")
    defaults = {"train": [{"optimiser": "gauss_newton", "steps": 100}]}

    @property
    def conditions(self):
        return (initial(lambda x: self.pulse(x, torch), of="u"), initial(0.0, of="v"), periodic("x"))

    def pulse(self, x, lib):
        return sum(2 / lib.cosh(x - 10 * n) for n in {"sech": [0], "images": range(-5, 6)}[self.start])

    def residual(self, u, v):
        square = u**2 + v**2
        return {"real": u.xx / 2 - v.t + square * u, "imaginary": v.xx / 2 + u.t + square * v}

    def reference(self):
        # on average over a period, which does not change, |h|² h has the slope 2 |h|²
        slope = 2 * np.mean(self.pulse(np.linspace(-5, 5, 1000, endpoint=False), np) ** 2)
        linear = lambda k: 1j * (slope - k**2 / 2)  # noqa: E731
        rest = lambda h: 1j * (h.real**2 + h.imag**2 - slope) * h  # noqa: E731
        size = {"sech": {"modes": 1024, "steps": 8000}, "images": {"modes": 384, "steps": 3000}}[self.start]
        span = {"x": (-5, 5), "t": (0, pi / 2), "outputs": ("u", "v")}
        return reference.fourier(linear, rest, lambda x: self.pulse(x, np), **span, **size)
