"""Calling a user's function of fields at points, and checking what it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from pinnreg.differentiation import parse_name
from pinnreg.domain import Domain
from pinnreg.equations.call import call
from pinnreg.equations.field import Field, View
from pinnreg.equations.sweep import Derivatives
from pinnreg.errors import InputError, in_words, is_signal, place


@final
@dataclass(frozen=True)
class Scene:
    """Where a user's function is being called: what `integral` means by the fields and by an axis.

    Attributes:
        view: of the points.
        domain: of the problem; None if that is not known.
        constants: what functions can ask for by name besides: the parameters of the problem.
    """

    view: View
    domain: Domain | None
    constants: Mapping[str, Any]


_SCENE: ContextVar[Scene | None] = ContextVar("scene", default=None)


def scene() -> Scene | None:
    """That of the function which is being called; None outside of any."""
    return _SCENE.get()


@contextmanager
def entered(new: Scene) -> Iterator[None]:
    """While active, `scene` is another one."""
    token = _SCENE.set(new)
    try:
        yield
    finally:
        _SCENE.reset(token)


def evaluate_rows(
    function: Callable[..., Any],
    sweep: Derivatives,
    title: str,
    name: str = "residual",
    *,
    domain: Domain | None = None,
    constants: Mapping[str, Any] | None = None,
) -> dict[str, Tensor]:
    """What a user's function gives at points, as vectors (n,) by name.

    Args:
        function: its parameters are matched by name: outputs give Fields, axes coordinates (n,), `points` the (n, d),
            on faces `normal` (n, d).
        sweep: of the solution at the points.
        title: what messages call it.
        name: of a single vector.
        domain: of the problem, which integrals in the function need.
        constants: what the function, and integrals in it, can ask for by name besides.

    Raises:
        InputError: a function that fails, or whose result has the wrong form; the message says what was expected.
    """
    view = View(sweep)
    try:
        with entered(Scene(view, domain, constants or {})):
            result = call(function, {**(constants or {}), **view.arguments()}, title)
    except InputError:
        raise
    except BaseException as error:
        if is_signal(error):
            raise
        raise InputError(_explain(error, title, sweep.trial.axes)) from error
    rows = result if isinstance(result, dict) else {name: result}
    if not rows:
        raise InputError(f"{title}: returned an empty dict, expected one named (n,) tensor an equation")
    return {str(key): _checked(values, sweep.points.x, title, str(key)) for key, values in rows.items()}


def _product_rule(name: str, axes: Sequence[str]) -> str:
    axis = max((axis for axis in axes if name.startswith(axis)), key=len)
    return (
        f".{name} works on outputs, not on expressions; expand it by the product rule: "
        f"(k * u.{axis}).{axis} = k.{axis} * u.{axis} + k * u.{axis}{axis} with the coefficient's derivative "
        f"k.{axis} written out, (u * u).{axis} = 2 * u * u.{axis}"
    )


def _checked(values: object, x: Tensor, title: str, name: str) -> Tensor:
    count = len(x)
    if isinstance(values, Field):
        values = values.value
    if not isinstance(values, Tensor):
        hint = f"; if this is the .t of an expression: {_product_rule('t', ['t'])}" if callable(values) else ""
        raise InputError(f"{title}: {name!r} must be a torch tensor of shape (n,), got {type(values).__name__}{hint}")
    if values.is_complex():
        raise InputError(
            f"{title}: {name!r} is complex; return its real and its imaginary part as two equations, and give u two "
            "outputs if it is complex itself"
        )
    if values.dtype not in (torch.float32, torch.float64):
        raise InputError(f"{title}: {name!r} must be real, in float32 or float64, got {values.dtype}")
    if values.dtype != x.dtype:
        raise InputError(f"{title}: {name!r} must be {x.dtype} as the points and the network are, got {values.dtype}")
    if values.shape != (count,):
        hint = " (an (n, 1) would broadcast to (n, n): index with [:, 0])" if values.shape == (count, 1) else ""
        raise InputError(f"{title}: {name!r} must have shape (n,) = ({count},), got {tuple(values.shape)}{hint}")
    return values


def _explain(error: BaseException, title: str, axes: Sequence[str]) -> str:
    """A message for an exception that a user's residual raised: the line, and what to write instead if we know."""
    where = title + place(error)
    text = f"{type(error).__name__}: {error}"
    match = re.search(r"'Tensor' object has no attribute '(\w+)'", str(error))
    if match and (name := match.group(1)) and parse_name(name, axes):
        return f"{where}: {_product_rule(name, axes)}"
    if "builtin_function_or_method" in str(error) and "t" in axes:
        # a tensor has a method `t`, so that (u * u).t fails only when something is done with it
        return f"{where}: {text}; if this is the .t of an expression: {_product_rule('t', axes)}"
    if "Boolean value of Tensor" in str(error):
        return (
            f"{where}: a Python `if`, `and` or `or` on a tensor has no single truth value; "
            "use torch.where(condition, a, b)"
        )
    return f"{where}: {in_words(error)}"
