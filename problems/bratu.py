from dataclasses import dataclass

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Bratu(Problem):
    """u'' + λ exp u = 0, λ = λ(0) on (0, 1), u = 0 at both ends, u(1/2) = h: both branches by height.

    G. Bratu (1914): each λ below 3.514 has two solutions, of heights below and above 1.187, which meet there. With the
    height given and λ an output, neither is told from the other by luck, and the fold is a point like others.
    """

    group = "ordinary equations"
    height: PositiveFloat = 3.0
    outputs = ("u", "strength")
    domain = Box(x=(0, 1))
    defaults = {"network": {"hidden": [12, 12]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}
    conditions = property(
        lambda self: (dirichlet(0.0, on="x", of="u"), dirichlet(self.height, at={"x": 0.5}, of="u", name="height"))
    )

    def residual(self, u, strength):
        return {"balance": u.xx + strength * torch.exp(u), "constant": strength - strength.at(x=0.0)}

    def reference(self):
        k = np.arccosh(np.exp(self.height / 2))  # u = h - 2 ln cosh k (2x - 1)
        strength = 8 * k**2 * np.exp(-self.height)
        return {
            "u": lambda x: self.height - 2 * np.log(np.cosh(k * (2 * x - 1))),
            "strength": lambda x: strength + 0 * x,
        }
