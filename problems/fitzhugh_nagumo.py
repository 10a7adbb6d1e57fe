from dataclasses import dataclass

from pydantic import PositiveFloat

from pinnreg import Box, Problem, initial, reference

START = (-1.0, 1.0)


@dataclass(frozen=True)
class FitzHughNagumo(Problem):
    """v' = v - v³/3 - w + I, τ w' = v + a - b w on (0, 25], v(0) = -1, w(0) = 1: a nerve that fires.

    R. FitzHugh, Biophys. J. 1 (1961) 445, and J. Nagumo et al. (1962). The current I keeps the voltage v from its rest:
    it jumps up and down in a time of about 1, and between these follows the recovery w, which takes τ.
    """

    group = "ordinary equations"
    current: PositiveFloat = 0.5
    offset: PositiveFloat = 0.7
    slope: PositiveFloat = 0.8
    recovery: PositiveFloat = 12.5
    outputs = ("v", "w")
    domain = Box(t=(0, 25))
    defaults = {
        "network": {"hidden": [20, 20], "scale": 1},
        "train": [{"optimiser": "gauss_newton", "steps": 150, "windows": 4}],
    }
    conditions = (initial(START[0], of="v"), initial(START[1], of="w"))

    def residual(self, v, w):
        voltage = v.t - v + v**3 / 3 + w - self.current
        return {"voltage": voltage, "recovery": self.recovery * w.t - v - self.offset + self.slope * w}

    def reference(self):
        fast = lambda v, w: v * (1 - v**2 / 3) - w + self.current  # noqa: E731
        slow = lambda v, w: (v + self.offset - self.slope * w) / self.recovery  # noqa: E731
        return reference.ordinary(lambda t, v, w: (fast(v, w), slow(v, w)), START, t=(0, 25), outputs=self.outputs)
