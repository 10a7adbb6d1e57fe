from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt

from pinnreg import Box, Problem, dirichlet, initial, reference


@dataclass(frozen=True)
class Heat(Problem):
    """uₜ = α uₓₓ on (0, L) × (0, T], u(x, 0) = b + A (s(mx/L) + c s((m + 1)x/L)), u(0, t) = u(L, t) = b.

    "sine" is s(z) = sin πz, "hat" straight lines between its zeros and peaks; c is the overtone."""

    group = "diffusion and reaction"
    alpha: PositiveFloat = 0.4
    mode: PositiveInt = 1
    overtone: float = 0.0
    start: Literal["sine", "hat"] = "sine"
    length: PositiveFloat = 1.0
    duration: PositiveFloat = 1.0
    base: float = 0.0
    amplitude: PositiveFloat = 1.0
    defaults = {"network": {"hidden": [29, 29]}, "train": [{"optimiser": "gauss_newton", "steps": 50}]}
    domain = property(lambda self: Box(x=(0, self.length), t=(0, self.duration)))
    conditions = property(lambda self: (initial(self.first), dirichlet(self.base, on="x")))

    def first(self, x):
        shape = torch.sin if self.start == "sine" else lambda z: 1 - 2 * abs((z / torch.pi + 0.5) % 2 - 1)
        one, two = (shape(k * torch.pi / self.length * x) for k in (self.mode, self.mode + 1))
        return self.base + self.amplitude * (one + self.overtone * two)

    def residual(self, u):
        return u.t - self.alpha * u.xx

    def reference(self):
        size = {self.mode: self.amplitude, self.mode + 1: self.amplitude * self.overtone}
        rod = {"length": self.length, "duration": self.duration, "base": self.base, "zigzag": self.start == "hat"}
        return reference.heat_sines(self.alpha, size, **rod)
