from dataclasses import dataclass

from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, reference

START = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Lorenz(Problem):
    """x' = σ (y - x), y' = x (ρ - z) - y, z' = xy - βz on (0, T], x = y = z = 1 at t = 0.

    Convection in three modes, after E. N. Lorenz, J. Atmos. Sci. 20 (1963) 130. Neighbouring solutions part by a factor
    of e in about a unit of time, and so do errors.
    """

    group = "ordinary equations"
    sigma: PositiveFloat = 10.0
    rho: PositiveFloat = 28.0
    beta: PositiveFloat = 8 / 3
    duration: PositiveFloat = 1.0
    outputs = ("x", "y", "z")
    domain = property(lambda self: Box(t=(0, self.duration)))
    conditions = tuple(initial(value, of=name) for name, value in zip(outputs, START, strict=True))

    defaults = {"network": {"hidden": [16, 16]}, "train": [{"optimiser": "gauss_newton", "steps": 150, "windows": 4}]}

    def residual(self, x, y, z):
        along, across = x.t - self.sigma * (y - x), y.t - x * (self.rho - z) + y
        return {"x": along, "y": across, "z": z.t - x * y + self.beta * z}

    def reference(self):
        rates = lambda t, x, y, z: (self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z)  # noqa: E731
        return reference.ordinary(rates, START, t=(0, self.duration), outputs=self.outputs)
