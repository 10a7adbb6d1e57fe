"""Steady flow in a square cavity whose lid moves, by a stream function of polynomials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np
import scipy
from numpy.polynomial import Legendre

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Axes, Reference, Solved, Values, axes_within, checked_number
from pinnreg.reference.calling import check_call
from pinnreg.reference.corner_flow import FADING, Corner, Derivatives

DEGREES = (20, 28)
"""Functions along each axis: of the coarse solve and of the fine one."""
CORNERED = (24, 32)
"""The same where the lid's slope at its ends is not 0."""
_MOST_STEPS, _TINY = 30, 1e-9
_UNIT = (0.0, 1.0)


def driven_cavity(lid: Callable[[Any], Any], reynolds: float, *, pinned: tuple[float, float] = (0.5, 0.5)) -> Reference:
    """(u·∇) u = Δu/Re − ∇p, ∇·u = 0 in (0, 1)², u = (lid(x), 0) on y = 1 and 0 on the other walls, p = 0 at a point.

    The stream function ψ, u = ψ_y and v = −ψₓ, is lid(x) y² (y − 1) + Σ C_ij b_i(x) b_j(y) with polynomials b_i that
    vanish with their slopes at both ends, which keeps all conditions, and for all φ = b_i(x) b_j(y)

        ∫ Δψ Δφ + Re Δψ (ψ_y φₓ − ψₓ φ_y) = 0    (Galerkin),

    by Newton's method from no flow. The pressure, a polynomial too, follows from ∫ ∇p·∇q = ∫ (Δu/Re − (u·∇) u)·∇q for
    all q, where the first part is an integral of the vorticity over the walls. Both need no derivative of more than
    second order, which the corners under the lid bound. Where the lid's slope there is not 0 the vorticity differs from
    side to side of the corner, and the pressure has no bound: the Stokes flow that does this is taken out of both.

    Args:
        lid: its velocity, a polynomial that vanishes at x = 0 and x = 1, in arithmetic alone.
        reynolds: Re.
        pinned: where p = 0.

    Returns:
        A reference for the outputs "u", "v" and "p", whose `error_estimate` is the difference of two degrees. Of p what
        has no bound is left out, 2/Re (lid′(0) log r + lid′(1) log s) by the distances r and s from the lid's left and
        right end.

    Raises:
        InputError: a lid that does not vanish at its ends, or a Reynolds number that is not positive.
        RuntimeError: in `solve`, if Newton's method does not converge, as where Re is too large for it.

    Source: the flow is that of J. Shen, J. Comput. Phys. 95 (1991) 228, whose lid is 16 x² (1 − x)².
    """
    reynolds = checked_number("driven_cavity: expected the Reynolds number", reynolds, positive=True)
    moved = check_call("driven_cavity: lid", lid, ("x",))(_identity())
    if not isinstance(moved, Legendre) or any(abs(moved(end)) > _TINY for end in _UNIT):
        raise InputError("driven_cavity: the lid is a polynomial of x that vanishes at x = 0 and x = 1")
    point = [np.array([each], dtype=np.float64) for each in pinned]
    degrees = CORNERED if any(abs(moved.deriv()(end)) > _TINY for end in _UNIT) else DEGREES

    @cache
    def found() -> list[tuple[_Stream, Array]]:
        coarse = _stream(moved, degrees[0], reynolds)
        fine = _stream(moved, degrees[1], reynolds, coarse)
        return [(each, _pressure(each, degree, reynolds)) for each, degree in zip((coarse, fine), degrees, strict=True)]

    def flow(stream: _Stream, pressure: Array, x: Array, y: Array) -> Values:
        def p(x: Array, y: Array) -> Array:
            left, right = (_table(_polynomials(len(pressure)), each)[0] for each in (x, y))
            return np.asarray(left @ pressure @ right.T)

        d = stream.on(x, y)
        return {"u": d(0, 1), "v": -d(1, 0), "p": p(x, y) - p(*point)}

    def solve(axes: Axes) -> Solved:
        asked = axes_within(axes, {"x": _UNIT, "y": _UNIT})
        coarse, fine = (flow(*each, asked["x"], asked["y"]) for each in found())
        return Solved.finer(fine, coarse)

    return Reference("Galerkin method", solve)


@final
@dataclass(frozen=True)
class _Stream:
    """ψ(x, y) = Σ C_ij f_i(x) g_j(y), and what is at the corners."""

    along: Sequence[Legendre]
    upward: Sequence[Legendre]
    coefficients: Array
    corners: Sequence[Corner]

    def on(self, x: Array, y: Array) -> Derivatives:
        """Derivatives of up to second order along each axis on the tensor grid of x and y, (len(x), len(y))."""
        left, right = _table(self.along, x), _table(self.upward, y)
        cornered = [each.faded(x, y) for each in self.corners]
        return lambda i, j: left[i] @ self.coefficients @ right[j].T + sum(each(i, j) for each in cornered)

    def vorticity(self, x: Array, y: Array) -> Array:
        """Δψ less what is at the corners, whose pressure is known, (len(x), len(y))."""
        return _terms(self.on(x, y))[2] - sum(_terms(each.stream(x, y))[2] for each in self.corners)


def _identity() -> Legendre:
    return Legendre([0.5, 0.5], domain=_UNIT)


def _polynomials(count: int) -> list[Legendre]:
    return [Legendre.basis(order, domain=_UNIT) for order in range(count)]


def _clamped(k: int) -> Legendre:
    """Of P_k, P_k+2 and P_k+4 what vanishes with its slope at both ends; second derivatives are orthonormal on (-1, 1).

    Source: J. Shen, SIAM J. Sci. Comput. 15 (1994) 1489, lemma 3.1.
    """
    series = np.zeros(k + 5)
    series[k::2] = 1.0, -2 * (2 * k + 5) / (2 * k + 7), (2 * k + 3) / (2 * k + 7)
    return Legendre(series / np.sqrt((2 * k + 3) ** 2 * (2 * k + 5)), domain=_UNIT)


def _table(functions: Sequence[Legendre], x: Array) -> Array:
    """Derivatives of orders 0 to 2 at points, (3, len(x), len(functions))."""
    return np.array([[each.deriv(order)(x) for each in functions] for order in range(3)]).swapaxes(1, 2)


def _quadrature(degree: int) -> tuple[Array, Array]:
    """Gauss and Legendre's nodes on (0, 1) and their weights, exact for three functions of a stream."""
    nodes, weights = np.polynomial.legendre.leggauss(3 * (degree + 4) // 2)
    return (1 + nodes) / 2, weights / 2


def _stream(lid: Legendre, degree: int, reynolds: float, coarse: _Stream | None = None) -> _Stream:
    """The stream function by Newton's method, from a coarser one or from no flow below the lid."""
    x, (nodes, weights) = _identity(), _quadrature(degree)
    steep = [Corner(slope, end) for end, slope in enumerate((lid.deriv()(0.0), -lid.deriv()(1.0)))]
    corners = [each for each in steep if abs(each.slope) > _TINY]
    smooth = lid - sum(each.slope * away * FADING(away) for each in corners for away in [(x, 1 - x)[each.end]])
    inner = [_clamped(order) for order in range(degree)]
    table, coefficients = _table(inner, nodes), np.zeros((degree + 1, degree + 1))
    coefficients[degree, degree] = 1.0  # the lid's
    if coarse is not None:
        known = len(coarse.coefficients) - 1
        coefficients[:known, :known] = coarse.coefficients[:known, :known]
    stream = _Stream([*inner, smooth], [*inner, x**2 * (x - 1)], coefficients, corners)
    across, up, whirl = _terms(lambda i, j: np.kron(table[i], table[j]))
    weight = np.kron(weights, weights)[:, None]
    linear = whirl.T @ (weight * whirl)
    for _ in range(_MOST_STEPS):
        a, b, c = (each.reshape(-1, 1) for each in _terms(stream.on(nodes, nodes)))
        rows = whirl.T @ (weight * c) + reynolds * (across.T @ (weight * b * c) - up.T @ (weight * a * c))
        slope = linear + reynolds * (
            across.T @ (weight * (b * whirl + c * up)) - up.T @ (weight * (a * whirl + c * across))
        )
        change = scipy.linalg.solve(slope, rows).reshape(degree, degree)
        coefficients[:degree, :degree] -= change
        if np.abs(change).max() <= _TINY * np.abs(coefficients).max():
            return stream
    raise RuntimeError(f"driven_cavity: Newton's method does not converge for Re = {reynolds:g}")


def _terms(d: Derivatives) -> tuple[Array, Array, Array]:
    """ψₓ, ψ_y and Δψ."""
    return d(1, 0), d(0, 1), d(2, 0) + d(0, 2)


def _pressure(stream: _Stream, degree: int, reynolds: float) -> Array:
    """The coefficients of the pressure but for that of the corners, (degree, degree), for products of Legendre's."""
    nodes, weights = _quadrature(degree)
    table, ends = _table(_polynomials(degree), nodes), _table(_polynomials(degree), np.array(_UNIT))
    d, weight = stream.on(nodes, nodes), np.kron(weights, weights)[:, None]
    along, upward = np.kron(table[1], table[0]), np.kron(table[0], table[1])
    matrix = along.T @ (weight * along) + upward.T @ (weight * upward)
    # (u·∇) u and (u·∇) v
    inertia = d(0, 1) * d(1, 1) - d(1, 0) * d(0, 2), -d(0, 1) * d(2, 0) + d(1, 0) * d(1, 1)
    first, second = (weight[:, 0] * each.ravel() for each in inertia)
    right = -along.T @ first - upward.T @ second
    # ∫ Δu·∇q = ∮ ω (q_y nₓ − qₓ n_y), with the vorticity ω = −Δψ
    for side, sign in enumerate((-1.0, 1.0)):
        wall = np.array([_UNIT[side]])
        vertical, horizontal = (-stream.vorticity(*at).ravel() for at in ((wall, nodes), (nodes, wall)))
        rise, run = (table[1].T @ (weights * each) for each in (vertical, horizontal))
        right = right + sign / reynolds * (np.kron(ends[0, side], rise) - np.kron(run, ends[0, side]))
    # up to a constant, the first of them
    pressure = np.zeros(degree**2)
    pressure[1:] = scipy.linalg.solve(matrix[1:, 1:], right[1:], assume_a="pos")
    return pressure.reshape(degree, degree)
