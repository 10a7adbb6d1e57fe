"""`Rows`: a loss term as a vector; `Site`: where a penalty takes its rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from pinnreg.equations import Problem, Sweep


@final
class Rows:
    """A loss term as a vector r: its value is mean(|r|^power), or mean(√(r² + ε²)) for power 1 with `smoothing` ε.

    With `importance` v, for power 2 only, it is mean(v r²).
    """

    def __init__(
        self,
        values: Tensor,
        power: Literal[1, 2] = 2,
        smoothing: float = 0.0,
        importance: Tensor | None = None,
    ) -> None:
        self.values = values
        self.power = power
        self.smoothing = smoothing
        self.importance = importance

    def mean(self) -> Tensor:
        """The value of the term, a scalar tensor."""
        if self.power == 2:
            return self.squares.mean()
        if self.smoothing:
            return (self.values.square() + self.smoothing**2).sqrt().mean()
        return self.values.abs().mean()

    @property
    def residuals(self) -> Tensor:
        """The vector whose mean square is the value, for power 2."""
        return self.values if self.importance is None else self.importance.sqrt() * self.values

    @property
    def squares(self) -> Tensor:
        """What the value is the mean of, for power 2."""
        squares = self.values.square()
        return squares if self.importance is None else self.importance * squares


@final
@dataclass(frozen=True)
class Site:
    """What a penalty sees of the trial function.

    Attributes:
        problem: with the current values of its unknown coefficients.
        sweep: derivatives of the trial function at the penalty's points.
        importance: what each point counts for, (n,); None for alike.
        projections: unit vectors in the space of outputs, (n, projections, outputs), where the penalty draws some.
        smooth: whether |s| has to be smoothed for the optimiser.
    """

    problem: Problem
    sweep: Sweep
    importance: Tensor | None = None
    projections: Tensor | None = None
    smooth: bool = False

    def mean_of_squares(self, *columns: Tensor) -> Rows:
        """Rows whose value is the mean over the points of Σ column², each column (n,)."""
        count = len(columns)
        importance = None if self.importance is None else self.importance.repeat(count)
        return Rows(math.sqrt(count) * torch.cat(columns), importance=importance)
