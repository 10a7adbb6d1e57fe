from dataclasses import dataclass

import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, reference


@dataclass(frozen=True)
class CavityParabolic(Problem):
    """u uₓ + v u_y = Δu/Re - pₓ, u vₓ + v v_y = Δv/Re - p_y, uₓ + v_y = 0 in (0, 1)², u = 4x (1 - x) on the lid y = 1.

    u = v = 0 on the other walls. NS2d-C of PINNacle (Hao et al. 2023, arXiv:2306.08827) with Re = 100: unlike the lid
    of `cavity` this one shears the corners, and the pressure has no bound there. The output p is that less
    8/Re log(√2 r/s) by the distances r and s from the lid's ends, 0 at (0, 0); the network gets the corners' angles.
    """

    group = "flows"
    reynolds: PositiveFloat = 100.0
    outputs, domain = ("u", "v", "p"), Box(x=(0, 1), y=(0, 1))
    features = (
        lambda x, y: x * torch.atan2(1 - y, x),
        lambda x, y: (1 - y) * torch.atan2(1 - y, x),
        lambda x, y: (1 - x) * torch.atan2(1 - y, 1 - x),
        lambda x, y: (1 - y) * torch.atan2(1 - y, 1 - x),
    )
    train = [{"optimiser": "gauss_newton", "steps": 70}]
    defaults = {"points": {"interior": 600}, "conditions": "soft", "train": train}
    lid = staticmethod(lambda x: 4 * x * (1 - x))
    moved, rest = dirichlet(lid, on="y=max", of="u", name="lid"), dirichlet(0.0, on=("x", "y=min"), of="u")
    conditions = (moved, rest, dirichlet(0.0, of="v"), dirichlet(0.0, at={"x": 0.0, "y": 0.0}, of="p"))

    def residual(self, u, v, p, x, y):
        r, s = x**2 + (1 - y) ** 2, (1 - x) ** 2 + (1 - y) ** 2
        along = u * u.x + v * u.y + p.x - (u.laplacian - 8 * x / r - 8 * (1 - x) / s) / self.reynolds
        across = u * v.x + v * v.y + p.y - (v.laplacian + 8 * (1 - y) * (1 / r - 1 / s)) / self.reynolds
        return {"along": along, "across": across, "continuity": u.x + v.y}

    def reference(self):
        return reference.driven_cavity(self.lid, self.reynolds, pinned=(0.0, 0.0))
