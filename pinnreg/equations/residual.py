"""Evaluating a problem's residual, and checking once on real points that it is what the engine needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinnreg.differentiation import parse_name, slope
from pinnreg.equations.call import call, coordinates
from pinnreg.equations.field import Field, Sweep, Table
from pinnreg.equations.points import Points
from pinnreg.equations.problem import Problem
from pinnreg.equations.trial import Network, Trial
from pinnreg.errors import InputError, is_signal, place
from pinnreg.taylor import Laplacian, MultiIndex, Operator


def evaluate_residual(problem: Problem, sweep: Sweep | Table) -> dict[str, Tensor]:
    """The residual's equations by name, each (n,); a single one is named "residual". None for a problem without.

    Raises:
        InputError: a residual that fails, or whose result has the wrong form; the message says what was expected.
    """
    if not problem.has_residual:
        return {}
    return evaluate_rows(problem.residual, sweep, f"residual of {type(problem).__name__}")


def evaluate_rows(
    function: Callable[..., Any], sweep: Sweep | Table, title: str, name: str = "residual"
) -> dict[str, Tensor]:
    """What a user's function gives at points, as vectors (n,) by name.

    Args:
        function: its parameters are matched by name: outputs give Fields, axes coordinates (n,), `points` the (n, d).
        sweep: of the solution at the points.
        title: what messages call it.
        name: of a single vector.

    Raises:
        InputError: a function that fails, or whose result has the wrong form; the message says what was expected.
    """
    arguments = {**sweep.fields(), **coordinates(sweep.trial.axes, sweep.points.x)}
    try:
        result = call(function, arguments, title)
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


def residual_of_derivatives(
    problem: Problem, sweep: Sweep
) -> tuple[Callable[..., dict[str, Tensor]], dict[Operator, Tensor]]:
    """The residual as a function of coordinates (n, d) and of the derivatives of u, and these, each (n, outputs).

    Raises:
        InputError: as `evaluate_residual`.
    """
    asked = Table(sweep, sweep.points.x, {})
    evaluate_residual(problem, asked)
    values = asked.values

    def residual(x: Tensor, *derivatives: Tensor) -> dict[str, Tensor]:
        return evaluate_residual(problem, Table(sweep, x, dict(zip(values, derivatives, strict=True))))

    return residual, values


def residual_gradient(problem: Problem, sweep: Sweep, axes: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """The derivatives of the residual along axes, by equation and axis, each (n,).

    The residual is a function of the coordinates and of derivatives of u. Its forward derivative along an axis, with
    the next derivatives of u as tangents, is the chain rule: no graph is nested, and row i depends on point i only.

    Raises:
        InputError: as `evaluate_residual`.
    """
    x, at = sweep.points.x, sweep.trial.axes
    residual, values = residual_of_derivatives(problem, sweep)
    slopes = {}
    for axis in axes:
        number = at.index(axis)
        tangents = [_next(sweep, operator, number) for operator in values]
        direction = torch.zeros_like(x)
        direction[:, number] = 1
        slopes[axis] = slope(residual, (x, *values.values()), (direction, *tangents))
    return {name: {axis: by_name[name] for axis, by_name in slopes.items()} for name in slopes[axes[0]]}


def _next(sweep: Sweep, operator: Operator, axis: int) -> Tensor:
    """The derivative along an axis of an operator applied to u, (n, outputs)."""
    if not isinstance(operator, Laplacian):
        return sweep(_raised(operator, axis))
    terms = [(0,) * len(sweep.trial.axes)]
    for _ in range(operator.power):
        terms = [_raised(term, each, 2) for term in terms for each in operator.axes]
    return torch.stack([sweep(_raised(term, axis)) for term in terms]).sum(dim=0)


def _raised(index: MultiIndex, axis: int, orders: int = 1) -> MultiIndex:
    return tuple(order + orders * (number == axis) for number, order in enumerate(index))


def check_residual(
    problem: Problem,
    trial: Trial,
    network: Network,
    points: Points,
    operators: frozenset[Operator] = frozenset(),
    *,
    chunk: int | None = None,
) -> tuple[frozenset[Operator], tuple[str, ...]]:
    """Evaluate the residual on all points and on half of them; the operators that it asks for, and its equations.

    `operators` are those that it is known to ask for; `chunk` as for `Sweep`.

    Raises:
        InputError: NaN or Inf, or a row that depends on other rows: the engine needs row i to depend on point i only.
    """
    sweep = Sweep(trial, network, points, operators, chunk=chunk)
    whole = evaluate_residual(problem, sweep)
    title = f"residual of {type(problem).__name__}"
    for name, values in whole.items():
        if not torch.isfinite(values).all():
            where = points.x[~torch.isfinite(values)][0].tolist()
            place = ", ".join(f"{axis}={x:g}" for axis, x in zip(trial.axes, where, strict=True))
            raise InputError(f"{title}: {name!r} is NaN or Inf at the start, for instance at {place}")
    half = Points(points.x[: (len(points) + 1) // 2])
    part = evaluate_residual(problem, Sweep(trial, network, half, sweep.operators, chunk=chunk))
    for name, values in part.items():
        expected = whole[name][: len(half)]
        tolerance = 1e-3 if values.dtype == torch.float32 else 1e-8
        if not torch.allclose(values, expected, rtol=tolerance, atol=tolerance * float(expected.detach().abs().max())):
            raise InputError(
                f"{title}: {name!r} at a point changes with the other points; it must be pointwise "
                "(no means, sums or sorting over the points)"
            )
    return sweep.operators, tuple(whole)


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
    return f"{where}: {text}"
