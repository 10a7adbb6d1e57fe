from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, condition, dirichlet


@dataclass(frozen=True)
class Bloch(Problem):
    """-ψ'' + 2d cos(2πx) ψ = E ψ on (0, 1), ψ(1) = exp(ik) ψ(0), ψ'(1) = exp(ik) ψ'(0), ψ(0) = 1, for ψ = u + iv.

    An electron of momentum k in the lowest band of a crystal (F. Bloch, 1929). Neither u nor v is periodic.
    """

    group = "ordinary equations"
    momentum: PositiveFloat = 1.0
    depth: PositiveFloat = 10.0
    outputs = ("u", "v")
    domain = Box(x=(0, 1))
    defaults = {"network": {"hidden": [20, 20], "activation": "sin"}}

    @property
    def conditions(self):
        c, s = cos(self.momentum), sin(self.momentum)
        values = [lambda u, v: u.at(x=1.0) - c * u + s * v, lambda u, v: v.at(x=1.0) - s * u - c * v]
        slopes = [lambda u, v: u.at(x=1.0).x - c * u.x + s * v.x, lambda u, v: v.at(x=1.0).x - s * u.x - c * v.x]
        phase = (dirichlet(1.0, on="x=min", of="u"), dirichlet(0.0, on="x=min", of="v"))
        return (*phase, *(condition(each, at={"x": 0.0}) for each in (*values, *slopes)))

    def band(self):  # E, and the numbers k + 2πn of ψ's plane waves with their amplitudes
        k = self.momentum + 2 * pi * np.arange(-24, 25)
        energies, waves = np.linalg.eigh(np.diag(k**2) + self.depth * (np.eye(49, k=1) + np.eye(49, k=-1)))
        return energies[0], k, waves[:, 0] / waves[:, 0].sum()

    def residual(self, u, v, x):
        excess = 2 * self.depth * (2 * pi * x).cos() - self.band()[0]
        return {"real": excess * u - u.xx, "imaginary": excess * v - v.xx}

    def reference(self):
        _, k, a = self.band()
        return {"u": lambda x: np.cos(np.outer(x, k)) @ a, "v": lambda x: np.sin(np.outer(x, k)) @ a}
