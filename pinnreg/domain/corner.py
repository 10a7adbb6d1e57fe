"""`Corner`: where two straight sides meet, and the singular function that solutions have there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

CornerKind = Literal["value", "slope", "mixed"]


@final
@dataclass(frozen=True)
class Corner:
    """A corner in the plane, whose sides are those after and before it, counter-clockwise around the domain.

    Attributes:
        place: its two coordinates.
        start: the direction of the side after it, an angle.
        angle: ω, from that side through the domain to the one before.
        after: the name of the side after it.
        before: the name of the side before it.
    """

    place: tuple[float, float]
    start: float
    angle: float
    after: str
    before: str

    def power(self, kind: CornerKind) -> float:
        """That of r: below 1 the slope has no bound, below 2 the second derivatives have none."""
        return math.pi / self.angle / (2 if kind == "mixed" else 1)

    def singular(self, points: Tensor, kind: CornerKind, *, turned: bool = False) -> Tensor:
        """The harmonic function with the lowest power of the distance r that both sides allow, (n,).

        r^(π/ω) sin πθ/ω of a "value" on both, r^(π/ω) cos πθ/ω of a "slope" on both, and for a "mixed" corner with a
        value on the side after it r^(π/2ω) sin πθ/2ω; with `turned` the value is on the side before (Grisvard 1985).
        """
        x, y, power = points[:, 0] - self.place[0], points[:, 1] - self.place[1], self.power(kind)
        # the cut where the angle jumps lies in the middle of what is outside
        beyond = (2 * math.pi - self.angle) / 2
        theta = torch.remainder(torch.atan2(y, x) - self.start + beyond, 2 * math.pi) - beyond
        angle = power * (self.angle - theta if turned else theta)
        return (x**2 + y**2) ** (power / 2) * (torch.cos(angle) if kind == "slope" else torch.sin(angle))
