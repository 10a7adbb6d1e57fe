"""Diffusion on a disc or an annulus, Fourier mode by Fourier mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import final

import numpy as np
import scipy
from numpy.typing import NDArray

from pinnreg.reference.base import Array, Complex
from pinnreg.reference.given import Given, evaluated
from pinnreg.reference.radial import Radial

MOST_POINTS = 4000
"""At a time."""


@final
@dataclass(frozen=True)
class Round:
    """The problem as given, on a disc or an annulus.

    Attributes:
        centre: (2,).
        radii: the inner one, 0 of a disc, and the outer one.
        circles: the names of the circles by radius.
        source: f, a function of points or a number.
        diffusion: κ.
        reaction: c.
        dirichlet: the values of u by the name of the circle.
        flux: ∂u/∂n, likewise.
        initial: u at the start.
        start: the first time, None of a steady problem.
    """

    centre: Array
    radii: tuple[float, float]
    circles: Mapping[float, str]
    source: Given
    diffusion: float
    reaction: float
    dirichlet: Mapping[str, Given]
    flux: Mapping[str, Given]
    initial: Given
    start: float | None

    def on_circles(self, given: Given, radii: Array, count: int, what: str) -> Complex:
        """The Fourier coefficients of a function, (len(radii), modes), by its values at 2 count angles."""
        angles = pi * np.arange(2 * count) / count
        x = self.centre[0] + radii[:, None] * np.cos(angles)
        y = self.centre[1] + radii[:, None] * np.sin(angles)
        values = evaluated(given, (x.ravel(), y.ravel()), what).reshape(x.shape)
        return np.asarray(np.fft.rfft(values, axis=1)[:, :count] / (2 * count), dtype=np.complex128)


@final
@dataclass(frozen=True)
class Mode:
    """A u + M u' = b for one Fourier mode, of which some unknowns are fixed.

    Attributes:
        matrix: A, (k, k), symmetric.
        mass: M.
        right: b, (k,), with ∫ f φ and the fluxes.
        fixed: the values of u on circles where they are prescribed, by the number of the unknown.
        start: ∫ u φ of the initial values, (k,).
        shift: by which A + shift M is positive.
    """

    matrix: Array
    mass: Array
    right: Complex
    fixed: Mapping[int, complex]
    start: Complex
    shift: float

    @cached_property
    def steady(self) -> Complex:
        """u where u' = 0, (k,)."""
        free, found = self._split
        right = (self.right - self.matrix @ found)[free]
        parts = scipy.linalg.solve(self._own(self.matrix), np.column_stack([right.real, right.imag]), assume_a="sym")
        found[free] = parts[:, 0] + 1j * parts[:, 1]
        return found

    def after(self, time: float) -> Complex:
        """u at a time, (k,): e⁻ᴸᵗ of the initial values and ∫ e⁻ᴸᵗ of b."""
        free, found = self._split
        rates, vectors, source, start = self._eigen
        grown = np.where(rates == 0, time, -np.expm1(-rates * time) / np.where(rates == 0, 1, rates))
        found[free] = vectors @ (np.exp(-rates * time) * start + grown * source)
        return found

    @cached_property
    def _eigen(self) -> tuple[Array, Array, Complex, Complex]:
        """Rates, vectors that are orthonormal by M, and in them b and the initial values."""
        free, found = self._split
        matrix, mass = self._own(self.matrix), self._own(self.mass)
        # by the inverse, of which the largest eigenvalues, of the slowest modes, are found to rounding
        inverse, vectors = scipy.linalg.eigh(mass, matrix + self.shift * mass)
        vectors = vectors / np.sqrt(inverse)
        source, start = self.right - self.matrix @ found, self.start - self.mass @ found
        return 1 / inverse - self.shift, vectors, vectors.T @ source[free], vectors.T @ start[free]

    @property
    def _split(self) -> tuple[NDArray[np.bool_], Complex]:
        """Which unknowns are free, and the fixed ones."""
        free, found = np.ones(len(self.right), dtype=np.bool_), np.zeros(len(self.right), dtype=np.complex128)
        for number, value in self.fixed.items():
            free[number], found[number] = False, value
        return free, found

    def _own(self, matrix: Array) -> Array:
        free, _ = self._split
        return np.asarray(matrix[np.ix_(free, free)])


@final
@dataclass(frozen=True)
class Modes:
    """All modes of a resolution."""

    problem: Round
    space: Radial
    modes: tuple[Mode, ...]

    def steady(self) -> Complex:
        """The unknowns, (modes, k)."""
        return np.array([mode.steady for mode in self.modes])

    def after(self, time: float) -> Complex:
        """The unknowns at a time, (modes, k)."""
        assert self.problem.start is not None
        return np.array([mode.after(time - self.problem.start) for mode in self.modes])

    def at(self, points: Array, unknowns: Complex) -> Array:
        """The values, (n,), at points (n, 2)."""
        pieces = range(0, len(points), MOST_POINTS)
        return np.concatenate([self._at(points[start : start + MOST_POINTS], unknowns) for start in pieces])

    def _at(self, points: Array, unknowns: Complex) -> Array:
        x, y = (points - self.problem.centre).T
        radii, turn, total = np.hypot(x, y), np.exp(1j * np.arctan2(y, x)), np.zeros(len(points))
        functions = {power: self.space.functions(power, radii) for power in self.space.powers}
        for mode, own in reversed(list(enumerate(unknowns))):
            values = functions[self.space.power(mode)] @ own
            total = total + (1 if mode == 0 else 2) * (values * turn**mode).real
        return total


def solve_modes(problem: Round, degree: int) -> Modes:
    """The equations of 4/3 as many modes as the degree of the polynomials."""
    count = 4 * degree // 3
    space = Radial(degree, *problem.radii)
    radii, weights = space.quadrature
    source = problem.on_circles(problem.source, radii, count, "source")
    initial = problem.on_circles(problem.initial, radii, count, "initial")
    circles = np.array(space.circles)
    names = [problem.circles[radius] for radius in space.circles]
    fixed, fluxes = (
        {
            number: problem.on_circles(given[name], circles[[number]], count, f"{what} on {name!r}")[0]
            for number, name in enumerate(names)
            if name in given
        }
        for what, given in (("dirichlet", problem.dirichlet), ("flux", problem.flux))
    )
    modes = []
    for mode in range(count):
        stiffness, mass = space.matrices(mode)
        tested = space.at_nodes[space.power(mode)][0].T * weights
        right = tested @ source[:, mode]
        for number, flux in fluxes.items():
            right[number] += problem.diffusion * circles[number] * flux[mode]
        modes.append(
            Mode(
                problem.diffusion * stiffness + problem.reaction * mass,
                mass,
                right,
                {number: complex(values[mode]) for number, values in fixed.items()},
                tested @ initial[:, mode],
                max(-problem.reaction, 0.0) + problem.diffusion / problem.radii[1] ** 2,
            )
        )
    return Modes(problem, space, tuple(modes))
