"""`Quadric`: sides that are levels of a quadratic form, as circles, spheres and ellipses are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Quadric:
    """level(x) = Σ Aᵢⱼ (xᵢ - cᵢ)(xⱼ - cⱼ) over some axes, which is constant on some sides of a domain.

    Attributes:
        axes: their numbers.
        centre: c.
        form: A.
        levels: of sides by name: 1 outside, and at an inner one, if there is a hole, between 0 and 1.
    """

    axes: tuple[int, ...]
    centre: tuple[float, ...]
    form: tuple[tuple[float, ...], ...]
    levels: tuple[tuple[str, float], ...]

    @property
    def lowest(self) -> float:
        """The level of the inner side; 0 where there is none."""
        return min((level for _, level in self.levels if level < 1), default=0.0)

    def level(self, points: Tensor) -> Tensor:
        """The level of points (n, d), (n,), differentiable in them."""
        away = [points[:, axis] - middle for axis, middle in zip(self.axes, self.centre, strict=True)]
        total = torch.zeros_like(points[:, 0])
        for row, one in zip(self.form, away, strict=True):
            for factor, other in zip(row, away, strict=True):
                if factor:
                    total = total + factor * one * other
        return total
