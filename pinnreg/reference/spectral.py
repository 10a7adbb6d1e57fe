"""The equations of Poisson and Helmholtz on a box by Chebyshev collocation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import Any

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import (
    ROUNDING,
    Array,
    Axes,
    Reference,
    Solved,
    axes_within,
    checked_bounds,
    checked_number,
    on_grid,
    open_mesh,
    relative_difference,
)
from pinnreg.reference.calling import check_call

# Polynomial degrees tried in turn; a direct 3-D solve at 48 already has 10⁵ unknowns.
_DEGREES = {1: (16, 24, 32, 48, 64, 96), 2: (16, 24, 32, 48, 64, 96), 3: (12, 16, 24, 32, 48)}


def poisson(
    source: Callable[..., Any],
    bounds: Mapping[str, tuple[float, float]],
    *,
    shift: float = 0.0,
    tolerance: float = 1e-12,
) -> Reference:
    """−Δu − s u = f on a box of one to three dimensions with u = 0 on its faces, by Chebyshev collocation.

    On the interior nodes −Σₖ D²ₖ u − s u = f with the second-derivative matrix D²ₖ = Vₖ Λₖ Vₖ⁻¹ of each axis, so
    that u = (⊗ Vₖ) [(⊗ Vₖ⁻¹) f / −(λ₁ + … + λ_d + s)] (fast diagonalisation). The degree grows until two agree.

    Args:
        source: f, a NumPy function of the coordinates in the order of `bounds`, called with an open mesh.
        bounds: (lower, upper) by axis name.
        shift: s, such as k² in Helmholtz' equation.
        tolerance: the relative L2 difference of two degrees at which to stop. The cap is degree 96 (48 in
            3-D); beyond it `error_estimate` tells what was reached, as for a source that does not vanish in
            the corners.

    Returns:
        A reference for the output "u".

    Raises:
        InputError: for a wrong box, or (in `solve`) values of the source or axes that do not fit.
        RuntimeError: (in `solve`) s is an eigenvalue of −Δ, for which there is no solution, or many.

    Source: R. E. Lynch, J. R. Rice and D. H. Thomas (1964), L. N. Trefethen, Spectral Methods in MATLAB
    (2000); the entries of D² as in B. D. Welfert (1997); interpolation as in J.-P. Berrut and L. N. Trefethen
    (2004).
    """
    if len(bounds) not in _DEGREES:
        raise InputError(f"poisson: expected a box of 1, 2 or 3 dimensions, got {len(bounds)}")
    check_call("poisson: source", source, tuple(bounds))
    shift = checked_number("poisson: expected shift", shift)
    tolerance = checked_number("poisson: expected tolerance", tolerance, positive=True)
    box = {name: checked_bounds(f"poisson, axis {name!r}", ends) for name, ends in bounds.items()}

    def solve(axes: Axes) -> Solved:
        asked = axes_within(axes, box)
        coarse, *finer = _DEGREES[len(box)]
        values = _solve_at(coarse, source, box, asked, shift)
        difference = float("inf")
        for degree in finer:
            previous, values = values, _solve_at(degree, source, box, asked, shift)
            difference = max(relative_difference(previous, values), ROUNDING)
            if difference <= tolerance:
                break
        return Solved({"u": values}, difference)

    return Reference("Chebyshev collocation", solve)


def _solve_at(
    degree: int,
    source: Callable[..., Any],
    box: Mapping[str, tuple[float, float]],
    asked: Axes,
    shift: float = 0.0,
) -> Array:
    nodes, second = _chebyshev(degree)
    eigenvalues, vectors = scipy.linalg.eig(second[1:-1, 1:-1])
    # The spectrum is real, negative and simple (Gottlieb and Lustman 1983); LAPACK's driver does not know.
    rates, vectors = eigenvalues.real, vectors.real
    inverse = scipy.linalg.inv(vectors)
    mesh = open_mesh((lower + upper) / 2 + (upper - lower) / 2 * nodes[1:-1] for lower, upper in box.values())
    with np.errstate(all="ignore"):
        given = source(*mesh)
    u = on_grid(given, (degree - 1,) * len(box), "source", dict(zip(box, mesh, strict=True)))
    symbol = sum(open_mesh(-rates * (2 / (upper - lower)) ** 2 for lower, upper in box.values()))
    if not np.all(symbol - shift):
        raise RuntimeError(f"poisson: {shift:g} is an eigenvalue of the Laplacian on this box")
    u = _along_axes([inverse] * len(box), u) / (symbol - shift)
    # The end nodes carry u = 0, so their columns of the interpolation matrix are dropped.
    to_asked = [
        _barycentric(nodes, (2 * axis - (lower + upper)) / (upper - lower))[:, 1:-1] @ vectors
        for axis, (lower, upper) in zip(asked.values(), box.values(), strict=True)
    ]
    return _along_axes(to_asked, u)


def _along_axes(matrices: list[Array], values: Array) -> Array:
    """Apply one matrix along each axis of the tensor: (⊗ Mₖ) v."""
    for axis, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


def _chebyshev(degree: int) -> tuple[Array, Array]:
    """The Chebyshev points cos(jπ/n), (n + 1,), and the second-derivative matrix on them, (n + 1, n + 1)."""
    index = np.arange(degree + 1)
    nodes = np.sin(pi * (degree - 2 * index) / (2 * degree))
    angle = pi * index / degree
    # Differences of cosines as products of sines, and diagonals as negative row sums: both avoid
    # cancellation.
    apart = 2 * np.sin((angle[:, None] + angle) / 2) * np.sin((angle - angle[:, None]) / 2)
    np.fill_diagonal(apart, 1.0)
    weights = _weights(degree)
    first = weights / weights[:, None] / apart
    np.fill_diagonal(first, 0.0)
    np.fill_diagonal(first, -first.sum(axis=1))
    second = 2 * first * (np.diag(first)[:, None] - 1 / apart)
    np.fill_diagonal(second, 0.0)
    np.fill_diagonal(second, -second.sum(axis=1))
    return nodes, second


def _weights(degree: int) -> Array:
    weights = np.where(np.arange(degree + 1) % 2, -1.0, 1.0)
    weights[[0, -1]] /= 2
    return weights


def _barycentric(nodes: Array, points: Array) -> Array:
    """The matrix, (points, nodes), that interpolates values on Chebyshev nodes."""
    apart = points[:, None] - nodes
    hits = np.abs(apart) < 1e-15
    terms = _weights(len(nodes) - 1) / np.where(hits, 1.0, apart)
    matrix = terms / terms.sum(axis=1, keepdims=True)
    return np.where(hits.any(axis=1, keepdims=True), hits.astype(np.float64), matrix)
