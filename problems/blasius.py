from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat
from scipy.optimize import brentq

from pinnreg import Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class Blasius(Problem):
    """v'' + u v'/2 = 0, u' = v on (0, L), u(0) = q, v(0) = 0, v(L) = 1: the boundary layer along a plate.

    H. Blasius (1908). u is the stream of the flow v; q > 0 is sucked through the plate, and below -1.238 the layer
    comes off. A start with steep neurons leads to flows that turn round, where training sticks.
    """

    group = "flows"
    suction: Annotated[float, Field(ge=-1)] = 0.0
    length: PositiveFloat = 8.0
    outputs = ("u", "v")
    domain = property(lambda self: Box(x=(0, self.length)))
    defaults = {"network": {"hidden": [12, 12], "spread": None}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}

    @property
    def conditions(self):
        plate = (dirichlet(self.suction, on="x=min", of="u"), dirichlet(0.0, on="x=min", of="v", name="rest"))
        return (*plate, dirichlet(1.0, on="x=max", of="v", name="free"))

    def residual(self, u, v):
        return {"momentum": v.xx + u * v.x / 2, "stream": u.x - v}

    def shot(self, bend):
        how = {"t": (0, self.length), "axis": "x", "outputs": self.outputs}
        return reference.ordinary(lambda x, u, v, w: (v, w, -u * w / 2), (self.suction, 0.0, bend), **how)

    def reference(self):
        miss = lambda bend: self.shot(bend).solve({"x": np.array([self.length])}).values["v"].item() - 1  # noqa: E731
        return self.shot(brentq(miss, 1e-3, 9, xtol=1e-15))
