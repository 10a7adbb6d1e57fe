"""What a user gives on a boundary or in a domain: numbers, or functions of the coordinates in NumPy or torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import torch

from pinnreg.errors import InputError, unknown, user_code
from pinnreg.reference.base import Array, on_grid
from pinnreg.reference.calling import check_call

Given = float | Callable[..., Any]
"""A number, or a function of the coordinates (n,) that returns (n,)."""
COORDINATES = ("x", "y", "t")
"""What messages call them, whatever the domain does: they are given by their order."""


def evaluated(given: object, columns: Sequence[Array], what: str) -> Array:
    """Its values, (n,), at coordinates (n,).

    Raises:
        InputError: neither number nor function, a function that fails, or values that are not n finite real numbers.
    """
    shape = columns[0].shape
    if isinstance(given, Real) and not isinstance(given, bool):
        if not isfinite(given):
            raise InputError(f"{what}: expected a finite number, got {given!r}")
        return np.full(shape, float(given))
    if not callable(given):
        raise InputError(f"{what}: expected a number or a function of the coordinates, got {type(given).__name__}")
    names = COORDINATES[: len(columns)]
    check_call(what, given, names)
    with user_code(what), np.errstate(all="ignore"), torch.no_grad():
        try:
            found = given(*columns)
        except TypeError:
            # how torch's functions refuse arrays; what else is wrong is wrong with tensors too
            found = given(*map(as_tensor, columns))
    return on_grid(found, shape, what, dict(zip(names, columns, strict=True)))


def as_tensor(column: Array) -> torch.Tensor:
    """The same numbers for torch's functions."""
    return torch.from_numpy(np.ascontiguousarray(column))


def check_conditions(
    what: str, dirichlet: Mapping[str, object], flux: Mapping[str, object], known: Sequence[str]
) -> None:
    """Refuse names of parts of a boundary that there are none of, and a part with two conditions."""
    check_names("dirichlet", dirichlet, known)
    check_names("flux", flux, known)
    if both := set(dirichlet) & set(flux):
        raise InputError(f"{what}: {both.pop()!r} has both a value and a flux")


def check_names(what: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse names of parts of a boundary that there are none of."""
    if not isinstance(given, Mapping):
        raise InputError(f"{what}: expected a dict by part of the boundary, got {type(given).__name__}")
    for name in given:
        if name not in known:
            raise unknown(f"part of the boundary in `{what}`:", str(name), known)
