from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from pinnreg import Box, Problem, dirichlet, neumann, reference


@dataclass(frozen=True)
class LaneEmden(Problem):
    """x u'' + 2 u' + x uⁿ = 0 on (0, 3), u(0) = 1, u'(0) = 0: the density uⁿ of a star of gas, by its radius x.

    J. H. Lane (1870) and R. Emden (1907). At the centre 2u'/x has no value of its own but its limit, for which the
    equation is multiplied by x. sin x/x for n = 1 and (1 + x²/3)^(-1/2) for n = 5 are the closed forms.
    """

    group = "ordinary equations"
    index: Annotated[float, Field(ge=1, le=5)] = 1.5
    domain = Box(x=(0, 3))
    conditions = (dirichlet(1.0, on="x=min"), neumann(0.0, on="x=min"))
    defaults = {"network": {"hidden": [12, 12]}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}

    def residual(self, u, x):
        return x * u.xx + 2 * u.x + x * abs(u) ** self.index

    def reference(self):
        bend = lambda x, u, v: -(u**self.index) - (2 * v / x if x else -2 / 3)  # noqa: E731
        scipy = reference.ordinary(lambda x, u, v: (v, bend(x, u, v)), (1.0, 0.0), t=(0, 3), axis="x")
        known = {1: lambda x: np.sinc(x / np.pi), 5: lambda x: 1 / np.sqrt(1 + x**2 / 3)}.get(self.index)
        return reference.closed_form(known, scipy=scipy) if known else scipy
