"""Closed forms: functions in NumPy or torch whose arguments are named by the axes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pinnreg.errors import InputError, unknown
from pinnreg.reference.base import (
    ROUNDING,
    Array,
    Axes,
    Reference,
    Solved,
    checked_axes,
    grid_shape,
    on_grid,
    open_mesh,
)
from pinnreg.reference.given import as_tensor

# What a user's function takes is known only when its signature is read.
Function = Callable[..., Any]


def closed_form(function: Function | Mapping[str, Function], *, scipy: Reference | None = None) -> Reference:
    """A reference from a formula, for example `lambda x, t: np.exp(-t) * np.sin(x)`.

    Arguments are matched with axes by name; those with a default that no axis bears keep it. A function of
    `*args` alone receives all axes in their order.

    Args:
        function: of open-mesh coordinates, in NumPy, or in torch, as conditions have it; or a dict of them by output
            name; a bare function's output is named "u". What it returns must broadcast to the grid.
        scipy: an independent SciPy solve of the same problem.

    Returns:
        A reference with the rounding unit of float64 as its error estimate.

    Raises:
        InputError: at once if this is no function; in `solve` if an argument names no axis, or if a value has
            a wrong shape, is not a real number or is not finite.
    """
    functions = dict(function) if isinstance(function, Mapping) else {"u": function}
    if not functions:
        raise InputError("closed form: the dict of functions is empty")
    signatures = {output: _signature(output, given) for output, given in functions.items()}

    def solve(axes: Axes) -> Solved:
        axes = checked_axes(axes)
        values = {output: _evaluate(output, functions[output], signatures[output], axes) for output in functions}
        return Solved(values, ROUNDING)

    def scattered(points: Axes) -> Solved:
        points = checked_axes(points)
        shape = (len(next(iter(points.values()))),)
        values = {output: _called(output, functions[output], signatures[output], points, shape) for output in functions}
        return Solved(values, ROUNDING)

    return Reference("closed form", solve, scipy, pointwise=True, scattered=scattered)


def as_reference(given: object, outputs: Sequence[str]) -> Reference | None:
    """What a problem's `reference()` may return, as a `Reference`.

    Args:
        given: None, a `Reference`, a function of the axes in NumPy or torch, which returns a tuple of as many values as
            there are outputs where these are several, or a dict of functions by output, perhaps of some only.
        outputs: the problem's output names.

    Raises:
        InputError: for anything else.
    """
    if given is None or isinstance(given, Reference):
        return given
    if isinstance(given, Mapping):
        for name in given:
            if name not in outputs:
                raise unknown("output in the reference", str(name), outputs)
        return closed_form({name: given[name] for name in outputs if name in given})
    if callable(given):
        several = len(outputs) > 1
        return closed_form({name: _one_of(given, outputs, name) if several else given for name in outputs})
    raise InputError(
        "reference: expected None, a Reference, a function of the axes or a dict of functions by output, "
        f"got {type(given).__name__}"
    )


def _one_of(function: Function, outputs: Sequence[str], name: str) -> Function:
    """What a function of all outputs gives for one of them; its arguments are the same."""

    @functools.wraps(function)
    def one(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        if not isinstance(found, tuple | list) or len(found) != len(outputs):
            got = f"{len(found)} of them" if isinstance(found, tuple | list) else type(found).__name__
            raise InputError(
                f"reference: one function for {len(outputs)} outputs returns a tuple of the values of "
                f"{', '.join(outputs)}, got {got}; or give a dict of functions by output"
            )
        return found[outputs.index(name)]

    return one


def _signature(output: str, function: object) -> inspect.Signature:
    if not callable(function):
        raise InputError(f"closed form of {output!r}: expected a function, got {type(function).__name__}")
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise InputError(f"closed form of {output!r}: its arguments cannot be read; wrap it in a lambda") from error


def _evaluate(output: str, function: Function, signature: inspect.Signature, axes: Axes) -> Array:
    mesh = dict(zip(axes, open_mesh(axes.values()), strict=True))
    return _called(output, function, signature, mesh, grid_shape(axes))


def _called(
    output: str, function: Function, signature: inspect.Signature, mesh: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    """A user's function at coordinates that broadcast to a shape."""
    positional, keywords = _arguments(output, signature, mesh)
    # Infinities are refused by name just below; NumPy's own warnings would only precede that.
    with np.errstate(all="ignore"), torch.no_grad():
        try:
            value = function(*positional, **keywords)
        except TypeError:
            # how torch's functions refuse arrays; what else is wrong is wrong with tensors too
            tensors = {name: as_tensor(column) for name, column in keywords.items()}
            value = function(*map(as_tensor, positional), **tensors)
    return on_grid(value, shape, f"closed form of {output!r}", mesh)


def _arguments(
    output: str, signature: inspect.Signature, mesh: Mapping[str, Array]
) -> tuple[list[Array], dict[str, Array]]:
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        if len(parameters) > 1:
            raise InputError(f"closed form of {output!r}: takes `*args` beside named arguments; use one or the other")
        return list(mesh.values()), {}
    positional: list[Array] = []
    keywords: dict[str, Array] = {}
    for parameter in parameters:
        if parameter.name not in mesh:
            if parameter.default is not parameter.empty:
                continue
            raise unknown(f"axis in the arguments of the closed form of {output!r}:", parameter.name, mesh)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(mesh[parameter.name])
        else:
            keywords[parameter.name] = mesh[parameter.name]
    return positional, keywords
