from dataclasses import dataclass

from pydantic import PositiveFloat
from torch import cos, exp

from pinnreg import Ball, Problem, dirichlet, reference


@dataclass(frozen=True)
class PoissonDisc(Problem):
    """-Δu = e^x cos(wave y) in the unit disc, u = x² on the circle."""

    group = "shapes and materials"
    wave: PositiveFloat = 3.0
    domain = Ball(x=0, y=0, radius=1)
    conditions = (dirichlet(lambda x: x**2),)
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}

    def residual(self, u, x, y):
        return u.laplacian + exp(x) * cos(self.wave * y)

    def reference(self):
        def source(x, y):
            return exp(x) * cos(self.wave * y)

        return reference.polar(self.domain, source, dirichlet={"boundary": lambda x, y: x**2 + 0 * y})
