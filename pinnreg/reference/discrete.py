"""Solutions by finite elements on one mesh, steady or in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.base import Array
from pinnreg.reference.grading import lengths
from pinnreg.reference.locating import probe
from pinnreg.reference.outline import Outline, Plane
from pinnreg.reference.radau import radau, steps
from pinnreg.reference.scattering import by_time
from pinnreg.reference.triangles import Triangles, triangulate
from pinnreg.reference.weak import (
    Weak,
    basis_of,
    factorised,
    load_of,
    mass_of,
    matrix_of,
    mesh_of,
    prescribed,
    start_of,
)

MOST_UNKNOWNS = 150_000
"""In time, of which all stages are kept."""


@final
@dataclass(frozen=True)
class Discrete:
    """A solution on one mesh.

    Attributes:
        state: the coefficients, (N,), by time.
        start: the first time, None of a steady one.
    """

    problem: Weak
    triangles: Triangles
    basis: Any
    state: Callable[[float], Array]
    start: float | None

    def steady(self, points: Array) -> Array:
        """The values at points (n, 2), (c, n)."""
        return self.along(points, np.zeros(len(points)))

    def during(self, points: Array, times: Array) -> Array:
        """The values at all of these points and times, (c, n, len(times))."""
        matrix = probe(self.triangles, self.basis, points)
        return np.stack([self._at(matrix, points, float(time)) for time in times], axis=2)

    def along(self, points: Array, times: Array) -> Array:
        """The values at points (n, 2), each at its own time, (c, n)."""
        count = len(self.problem.outputs)
        values, matrix = np.empty((count, len(points))), probe(self.triangles, self.basis, points)
        for time, own in by_time(times):
            rows = (own + len(points) * np.arange(count)[:, None]).ravel()
            values[:, own] = self._at(matrix[rows], points[own], time)
        return values

    def _at(self, matrix: Any, points: Array, time: float) -> Array:
        if time == self.start:  # as they are given, also where they do not fit
            return self.problem.start(points)
        return np.asarray((matrix @ self.state(time)).reshape(-1, len(points)))


def discrete(plane: Plane, found: Outline, problem: Weak, size: float) -> Discrete:
    """The steady solution on a mesh of one size."""
    triangles, basis = _spaces(plane, found, problem, size)
    matrix, right = matrix_of(problem, basis), load_of(problem, basis)(None)
    free, fixed = prescribed(problem, basis)
    values = fixed(None)
    own, right = matrix[free][:, free], (right - matrix @ values)[free]
    if len(free):
        factors = factorised(own)
        solved = factors.solve(right)
        values[free] = solved + factors.solve(right - own @ solved)
    return Discrete(problem, triangles, basis, lambda _: values, None)


def evolving(
    plane: Plane, found: Outline, problem: Weak, size: float, span: tuple[float, float], each: int
) -> Discrete:
    """The solution in time on a mesh of one size, with `each` steps of every length."""
    triangles, basis = _spaces(plane, found, problem, size)
    if basis.N > MOST_UNKNOWNS:
        raise InputError(f"finite_elements: {basis.N} unknowns in time, {MOST_UNKNOWNS} at most; give a larger size")
    matrix, mass, load = matrix_of(problem, basis), mass_of(problem, basis), load_of(problem, basis)
    free, fixed = prescribed(problem, basis)
    start = fixed(span[0])
    plain = mass if problem.mass is None else mass_of(replace(problem, mass=None), basis)
    start[free] = factorised(plain[free][:, free]).solve((start_of(problem, basis) - plain @ start)[free])
    path = radau(mass, matrix, load, free, fixed, start, steps(span, each), factorised)
    return Discrete(problem, triangles, basis, path, span[0])


def _spaces(plane: Plane, found: Outline, problem: Weak, size: float) -> tuple[Triangles, Any]:
    triangles = triangulate(plane, found, lengths(found, size, problem.degree, problem.dirichlet))
    # linear elements would not be linear on curved triangles
    curved = problem.degree > 1 and not all(arc.straight for arc in found.arcs)
    return triangles, basis_of(problem, mesh_of(triangles, found, curved=curved))
