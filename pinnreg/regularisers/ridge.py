"""Ridge: the squared norm of the network's parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, final

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from pinnreg.regularisers.rows import Rows
from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, NonNegative


@final
@dataclass(frozen=True, config=STRICT)
class Ridge:
    """Ridge: weight · ‖W‖², the sum of squares of all weights and biases of the network.

    Known as weight decay with plain gradient descent. Unknown coefficients of the problem are not penalised.

    Attributes:
        weight: the factor, at least 0.
        schedule: as for `ktv`.

    Source: Doumèche, Biau & Boyer 2023, arXiv:2305.01240, who show that PINNs without it can overfit arbitrarily.
    """

    kind: Literal["ridge"] = "ridge"
    weight: NonNegative = 1e-6
    schedule: Schedule = "constant"

    @property
    def diagonal(self) -> bool:
        """Whether row i is √n times the network's parameter i. Always."""
        return True

    def rows(self, network: nn.Module, parameters: Mapping[str, Tensor]) -> Rows:
        """One row a parameter, scaled so that the mean of the squares is their sum.

        Args:
            network: not needed here.
            parameters: all parameters by name.
        """
        values = torch.cat([each.reshape(-1) for each in parameters.values()])
        return Rows(math.sqrt(values.numel()) * values)
