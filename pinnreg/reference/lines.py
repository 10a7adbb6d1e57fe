"""The method of lines at one resolution: the semi-discrete equations and their integration by LSODA."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import scipy

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Integers, on_grid
from pinnreg.reference.differences import Grid, derivative_matrix

Boundary = tuple[float, float] | Literal["periodic"]

# An integrator asked for more than rounding allows takes ever smaller steps; a sound solve needs about 2000.
_MOST_EVALUATIONS = 30_000
_LOOSENED = (1.0, 10.0, 100.0)


class _StalledError(Exception):
    """The integrator has used its budget of evaluations."""


@final
@dataclass(frozen=True)
class Lines:
    """The problem as given, in the arguments of `method_of_lines`; x is in `ends` and t in `times`."""

    rhs: Callable[[Array, Array, Array, Array], Any]
    initial: Callable[[Array], Any]
    ends: tuple[float, float]
    times: tuple[float, float]
    boundary: Boundary
    cluster: tuple[float, float] | None

    @property
    def periodic(self) -> bool:
        return self.boundary == "periodic"

    def start(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            given = self.initial(x)
        return on_grid(given, x.shape, "initial data", {"x": x})


def solve_lines(problem: Lines, nodes: int, tolerances: tuple[float, float], x: Array, t: Array) -> Array:
    """u on the tensor grid of x and t, (len(x), len(t)), from this many nodes."""
    grid = Grid.build(problem.ends, nodes, problem.cluster)
    # The integrator wants each time once and in order, inside the interval to the last bit.
    times, back = np.unique(np.clip(t, *problem.times), return_inverse=True)
    values = np.empty((len(x), len(times)))
    later = times > problem.times[0]
    if later.any():
        at_nodes = _integrate(problem, grid, tolerances, times[later])
        values[:, later] = grid.interpolate(at_nodes, x, periodic=problem.periodic)
    if not later.all():
        values[:, ~later] = problem.start(x)[:, None]
    return values[:, back]


def _integrate(problem: Lines, grid: Grid, tolerances: tuple[float, float], times: Array) -> Array:
    """u at the nodes and times, (nodes, len(times))."""
    rhs, order = _semi_discrete(problem, grid)
    start = problem.start(grid.x)
    if problem.periodic and abs(start[0] - start[-1]) > 1e-9 * (1 + np.abs(start).max()):
        raise InputError(f"initial data: not periodic, {start[0]:g} at one end and {start[-1]:g} at the other")
    start = start[order]
    for factor in _LOOSENED:
        found = _run(rhs, start, (problem.times[0], times), (factor * tolerances[0], factor * tolerances[1]))
        if found is not None and np.isfinite(found).all():
            break
    else:
        raise RuntimeError(
            f"method of lines: LSODA did not reach t = {times[-1]:g} with {len(grid.s)} nodes; "
            "does the solution blow up, or is the equation ill-posed?"
        )
    values = np.empty((len(grid.s), len(times)))
    values[order] = found
    if problem.boundary == "periodic":
        values[-1] = values[0]
    else:
        values[0], values[-1] = problem.boundary
    return values


def _semi_discrete(problem: Lines, grid: Grid) -> tuple[Callable[[float, Array], Array], Integers]:
    """The ordinary differential equation for the unknown nodes, and which nodes these are in its order."""
    matrix = derivative_matrix(grid, periodic=problem.periodic)
    nodes = len(grid.s)
    order = _folded(nodes - 1) if problem.periodic else np.arange(1, nodes - 1)
    x = grid.x[order]
    count = len(order)
    rows = order if problem.periodic else np.arange(count)
    matrix = matrix[np.concatenate([rows, count + rows])]
    full = np.zeros(nodes)
    if problem.boundary != "periodic":
        full[0], full[-1] = problem.boundary

    def rhs(_: float, u: Array) -> Array:
        full[order] = u
        derivatives = matrix @ full
        # Trial steps may leave the range where the equation makes sense; the integrator then shortens them.
        with np.errstate(all="ignore"):
            value = np.asarray(problem.rhs(x, u, derivatives[:count], derivatives[count:]))
        if value.dtype.kind not in "biuf" or value.shape not in {(), (count,)}:
            raise InputError(f"rhs: expected {count} real numbers, got shape {value.shape} of dtype {value.dtype}")
        return np.broadcast_to(value, (count,)).astype(np.float64)

    return rhs, order


def _folded(count: int) -> Integers:
    """0, n − 1, 1, n − 2, …: in this order a cyclic band of half-width 2 is a plain one of half-width 4."""
    order = np.empty(count, dtype=np.intp)
    order[0::2] = np.arange((count + 1) // 2)
    order[1::2] = np.arange(count - 1, (count - 1) // 2, -1)
    return order


def _run(
    rhs: Callable[[float, Array], Array],
    start: Array,
    span: tuple[float, Array],
    tolerances: tuple[float, float],
) -> Array | None:
    """u at the asked times, or None if the integrator failed or used up its budget."""
    left = _MOST_EVALUATIONS

    def counted(time: float, u: Array) -> Array:
        nonlocal left
        left -= 1
        if left < 0:
            raise _StalledError
        return rhs(time, u)

    first, times = span
    rtol, atol = tolerances
    with warnings.catch_warnings():
        # A failure is reported by the status; LSODA's wrapper warns of the same one besides.
        warnings.filterwarnings("ignore", category=UserWarning, module="scipy")
        try:
            # Both fixed ends' skewed stencils and the folded periodic ones reach four places to either side.
            result = scipy.integrate.solve_ivp(
                counted,
                (first, times[-1]),
                start,
                method="LSODA",
                t_eval=times,
                rtol=rtol,
                atol=atol,
                lband=4,
                uband=4,
            )
        except _StalledError:
            return None
    return np.asarray(result.y, dtype=np.float64) if result.success else None
