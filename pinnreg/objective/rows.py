"""`Rows`: a loss term as a vector of residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """A loss term as a vector r, (n,): its value is the mean of |r|^power, or of v |r|^power with `importance` v.

    For power 1, |r| becomes √(r² + ε²) where an optimiser needs it smooth; `smoothing` is ε.
    """

    values: Tensor
    power: Literal[1, 2] = 2
    smoothing: float = 0.0
    importance: Tensor | None = None

    def total(self, *, smooth: bool = False) -> Tensor:
        """n times the value of the term, a scalar tensor."""
        if self.power == 2:
            return self.squares.sum()
        sizes = (self.values.square() + self.smoothing**2).sqrt() if smooth else self.values.abs()
        return sizes.sum() if self.importance is None else torch.dot(self.importance, sizes)

    @property
    def residuals(self) -> Tensor:
        """The vector whose mean square is the value, for power 2."""
        return self.values if self.importance is None else self.importance.sqrt() * self.values

    @property
    def squares(self) -> Tensor:
        """What the value is the mean of, for power 2."""
        squares = self.values.square()
        return squares if self.importance is None else self.importance * squares


def joined(
    columns: Sequence[Tensor],
    measure: float,
    power: Literal[1, 2] = 2,
    smoothing: float = 0.0,
    importance: Tensor | None = None,
) -> Rows:
    """Rows whose value is `measure` times the mean over n points of Σ |column|^power, each column (n,)."""
    count = len(columns)
    scale = math.sqrt(measure * count) if power == 2 else measure * count
    weights = None if importance is None else importance.repeat(count)
    return Rows(scale * torch.cat(list(columns)), power, scale * smoothing, weights)
