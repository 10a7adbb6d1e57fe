"""What is wrong with how the class of a problem was written, which Python alone does not see."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterator
from types import FunctionType

from pinnreg.errors import InputError

NEAR = 0.85
"""How alike a name is to one that it was meant to be: `condition` to `conditions`, and not `load` to `domain`."""


def check_written(cls: type, base: type, title: str, known: Collection[str]) -> None:
    """Refuse attributes that look like misspelt ones of the base class, and methods that lack `self`.

    A name near to one of the base's is legal where the class, or one between, has that one too: it is a helper then.

    Args:
        cls: the class.
        base: whose attributes it may set.
        title: what messages call it.
        known: what functions may ask for by name: outputs and axes.

    Raises:
        InputError: naming the first of these.
    """
    own = [name for each in cls.__mro__[: cls.__mro__.index(base)] for name in vars(each)]
    meant = [name for name in vars(base) if not name.startswith("_") and name not in own]
    fields = {name for each in cls.__mro__ for name in vars(each).get("__annotations__", {})}
    for name in own:
        if name.startswith("_") or name in fields:
            continue
        if near := difflib.get_close_matches(name, meant, n=1, cutoff=NEAR):
            raise InputError(f"{title}: `{name}` is nothing that a problem has; did you mean `{near[0]}`?")
    for name, first in _methods(cls, base):
        if first is None or first in known:
            given = "no parameter" if first is None else f"the first parameter {first!r}"
            raise InputError(f"{title}: `{name}` has {given}; a method begins with self, as in def {name}(self, ...)")


def _methods(cls: type, base: type) -> Iterator[tuple[str, str | None]]:
    """Those that it has in the place of the base's, each with its first parameter."""
    for name, plain in vars(base).items():
        found = inspect.getattr_static(cls, name)
        if isinstance(plain, FunctionType) and isinstance(found, FunctionType) and found is not plain:
            if name.startswith("_"):
                continue
            yield name, next(iter(inspect.signature(found).parameters), None)
