from dataclasses import dataclass
from typing import Literal

from pinnreg import Box, Problem

POWERS = {"linear": lambda x: x, "quadratic": lambda x: 4 * x**2, "cubic": lambda x: 64 / 7 * (x**2 - 9 / 64) * x}


@dataclass(frozen=True)
class Regression(Problem):
    """Noisy values of a polynomial on (-1/2, 1/2) and no equation: u = x, 4x², or 64/7 (x + 3/8) x (x - 3/8).

    The three functions are those of Okuno (2023), arXiv:2308.02293, on which total variations of different orders
    differ.
    """

    group = "data"
    function: Literal["linear", "quadratic", "cubic"] = "cubic"
    domain = Box(x=(-0.5, 0.5))
    residual = None
    defaults = {
        "network": {"hidden": [20]},
        "measurements": [{"samples": 100, "noise": 0.2, "held_out": 0.2}],
        "train": [{"optimiser": "gauss_newton", "steps": 100}],
    }

    def reference(self):
        return POWERS[self.function]
