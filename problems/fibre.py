from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Ball, Box, Problem, Split, dirichlet, interface

RADIUS = 0.5


@dataclass(frozen=True)
class Fibre(Problem):
    """∇·(k ∇u) = 0 on (-1, 1)², k = conductivity in a disc and 1 around it: a fibre across a stream of heat.

    In the whole plane u = x far away, and is 2x / (1 + k) in the disc (Maxwell 1873, as for a dielectric); those values
    are given on the square's boundary.
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
        around = dirichlet(lambda x, y: x * (1 + self.moment / (x**2 + y**2)))
        return around, interface(self.conductivity, 1.0, on="fibre")

    def residual(self, u):
        return u.laplacian

    def reference(self):
        def solution(x, y):
            squares = x**2 + y**2
            outside = 1 + self.moment / np.maximum(squares, RADIUS**2)
            return x * np.where(squares < RADIUS**2, 2 / (1 + self.conductivity), outside)

        return solution
