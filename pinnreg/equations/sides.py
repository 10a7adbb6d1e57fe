"""What is known of an output on the sides of a domain, and the factors of the trial function that vanish there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.domain import Quadric
from pinnreg.equations.call import Data

End = tuple[Data, Tensor, Tensor]
"""Data, points (n, d) at which they are taken for points of a domain, and the share that they have there, (n,)."""


@final
@dataclass(frozen=True)
class AxisData:
    """The data of one output on the faces of one axis; values at either end, and a slope at the lower one (order 1)."""

    axis: int
    lower: float
    upper: float
    at_min: Data | None = None
    at_max: Data | None = None
    slope_at_min: Data | None = None

    @property
    def given(self) -> tuple[Data, ...]:
        """The data themselves."""
        return _given(self.at_min, self.at_max, self.slope_at_min)

    def degree(self, axis: int) -> int:
        """The degree in one coordinate of the factor of φ."""
        return len(self.given) if axis == self.axis else 0

    def factor(self, points: Tensor) -> Tensor:
        """This axis's factor of φ, (n,), at most 1 on the box."""
        from_min = self._from_min(points)
        if self.slope_at_min is not None:
            return from_min**2
        return _factor(from_min, self.at_min, self.at_max)

    def ends(self, points: Tensor) -> tuple[End, ...]:
        """The values at either end."""
        s = self._from_min(points)
        both = ((self.at_min, self.lower, 1 - s), (self.at_max, self.upper, s))
        return tuple((data, moved(points, self.axis, end), share) for data, end, share in both if data is not None)

    def _from_min(self, points: Tensor) -> Tensor:
        return (points[:, self.axis] - self.lower) / (self.upper - self.lower)


@final
@dataclass(frozen=True)
class RoundData:
    """The values of one output on circles, spheres or an ellipse.

    A function of the coordinates extends inside, as it stands. With data on two sides these are blended by the level.
    """

    quadric: Quadric
    at_inner: Data | None = None
    at_outer: Data | None = None

    @property
    def given(self) -> tuple[Data, ...]:
        """The data themselves."""
        return _given(self.at_inner, self.at_outer)

    def degree(self, axis: int) -> int:
        """The degree in one coordinate of the factor of φ."""
        return 2 * len(self.given) if axis in self.quadric.axes else 0

    def factor(self, points: Tensor) -> Tensor:
        """The factor of φ, (n,), at most 1."""
        return _factor(self._from_inner(points), self.at_inner, self.at_outer)

    def ends(self, points: Tensor) -> tuple[End, ...]:
        """The values on either side."""
        s = self._from_inner(points)
        both = ((self.at_inner, 1 - s), (self.at_outer, s))
        return tuple((data, points, share) for data, share in both if data is not None)

    def _from_inner(self, points: Tensor) -> Tensor:
        lowest = self.quadric.lowest
        return (self.quadric.level(points) - lowest) / (1 - lowest)


SideData = AxisData | RoundData


def shared(data: Sequence[SideData]) -> tuple[Data, ...]:
    """The different data of some sides."""
    found: list[Data] = []
    for given in (each for axis in data for each in axis.given):
        if not any(given is each or (not callable(given) and not callable(each) and given == each) for each in found):
            found.append(given)
    return tuple(found)


def moved(points: Tensor, axis: int, end: float) -> Tensor:
    """Points projected onto a face, still differentiable in the other coordinates."""
    columns = list(points.unbind(dim=1))
    columns[axis] = torch.full_like(columns[axis], end)
    return torch.stack(columns, dim=1)


def _given(*data: Data | None) -> tuple[Data, ...]:
    return tuple(each for each in data if each is not None)


def _factor(s: Tensor, at_start: Data | None, at_end: Data | None) -> Tensor:
    """What vanishes at the ends of 0 ≤ s ≤ 1 that have data."""
    if at_start is not None and at_end is not None:
        return 4 * s * (1 - s)
    return s if at_start is not None else 1 - s
