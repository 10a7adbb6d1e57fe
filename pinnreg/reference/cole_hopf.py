"""Burgers' equation by the Cole-Hopf formula."""

from __future__ import annotations

from math import asinh, ceil, pi, sqrt

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.base import (
    ROUNDING,
    Array,
    Axes,
    Reference,
    Solved,
    axes_within,
    checked_number,
    relative_difference,
)
from pinnreg.reference.evolution import method_of_lines

_BOUNDS = {"x": (-1.0, 1.0), "t": (0.0, 1.0)}
_CHUNK = 2**20
_MOST_NODES = 2**17


def burgers_cole_hopf(nu: float, shift: float = 0.0, *, tolerance: float = 1e-12) -> Reference:
    """uₜ + u uₓ = ν uₓₓ on (−1, 1) × (0, 1], u(x, 0) = −sin πx + a cos(πx/2), u(±1, t) = 0, by Cole-Hopf.

    The initial data u₀ are odd about both ends, and so is the solution of the whole line from them:
    u(x, t) = ∫ u₀(y) w dη / ∫ w dη with y = x − η and w = exp(−(cos πy + 2a sin(πy/2)) / (2πν) − η² / (4νt)),
    by the trapezoidal rule in z = η / √(4νt), whose error falls exponentially in the number of nodes, which
    doubles until two agree. Gauss-Hermite nodes would not do for small ν: the weight there peaks where theirs
    underflow.

    Args:
        nu: viscosity ν > 0. The cost grows as ν^(−1/2).
        shift: a in [−1, 1], which moves the front off x = 0. A larger one would carry it into the wall.
        tolerance: the relative L2 difference of two resolutions at which to stop.

    Returns:
        A reference for the output "u". `scipy` is a method of lines, independent of the formula. Rounding in
        the exponents, of size 1/(πν), limits the accuracy; `error_estimate` never claims more.

    Raises:
        InputError: if ν or the tolerance is not positive or |a| > 1; in `solve` for axes outside the domain.

    Source: J. D. Cole (1951); C. Basdevant et al. (1986), Eq. 2.5; the rule: L. N. Trefethen and J. A. C.
    Weideman (2014).
    """
    nu = checked_number("burgers_cole_hopf: expected nu", nu, positive=True)
    if not abs(shift) <= 1:
        raise InputError(f"burgers_cole_hopf: expected a shift from -1 to 1, got {shift!r}")
    tolerance = checked_number("burgers_cole_hopf: expected tolerance", tolerance, positive=True)

    def solve(axes: Axes) -> Solved:
        asked = axes_within(axes, _BOUNDS)
        nodes = _first_nodes(nu, shift)
        values = _quadrature(nu, shift, nodes, asked["x"], asked["t"])
        while True:
            nodes *= 2
            previous, values = values, _quadrature(nu, shift, nodes, asked["x"], asked["t"])
            difference = relative_difference(previous, values)
            if difference <= tolerance or nodes >= _MOST_NODES:
                break
        return Solved({"u": values}, max(difference, ROUNDING * (1 + _swing(nu, shift))))

    return Reference("Cole-Hopf quadrature", solve, _by_lines(nu, shift), pointwise=True)


def _initial(shift: float, x: Array) -> Array:
    return -np.sin(pi * x) + shift * np.cos(pi / 2 * x)


def _swing(nu: float, shift: float) -> float:
    """How far the exponent of w varies at η fixed: cos²(πy/2) + a sin(πy/2) lies in [−|a|, 1 + a²/4]."""
    return (1 + abs(shift) / 2) ** 2 / (pi * nu)


def _reach(nu: float, shift: float) -> float:
    """Where to cut z: beyond, w is below e⁻⁴⁰ of its largest value."""
    return sqrt(_swing(nu, shift) + 40)


def _first_nodes(nu: float, shift: float) -> int:
    """Nodes on either side of z = 0: one per deviation of the narrowest peak, 1/√((2 + |a|)π + 2) at t = 1."""
    return ceil(_reach(nu, shift) * sqrt((2 + abs(shift)) * pi + 2))


def _quadrature(nu: float, shift: float, nodes: int, x: Array, t: Array) -> Array:
    z = _reach(nu, shift) / nodes * np.arange(-nodes, nodes + 1)
    points, times = (grid.ravel() for grid in np.meshgrid(x, t, indexing="ij"))
    values = np.empty(points.size)
    # A chunk keeps the (points, nodes) arrays near 8 MB each.
    step = max(1, _CHUNK // z.size)
    for start in range(0, points.size, step):
        part = slice(start, start + step)
        y = points[part, None] - np.sqrt(4 * nu * np.maximum(times[part, None], 0.0)) * z
        sine, cosine = np.sin(pi / 2 * y), np.cos(pi / 2 * y)
        # −cos(πy) = 1 − 2 cos²(πy/2): the constant cancels, and for a = 0 the rest is exact where w is largest.
        exponent = -(cosine**2 + shift * sine) / (pi * nu) - z**2
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        values[part] = (weight * (shift - 2 * sine) * cosine).sum(axis=1) / weight.sum(axis=1)
    values = np.where(times <= 0, _initial(shift, points), values)
    # Known exactly, and otherwise rounding times the slope of the shock.
    values[(np.abs(points) == 1) | ((points == 0) & (shift == 0))] = 0.0
    return values.reshape(len(x), len(t))


def _by_lines(nu: float, shift: float) -> Reference:
    """The same problem by finite differences, with nodes gathered where the shock, of width 2ν, comes by.

    It forms at x = 0.3 a and ends at x = 0.8 a, as characteristics and equal areas tell.
    """

    def rhs(x: Array, u: Array, u_x: Array, u_xx: Array) -> Array:
        return nu * u_xx - u * u_x

    return method_of_lines(
        rhs,
        lambda x: _initial(shift, x),
        x=_BOUNDS["x"],
        t=_BOUNDS["t"],
        nodes=1601 if shift == 0 else 3201,
        cluster=(0.55 * shift, asinh(max(1.5, 1 / (4 * nu + 0.25 * abs(shift))))),
        rtol=1e-9,
        atol=1e-11,
    )
