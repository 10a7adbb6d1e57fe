from dataclasses import dataclass

from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class Cavity(Problem):
    """u uₓ + v u_y = Δu/Re - pₓ, u vₓ + v v_y = Δv/Re - p_y, uₓ + v_y = 0 in (0, 1)², driven by the lid y = 1.

    u = 16 x² (1 - x)² there, u = v = 0 on the other walls and p = 0 in the middle: the regularised cavity of
    J. Shen, J. Comput. Phys. 95 (1991) 228, whose lid is at rest where it meets the walls. The pressure is steepest
    below the lid's ends, and in the equations by its gradient only.
    """

    group = "flows"
    reynolds: PositiveFloat = 100.0
    outputs = ("u", "v", "p")
    domain = Box(x=(0, 1), y=(0, 1))
    defaults = {"points": {"interior": 800}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}

    @property
    def conditions(self):
        lid, rest = dirichlet(self.lid, on="y=max", of="u", name="lid"), dirichlet(0.0, on=("x", "y=min"), of="u")
        return (lid, rest, dirichlet(0.0, of="v"), dirichlet(0.0, at={"x": 0.5, "y": 0.5}, of="p"))

    def lid(self, x):
        return 16 * (x * (1 - x)) ** 2

    def residual(self, u, v, p):
        along = u * u.x + v * u.y + p.x - u.laplacian / self.reynolds
        across = u * v.x + v * v.y + p.y - v.laplacian / self.reynolds
        return {"along": along, "across": across, "continuity": u.x + v.y}

    def reference(self):
        return reference.driven_cavity(self.lid, self.reynolds)
