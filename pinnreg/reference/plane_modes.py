"""Fourier modes of real functions of two coordinates: their equations, and their integration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, pi
from typing import Any, final

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Axes, Complex, check_finite
from pinnreg.reference.modes import Advance, exponential_steps

# States are kept, and polynomials through this many neighbours have what lies between.
_KEPT, _NEIGHBOURS = 50, 9


def named_in(nonlinear: object) -> frozenset[str]:
    """Which of x, y and t a function asks for by name."""
    try:
        return frozenset(inspect.signature(nonlinear).parameters) & {"x", "y", "t"}  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return frozenset()


@final
@dataclass(frozen=True)
class PlaneEquation:
    """The equations as given, of p functions on a period along x and along y.

    Attributes:
        linear: λ of the wave numbers along both axes; a sequence of them, one an output.
        nonlinear: N of as many arrays, and of x, y and t where it names them.
        initial: of x and y.
        ends: both periods.
        times: the first and the last.
        outputs: p; where it is one functions return an array and no sequence.
    """

    linear: Callable[..., Any]
    nonlinear: Callable[..., Any]
    initial: Callable[..., Any]
    ends: tuple[tuple[float, float], tuple[float, float]]
    times: tuple[float, float]
    outputs: int

    def all(self, what: str, given: Any, shape: tuple[int, ...], at: Axes | None = None) -> Array:
        """What a function has returned, (p, n, m), finite at these coordinates if they are given."""
        each = (given,) if self.outputs == 1 else given
        if not isinstance(each, Sequence | np.ndarray) or len(each) != self.outputs:
            raise InputError(f"{what}: expected a sequence of {self.outputs} arrays, one an output")
        for one in map(np.asarray, each):
            if one.dtype.kind not in "biuf" or one.shape not in {(), shape}:
                raise InputError(f"{what}: expected {shape} real numbers, got {one.shape} of dtype {one.dtype}")
        found = np.stack([np.broadcast_to(one, shape) for one in each]).astype(np.float64)
        if at is not None:
            check_finite(found, what, at)
        return found


@final
class PlanePath:
    """The solution from this many modes along each axis and steps: marched through once, then known at all times."""

    def __init__(self, equation: PlaneEquation, modes: int, steps: int) -> None:
        self._equation, self._count = equation, modes
        self._steps = ceil(steps / _KEPT)
        self._legs = ceil(steps / self._steps)
        self._grid = np.meshgrid(*(a + (b - a) * np.arange(modes) / modes for a, b in equation.ends), indexing="ij")
        self._named = named_in(equation.nonlinear)

    def values(self, x: Array, y: Array, t: Array) -> Array:
        """The functions on the tensor grid, (p, len(x), len(y), len(t))."""
        left, right = (
            np.exp(1j * np.outer(each - a, 2 * pi / (b - a) * numbers))
            for each, (a, b), numbers in zip((x, y), self._equation.ends, self._numbers(), strict=True)
        )
        right = right * np.where(self._numbers()[1] > 0, 2.0, 1.0)  # those below zero are left out
        return np.stack([(left @ self._at(time) @ right.T).real for time in t], axis=-1)

    def _numbers(self) -> tuple[Array, Array]:
        """How many waves the modes have in a period along x and along y, without the unpaired one along y."""
        return np.asarray(np.fft.fftfreq(self._count, 1 / self._count)), np.arange(self._count / 2)

    def _modes(self, values: Array) -> Complex:
        """(p, n, n/2) of values (p, n, n)."""
        modes = scipy.fft.rfft2(values, norm="forward")[..., :-1]
        modes[:, self._count // 2] = 0.0  # it has no partner
        return np.asarray(modes)

    def _forcing(self, modes: Complex, time: float) -> Complex:
        u = scipy.fft.irfft2(np.pad(modes, ((0, 0), (0, 0), (0, 1))), (self._count, self._count), norm="forward")
        known = dict(zip("xyt", (*self._grid, time), strict=True))
        given = self._equation.nonlinear(*u, **{name: known[name] for name in self._named})
        return self._modes(self._equation.all("nonlinear", given, u.shape[1:]))

    def _stepper(self, step: float) -> Advance:
        along = (2 * pi / (b - a) * each for (a, b), each in zip(self._equation.ends, self._numbers(), strict=True))
        waves = np.meshgrid(*along, indexing="ij")
        known = dict(zip(("kx", "ky"), waves, strict=True))
        rates = self._equation.all("linear", self._equation.linear(*waves), waves[0].shape, known)
        return exponential_steps(step, rates, 1.0, self._forcing)

    @cached_property
    def _states(self) -> list[Complex]:
        """The modes at the start and after each leg."""
        first, last = self._equation.times
        shape = (self._count, self._count)
        given, known = self._equation.initial(*self._grid), dict(zip("xy", self._grid, strict=True))
        states = [self._modes(self._equation.all("initial data", given, shape, known))]
        step = (last - first) / (self._legs * self._steps)
        advance = self._stepper(step)
        for number in range(self._legs):
            states.append(self._marched(advance, states[-1], first + number * self._steps * step, step))
            if not np.isfinite(states[-1]).all():
                raise RuntimeError(f"Fourier method: did not reach t = {last:g}; does the solution blow up?")
        return states

    def _at(self, time: float) -> Complex:
        first, last = self._equation.times
        place = (time - first) / (last - first) * self._legs
        start = int(np.clip(round(place) - _NEIGHBOURS // 2, 0, self._legs + 1 - _NEIGHBOURS))
        away = place - np.arange(start, start + _NEIGHBOURS)
        shares = [np.prod(np.delete(away, n) / np.delete(away - away[n], n)) for n in range(_NEIGHBOURS)]
        return np.tensordot(shares, self._states[start : start + _NEIGHBOURS], axes=1)

    def _marched(self, advance: Advance, modes: Complex, start: float, step: float) -> Complex:
        """The modes a leg later."""
        # what becomes infinite is refused by name
        with np.errstate(all="ignore"):
            for number in range(self._steps):
                modes = advance(modes, start + number * step)
        return modes
