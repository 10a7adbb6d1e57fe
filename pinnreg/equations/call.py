"""Calling a user's function with the arguments that its parameters name, as pytest matches fixtures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from pinnreg.errors import InputError, in_words, is_signal, unknown

Data = float | Tensor | Callable[..., Any]
"""The data of a condition: a number, a tensor without dimension, or a function of coordinates named by its parameters,
in torch.* functions."""

TWO_OUTPUTS = "a complex u has two outputs, its real and its imaginary part, and a condition for each"
"""What to write where complex numbers cannot be taken."""


def call(function: Callable[..., Any], values: Mapping[str, Any], what: str) -> Any:
    """`function` called with those of `values` that its parameters name.

    Raises:
        InputError: a parameter without a default that `values` does not have, or a function whose parameters have no
            names, such as torch.sin itself.
    """
    arguments = {}
    try:
        parameters = _parameters(function)
    except ValueError:
        name = getattr(function, "__name__", repr(function))
        raise InputError(f"{what}: the arguments of {name} have no names; write lambda x: torch.{name}(x)") from None
    for name, parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InputError(f"{what}: arguments are matched by name, *args and **kwargs cannot be")
        if name in values:
            arguments[name] = values[name]
        elif parameter.default is parameter.empty:
            raise unknown(f"argument of {what}", name, values)
    return function(**arguments)


_FIRST = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_KNOWN: WeakKeyDictionary[FunctionType, tuple[tuple[str, inspect.Parameter], ...]] = WeakKeyDictionary()


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, inspect.Parameter], ...]:
    """Those of a function by name; of plain ones and of their methods remembered, as they are called at every step."""
    plain = function.__func__ if isinstance(function, MethodType) else function
    if type(plain) is not FunctionType or vars(plain):  # a decorator may say what another's parameters are
        return tuple(inspect.signature(function).parameters.items())
    if (found := _KNOWN.get(plain)) is None:
        found = _KNOWN[plain] = tuple(inspect.signature(plain).parameters.items())
    if plain is function:
        return found
    # the first is the object, unless it is one of *args
    return found[1:] if found and found[0][1].kind in _FIRST else tuple(inspect.signature(function).parameters.items())


def names_of(function: object) -> tuple[str, ...]:
    """What a function asks for by name; nothing of a number, and of one whose parameters have no names."""
    try:
        return tuple(inspect.signature(function).parameters) if callable(function) else ()
    except ValueError:
        return ()


def coordinates(axes: Sequence[str], points: Tensor) -> dict[str, Tensor]:
    """The columns of points (n, d) by axis name, each (n,), and the whole as `points`."""
    return {**dict(zip(axes, points.unbind(dim=1), strict=True)), "points": points}


def evaluate_data(data: Data, axes: Sequence[str], points: Tensor, what: str) -> Tensor:
    """A condition's data at points (n, d): a tensor (n,).

    Raises:
        InputError: a function that fails, or returns anything but a number or an (n,) tensor.
    """
    if isinstance(data, Tensor):
        return data.to(points).expand(points.shape[0])
    if not callable(data):
        return points.new_full((points.shape[0],), float(data))
    try:
        values = call(data, coordinates(axes, points), what)
    except InputError:
        raise
    except BaseException as error:
        if is_signal(error):
            raise
        raise InputError(f"{what}: its data fail: {in_words(error)}") from error
    if isinstance(values, complex) or (isinstance(values, Tensor) and values.is_complex()):
        raise InputError(f"{what}: its data are complex; {TWO_OUTPUTS}")
    if isinstance(values, int | float):
        return points.new_full((points.shape[0],), float(values))
    if not isinstance(values, Tensor) or values.shape not in ((), (points.shape[0],)):
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise InputError(f"{what}: its data must return a torch tensor of shape (n,) = ({points.shape[0]},), got {got}")
    return torch.as_tensor(values, dtype=points.dtype, device=points.device).expand(points.shape[0])
