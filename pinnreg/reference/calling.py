"""How references call the functions that they are given, and what they say of one that cannot be called so."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pinnreg.errors import InputError


def check_call(
    what: str, function: object, arguments: Sequence[str], named: Collection[str] = ()
) -> Callable[..., Any]:
    """A function that can be called with one argument for each of these names, in their order.

    Args:
        what: what messages call it, as "ordinary: rhs".
        function: NumPy's own and others that do not say what they take are not looked at.
        arguments: what they are called in the message.
        named: those that it gets by name besides.

    Raises:
        InputError: no function, or one that takes other arguments; it says how it is called.
    """
    called = f"F({', '.join(arguments)})"
    if not callable(function):
        raise InputError(f"{what}: expected a function, called as {called}, got {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function
    try:
        signature.bind(*arguments, **dict.fromkeys(named))
    except TypeError as error:
        raise InputError(
            f"{what}: it is called as {called}, one argument each, by their order, and takes {signature}: {error}"
        ) from None
    return function
