from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, reference

START = 0.01


@dataclass(frozen=True)
class Logistic(Problem):
    """u' = r u (1 - u) on (0, 10], u(0) = 0.01: growth up to saturation, half of it at t = ln 99 / r."""

    group = "ordinary equations"
    rate: PositiveFloat = 1.0
    domain = Box(t=(0, 10))
    defaults = {"network": {"hidden": [20, 20]}}
    conditions = (initial(START),)

    def residual(self, u):
        return u.t - self.rate * u * (1 - u)

    def reference(self):
        exact = lambda t: 1 / (1 + (1 / START - 1) * np.exp(-self.rate * t))  # noqa: E731
        scipy = reference.ordinary(lambda t, u: (self.rate * u * (1 - u),), (START,), t=(0, 10))
        return reference.closed_form(exact, scipy=scipy)
