from dataclasses import dataclass

from pinnreg import Polygon, Problem, dirichlet, neumann, reference


@dataclass(frozen=True)
class InsulatedEdge(Problem):
    """-Δu = 1 on a polygon of five edges, one of them insulated, u = 0 on the others."""

    group = "shapes and materials"
    domain = Polygon([(0, 0), (2, 0), (2.4, 1), (1, 1.8), (-0.4, 1)], edges=("base", "a", "b", "c", "d"))
    conditions = (neumann(0.0, on="base", name="insulated"), dirichlet(0.0, on=("a", "b", "c", "d")))
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 80}]}

    def residual(self, u):
        return u.laplacian + 1

    def reference(self):
        return reference.lightning(self.domain, 1.0, dirichlet=dict.fromkeys("abcd", 0.0), flux={"base": 0.0})
