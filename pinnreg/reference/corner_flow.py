"""Slow flow in a right corner between a wall at rest and one whose velocity grows with the distance from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import final

import numpy as np
from numpy.polynomial import Polynomial

from pinnreg.reference.base import Array

Derivatives = Callable[[int, int], Array]
"""∂ⁱ⁺ʲψ/∂xⁱ∂yʲ by i and j, up to second order along each axis, on a tensor grid."""
FADING = Polynomial([1, 0, -3, 2])
"""1 at the corner and 0 at the other end, both without a slope."""


@final
@dataclass(frozen=True)
class Corner:
    """Δ²ψ = 0 in X, Y > 0 with ψ = 0 on both walls, -ψ_Y = s X on Y = 0 and ψ_X = 0 on X = 0.

    ψ = s (π/4 Y² − (X² + Y²) θ/2 − X Y/2) with θ = arctan(Y/X), whose Laplacian s (π/2 − 2θ) differs from side to side
    of the corner: the vorticity there depends on where one comes from, and the pressure, 2s/Re log r on the left and
    its negative on the right, has no bound. X is the distance from x = `end`, and Y that from y = 1.

    Attributes:
        slope: s.
        end: 0 or 1.
    """

    slope: float
    end: int

    def stream(self, x: Array, y: Array) -> Derivatives:
        """ψ of all of the quadrant."""
        return self._derivatives(x, y, faded=False)

    def faded(self, x: Array, y: Array) -> Derivatives:
        """ψ times what makes it vanish with its slope on the walls that are not the corner's."""
        return self._derivatives(x, y, faded=True)

    def _coordinates(self, x: Array, y: Array) -> tuple[Array, Array]:
        return np.abs(x - self.end)[:, None], 1 - y[None, :]

    def _derivatives(self, x: Array, y: Array, *, faded: bool) -> Derivatives:
        distance, depth = self._coordinates(x, y)
        fading = FADING if faded else Polynomial([1])
        along, down = ([fading.deriv(n)(each) for n in range(3)] for each in (distance, depth))
        whole = _stream(distance, depth)

        def derivative(i: int, j: int) -> Array:
            orders = [(a, b) for a in range(i + 1) for b in range(j + 1)]
            terms = [comb(i, a) * comb(j, b) * whole(a, b) * along[i - a] * down[j - b] for a, b in orders]
            # X falls as x grows from the left to the corner on the right, Y as y grows
            return np.asarray(self.slope * (1 - 2 * self.end) ** i * (-1) ** j * sum(terms))

        return derivative


def _stream(distance: Array, depth: Array) -> Derivatives:
    """Derivatives of ψ for s = 1, up to second order in all, by X and Y."""
    angle, square = np.arctan2(depth, distance), distance**2 + depth**2
    share = np.divide(1.0, square, out=np.zeros_like(square), where=square > 0)
    mixed = distance * depth * share
    known = {
        (0, 0): np.pi / 4 * depth**2 - square * angle / 2 - distance * depth / 2,
        (1, 0): -distance * angle,
        (0, 1): depth * (np.pi / 2 - angle) - distance,
        (2, 0): mixed - angle,
        (1, 1): -(distance**2) * share,
        (0, 2): np.pi / 2 - angle - mixed,
    }
    return lambda i, j: known[i, j]
