from dataclasses import dataclass
from functools import cached_property

from pydantic import PositiveFloat
from scipy.optimize import brentq
from torch import hypot, tensor
from torch.special import bessel_j0, bessel_j1, bessel_y0, bessel_y1

from pinnreg import Annulus, Problem, dirichlet, initial, neumann, reference

INNER, OUTER = 0.5, 1.5
RING = Annulus(x=0, y=0, inner=INNER, outer=OUTER)


def mode(order, rate, r):
    """J(λr) Y'(λa) - Y(λr) J'(λa), of order 0 or 1: flat at the inner radius a."""
    if order == 0:
        return bessel_y0(rate * r) * bessel_j1(rate * INNER) - bessel_j0(rate * r) * bessel_y1(rate * INNER)
    a = rate * INNER
    slopes = bessel_j0(a) - bessel_j1(a) / a, bessel_y0(a) - bessel_y1(a) / a
    return bessel_j1(rate * r) * slopes[1] - bessel_y1(rate * r) * slopes[0]


@dataclass(frozen=True)
class HeatAnnulus(Problem):
    """u_t = diffusion Δu on a ring, u = 0 on its outer and u_n = 0 on its inner side.

    From the slowest mode that is the same all around and the slowest with one wave: they obey both conditions, so that
    u is smooth where these meet the start. From a bump that only vanishes there errors end at 2e-5.
    """

    group = "shapes and materials"
    diffusion: PositiveFloat = 0.1
    domain = RING.over(t=(0, 1))
    defaults = {"network": {"hidden": [24, 24, 24]}, "train": [{"optimiser": "gauss_newton", "steps": 140}]}

    @cached_property
    def rates(self):
        # λ of both modes, by which they vanish at the outer radius
        end = lambda rate, order: float(mode(order, *tensor([rate, OUTER]).double()))  # noqa: E731
        return [brentq(end, 1.0, 3.0, args=(order,), xtol=1e-15) for order in (0, 1)]

    def start(self, x, y):
        r = hypot(x, y)
        even, wave = (mode(order, tensor(rate).to(r), r) for order, rate in enumerate(self.rates))
        return even + wave * x / r

    @property
    def conditions(self):
        return dirichlet(0.0, on="outer"), neumann(0.0, on="inner"), initial(self.start)

    def residual(self, u):
        return u.t - self.diffusion * u.laplacian

    def reference(self):
        sides = {"dirichlet": {"outer": 0.0}, "flux": {"inner": 0.0}}
        return reference.polar(RING, diffusion=self.diffusion, **sides, time=(0.0, 1.0), initial=self.start)
