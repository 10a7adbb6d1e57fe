"""The error of a run against the seconds that it has taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import final

from torch import Tensor

DECADES = tuple(range(2, 15))
"""n of the errors 1e-n."""
RESOLUTION = 0.02
"""The share of the elapsed time that passes between two measurements, at least."""

Parameters = dict[str, Tensor]


@final
class Trace:
    """Measures the error along a run, as the `observe` of the training's hooks.

    Args:
        error: of the solution at parameters.
        setup: seconds that had passed before training.

    Attributes:
        seconds: set-up and training until each measurement.
        errors: what was measured.
        step: that of the last measurement.
        spent: seconds spent on measuring; no part of the others.
    """

    def __init__(self, error: Callable[[Parameters], float], setup: float) -> None:
        self._error = error
        self._setup = setup
        self.seconds: list[float] = []
        self.errors: list[float] = []
        self.step = 0
        self.spent = 0.0

    def observe(self, step: int, seconds: float, parameters: Parameters) -> float:
        """Measure now; returns the seconds of training at which the next measurement is due."""
        started = time.perf_counter()
        self.step = step
        self.seconds.append(self._setup + seconds)
        self.errors.append(self._error(parameters))
        self.spent += time.perf_counter() - started
        return seconds + RESOLUTION * self.seconds[-1]


def first_below(seconds: Sequence[float], errors: Sequence[float], decade: int) -> float:
    """When the error was first 1e-`decade` or less; infinity if it never was.

    >>> first_below([1.0, 2.0, 3.0], [0.5, 0.01, 0.2], 2)
    2.0
    >>> first_below([1.0, 2.0, 3.0], [0.5, 0.01, 0.2], 3)
    inf
    """
    return first_at(seconds, errors, float(f"1e-{decade}"))


def first_at(seconds: Sequence[float], errors: Sequence[float], limit: float) -> float:
    """When the error was first `limit` or less; infinity if it never was.

    >>> first_at([1.0, 2.0, 3.0], [0.5, 0.01, 0.2], 0.3)
    2.0
    """
    return next((at for at, error in zip(seconds, errors, strict=True) if error <= limit), math.inf)
