from dataclasses import dataclass

from pydantic import PositiveFloat
from torch import hypot

from pinnreg import Annulus, Problem, dirichlet, initial, neumann, reference

RING = Annulus(x=0, y=0, inner=0.5, outer=1.5)


@dataclass(frozen=True)
class HeatAnnulus(Problem):
    """u_t = diffusion Δu on a ring, u = 0 on its outer and u_n = 0 on its inner side, from a bump that is off centre."""

    diffusion: PositiveFloat = 0.1
    domain = RING.over(t=(0, 1))
    defaults = {"network": {"hidden": [24, 24]}, "train": [{"optimiser": "gauss_newton", "steps": 80}]}

    @staticmethod
    def start(x, y):
        # so flat on both sides that u stays smooth where they meet the start
        r = hypot(x, y)
        return 64 * (r - 0.5) ** 4 * (1.5 - r) ** 3 * (4 + x + y)

    @property
    def conditions(self):
        return dirichlet(0.0, on="outer"), neumann(0.0, on="inner"), initial(self.start)

    def residual(self, u):
        return u.t - self.diffusion * u.laplacian

    def reference(self):
        return reference.polar(
            RING,
            diffusion=self.diffusion,
            dirichlet={"outer": 0.0},
            flux={"inner": 0.0},
            time=(0.0, 1.0),
            initial=self.start,
        )
