"""Laplace's equation on polygons by rational functions with poles clustered at the corners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import final

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import (
    ROUNDING,
    Array,
    Axes,
    Complex,
    Reference,
    Solved,
    axes_within,
    checked_number,
    points_of,
)
from pinnreg.reference.given import Given, check_conditions, evaluated
from pinnreg.reference.loop import DEEPEST, Loop, loop_of
from pinnreg.reference.outline import Plane, checked_plane, sides
from pinnreg.reference.rational import Columns
from pinnreg.reference.scattering import masked, on_tensor_grid

POLES = (12, 24, 40, 60, 80, 110)
"""At each corner, tried in turn."""
SAMPLES = 5
"""On an edge, for each pole of a corner."""
MOST_COLUMNS = 2000
MOST_POINTS = 5000
"""At a time."""
JUMP = 1e-12
"""Between the values of two edges at their corner."""


@final
@dataclass(frozen=True)
class Edges:
    """The problem as given: −Δu = source, with values or constant fluxes ∂u/∂n by edge; no flux on other edges."""

    plane: Plane
    loop: Loop
    source: float
    dirichlet: Mapping[str, Given]
    flux: Mapping[str, float]

    def particular(self, points: Complex) -> Array:
        """−s|z − c|²/4."""
        return np.asarray(-self.source / 4 * np.abs(points - self.loop.corners.mean()) ** 2)

    def rise(self, number: int) -> float:
        """What is left of the flux through an edge, constant since particular's is."""
        middle = self.loop.corners[number] - self.loop.corners.mean()
        along = self.loop.along[number]
        outward = -1j * along / abs(along)
        across = float((middle * outward.conjugate()).real)
        return self.flux.get(self.loop.names[number], 0.0) + self.source / 2 * across

    def prescribed(self, number: int, points: Complex) -> Array:
        """The values on an edge that has them, less particular's."""
        name = self.loop.names[number]
        given = evaluated(self.dirichlet[name], (points.real, points.imag), f"dirichlet on {name!r}")
        return given - self.particular(points)

    @property
    def valued(self) -> list[bool]:
        """Which edges have values."""
        return [name in self.dirichlet for name in self.loop.names]

    def jumps(self) -> Array:
        """By how much the values at the end of an edge exceed those at the start of the next one, by corner."""
        found, valued = np.zeros(len(self.loop.corners)), self.valued
        for k, corner in enumerate(self.loop.corners):
            if valued[k - 1] and valued[k]:
                at = corner[None]
                found[k] = (self.prescribed((k - 1) % len(valued), at) - self.prescribed(k, at)).item()
        return np.where(np.abs(found) > JUMP * np.abs(found).max(initial=1e-300), found, 0)

    def turning(self, points: Complex) -> Complex:
        """Analytic, with a real part that is the jump at one edge of each corner and 0 at the other: θ/ω of it."""
        total, loop = np.zeros(len(points), dtype=np.complex128), self.loop
        each = zip(loop.corners, loop.inward, loop.angles, self.jumps(), strict=True)
        for corner, inward, angle, jump in each:
            if jump:
                away = np.where(points == corner, inward * 1e-300, points - corner)
                total += jump / angle * (-1j * np.log(away / inward) + angle / 2)
        return total


@final
@dataclass(frozen=True)
class Lightning:
    """A solution: u = particular + Re(turning + Σ cⱼφⱼ).

    Attributes:
        columns: φⱼ.
        coefficients: cⱼ, (k,).
        bound: the largest error found on the boundary.
    """

    problem: Edges
    columns: Columns
    coefficients: Complex
    bound: float

    def at(self, points: Array) -> Array:
        """(1, n), at points (n, 2)."""
        z = points @ np.array([1, 1j])
        pieces = [z[start : start + MOST_POINTS] for start in range(0, len(z), MOST_POINTS)]
        return np.concatenate([self._at(piece) for piece in pieces])[None]

    def _at(self, z: Complex) -> Array:
        analytic = self.columns(z) @ self.coefficients + self.problem.turning(z)
        return self.problem.particular(z) + analytic.real


def lightning(
    domain: Plane,
    source: float = 0.0,
    *,
    dirichlet: Mapping[str, Given],
    flux: Mapping[str, float] | None = None,
    output: str = "u",
    tolerance: float = 1e-10,
) -> Reference:
    """−Δu = s with a constant s on a polygon without holes, by a lightning solver.

    u = −s|z|²/4 + Re f(z) with f(z) = Σ aₖ dₖ/(z − pₖ) + a polynomial, whose poles cluster exponentially at the
    corners, outside; one least-squares problem on the boundary. The error falls as exp(−C√n) whatever the corners are.
    With values on all edges the maximum principle bounds it by that on the boundary, which is measured between the
    points of the fit; with fluxes it is estimated by the misfit of u and of its conjugate on the boundary. Narrow
    notches take many poles, and those of a few degrees more than there are, as the estimate then tells.

    Args:
        domain: a `Polygon`, a `Box`, or a combination of such.
        source: s.
        dirichlet: the values of u by edge: numbers, or functions of the two coordinates (n,) in NumPy or torch, smooth
            on each edge; they may jump at corners.
        flux: ∂u/∂n by edge, constant, with the outward normal; 0 on edges without a condition.
        output: the name of u.
        tolerance: the error on the boundary, of the largest value there, at which to stop; the cap is 110 poles a
            corner.

    Returns:
        A reference whose values are NaN outside of the domain, and whose error estimate is the bound over the root
        mean square of the values that are asked for.

    Raises:
        InputError: no polygon, one with holes, an unknown edge, or no values at all; in `solve` for functions that
            fail or axes that do not fit.

    Source: A. Gopal and L. N. Trefethen, SIAM J. Numer. Anal. 57 (2019), 2074.
    """
    plane = checked_plane("lightning", domain)
    fluxes = {} if flux is None else flux
    check_conditions("lightning", dirichlet, fluxes, sides(plane))
    if not dirichlet:
        raise InputError("lightning: the solution is not unique without values in `dirichlet`")
    for name, number in {"source": source, **{f"flux on {each!r}": value for each, value in fluxes.items()}}.items():
        checked_number(f"lightning: expected {name}", number)
    tolerance = checked_number("lightning: expected tolerance", tolerance, positive=True)
    problem = Edges(plane, loop_of("lightning", plane), float(source), dirichlet, fluxes)
    solved = cache(lambda: solve_polygon(problem, tolerance))

    def at(points: Array) -> tuple[dict[str, Array], float]:
        solution = solved()
        values = masked(plane, points, solution.at)[0]
        inside = values[np.isfinite(values)]
        scale = float(np.sqrt(np.mean(inside**2))) if len(inside) else 0.0
        return {output: values}, max(solution.bound / scale if scale else solution.bound, ROUNDING)

    def solve(axes: Axes) -> Solved:
        return on_tensor_grid(axes_within(axes, plane.bounds), at)

    def scattered(points: Axes) -> Solved:
        return Solved(*at(np.column_stack(list(points_of(points, plane.bounds).values()))))

    return Reference("lightning solver", solve, scattered=scattered)


def solve_polygon(problem: Edges, tolerance: float) -> Lightning:
    """With more and more poles, until the misfit is below `tolerance` times the values on the boundary; the best."""
    best: Lightning | None = None
    for count in POLES:
        if best is not None and 2 * count * len(problem.loop.corners) > MOST_COLUMNS:
            break
        found, scale = fitted(problem, count)
        if best is None or found.bound < best.bound:
            best = found
        if best.bound <= tolerance * scale:
            break
    assert best is not None
    return best


def fitted(problem: Edges, count: int) -> tuple[Lightning, float]:
    """With `count` poles at each corner, and the size of the values on the boundary."""
    places = _places(count, SAMPLES * count + 20)
    loop, edges = problem.loop, range(len(problem.loop.names))
    poles, scales = loop.poles(problem.plane, count)
    points = np.concatenate([loop.on_edge(number, places) for number in edges])
    columns = Columns.on(points, poles, scales, 10 + count // 2)
    rows = [_rows(problem, columns, number, places) for number in edges]
    matrix, right = (np.concatenate(each) for each in zip(*rows, strict=True))
    sizes = np.linalg.norm(matrix, axis=0)
    sizes = np.where(sizes > 0, sizes, 1)
    solved = scipy.linalg.lstsq(matrix / sizes, right, lapack_driver="gelsy", cond=1e-14)[0] / sizes
    between = _places(count, 3 * len(places) + 1)
    misfits = [each @ solved - wanted for each, wanted in (_rows(problem, columns, k, between) for k in edges)]
    width = len(poles) + len(columns.hessenberg)
    coefficients = solved[:width] + 1j * solved[width : 2 * width]
    bound = max(float(np.abs(each).max()) for each in misfits)
    return Lightning(problem, columns, coefficients, bound), float(np.abs(right).max())


def _places(poles: int, count: int) -> Array:
    """t of points on an edge, (count,), equally many between one pole and the next towards either end."""
    share = np.linspace(-1, 1, count)
    reach = min(2 * poles**0.5 + 3, DEEPEST)
    return np.asarray(np.sign(share) * reach * (1 - np.sqrt(1 - np.abs(share))))


def _rows(problem: Edges, columns: Columns, number: int, places: Array) -> tuple[Array, Array]:
    """The equations at points of an edge: of Re f where u is given, of Im f = const + ∫ ∂u/∂n ds elsewhere."""
    loop, valued = problem.loop, problem.valued
    points = loop.on_edge(number, places)
    values, turning = columns(points), problem.turning(points)
    chains, constants, start = _chains(problem)
    others = np.zeros((len(points), constants))
    if valued[number]:
        return np.hstack([values.real, -values.imag, others]), problem.prescribed(number, points) - turning.real
    others[:, chains[number]] = -1
    along = np.abs(loop.along[number]) * (1 + np.tanh(places)) / 2
    return np.hstack([values.imag, values.real, others]), start[number] + problem.rise(number) * along - turning.imag


def _chains(problem: Edges) -> tuple[dict[int, int], int, dict[int, float]]:
    """Of edges with fluxes: which chain of neighbours each is in, how many there are, and ∫ ∂u/∂n ds before each."""
    valued, lengths = problem.valued, np.abs(problem.loop.along)
    first = valued.index(True)
    order = [(first + k) % len(valued) for k in range(len(valued))]
    chains: dict[int, int] = {}
    start: dict[int, float] = {}
    count = 0
    for before, number in pairwise(order):
        if valued[number]:
            continue
        joined = before in chains
        count += not joined
        chains[number] = count - 1
        start[number] = start[before] + problem.rise(before) * float(lengths[before]) if joined else 0.0
    return chains, count, start
