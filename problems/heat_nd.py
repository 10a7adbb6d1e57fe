"""The heat equation in many dimensions."""

from dataclasses import dataclass

from pydantic import PositiveInt

from pinnreg import Box, Problem, dirichlet, initial


def paraboloid(points):
    return (points[:, :-1].square().sum(dim=1) + 2 * (points.shape[1] - 1) * points[:, -1]) / (points.shape[1] - 1)


@dataclass(frozen=True)
class HeatND(Problem):
    """u_t = Δu on (0, 1)^d x (0, 1) from u = |x|²/d, and with u = |x|²/d + 2 t on the faces, which is the solution.

    A standard of high-dimensional solvers (Beck et al. 2021, arXiv:1806.00421). The conditions are soft: exact, the
    function on the faces would be the answer.
    """

    group = "many dimensions"
    dimension: PositiveInt = 10

    @property
    def domain(self):
        return Box.cube(self.dimension).over(t=(0, 1))

    defaults = {
        "network": {"hidden": [60], "activation": "sin", "spread": 0.4},
        "points": {"interior": 1500, "boundary": 1000},
        "train": [{"optimiser": "gauss_newton", "steps": 80}],
    }
    conditions = (initial(paraboloid), dirichlet(paraboloid, exact=False))

    def residual(self, u):
        return u.t - u.laplacian

    def reference(self):
        return lambda *x: sum(a**2 for a in x[:-1]) / len(x[:-1]) + 2 * x[-1]
