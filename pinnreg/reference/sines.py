"""The heat equation on a rod by sines, each of which decays at its own rate."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.analytic import closed_form
from pinnreg.reference.base import Array, Reference, checked_number
from pinnreg.reference.evolution import method_of_lines

_NEGLIGIBLE = 40.0  # exp(-40) is below the rounding of what it is added to


def heat_sines(
    alpha: float,
    amplitudes: Mapping[int, float],
    *,
    length: float = 1.0,
    duration: float = 1.0,
    base: float = 0.0,
    zigzag: bool = False,
) -> Reference:
    """uₜ = α uₓₓ on (0, L) × (0, T], u(x, 0) = b + Σₘ Aₘ sin(mπx/L), u(0, t) = u(L, t) = b, in closed form.

    A zigzag is the odd series of its sines, (8/π²) (sin z − sin 3z/9 + sin 5z/25 − …), of which exp(−α k² t) leaves
    few at any time t > 0; at t = 0 it is evaluated itself.

    Args:
        alpha: diffusivity α > 0.
        amplitudes: Aₘ by m.
        length: L.
        duration: T.
        base: b.
        zigzag: straight lines between the peaks and zeros in the place of each sine; for m = 1 the hat 1 − |2x/L − 1|.

    Returns:
        A reference for the output "u". `scipy` is a method of lines.

    Raises:
        InputError: if α, L or T is not positive or there are no amplitudes; in `solve` for axes other than x and t.
    """
    for name, value in {"alpha": alpha, "length": length, "duration": duration}.items():
        checked_number(f"heat_sines: expected {name}", value, positive=True)
    if not amplitudes:
        raise InputError("heat_sines: expected at least one amplitude")

    def wave(m: int, x: Array, t: Array) -> Array:
        k = m * pi / length
        if not zigzag:
            return np.asarray(np.exp(-alpha * k**2 * t) * np.sin(k * x))
        first = t.min(where=t > 0, initial=np.inf)
        j = np.arange(1.0, 2.0 + np.sqrt(_NEGLIGIBLE / (alpha * first)) / k, 2.0)
        sines = 8 / (pi * j) ** 2 * np.where(j % 4 == 1, 1.0, -1.0) * np.sin(k * j * x)
        return np.where(t > 0, sines @ np.exp(-alpha * (k * j[:, None]) ** 2 * t), _zigzag(m * x / length))

    def exact(x: Array, t: Array) -> Array:
        return base + sum((amplitude * wave(m, x, t) for m, amplitude in amplitudes.items()), start=np.zeros(()))

    def rhs(x: Array, u: Array, u_x: Array, u_xx: Array) -> Array:
        return alpha * u_xx

    scipy = method_of_lines(
        rhs,
        lambda x: exact(x[:, None], np.zeros((1, 1)))[:, 0],
        x=(0, length),
        t=(0, duration),
        boundary=(base, base),
        # corners cost order
        nodes=1601 if zigzag else 401,
    )
    return closed_form(exact, scipy=scipy)


def _zigzag(z: Array) -> Array:
    """Of period 2: 0, 1, 0, −1 at z = 0, ½, 1, 3/2."""
    return np.asarray(1 - 2 * np.abs((z + 0.5) % 2 - 1))
