from dataclasses import dataclass

import torch
from pydantic import PositiveFloat

from pinnreg import Ball, Box, Problem, Split, dirichlet, interface

RADIUS = 0.5


@dataclass(frozen=True)
class Fibre(Problem):
    """∇·(k ∇u) = 0 on (-1, 1)², k = conductivity in a disc and 1 around it: a fibre across a stream of heat.

    As in the whole plane, where u = x far away and 2x / (1 + k) in the disc (Maxwell 1873, as for a dielectric).
    """

    group = "shapes and materials"
    conductivity: PositiveFloat = 10.0
    domain = Split(Box(x=(-1, 1), y=(-1, 1)), Ball(x=0, y=0, radius=RADIUS), name="fibre")
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 80}]}

    @property
    def moment(self):
        """That of the dipole that the disc is seen as from outside."""
        return RADIUS**2 * (1 - self.conductivity) / (1 + self.conductivity)

    @property
    def conditions(self):
        return dirichlet(self.around), interface(self.conductivity, 1.0, on="fibre")

    def around(self, x, y):
        return x * (1 + self.moment / (x**2 + y**2))

    def residual(self, u):
        return u.laplacian

    def reference(self):
        inside = lambda x: 2 * x / (1 + self.conductivity)  # noqa: E731
        return lambda x, y: torch.where(x**2 + y**2 < RADIUS**2, inside(x), self.around(x, y))
