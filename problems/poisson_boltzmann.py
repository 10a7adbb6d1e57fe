from dataclasses import dataclass

from pydantic import PositiveFloat
from skfem.helpers import dot, grad
from torch import as_tensor, atan2, exp, hypot, log, pi, sin

from pinnreg import Ball, Box, Problem, dirichlet, reference

HOLES = ((0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3))
DISCS = [Ball(x=x, y=y, radius=radius, name="holes") for x, y, radius in HOLES]
corner = lambda a, b: a * b * log(a**2 + b**2 + 1e-30) + (a**2 - b**2) * atan2(b, a)  # noqa: E731


@dataclass(frozen=True)
class PoissonBoltzmann(Problem):
    """-Δu + k² u = 10 (17 + x² + y²) sin πx sin 4πy on (-1, 1)² with four round holes, u = 1 on them and 0.2 outside.

    Poisson2d-CG of PINNacle (Hao et al. 2023, arXiv:2306.08827) with k = 8. The network gets the layers of the holes,
    of width 1/k, and what u is as at the square's corners, r² log r, or the outer side would keep an error of 4e-4.
    """

    group = "shapes and materials"
    k: PositiveFloat = 8.0
    domain = Box(x=(-1, 1), y=(-1, 1)) - DISCS[0] - DISCS[1] - DISCS[2] - DISCS[3]
    conditions = (dirichlet(0.2, on=("x", "y"), name="outside"), dirichlet(1.0, on="holes", name="holes"))
    layers = property(lambda self: lambda x, y: sum(exp(self.k * (c - hypot(x - a, y - b))) for a, b, c in HOLES))
    features = property(lambda self: (self.layers, lambda x, y: corner(1 - x**2, 1 - y**2)))
    defaults = {"network": {"hidden": [30, 30]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}

    def source(self, x, y):
        return 10 * (17 + x**2 + y**2) * sin(pi * x) * sin(4 * pi * y)

    def residual(self, u, x, y):
        return -u.laplacian + self.k**2 * u - self.source(x, y)

    def reference(self):
        form = lambda u, v, w: dot(grad(u), grad(v)) + self.k**2 * u * v  # noqa: E731
        load = lambda v, w: self.source(*map(as_tensor, w.x)).numpy() * v  # noqa: E731
        values = {**dict.fromkeys(("x=min", "x=max", "y=min", "y=max"), 0.2), "holes": 1.0}
        return reference.finite_elements(self.domain, form, load, dirichlet=values, degree=4, size=0.03)
