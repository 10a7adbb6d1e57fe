"""The `conditions` section of a config, and the entries of `unknown`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import BeforeValidator, StrictBool, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.settings import STRICT, no_boolean

if TYPE_CHECKING:
    from torch import Tensor

ConditionMode = Literal["default", "exact", "soft"]


@final
@dataclass(frozen=True, config=STRICT)
class Unknown:
    """A coefficient that is to be found: a number in the problem's residual.

    What is trained is θ: the value is start · exp(θ) where it is `positive`, from θ = 0 on, else |start| θ (θ itself
    from 0), so that a step of the optimiser means the same for coefficients of any size.

    Attributes:
        start: the value that training begins with.
        positive: whether the value keeps above zero.
    """

    start: Annotated[float, BeforeValidator(no_boolean)] = 1.0
    positive: StrictBool = False

    @model_validator(mode="after")
    def _start_is_possible(self) -> Unknown:
        if self.positive and self.start <= 0:
            raise ValueError(f"start must be positive with positive: true, got {self.start:g}")
        return self

    @property
    def first(self) -> float:
        """θ at the start."""
        return 0.0 if self.positive or not self.start else math.copysign(1.0, self.start)

    def value(self, theta: Tensor) -> Tensor:
        """The coefficient, of the shape of θ."""
        return self.start * theta.exp() if self.positive else (abs(self.start) or 1.0) * theta
