"""M u' + A u = l(t) with large sparse matrices, by Radau collocation: values at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
import scipy

from pinnreg.reference.base import Array, Integers

STAGES = 5
HALVINGS = 9
"""Of the first steps, in which what does not fit the boundary decays."""

By = Callable[[float], Array]


@final
@dataclass(frozen=True)
class Path:
    """The solution in time.

    Attributes:
        times: between which it is a polynomial, (k + 1,).
        states: at the start and the stages of each step, (k, STAGES + 1, N).
    """

    times: Array
    states: Array

    def __call__(self, time: float) -> Array:
        """(N,)."""
        step = min(max(int(np.searchsorted(self.times, time, side="right")) - 1, 0), len(self.states) - 1)
        share = (time - self.times[step]) / (self.times[step + 1] - self.times[step])
        nodes = np.append(0.0, _nodes())
        others = [np.delete(nodes, k) for k in range(len(nodes))]
        weights = np.array([np.prod((share - o) / (node - o)) for node, o in zip(nodes, others, strict=True)])
        return np.asarray(weights @ self.states[step])


def steps(span: tuple[float, float], each: int) -> Array:
    """The ends of steps: `each` of every length, doubled nine times, and then three times as many, (k + 1,)."""
    sizes = np.concatenate([np.repeat(0.5 ** np.arange(HALVINGS, 0, -1), each), np.ones(3 * each)])
    until = np.append(0.0, sizes.cumsum()) / sizes.sum()
    return np.asarray(span[0] + (span[1] - span[0]) * until)


def radau(
    mass: Any, matrix: Any, load: By, free: Integers, prescribed: By, start: Array, times: Array, factorise: Any
) -> Path:
    """u(t) from u(t₀), where all unknowns but those in `free` are prescribed.

    In the eigenvectors of the matrix of a step its stages are systems of one size, (λ/h M + A) w = r. Order 2s − 1 at
    the steps and s + 1 between them; fast modes are damped at once.

    Source: E. Hairer and G. Wanner, Solving Ordinary Differential Equations II (1996), sections IV.5 and IV.8.
    """
    own_mass, own_matrix = mass[free][:, free], matrix[free][:, free]
    slopes = _slopes()
    rates, vectors = np.linalg.eig(slopes)
    inverse = np.linalg.inv(vectors)
    chosen = np.flatnonzero(rates.imag >= 0)  # the others are conjugate to these
    states = np.empty((len(times) - 1, STAGES + 1, len(start)))
    factors: dict[int, Any] = {}
    last = 0.0
    for number, (begin, end) in enumerate(pairwise(times)):
        size = end - begin
        if abs(size - last) > 1e-9 * size:
            last = size
            factors = {int(k): factorise(_real(rates[k] / size * own_mass + own_matrix)) for k in chosen}
        at = begin + size * _nodes()
        fixed, loads = (np.array([each(float(time)) for time in at]) for each in (prescribed, load))
        moved = (slopes @ fixed - slopes.sum(axis=1)[:, None] * start) / size
        right = (loads.T - mass @ moved.T - matrix @ fixed.T)[free] @ inverse.T
        found = np.zeros((len(free), STAGES))
        for k, factor in factors.items():
            if rates[k].imag == 0:
                found += np.outer(factor.solve(np.ascontiguousarray(right[:, k].real)), vectors[:, k].real)
            else:
                found += 2 * np.outer(factor.solve(np.ascontiguousarray(right[:, k])), vectors[:, k]).real
        states[number, 0], states[number, 1:] = start, fixed
        states[number, 1:, free] = found
        start = states[number, -1]
    return Path(times, states)


def _real(matrix: Any) -> Any:
    return matrix if np.abs(matrix.data.imag).max(initial=0) > 0 else matrix.real


def _nodes() -> Array:
    """Those of Radau IIA, (s,), the last at 1."""
    inner, _ = scipy.special.roots_jacobi(STAGES - 1, 1, 0)
    return np.append((inner + 1) / 2, 1.0)


def _slopes() -> Array:
    """The inverse of the matrix of weights, (s, s): derivatives at the nodes of what vanishes at the start."""
    nodes = _nodes()
    powers = np.arange(1, STAGES + 1)
    return np.asarray((powers * nodes[:, None] ** (powers - 1)) @ np.linalg.inv(nodes[:, None] ** powers))
