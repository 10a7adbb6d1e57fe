from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import cosh, sinh

from pinnreg import Box, Problem, dirichlet, initial, neumann


@dataclass(frozen=True)
class KdV(Problem):
    """uₜ + 6 u uₓ + uₓₓₓ = 0 on (-10/k, 10/k) × (0, 4/k³], where a fast soliton passes a slow one at x = 0, t = 2/k³.

    Alone one is 2k² sech² k(x - 4k²t); `ratio` says how much smaller the slow one's k is. uₓ is given at the right end.
    """

    group = "waves"
    fast: PositiveFloat = 1.0
    ratio: Annotated[float, Field(gt=1)] = 1.75
    defaults = {"train": [{"optimiser": "gauss_newton", "steps": 300}]}
    domain = property(lambda self: Box(x=(-10 / self.fast, 10 / self.fast), t=(0, 4 / self.fast**3)))

    @property
    def conditions(self):
        u, slope = (lambda x, t, i=i: self.solitons(x, t)[i] for i in (0, 1))
        return (initial(lambda x: u(x, 0 * x)), dirichlet(u, on="x"), neumann(slope, on="x=max"))

    def solitons(self, x, t):
        """u = 2 (ln f)ₓₓ and uₓ, after R. Hirota (1971), with f = cosh(a + b) + (k + l)/(k - l) cosh(a - b)."""
        k, l = self.fast, self.fast / self.ratio  # noqa: E741
        a, b = (k * x - 4 * k**3 * (t - 2 / self.fast**3) for k in (k, l))
        r = (k + l) / (k - l)
        odd, even = (lambda n, f=f: (k + l) ** n * f(a + b) + r * (k - l) ** n * f(a - b) for f in (sinh, cosh))
        first, second, third = odd(1) / even(0), even(2) / even(0), odd(3) / even(0)
        return 2 * (second - first**2), 2 * (third - 3 * second * first + 2 * first**3)

    def residual(self, u):
        return u.t + 6 * u * u.x + u.xxx

    def reference(self):
        return lambda x, t: self.solitons(x, t)[0]
