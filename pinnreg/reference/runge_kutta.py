"""Systems of ordinary differential equations from initial values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Axes, Reference, Solved, axes_within, checked_bounds

# A few seconds, and twice what rates of a thousand over ten units of time need.
_MOST_EVALUATIONS = 300_000


class _StalledError(Exception):
    """The integrator has used its budget of evaluations."""


def ordinary(
    rhs: Callable[..., Sequence[Any]],
    start: Sequence[float],
    *,
    t: tuple[float, float],
    outputs: Sequence[str] = ("u",),
    rtol: float = 1e-13,
    atol: float = 1e-14,
) -> Reference:
    """y′ = F(t, y) on (t₀, t₁] from y(t₀), by the Runge-Kutta method of order eight and its interpolant.

    An equation of second order is a system: u″ = −u from u = 1, u′ = 0 is
    `ordinary(lambda t, u, v: (v, -u), (1.0, 0.0), t=(0, 10))`.

    Args:
        rhs: F, a function of t and the components as numbers that returns their derivatives.
        start: the components at t₀.
        t: the times (t₀, t₁).
        outputs: names for the first components; those without a name are not shown.
        rtol: relative tolerance of the integrator, from 1e-13 to 1e-3.
        atol: absolute tolerance.

    Returns:
        A reference on the axis "t", whose `error_estimate` is the difference from ten times the tolerance: about
        ten times its error.

    Raises:
        InputError: for a wrong argument, or (in `solve`) values of `rhs` or an axis that do not fit.
        RuntimeError: in `solve`, if the integrator fails, as where the solution blows up.

    Source: E. Hairer, S. P. Nørsett and G. Wanner, Solving Ordinary Differential Equations I (1993), II.5 and II.10,
    as DOP853 in SciPy.
    """
    span = checked_bounds("ordinary, t", t)
    first = np.asarray(start, dtype=np.float64)
    if first.ndim != 1 or not first.size or not np.isfinite(first).all():
        raise InputError(f"ordinary: expected the start as a sequence of finite numbers, got {start!r}")
    if not 0 < len(outputs) <= first.size:
        raise InputError(f"ordinary: {len(outputs)} outputs for {first.size} components")
    if not (1e-13 <= rtol <= 1e-3 and atol > 0):
        raise InputError(f"ordinary: expected 1e-13 <= rtol <= 1e-3 and atol > 0, got {rtol!r} and {atol!r}")

    @cache
    def path(factor: float) -> Callable[[Array], Array]:
        return _integrate(rhs, first, span, (factor * rtol, factor * atol))

    def solve(axes: Axes) -> Solved:
        # The integrator's range ends at t₁ to the last bit.
        times = np.clip(axes_within(axes, {"t": span})["t"], *span)
        fine, coarse = (dict(zip(outputs, path(factor)(times), strict=False)) for factor in (1.0, 10.0))
        return Solved.finer(fine, coarse)

    return Reference("Runge-Kutta method", solve)


def _integrate(
    rhs: Callable[..., Sequence[Any]], start: Array, span: tuple[float, float], tolerances: tuple[float, float]
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
        if value.dtype.kind not in "biuf" or value.shape != start.shape:
            raise InputError(f"rhs: expected {start.size} real numbers, got shape {value.shape} of dtype {value.dtype}")
        return value.astype(np.float64)

    rtol, atol = tolerances
    try:
        result = scipy.integrate.solve_ivp(
            counted, span, start, method="DOP853", dense_output=True, rtol=rtol, atol=atol
        )
    except _StalledError:
        result = None
    if result is None or not result.success or not np.isfinite(result.y).all():
        raise RuntimeError(f"Runge-Kutta method: did not reach t = {span[1]:g}; is it stiff, or does it blow up?")
    dense: Callable[[Array], Array] = result.sol
    return dense
