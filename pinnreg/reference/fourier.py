"""Evolution equations on a period by Fourier modes, to more digits than differences have, also of complex functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Axes, Reference, Solved, axes_within, checked_bounds
from pinnreg.reference.calling import check_call
from pinnreg.reference.modes import Equation, Path
from pinnreg.reference.plane_modes import PlaneEquation, PlanePath, named_in


def fourier(
    linear: Callable[..., Any],
    nonlinear: Callable[..., Any],
    initial: Callable[..., Any],
    *,
    x: tuple[float, float],
    t: tuple[float, float],
    y: tuple[float, float] | None = None,
    modes: int = 512,
    steps: int = 4000,
    outputs: Sequence[str] = ("u",),
    factor: Callable[[Array], Any] | None = None,
    system: bool = False,
) -> Reference:
    """uₜ = L u + M N(u), periodic on (a, b), by Fourier modes and exponential Runge-Kutta steps of order four.

    L multiplies the mode exp ikx by λ(k), and is solved for exactly; N acts point by point, and M, which is 1 unless a
    `factor` is given, multiplies by μ(k): -u uₓ is μ = -ik of N = u²/2. Modes above those that N is
    evaluated with are carried by L alone: what is left out is small where N changes slowly beside them, as with a start
    whose slope jumps, and smallest if L has the mean of N's derivative and N the rest.

    With `y` the functions are of two coordinates and real, and `modes` their number along each axis. λ is then a
    function of two arrays of wave numbers, `initial` of two of coordinates, N also of x, y and t where it names them.
    What vanishes on the sides of a square is periodic on one of twice its sides, where its equation is odd in both.

    Args:
        linear: λ, a NumPy function of one array, the wave numbers k (m,), real or complex: of uₓₓ it is
            `lambda k: -(k**2)`.
        nonlinear: N, a pointwise NumPy function of u alone, an array (m,), which is complex if there are two outputs;
            neither of its derivatives nor of x and t, but for `y` and `system` below.
        initial: u(x, t₀), a NumPy function of one array (m,), the points x.
        x: the ends (a, b) of the period.
        t: the times (t₀, t₁).
        y: the ends of the period along a second axis.
        modes: an even number, from 32.
        steps: of equal length, from 16.
        outputs: one name, or two for the real and the imaginary part, or as many as a system has.
        factor: μ, a NumPy function of the wave numbers (m,), where N is differentiated.
        system: whether each output is a real function of its own. `linear` and `initial` then return a sequence of
            arrays, one an output; `nonlinear` gets as many arrays, and returns such a sequence, too.

    Returns:
        A reference on the axes "x", "y" if it is given, and "t", whose `error_estimate` is the difference from three
        quarters of the modes and half the steps: for a smooth solution about 16 times its error.

    Raises:
        InputError: for a wrong argument, or (in `solve`) values of the functions or axes that do not fit.
        RuntimeError: in `solve`, if the solution is not finite, as where it blows up.

    Source: S. M. Cox and P. C. Matthews (2002); its coefficients as in A.-K. Kassam and L. N. Trefethen (2005).
    """
    ends, span = checked_bounds("fourier, x", x), checked_bounds("fourier, t", t)
    across = None if y is None else checked_bounds("fourier, y", y)
    if modes < 32 or modes % 2 or steps < 16:
        raise InputError(
            f"fourier: expected an even number of modes from 32 and 16 steps or more, got {modes}, {steps}"
        )
    if not outputs or (len(outputs) > 2 and not system):
        raise InputError(
            f"fourier: expected one output, or two for real and imaginary part, or a system, got {len(outputs)}"
        )
    if across is not None and (factor is not None or (len(outputs) > 1 and not system)):
        raise InputError("fourier: in two coordinates no complex functions and no `factor`; give `system=True`")
    _check_calls(linear, nonlinear, initial, factor, ("x",) if y is None else ("x", "y"), outputs if system else ("u",))
    fewer = 2 * ceil(3 * modes / 8), ceil(steps / 2)
    if across is not None:
        plane = PlaneEquation(linear, nonlinear, initial, (ends, across), span, len(outputs))
        return _in_the_plane(plane, PlanePath(plane, modes, steps), PlanePath(plane, *fewer), outputs)
    is_complex, components = len(outputs) == 2 and not system, len(outputs) if system else None
    equation = Equation(linear, nonlinear, initial, factor, ends, span, is_complex, components)
    fine = Path(equation, modes, steps)
    coarse = Path(equation, *fewer)

    def solve(axes: Axes) -> Solved:
        asked = axes_within(axes, {"x": ends, "t": span})
        both = (path.values(asked["x"], np.clip(asked["t"], *span)) for path in (fine, coarse))
        found, other = (dict(zip(outputs, u if system else (u.real, u.imag), strict=False)) for u in both)
        return Solved.finer(found, other)

    return Reference("Fourier method", solve)


def _check_calls(
    linear: object, nonlinear: object, initial: object, factor: object, axes: Sequence[str], functions: Sequence[str]
) -> None:
    """Refuse functions that cannot be called as they are, all arguments by their order."""
    waves = ("k",) if len(axes) == 1 else ("kx", "ky")
    check_call("fourier: linear", linear, waves)
    check_call("fourier: initial", initial, axes)
    # in the plane it may ask for coordinates by name
    check_call("fourier: nonlinear", nonlinear, functions, named_in(nonlinear) if len(axes) > 1 else ())
    if factor is not None:
        check_call("fourier: factor", factor, waves)


def _in_the_plane(equation: PlaneEquation, fine: PlanePath, coarse: PlanePath, outputs: Sequence[str]) -> Reference:
    bounds = dict(zip("xyt", (*equation.ends, equation.times), strict=True))

    def solve(axes: Axes) -> Solved:
        x, y, t = axes_within(axes, bounds).values()
        both = (path.values(x, y, np.clip(t, *equation.times)) for path in (fine, coarse))
        return Solved.finer(*(dict(zip(outputs, u, strict=True)) for u in both))

    return Reference("Fourier method", solve)
