"""Ridge: the squared norm of the network's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from pinnreg.regularisers.schedules import Schedule
from pinnreg.settings import STRICT, Weight

if TYPE_CHECKING:
    from torch import Tensor, nn


@final
@dataclass(frozen=True, config=STRICT)
class Ridge:
    """Ridge: weight · ‖W‖², the sum of squares of all weights and biases of the network.

    Known as weight decay with plain gradient descent. Unknown coefficients of the problem are not penalised.

    Attributes:
        weight: the factor, at least 0, or "auto": found while Gauss-Newton trains.
        schedule: as for `ktv`.

    Source: Doumèche, Biau & Boyer 2023, arXiv:2305.01240, who show that PINNs without it can overfit arbitrarily.
    """

    kind: Literal["ridge"] = "ridge"
    weight: Weight = 1e-6
    schedule: Schedule = "constant"

    role: ClassVar[Literal["parameters"]] = "parameters"
    vanishes: ClassVar[bool] = False
    diagonal: ClassVar[bool] = True

    def rows(self, network: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor:
        """One row a parameter.

        Args:
            network: not needed here.
            parameters: all parameters by name.
        """
        import torch  # noqa: PLC0415, since a config needs no torch

        return torch.cat([each.reshape(-1) for each in parameters.values()])
