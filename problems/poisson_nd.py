from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class PoissonND(Problem):
    """-Δu = 0 on (0, 1)^d with u = x₁x₂ + x₃x₄ + ... on all faces, for even d.

    W. E and B. Yu's problem (2018, arXiv:1710.00211, d = 10, relative error 0.4 %). No grid reaches there, and 2 d
    faces are to be held. The condition is soft: exact, its function of the coordinates would be the answer.
    """

    group = "many dimensions"
    dimension: Annotated[int, Field(ge=2, multiple_of=2)] = 10

    domain = property(lambda self: Box.cube(self.dimension))
    defaults = {
        "network": {"hidden": [60], "spread": 0.4},
        "points": {"interior": 1500, "boundary": 1000},
        "train": [{"optimiser": "gauss_newton", "steps": 220}],
    }
    conditions = (dirichlet(lambda points: (points[:, ::2] * points[:, 1::2]).sum(dim=1), exact=False),)

    def residual(self, u):
        return -u.laplacian

    def reference(self):
        return lambda *x: sum(a * b for a, b in zip(x[::2], x[1::2], strict=True))
