from dataclasses import dataclass
from typing import Literal

from pinnreg import Box, Problem, dirichlet, neumann


@dataclass(frozen=True)
class Beam(Problem):
    """u'''' = 1 on (0, 1), u = u'' = 0 at both ends ("supported") or u = u' = 0 ("clamped"): a beam under its load.

    Euler and Bernoulli's beam in units of load over stiffness. Derivatives of order four magnify what rounding leaves.
    """

    group = "ordinary equations"
    ends: Literal["supported", "clamped"] = "supported"
    domain = Box(x=(0, 1))
    defaults = {"network": {"hidden": [16, 16]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}

    @property
    def conditions(self):
        return (dirichlet(0.0), neumann(0.0, on="x", order={"supported": 2, "clamped": 1}[self.ends]))

    def residual(self, u):
        return u.d("x", 4) - 1

    def reference(self):
        return {
            "supported": lambda x: x * (1 - x) * (1 + x - x**2) / 24,
            "clamped": lambda x: (x * (1 - x)) ** 2 / 24,
        }[self.ends]
