from dataclasses import dataclass

from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, reference


@dataclass(frozen=True)
class VanDerPol(Problem):
    """u'' - μ (1 - u²) u' + u = 0 on (0, 10], u(0) = 2, u'(0) = 0: slow stretches, and jumps between u = ±1 and ∓2.

    The larger μ, the faster the jumps: each takes a time of about 1/μ. At μ = 5 training sticks over the whole time and
    begins again in time windows.
    """

    group = "ordinary equations"
    mu: PositiveFloat = 5.0
    domain = Box(t=(0, 10))
    defaults = {"network": {"hidden": [20, 20]}}
    conditions = (initial(2.0), initial(0.0, order=1))

    def residual(self, u):
        return u.tt - self.mu * (1 - u**2) * u.t + u

    def reference(self):
        return reference.ordinary(lambda t, u, v: (v, self.mu * (1 - u**2) * v - u), (2.0, 0.0), t=(0, 10))
