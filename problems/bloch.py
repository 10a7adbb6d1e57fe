from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, condition, dirichlet


@dataclass(frozen=True)
class Bloch(Problem):
    """-ψ'' + 2d cos(2πx) ψ = E ψ on (0, 1), ψ(1) = exp(ik) ψ(0), ψ'(1) = exp(ik) ψ'(0), ψ(0) = 1, for ψ = u + iv.

    An electron in a crystal of period 1, after F. Bloch (1929), with the momentum k, the depth d, and E the energy of
    the lowest band. ψ is complex and the same up to a phase from one cell to the next: neither u nor v is periodic.
    """

    momentum: PositiveFloat = 1.0
    depth: PositiveFloat = 10.0
    outputs = ("u", "v")
    domain = Box(x=(0, 1))
    defaults = {"network": {"hidden": [20, 20], "activation": "sin"}}

    @property
    def conditions(self):
        c, s = cos(self.momentum), sin(self.momentum)
        turned = {
            "real": lambda u, v: u.at(x=1.0) - (c * u - s * v),
            "imaginary": lambda u, v: v.at(x=1.0) - (s * u + c * v),
            "real_slope": lambda u, v: u.at(x=1.0).x - (c * u.x - s * v.x),
            "imaginary_slope": lambda u, v: v.at(x=1.0).x - (s * u.x + c * v.x),
        }
        phase = dirichlet(1.0, on="x=min", of="u"), dirichlet(0.0, on="x=min", of="v")
        return (*phase, *(condition(each, at={"x": 0.0}, name=name) for name, each in turned.items()))

    def waves(self):
        """E, and the numbers k + 2πn with the amplitudes of plane waves, from the central equation."""
        k = self.momentum + 2 * pi * np.arange(-24, 25)
        energies, amplitudes = np.linalg.eigh(np.diag(k**2) + self.depth * (np.eye(49, k=1) + np.eye(49, k=-1)))
        return energies[0], k, amplitudes[:, 0] / amplitudes[:, 0].sum()

    def residual(self, u, v, x):
        excess = 2 * self.depth * torch.cos(2 * pi * x) - self.waves()[0]
        return {"u_equation": excess * u - u.xx, "v_equation": excess * v - v.xx}

    def reference(self):
        _, k, a = self.waves()
        return {"u": lambda x: np.cos(np.multiply.outer(x, k)) @ a, "v": lambda x: np.sin(np.multiply.outer(x, k)) @ a}
