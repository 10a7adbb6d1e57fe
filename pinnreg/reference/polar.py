"""Diffusion on discs and annuli, steady and in time, by Fourier modes in the angle and polynomials in the radius."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from itertools import pairwise

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.angular import Modes, Round, solve_modes
from pinnreg.reference.base import (
    ROUNDING,
    Array,
    Axes,
    Reference,
    Solved,
    axes_within,
    checked_bounds,
    checked_number,
    grid_shape,
    open_mesh,
    points_of,
)
from pinnreg.reference.given import Given, check_conditions, evaluated
from pinnreg.reference.outline import Plane, checked_plane, sides
from pinnreg.reference.scattering import by_time, finite_difference, masked

DEGREES = (12, 18, 27, 40, 60, 90)
"""Of the polynomials, tried in turn; as many modes and a third."""


def polar(
    domain: Plane,
    source: Given = 0.0,
    *,
    diffusion: float = 1.0,
    reaction: float = 0.0,
    dirichlet: Mapping[str, Given] | None = None,
    flux: Mapping[str, Given] | None = None,
    time: tuple[float, float] | None = None,
    initial: Given = 0.0,
    output: str = "u",
    tolerance: float = 1e-12,
) -> Reference:
    """−κΔu + cu = f on a disc or an annulus, or uₜ = κΔu − cu + f, with spectral accuracy.

    u = Σ uₘ(r) e^{imθ}, each uₘ by Galerkin's method: a symmetric matrix of its own, of which the eigenvectors give
    the values at any time. The number of modes and the degree grow until two agree.

    Args:
        domain: a `Ball` or an `Annulus` in two axes.
        source: f: a number, or a function of the two coordinates (n,) in NumPy or torch; steady.
        diffusion: κ > 0.
        reaction: c; negative for Helmholtz' equation.
        dirichlet: the values of u on "inner", "outer" or "boundary", likewise.
        flux: ∂u/∂n there, with the outward normal; 0 on circles without a condition.
        time: (start, end) for the equation in time; the reference then has the axis t.
        initial: u at its start; 0 if it is not given.
        output: the name of u.
        tolerance: the relative L2 difference of two resolutions at which to stop. Beyond degree 90 and 120 modes the
            error estimate tells what was reached, as for data with jumps.

    Returns:
        A reference whose values are NaN outside of the domain.

    Raises:
        InputError: another shape, an unknown circle, κ ≤ 0, or no unique solution; in `solve` for functions that
            fail or axes that do not fit.

    Source: L. N. Trefethen, Spectral Methods in MATLAB (2000), chapter 11; J. Shen, SIAM J. Sci. Comput. 18 (1997),
    1583, for the basis.
    """
    plane = checked_plane("polar", domain)
    tolerance = checked_number("polar: expected tolerance", tolerance, positive=True)
    given = {} if dirichlet is None else dirichlet, {} if flux is None else flux
    span = None if time is None else checked_bounds("polar, time", time)
    problem = _round(plane, source, diffusion, reaction, *given, initial, None if span is None else span[0])
    bounds = {**plane.bounds, **({} if span is None else {"t": span})}
    solved = cache(lambda degree: solve_modes(problem, degree))

    def at(points: Array, times: Array | None) -> tuple[Array, float]:
        values, difference = np.empty(0), float("inf")
        for coarse, fine in pairwise(DEGREES):
            before, values = (_at_points(plane, solved(each), points, times) for each in (coarse, fine))
            difference = max(finite_difference(before, values), ROUNDING)
            if difference <= tolerance:
                break
        return values, difference

    def solve(axes: Axes) -> Solved:
        axes = axes_within(axes, bounds)
        shape = grid_shape(axes)
        x, y, *t = (np.broadcast_to(each, shape).ravel() for each in open_mesh(axes.values()))
        values, difference = at(np.column_stack([x, y]), t[0] if t else None)
        return Solved({output: values.reshape(shape)}, difference)

    def scattered(points: Axes) -> Solved:
        x, y, *t = points_of(points, bounds).values()
        values, difference = at(np.column_stack([x, y]), t[0] if t else None)
        return Solved({output: values[0]}, difference)

    return Reference("Fourier-Legendre method", solve, scattered=scattered)


def _at_points(plane: Plane, solution: Modes, points: Array, times: Array | None) -> Array:
    """(1, n), NaN outside."""
    if times is None:
        return masked(plane, points, lambda inside: solution.at(inside, solution.steady())[None])
    return masked(plane, points, partial(_along, solution), times)


def _along(solution: Modes, points: Array, times: Array) -> Array:
    """The values at points (n, 2), each at its own time, (1, n)."""
    values = np.empty((1, len(points)))
    for time, own in by_time(times):
        values[:, own] = _at_time(solution, time, points[own])
    return values


def _at_time(solution: Modes, time: float, points: Array) -> Array:
    """(n,); at the start the initial values as they are given, also where they do not fit the others."""
    if time == solution.problem.start:
        x, y = points.T
        return evaluated(solution.problem.initial, (x, y), "initial")
    return solution.at(points, solution.after(time))


def _round(
    plane: Plane,
    source: Given,
    diffusion: float,
    reaction: float,
    dirichlet: Mapping[str, Given],
    flux: Mapping[str, Given],
    initial: Given,
    start: float | None,
) -> Round:
    radius, inner, outer = (getattr(plane, name, None) for name in ("radius", "inner", "outer"))
    centre = getattr(plane, "centre", None)
    if isinstance(centre, Mapping) and isinstance(radius, float):
        radii = (0.0, radius)
    elif isinstance(centre, Mapping) and isinstance(inner, float) and isinstance(outer, float):
        radii = (inner, outer)
    else:
        raise InputError(f"polar: expected a Ball or an Annulus, got {plane!r}")
    names = sides(plane)
    check_conditions("polar", dirichlet, flux, names)
    diffusion = checked_number("polar: expected diffusion", diffusion, positive=True)
    reaction = checked_number("polar: expected reaction", reaction)
    if start is None and not dirichlet and reaction == 0:
        raise InputError("polar: the solution is not unique without a value in `dirichlet`, a reaction or a time")
    circles = dict(zip([each for each in radii if each > 0], names, strict=True))
    middle = np.array(list(centre.values()))
    return Round(middle, radii, circles, source, diffusion, reaction, dirichlet, flux, initial, start)
