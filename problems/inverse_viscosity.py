from dataclasses import dataclass
from math import pi

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class InverseViscosity(Problem):
    """u uₓ + v u_y = ν Δu - pₓ, u vₓ + v v_y = ν Δv - p_y, uₓ + v_y = 0 on (-1/2, 1) × (-1/2, 3/2) with ν unknown.

    L. I. G. Kovasznay's flow behind a grid (1948) is measured at random points, with noise. Nothing is known on the
    edges, and of p only its zero at a point, as in Raissi et al. (2019), arXiv:1711.10566.
    """

    group = "inverse problems"
    nu: PositiveFloat = 0.025
    outputs = ("u", "v", "p")
    domain = Box(x=(-0.5, 1), y=(-0.5, 1.5))
    conditions = (dirichlet(0.0, at={"x": 0, "y": 0}, of="p"),)
    defaults = {
        "network": {"hidden": [14, 14]},
        "unknown": {"nu": {"start": 0.1, "positive": True}},
        "measurements": [{"samples": 500, "noise": 0.02, "of": of, "name": f"measured_{of}"} for of in ("u", "v")],
        "train": [{"optimiser": "gauss_newton", "steps": 80}],
    }

    def flow(self, x, y):
        rate = 0.5 / self.nu - (0.25 / self.nu**2 + 4 * pi**2) ** 0.5
        wake, z = np.exp(rate * x), 2 * pi * y
        return 1 - wake * np.cos(z), rate / (2 * pi) * wake * np.sin(z), (1 - wake**2) / 2

    def residual(self, u, v, p):
        along, across = (u * w.x + v * w.y - self.nu * w.laplacian for w in (u, v))
        return {"along": along + p.x, "across": across + p.y, "continuity": u.x + v.y}

    def reference(self):
        return self.flow
