"""Polynomials in the radius, for discs and annuli, and the integrals of one Fourier mode by them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.polynomial import legendre

from pinnreg.reference.base import Array

SPARE = 10
"""Nodes of quadrature beyond the degree."""


@final
@dataclass(frozen=True)
class Radial:
    """The space of each mode m: functions of r on (inner, outer), or of r on (0, outer) that are smooth in the plane.

    In an annulus polynomials in r; in a disc ρˢ p(ρ²), ρ = r/outer, with s = 0 for m = 0, 1 for odd m and 2 for even
    m, which are smooth and have finite energy. The first functions are 1 on one circle and 0 on the other; all
    others vanish on both.
    """

    degree: int
    inner: float
    outer: float

    @property
    def disc(self) -> bool:
        return self.inner == 0

    @property
    def circles(self) -> tuple[float, ...]:
        """The radii on which the first functions are 1, in their order."""
        return (self.outer,) if self.disc else (self.inner, self.outer)

    @property
    def powers(self) -> tuple[int, ...]:
        """s of all spaces; an annulus has one, with s = 0."""
        return (0, 1, 2) if self.disc else (0,)

    def power(self, mode: int) -> int:
        """s of a mode's space."""
        return 2 - mode % 2 if self.disc and mode else 0

    @cached_property
    def quadrature(self) -> tuple[Array, Array]:
        """Radii, (q,), and the weights of ∫ … r dr there."""
        places, weights = legendre.leggauss((1 if self.disc else 2) * self.degree + SPARE)
        if self.disc:
            return self.outer * np.sqrt((1 + places) / 2), weights * self.outer**2 / 4
        radii = (self.inner + self.outer) / 2 + self._half * places
        return radii, weights * radii * self._half

    @cached_property
    def at_nodes(self) -> dict[int, tuple[Array, Array]]:
        """Functions and their derivatives at the nodes of quadrature, (q, degree + 1) each, by s."""
        radii, _ = self.quadrature
        return {power: (self.functions(power, radii), self.slopes(power, radii)) for power in self.powers}

    def functions(self, power: int, radii: Array) -> Array:
        """The functions of the space with this s at radii (n,), (n, degree + 1)."""
        values = legendre.legvander(self._places(radii), self.degree) @ self._combined
        return np.asarray((radii / self.outer)[:, None] ** power * values if self.disc else values)

    def slopes(self, power: int, radii: Array) -> Array:
        """Their derivatives, likewise."""
        places, combined = self._places(radii), self._combined
        slopes = legendre.legvander(places, self.degree - 1) @ legendre.legder(combined)
        if not self.disc:
            return np.asarray(slopes / self._half)
        values, share = legendre.legvander(places, self.degree) @ combined, (radii / self.outer)[:, None]
        risen = power * share ** max(power - 1, 0) * values + 4 * share ** (power + 1) * slopes
        return np.asarray(risen / self.outer)

    def matrices(self, mode: int) -> tuple[Array, Array]:
        """∫ (φᵢ'φⱼ' + m² φᵢφⱼ/r²) r dr and ∫ φᵢφⱼ r dr, (degree + 1, degree + 1), symmetric."""
        radii, weights = self.quadrature
        values, slopes = self.at_nodes[self.power(mode)]
        over = values / radii[:, None]
        mass = (values.T * weights) @ values
        return (slopes.T * weights) @ slopes + mode**2 * (over.T * weights) @ over, mass

    def _places(self, radii: Array) -> Array:
        """Where p is evaluated, in (-1, 1)."""
        if self.disc:
            return 2 * (radii / self.outer) ** 2 - 1
        return (radii - (self.inner + self.outer) / 2) / self._half

    @property
    def _half(self) -> float:
        return (self.outer - self.inner) / 2

    @cached_property
    def _combined(self) -> Array:
        """The Legendre coefficients of p, by function in columns."""
        found = np.eye(self.degree + 1)
        if self.disc:
            return found - np.eye(self.degree + 1, k=1)
        found -= np.eye(self.degree + 1, k=2)
        found[:2, :2] = [[0.5, 0.5], [-0.5, 0.5]]
        return found
