"""Systems of ordinary differential equations from initial values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Axes, Reference, Solved, axes_within, checked_bounds
from pinnreg.reference.calling import check_call

# A few seconds, and twice what rates of a thousand over ten units of time need.
_MOST_EVALUATIONS = 300_000
_TOLERANCE = {False: 1e-13, True: 1e-11}
"""By whether the system is stiff: beyond it an implicit method of order five needs many steps."""


class _StalledError(Exception):
    """The integrator has used its budget of evaluations."""


def ordinary(
    rhs: Callable[..., Any],
    start: Sequence[float],
    *,
    t: tuple[float, float],
    outputs: Sequence[str] = ("u",),
    axis: str = "t",
    stiff: bool = False,
    rtol: float | None = None,
    atol: float = 1e-14,
) -> Reference:
    """y′ = F(t, y) on (t₀, t₁] from y(t₀), by the Runge-Kutta method of order eight and its interpolant.

    F is called with one number for each component, never with a vector of them, and returns their derivatives in the
    same order: u′ = v, v′ = −u is `lambda t, u, v: (v, -u)`, and u′ = −u is `lambda t, u: -u`.

    A stiff system, with rates far above those at which its solution changes, is solved by Radau's implicit one of order
    five, which damps them.

    An equation of second order is a system of u and v = u′: u″ = −u from u = 1, u′ = 0 is
    `ordinary(lambda t, u, v: (v, -u), (1.0, 0.0), t=(0, 10))`.

    Args:
        rhs: F, a function of t and the components, each a number, that returns a tuple of their derivatives; of one
            component also the number alone.
        start: the components at t₀.
        t: the times (t₀, t₁).
        outputs: names for the first components; those without a name are not shown.
        axis: the name of t where it is no time.
        stiff: whether to solve by the implicit method.
        rtol: relative tolerance of the integrator, from 1e-13 to 1e-3; by default 1e-13, and 1e-11 if it is stiff.
        atol: absolute tolerance.

    Returns:
        A reference on the axis "t", or `axis`, whose `error_estimate` is the difference from ten times the tolerance:
        about ten times its error by the explicit method, a few times by the implicit one.

    Raises:
        InputError: for a wrong argument, as a `rhs` that cannot be called so, or (in `solve`) values of `rhs` or an
            axis that do not fit.
        RuntimeError: in `solve`, if the integrator fails, as where the solution blows up.

    Source: E. Hairer, S. P. Nørsett and G. Wanner, Solving Ordinary Differential Equations I (1993), II.5 and II.10,
    as DOP853 in SciPy; E. Hairer and G. Wanner, Solving Ordinary Differential Equations II (1996), IV.8, as Radau.
    """
    span = checked_bounds("ordinary, t", t)
    first = np.asarray(start, dtype=np.float64)
    if first.ndim != 1 or not first.size or not np.isfinite(first).all():
        raise InputError(f"ordinary: expected the start as a sequence of finite numbers, got {start!r}")
    if not 0 < len(outputs) <= first.size:
        raise InputError(f"ordinary: {len(outputs)} outputs for {first.size} components")
    names = _names_of(outputs, first.size)
    check_call("ordinary: rhs", rhs, (axis, *names))
    rtol = _TOLERANCE[stiff] if rtol is None else rtol
    if not (1e-13 <= rtol <= 1e-3 and atol > 0):
        raise InputError(f"ordinary: expected 1e-13 <= rtol <= 1e-3 and atol > 0, got {rtol!r} and {atol!r}")

    @cache
    def path(factor: float) -> Callable[[Array], Array]:
        return _integrate(rhs, first, span, (factor * rtol, factor * atol), "Radau" if stiff else "DOP853", names)

    def solve(axes: Axes) -> Solved:
        # The integrator's range ends at t₁ to the last bit.
        times = np.clip(axes_within(axes, {axis: span})[axis], *span)
        fine, coarse = (dict(zip(outputs, path(factor)(times), strict=False)) for factor in (1.0, 10.0))
        return Solved.finer(fine, coarse)

    return Reference("Runge-Kutta method", solve)


def _names_of(outputs: Sequence[str], components: int) -> list[str]:
    """What messages call the components: those that have no name by their number."""
    return [*outputs, *(f"y{number + 1}" for number in range(len(outputs), components))]


def _integrate(
    rhs: Callable[..., Any],
    start: Array,
    span: tuple[float, float],
    tolerances: tuple[float, float],
    method: str,
    names: Sequence[str],
) -> Callable[[Array], Array]:
    """The components (m, n) at times (n,)."""
    left = _MOST_EVALUATIONS

    def counted(time: float, components: Array) -> Array:
        nonlocal left
        left -= 1
        if left < 0:
            raise _StalledError
        # Trial steps may leave the range where the equation makes sense; the integrator then shortens them.
        with np.errstate(all="ignore"):
            value = np.asarray(rhs(time, *components))
        value = value[None] if value.shape == () and start.size == 1 else value
        if value.dtype.kind not in "biuf" or value.shape != start.shape:
            raise InputError(
                f"ordinary: rhs: expected {start.size} real numbers, the derivatives of {', '.join(names)}, got shape "
                f"{value.shape} of dtype {value.dtype}"
            )
        return value.astype(np.float64)

    rtol, atol = tolerances
    # Radau's error control does not see what its cubic interpolant does to stiff components.
    longest = (span[1] - span[0]) * rtol**0.25 / 2 if method == "Radau" else np.inf
    try:
        result = scipy.integrate.solve_ivp(
            counted, span, start, method=method, dense_output=True, rtol=rtol, atol=atol, max_step=longest
        )
    except _StalledError:
        result = None
    if result is None or not result.success or not np.isfinite(result.y).all():
        raise RuntimeError(f"Runge-Kutta method: did not reach t = {span[1]:g}; is it stiff, or does it blow up?")
    dense: Callable[[Array], Array] = result.sol
    return dense
