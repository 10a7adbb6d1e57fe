"""Input features: axes scaled onto [-1, 1], harmonics of periodic axes, random Fourier features."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from pinnreg.taylor import Series, Unsupported, by_forward_mode


@final
@dataclass(frozen=True)
class Feature:
    """A function of points, (n, d) -> (n, 1), with the middle and half the width of its range."""

    function: Callable[[Tensor], Any]
    centre: float
    half_width: float

    def __call__(self, points: Any) -> Any:
        """Its values, mapped onto [-1, 1]; of a series those with derivatives."""
        try:
            values = self.function(points)
        except Unsupported:
            values = by_forward_mode(self.function, cast(Series, points))
        return (values - self.centre) / self.half_width


@final
class InputFeatures(nn.Module):
    """Points (n, d) of a box -> features (n, m): scaled axes, harmonics of periodic axes, random Fourier features.

    Args:
        bounds: (lower, upper) by axis.
        periodic: number of harmonics by periodic axis; such an axis enters through cos and sin(2π k (x - a)/(b - a)).
        frequencies: (m, k) random frequencies B on the k features so far, appended as sin and cos(π B x); or None.
        own: functions of the points that follow these.
    """

    def __init__(
        self,
        bounds: Mapping[str, tuple[float, float]],
        *,
        periodic: Mapping[str, int],
        frequencies: Tensor | None,
        dtype: torch.dtype,
        own: Sequence[Feature] = (),
    ) -> None:
        super().__init__()
        ends = torch.tensor(list(bounds.values()), dtype=dtype)
        self.register_buffer("centre", ends.mean(dim=1))
        self.register_buffer("half_width", (ends[:, 1] - ends[:, 0]) / 2)
        self.register_buffer("frequencies", frequencies)
        self._own = tuple(own)
        self._harmonics = tuple(periodic.get(axis, 0) for axis in bounds)

    @staticmethod
    def width_before_fourier(axes: Sequence[str], periodic: Mapping[str, int]) -> int:
        """Number of features without the random ones: one an axis, two a harmonic."""
        return sum(2 * periodic[axis] if axis in periodic else 1 for axis in axes)

    def forward(self, points: Tensor) -> Tensor:
        centre, half_width = self.get_buffer("centre"), self.get_buffer("half_width")
        scaled = (points - centre) / half_width
        features = scaled
        if any(self._harmonics):
            columns = []
            for index, harmonics in enumerate(self._harmonics):
                column = scaled[:, index : index + 1]
                if not harmonics:
                    columns.append(column)
                for k in range(1, harmonics + 1):
                    columns += [torch.cos(k * math.pi * column), torch.sin(k * math.pi * column)]
            features = torch.cat(columns, dim=1)
        if self.frequencies is not None:
            phases = math.pi * features @ self.get_buffer("frequencies").T
            features = torch.cat([features, torch.sin(phases), torch.cos(phases)], dim=1)
        return torch.cat([features, *(each(points) for each in self._own)], dim=1) if self._own else features
