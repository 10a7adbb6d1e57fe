"""Evolution equations in one space dimension by the method of lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Axes, Reference, Solved, axes_within, checked_bounds
from pinnreg.reference.calling import check_call
from pinnreg.reference.lines import Boundary, Lines, solve_lines


def method_of_lines(
    rhs: Callable[[Array, Array, Array, Array], Any],
    initial: Callable[[Array], Any],
    *,
    x: tuple[float, float],
    t: tuple[float, float],
    boundary: Boundary = (0.0, 0.0),
    nodes: int = 401,
    cluster: tuple[float, float] | None = None,
    rtol: float = 1e-10,
    atol: float = 1e-12,
    output: str = "u",
) -> Reference:
    """uₜ = F(x, u, uₓ, uₓₓ) on (a, b) × (t₀, t₁], by fourth-order differences in x and LSODA in t.

    The nodes are uniform, or x = p + c sinh s with uniform s, gathered around p. The solution on them is
    interpolated by a quintic spline.

    Args:
        rhs: F, a pointwise NumPy function of four arrays (m,) in this order, x, u, uₓ and uₓₓ, whether it needs all of
            them or not: uₜ = uₓₓ is `lambda x, u, ux, uxx: uxx`. It gets no t.
        initial: u(x, t₀), a NumPy function of an array (m,), the nodes.
        x: the ends (a, b).
        t: the times (t₀, t₁).
        boundary: the fixed values u(a, t), u(b, t), or "periodic". Initial data that disagree with them cost
            order.
        nodes: grid nodes, ends included; at least 17.
        cluster: (p, κ): around p the spacing is about κ / sinh κ of the uniform one. Not for a periodic
            boundary.
        rtol: relative tolerance of the integrator, at most 1e-2.
        atol: absolute tolerance. Both are loosened, by up to 100, where rounding keeps the integrator from
            them.
        output: the output's name.

    Returns:
        A reference on the axes "x" and "t", whose `error_estimate` is the difference from half the nodes at
        ten times the tolerance: for a smooth solution about 16 times its error.

    Raises:
        InputError: for a wrong argument, or (in `solve`) values of `rhs` or `initial` or axes that do not
            fit.
        RuntimeError: in `solve`, if the integrator fails, as where the solution blows up.

    Source: A. C. Hindmarsh (1983) and L. Petzold (1983) for LSODA; W. E. Schiesser, The Numerical Method of
    Lines (1991).
    """
    check_call("method_of_lines: rhs", rhs, ("x", "u", "ux", "uxx"))
    check_call("method_of_lines: initial", initial, ("x",))
    problem = Lines(
        rhs,
        initial,
        checked_bounds("method_of_lines, x", x),
        checked_bounds("method_of_lines, t", t),
        _checked_boundary(boundary),
        cluster,
    )
    _check_grid(problem, nodes)
    if not (0 < rtol <= 1e-2 and atol > 0):
        raise InputError(f"method_of_lines: expected 0 < rtol <= 0.01 and atol > 0, got {rtol!r} and {atol!r}")

    def solve(axes: Axes) -> Solved:
        asked = axes_within(axes, {"x": problem.ends, "t": problem.times})
        fine = solve_lines(problem, nodes, (rtol, atol), asked["x"], asked["t"])
        coarse = solve_lines(problem, nodes // 2 + 1, (10 * rtol, 10 * atol), asked["x"], asked["t"])
        return Solved.finer({output: fine}, {output: coarse})

    return Reference("method of lines", solve)


def _checked_boundary(boundary: Boundary) -> Boundary:
    if boundary == "periodic":
        return "periodic"
    try:
        left, right = (float(value) for value in boundary)
    except (TypeError, ValueError) as error:
        raise InputError(f'boundary: expected two numbers or "periodic", got {boundary!r}') from error
    if not np.isfinite([left, right]).all():
        raise InputError(f"boundary: expected finite values, got {boundary!r}")
    return left, right


def _check_grid(problem: Lines, nodes: int) -> None:
    if nodes < 17:
        raise InputError(f"method_of_lines: expected at least 17 nodes, got {nodes}")
    if problem.cluster is None:
        return
    if problem.periodic:
        raise InputError("method_of_lines: `cluster` goes with fixed boundary values, not with a periodic boundary")
    position, strength = problem.cluster
    lower, upper = problem.ends
    if not (lower <= position <= upper and 0 < strength <= 20):
        raise InputError(
            f"cluster: expected a position in [{lower:g}, {upper:g}] and a strength in (0, 20], got {problem.cluster}"
        )
