"""Fourier modes at one resolution: the equations for them and their integration by exponential Runge-Kutta steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, factorial, pi
from typing import Any, final

import numpy as np
import scipy
from numpy.typing import NDArray

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Complex, check_finite

RealOrComplex = NDArray[Any]
Advance = Callable[[Complex, float], Complex]
"""From the modes at a time to those a step later."""

# The start is sampled at many more points than there are modes: a corner would make modes from few samples wrong.
_SAMPLES = 2**17
# Modes above the resolved ones are carried up to this multiple of them, some at a time, unless they are too small.
_CARRIED, _CHUNK, _NEGLIGIBLE = 16, 2**11, 1e-18
# States are kept, so that any time is a few steps from one.
_KEPT = 1000


@final
@dataclass(frozen=True)
class Equation:
    """The equation as given; modes are coefficients of exp ik(x - a), those of k < 0 left out where u is real.

    Of a system of p equations arrays have an axis of p components more, the first.
    """

    linear: Callable[[Array], Any]
    nonlinear: Callable[..., Any]
    initial: Callable[[Array], Any]
    factor: Callable[[Array], Any] | None
    ends: tuple[float, float]
    times: tuple[float, float]
    is_complex: bool
    components: int | None

    def start(self, x: Array) -> RealOrComplex:
        with np.errstate(all="ignore"):
            given = self._real("initial data", self._all("initial data", self.initial(x), len(x)))
        check_finite(given, "initial data", {"x": x})
        return given

    def rates(self, numbers: Array) -> Complex:
        with np.errstate(all="ignore"):
            rates = self._all("linear", self.linear(self._waves(numbers)), len(numbers))
        check_finite(rates, "linear", {"k": self._waves(numbers)})
        return rates.astype(complex)

    def factors(self, numbers: Array) -> Complex:
        """By what the modes of N are multiplied, (m,)."""
        if self.factor is None:
            return np.ones(len(numbers), dtype=np.complex128)
        with np.errstate(all="ignore"):
            given = _checked("factor", self.factor(self._waves(numbers)), len(numbers))
        check_finite(given, "factor", {"k": self._waves(numbers)})
        return given.astype(complex)

    def forcing(self, modes: Complex) -> Complex:
        """The modes of N(u) from those of u."""
        if not self.is_complex:
            u = scipy.fft.irfft(modes, 2 * modes.shape[-1], norm="forward")
            return self._transformed(self._reaction(u))[..., :-1]
        u = scipy.fft.ifft(modes, norm="forward")
        forcing = self._transformed(self._reaction(u))
        forcing[len(u) // 2] = 0.0  # it has no partner
        return forcing

    def _reaction(self, u: RealOrComplex) -> RealOrComplex:
        given = self.nonlinear(u) if self.components is None else self.nonlinear(*u)
        return self._real("nonlinear", self._all("nonlinear", given, u.shape[-1]))

    def sum(self, x: Array, numbers: Array, modes: Complex) -> RealOrComplex:
        """u, (len(x), n), from modes (m, n)."""
        waves = np.exp(1j * np.outer(x - self.ends[0], self._waves(numbers)))
        if self.is_complex:
            return np.asarray(waves @ modes)
        return np.asarray((waves * np.where(numbers > 0, 2.0, 1.0) @ modes).real)

    def numbers(self, count: int) -> Array:
        """How many waves the modes have in a period, the unpaired one among them if u is complex."""
        return np.asarray(np.fft.fftfreq(count, 1 / count) if self.is_complex else np.arange(count / 2))

    @cached_property
    def start_modes(self) -> Complex:
        modes = self._transformed(self.start(np.linspace(*self.ends, _SAMPLES, endpoint=False)))
        return modes[..., : len(self.numbers(_SAMPLES))]

    def _transformed(self, u: RealOrComplex) -> Complex:
        return np.asarray((scipy.fft.fft if self.is_complex else scipy.fft.rfft)(u, norm="forward"))

    def _waves(self, numbers: Array) -> Array:
        return 2 * pi / (self.ends[1] - self.ends[0]) * numbers

    def _all(self, what: str, given: Any, count: int) -> RealOrComplex:
        """What a function has returned for so many arguments: (count,), or of a system (p, count)."""
        if self.components is None:
            return _checked(what, given, count)
        if not isinstance(given, tuple | list | np.ndarray) or len(given) != self.components:
            raise InputError(f"{what}: expected a sequence of {self.components} arrays, one an output")
        return np.stack([_checked(what, each, count) for each in given])

    def _real(self, what: str, value: RealOrComplex) -> RealOrComplex:
        if not self.is_complex and value.dtype.kind == "c":
            raise InputError(f"{what}: complex values for one output; name two, for real and imaginary part")
        return value.astype(np.complex128 if self.is_complex else np.float64)


def _checked(what: str, given: object, count: int) -> RealOrComplex:
    value = np.asarray(given)
    if value.dtype.kind not in "biufc" or value.shape not in {(), (count,)}:
        raise InputError(f"{what}: expected {count} numbers, got shape {value.shape} of dtype {value.dtype}")
    return np.broadcast_to(value, (count,))


@final
class Path:
    """The solution from this many modes and steps: marched through once, then known at all times."""

    def __init__(self, equation: Equation, modes: int, steps: int) -> None:
        self._equation, self._count = equation, modes
        self._legs = min(steps, _KEPT)
        self._steps = ceil(steps / self._legs)

    def values(self, x: Array, t: Array) -> RealOrComplex:
        """u on the tensor grid, (len(x), len(t)), or of p components (p, len(x), len(t))."""
        first, _ = self._equation.times
        resolved = np.stack([self._at(time) for time in t], axis=-1)
        values = self._equation.sum(x, self._equation.numbers(self._count), resolved)
        later = t > first
        if later.any():
            values[..., later] += self._above(x, t[later] - first)
        values[..., ~later] = self._equation.start(x)[..., None]
        return values

    def _above(self, x: Array, t: Array) -> RealOrComplex:
        """What the modes beyond the resolved ones add."""
        numbers, modes = self._equation.numbers(_SAMPLES), self._equation.start_modes
        there = (np.abs(numbers) >= self._count / 2) & (np.abs(numbers) < _CARRIED * self._count / 2)
        numbers, modes = numbers[there], modes[..., there]
        rates = self._equation.rates(numbers)
        large = np.abs(modes) * np.exp(rates.real * t.min()) > _NEGLIGIBLE
        kept = np.flatnonzero(large.reshape(-1, len(numbers)).any(axis=0))
        kind = np.complex128 if self._equation.is_complex else np.float64
        values = np.zeros((*modes.shape[:-1], len(x), len(t)), dtype=kind)
        for part in np.array_split(kept, ceil(len(kept) / _CHUNK) or 1):
            carried = modes[..., part, None] * np.exp(rates[..., part, None] * t)
            values += self._equation.sum(x, numbers[part], carried)
        return values

    def _at(self, time: float) -> Complex:
        """The resolved modes."""
        first, last = self._equation.times
        leg = (last - first) / self._legs
        number = min(int((time - first) / leg), self._legs)
        rest = max(time - first - number * leg, 0.0)
        count = ceil(rest / leg * self._steps)
        return _repeated(self._stepper(rest / count), self._states[number], count) if count else self._states[number]

    @cached_property
    def _states(self) -> list[Complex]:
        """The resolved modes at the start and after each leg."""
        first, last = self._equation.times
        numbers = self._equation.numbers(self._count)
        modes = np.where(numbers == -self._count / 2, 0.0, self._equation.start_modes[..., numbers.astype(int)])
        advance = self._stepper((last - first) / self._legs / self._steps)
        states = [modes]
        for _ in range(self._legs):
            states.append(_repeated(advance, states[-1], self._steps))
            if not np.isfinite(states[-1]).all():
                raise RuntimeError(f"Fourier method: did not reach t = {last:g}; does the solution blow up?")
        return states

    def _stepper(self, step: float) -> Callable[[Complex], Complex]:
        """One step of this length."""
        numbers = self._equation.numbers(self._count)
        rates, factors = self._equation.rates(numbers), self._equation.factors(numbers)
        advance = exponential_steps(step, rates, factors, lambda u, t: self._equation.forcing(u))
        return lambda u: advance(u, 0.0)


def exponential_steps(
    step: float, rates: RealOrComplex, factors: Any, forcing: Callable[[Complex, float], Complex]
) -> Advance:
    """A step of uₜ = λu + μN(u, t) of this length, of u and t, after Cox and Matthews, Eqs. 26 to 29."""
    z = step * rates
    whole, half = np.exp(z), np.exp(z / 2)
    one, two, three = (step * factors * phi for phi in _phi(z)[1:])
    middle = step / 2 * factors * _phi(z / 2)[1]
    first, second, third = one - 3 * two + 4 * three, 2 * two - 4 * three, 4 * three - two

    def advance(u: Complex, t: float) -> Complex:
        at_u = forcing(u, t)
        a = half * u + middle * at_u
        at_a = forcing(a, t + step / 2)
        at_b = forcing(half * u + middle * at_a, t + step / 2)
        at_c = forcing(half * a + middle * (2 * at_b - at_u), t + step)
        return np.asarray(whole * u + first * at_u + second * (at_a + at_b) + third * at_c)

    return advance


def _repeated(advance: Callable[[Complex], Complex], modes: Complex, times: int) -> Complex:
    # what becomes infinite is refused by name
    with np.errstate(all="ignore"):
        for _ in range(times):
            modes = advance(modes)
    return modes


def _phi(z: RealOrComplex) -> list[RealOrComplex]:
    """φ₀ = eᶻ and φₙ₊₁ = (φₙ - 1/n!)/z to φ₃, near zero by φ₃ = 1/3! + z/4! + … and φₙ = 1/n! + z φₙ₊₁."""
    near = np.abs(z) < 1
    last = np.polyval([1 / factorial(n) for n in range(21, 2, -1)], np.where(near, z, 0.0))
    small = [last]
    for n in (2, 1, 0):
        small.insert(0, 1 / factorial(n) + z * small[0])
    large = [np.exp(z)]
    for n in range(3):
        large.append((large[-1] - 1 / factorial(n)) / np.where(near, 1.0, z))
    return [np.where(near, *each) for each in zip(small, large, strict=True)]
