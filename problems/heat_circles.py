from dataclasses import dataclass
from functools import reduce
from operator import sub

from pydantic import PositiveFloat
from skfem.models import laplace
from torch import erf, exp, pi

from pinnreg import Ball, Box, Problem, initial, neumann, reference, robin

BIG, SMALL = ((0, 0), (0, 6), (4, 3), (4, 9)), ((3.2, 0), (3.2, 6))
HOLES = [(*at, 1.0, "big") for at in BIG] + [(*at, 0.4, "small") for at in SMALL]
PLATE = reduce(sub, (Ball(x=x, y=y, radius=r, name=name) for x, y, r, name in HOLES), Box(x=(0, 8), y=(0, 12)))
OUTSIDE, MIDDLE = ("x=max", "y=max"), ("x=min", "y=min")


def spread(x, y, t, hole):
    """2 √t ierfc(d / 2√t) at the distance d: how a flux that begins at t = 0 warms what is around."""
    far, root = ((x - hole[0]) ** 2 + (y - hole[1]) ** 2) ** 0.5 - hole[2], 2 * (t + 1e-12) ** 0.5
    return root * exp(-((far / root) ** 2)) / pi**0.5 - far * (1 - erf(far / root))


@dataclass(frozen=True)
class HeatCircles(Problem):
    """u_t = Δu on a plate with 17 round holes, ∂u/∂n = g - u: g = big or small on holes, 0.1 outside; u = 0 at first.

    Heat2d-CG of PINNacle (Hao et al. 2023, arXiv:2306.08827), on its quarter 0 < x < 8, 0 < y < 12 by mirror images.
    The start does not fit the holes: the network gets what a flux does that begins there.
    """

    group = "shapes and materials"
    big: PositiveFloat = 5.0
    small: PositiveFloat = 1.0
    domain = PLATE.over(t=(0, 3))
    features = tuple(lambda x, y, t, hole=hole: spread(x, y, t, hole) for hole in HOLES)
    defaults = {"points": {"interior": 3000}, "train": [{"optimiser": "gauss_newton", "steps": 60}]}

    @property
    def conditions(self):
        holes = (robin(1.0, 1.0, getattr(self, name), on=name, name=name) for name in ("big", "small"))
        outside = robin(1.0, 1.0, 0.1, on=OUTSIDE, name="outside")
        return initial(0.0), *holes, outside, neumann(0.0, on=MIDDLE, name="middle")

    def residual(self, u):
        return u.t - u.laplacian

    def reference(self):
        warmth = {"big": self.big, "small": self.small, **dict.fromkeys(OUTSIDE, 0.1)}
        flux = {part: lambda v, w, g=g: g * v for part, g in warmth.items()}
        cooling = dict.fromkeys(warmth, lambda u, v, w: u * v)
        return reference.finite_elements(PLATE, laplace.form, natural=flux, robin=cooling, time=(0.0, 3.0))
