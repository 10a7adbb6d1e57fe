from dataclasses import dataclass
from math import pi

import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, even, odd


@dataclass(frozen=True)
class Kovasznay(Problem):
    """u uₓ + v u_y = Δu/Re - pₓ, u vₓ + v v_y = Δv/Re - p_y, uₓ + v_y = 0 on (-1/2, 1) × (-1/2, 3/2): behind a grid.

    u = 1 - exp(λx) cos 2πy, v = λ/2π exp(λx) sin 2πy and p = (1 - exp(2λx))/2 with λ = Re/2 - √(Re²/4 + 4π²), after
    L. I. G. Kovasznay (1948). u and v are given on all edges, p, of which only the gradient counts, at a point.
    """

    group = "flows"
    reynolds: PositiveFloat = 40.0
    outputs = ("u", "v", "p")
    domain = Box(x=(-0.5, 1), y=(-0.5, 1.5))
    symmetry = even("y", of="u"), odd("y", of="v"), even("y", of="p")
    defaults = {"network": {"hidden": [24, 24]}, "train": [{"optimiser": "gauss_newton", "steps": 120}]}

    @property
    def conditions(self):
        u, v = (lambda x, y, i=i: self.flow(x, y)[i] for i in (0, 1))
        return (dirichlet(u, of="u"), dirichlet(v, of="v"), dirichlet(0.0, at={"x": 0, "y": 0}, of="p"))

    def flow(self, x, y):
        rate = self.reynolds / 2 - (self.reynolds**2 / 4 + 4 * pi**2) ** 0.5
        wake, z = torch.exp(rate * x), 2 * pi * y
        return 1 - wake * torch.cos(z), rate / (2 * pi) * wake * torch.sin(z), (1 - wake**2) / 2 + 0 * y

    def residual(self, u, v, p):
        along = u * u.x + v * u.y + p.x - u.laplacian / self.reynolds
        across = u * v.x + v * v.y + p.y - v.laplacian / self.reynolds
        return {"along": along, "across": across, "continuity": u.x + v.y}

    def reference(self):
        return self.flow
