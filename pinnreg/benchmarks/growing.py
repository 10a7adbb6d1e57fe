"""A problem with two unknown coefficients, whose intervals are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.domain import Box
from pinnreg.equations import Field, Problem, dirichlet, initial
from pinnreg.reference import Reference, method_of_lines

NODES = 129
"""Of the reference, whose error is then far below any noise."""


@final
@dataclass(frozen=True)
class Growing(Problem):
    """uₜ = D uₓₓ + k u (1 - u) on (0, 1) × (0, 1], u(x, 0) = (2 sin πx + sin 2πx)/5, u = 0 at both ends.

    Fisher's equation: what spreads also grows, and two waves tell the one from the other.
    """

    D: float = 0.05
    k: float = 2.0
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (
        initial(lambda x: 0.4 * torch.sin(torch.pi * x) + 0.2 * torch.sin(2 * torch.pi * x)),
        dirichlet(0.0, on="x"),
    )

    def residual(self, u: Field) -> Tensor:
        rate: Tensor = u.t - self.D * u.xx - self.k * u * (1 - u)
        return rate

    def reference(self) -> Reference:
        def start(x: NDArray[np.float64]) -> NDArray[np.float64]:
            return 0.4 * np.sin(np.pi * x) + 0.2 * np.sin(2 * np.pi * x)

        def rhs(
            x: NDArray[np.float64], u: NDArray[np.float64], ux: NDArray[np.float64], uxx: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            return self.D * uxx + self.k * u * (1 - u)

        return method_of_lines(rhs, start, x=(0, 1), t=(0, 1), nodes=NODES, rtol=1e-8, atol=1e-10)
