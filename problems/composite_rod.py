from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import torch
from pydantic import PositiveFloat
from scipy.optimize import brentq

from pinnreg import Box, Problem, Split, dirichlet, initial, interface


@dataclass(frozen=True)
class CompositeRod(Problem):
    """u_t = (k u_x)_x on (0, 1), u = 0 at the ends, k = left for x < 1/2 and right beyond: heat in two rods that meet.

    From its slowest mode u = e^(-λt) X(x) falls with X a sine in either rod, and k u_x is continuous.
    """

    group = "shapes and materials"
    left: PositiveFloat = 1.0
    right: PositiveFloat = 0.1
    domain = Split(Box(x=(0, 1)), Box(x=(0, 0.5)), name="joint").over(t=(0, 1))
    defaults = {"network": {"hidden": [20, 20]}, "train": [{"optimiser": "gauss_newton", "steps": 100}]}

    @property
    def rate(self):
        """λ: the smallest zero of k₁ a cot(a/2) + k₂ b cot(b/2), a = √(λ/k₁), b = √(λ/k₂)."""

        def excess(rate):
            a, b = sqrt(rate / self.left), sqrt(rate / self.right)
            return self.left * a * cos(a / 2) * sin(b / 2) + self.right * b * cos(b / 2) * sin(a / 2)

        slower, faster = sorted((self.left, self.right))
        most = min(pi**2 * faster, 4 * pi**2 * slower)
        return brentq(excess, pi**2 * slower * (1 - 1e-9), most * (1 + 1e-9), xtol=1e-15)

    def mode(self, x):
        """X(x), 1 at the joint."""
        a, b = sqrt(self.rate / self.left), sqrt(self.rate / self.right)
        return torch.where(x < 0.5, torch.sin(a * x) / sin(a / 2), torch.sin(b * (1 - x)) / sin(b / 2))

    joint = property(lambda self: interface(self.left, self.right, on="joint"))
    conditions = property(lambda self: (dirichlet(0.0), initial(self.mode), self.joint))

    def residual(self, u, x):
        return u.t - torch.where(x < 0.5, self.left, self.right) * u.xx

    def reference(self):
        return lambda x, t: torch.exp(-self.rate * t) * self.mode(x)
