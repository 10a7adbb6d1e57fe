from dataclasses import dataclass

from pinnreg import Polygon, Problem, dirichlet, reference


@dataclass(frozen=True)
class PoissonLshape(Problem):
    """-Δu = 1 on (-1, 1)² without its lower right quarter, u = 0 on the boundary: the L-shape.

    At the corner in the middle u is as r^(2/3), and its slope has no bound. The network gets that function besides the
    coordinates; without, by network.features.corner: false, it stalls at 1e-2.
    """

    group = "shapes and materials"
    domain = Polygon([(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)])
    conditions = (dirichlet(0.0),)
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}

    def residual(self, u):
        return u.laplacian + 1

    def reference(self):
        return reference.lightning(self.domain, 1.0, dirichlet=dict.fromkeys(self.domain.edges, 0.0))
