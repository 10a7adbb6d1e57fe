"""Polynomials in the radius, for discs and annuli, and the integrals of one Fourier mode by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.polynomial import legendre

from pinnreg.reference.base import Array

SPARE = 10
"""Nodes of quadrature beyond the degree."""


@final
@dataclass(frozen=True)
class Radial:
    """The space of one mode m: functions of r on (inner, outer), or of r on (0, outer) that are smooth in the plane.

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

    def quadrature(self) -> tuple[Array, Array]:
        """Radii, (q,), and the weights of ∫ … r dr there."""
        places, weights = legendre.leggauss((1 if self.disc else 2) * self.degree + SPARE)
        if self.disc:
            return self.outer * np.sqrt((1 + places) / 2), weights * self.outer**2 / 4
        radii = (self.inner + self.outer) / 2 + self._half * places
        return radii, weights * radii * self._half

    def functions(self, mode: int, radii: Array) -> tuple[Array, Array]:
        """Their values and derivatives at radii (n,), (n, degree + 1) each."""
        combined = self._combined()
        if not self.disc:
            place = (radii - (self.inner + self.outer) / 2) / self._half
            return _values(place, combined), _slopes(place, combined) / self._half
        power, share = 0 if mode == 0 else 2 - mode % 2, (radii / self.outer)[:, None]
        place = 2 * share[:, 0] ** 2 - 1
        values, slopes = _values(place, combined), _slopes(place, combined)
        risen = power * share ** max(power - 1, 0) * values + 4 * share ** (power + 1) * slopes
        return share**power * values, risen / self.outer

    def matrices(self, mode: int) -> tuple[Array, Array]:
        """∫ (φᵢ'φⱼ' + m² φᵢφⱼ/r²) r dr and ∫ φᵢφⱼ r dr, symmetric."""
        radii, weights = self.quadrature()
        values, slopes = self.functions(mode, radii)
        over = values / radii[:, None]
        mass = (values.T * weights) @ values
        return (slopes.T * weights) @ slopes + mode**2 * (over.T * weights) @ over, mass

    @property
    def _half(self) -> float:
        return (self.outer - self.inner) / 2

    def _combined(self) -> Array:
        """The Legendre coefficients of p, by function in columns."""
        found = np.eye(self.degree + 1)
        if self.disc:
            return found - np.eye(self.degree + 1, k=1)
        found -= np.eye(self.degree + 1, k=2)
        found[:2, :2] = [[0.5, 0.5], [-0.5, 0.5]]
        return found


def _values(places: Array, combined: Array) -> Array:
    return np.asarray(legendre.legvander(places, len(combined) - 1) @ combined)


def _slopes(places: Array, combined: Array) -> Array:
    return np.asarray(legendre.legvander(places, len(combined) - 2) @ legendre.legder(combined))
