from dataclasses import dataclass

from skfem.helpers import dot, grad

from pinnreg import Ball, Box, Problem, dirichlet, reference

HOLES = ((-0.45, -0.45), (0.45, -0.45), (-0.45, 0.45), (0.45, 0.45))


def plate():
    shape = Box(x=(-1, 1), y=(-1, 1))
    for x, y in HOLES:
        shape = shape - Ball(x=x, y=y, radius=0.2, name="holes")
    return shape


@dataclass(frozen=True)
class PoissonHoles(Problem):
    """-Δu = source on a square with four round holes, u = 0 outside and 1 on the holes.

    With a source u is as r² log r at the square's corners, and errors end at 5e-5.
    """

    group = "shapes and materials"
    source: float = 0.0
    domain = plate()
    conditions = (dirichlet(0.0, on=("x", "y"), name="outside"), dirichlet(1.0, on="holes", name="holes"))
    defaults = {"network": {"hidden": [24, 24, 24]}, "train": [{"optimiser": "gauss_newton", "steps": 120}]}

    def residual(self, u):
        return u.laplacian + self.source

    def reference(self):
        outside = dict.fromkeys(("x=min", "x=max", "y=min", "y=max"), 0.0)
        return reference.finite_elements(
            self.domain,
            lambda u, v, w: dot(grad(u), grad(v)),
            self.source,
            dirichlet={**outside, "holes": 1.0},
            degree=4,
        )
