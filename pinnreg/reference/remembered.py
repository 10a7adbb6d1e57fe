"""SciPy solves that are kept, for the many runs that are compared with the same one."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

import numpy as np

from pinnreg.reference.base import Axes, Reference, Solved

SCIPY_KINDS = (
    *("method of lines", "Chebyshev collocation", "Runge-Kutta method", "Fourier method", "Galerkin method"),
    *("finite elements", "Fourier-Legendre method", "lightning solver"),
)

# A default grid has fewer than 2¹⁵ values: what is kept takes a few megabytes, and 32 at most.
_MOST_SOLVES, _MOST_VALUES = 16, 2**18

_kept: OrderedDict[Hashable, Solved] = OrderedDict()
_lock = Lock()


def remembered(reference: Reference, owner: Hashable) -> Reference:
    """The same reference, whose SciPy solves are kept by owner and axes: the last few, of grids of moderate size.

    Args:
        reference: how to solve.
        owner: what the solves depend on besides the axes; equal owners have equal solves.

    Returns:
        A reference that gives arrays of the caller's own.
    """
    scipy = reference.scipy and remembered(reference.scipy, (owner, "scipy"))
    if reference.kind not in SCIPY_KINDS:
        return dataclasses.replace(reference, scipy=scipy)

    def solve(axes: Axes) -> Solved:
        arrays = {name: np.asarray(axis, dtype=np.float64) for name, axis in axes.items()}
        key = (owner, tuple((name, axis.shape, axis.tobytes()) for name, axis in arrays.items()))
        with _lock:
            known = _kept.get(key)
        if known is None:
            known = reference.solve(axes)
            _keep(key, _copy(known))
        return _copy(known)

    return dataclasses.replace(reference, solve=solve, scipy=scipy)


def forget_solves() -> None:
    """Solve anew from here on, as where the time of a solve is measured."""
    with _lock:
        _kept.clear()


def _keep(key: Hashable, solved: Solved) -> None:
    if sum(values.size for values in solved.values.values()) > _MOST_VALUES:
        return
    with _lock:
        _kept[key] = solved
        if len(_kept) > _MOST_SOLVES:
            _kept.popitem(last=False)


def _copy(solved: Solved) -> Solved:
    return Solved({output: values.copy() for output, values in solved.values.items()}, solved.error_estimate)
