"""Cheaper calls of autograd functions."""

from __future__ import annotations

import inspect
from typing import Any, final


@final
class _Positional(inspect.Signature):
    """A signature that takes arguments as they come.

    `Function.apply` binds its arguments to the signature of `forward`, which takes longer than the arithmetic of a
    small layer (50 of 65 µs); there are no defaults here to fill in.
    """

    @final
    class _Arguments:
        def __init__(self, args: tuple[Any, ...]) -> None:
            self.args = args
            self.kwargs: dict[str, Any] = {}

        def apply_defaults(self) -> None:
            """There are none."""

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        return self._Arguments(args)


def positional(forward: Any) -> Any:
    """`staticmethod` for a `forward` without defaults."""
    forward.__signature__ = _Positional()
    return staticmethod(forward)
