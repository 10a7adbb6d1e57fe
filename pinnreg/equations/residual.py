"""Evaluating a problem's residual, and checking once on real points that it is what the engine needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from pinnreg.differentiation import slope
from pinnreg.equations.conditions import constants_of
from pinnreg.equations.evaluate import evaluate_rows
from pinnreg.equations.points import Points
from pinnreg.equations.problem import Problem
from pinnreg.equations.sweep import Asked, Derivatives, Elsewhere, Sweep, Table
from pinnreg.equations.trial import Network, Trial
from pinnreg.errors import InputError, broken
from pinnreg.taylor import Laplacian, MultiIndex


def evaluate_residual(problem: Problem, sweep: Derivatives) -> dict[str, Tensor]:
    """The residual's equations by name, each (n,); a single one is named "residual". None for a problem without.

    Raises:
        InputError: a residual that fails, or whose result has the wrong form; the message says what was expected.
    """
    if not problem.has_residual:
        return {}
    title = f"residual of {type(problem).__name__}"
    return evaluate_rows(problem.residual, sweep, title, domain=problem.domain, constants=constants_of(problem))


def of_derivatives(
    rows: Callable[[Derivatives], dict[str, Tensor]], sweep: Sweep
) -> tuple[Callable[..., dict[str, Tensor]], dict[Asked, Tensor]]:
    """Rows at the points of a sweep as a function of coordinates (n, d) and of the derivatives of u in them, and these.

    Raises:
        InputError: as `evaluate_residual`.
    """
    asked = Table(sweep, sweep.points, {})
    rows(asked)
    values = asked.values

    def function(x: Tensor, *derivatives: Tensor) -> dict[str, Tensor]:
        here = sweep.points
        points = Points(x, here.normals, across=here.across, curved=here.curved, extent=here.extent)
        return rows(Table(sweep, points, dict(zip(values, derivatives, strict=True))))

    return function, values


def residual_gradient(problem: Problem, sweep: Sweep, axes: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """The derivatives of the residual along axes, by equation and axis, each (n,).

    The residual is a function of the coordinates and of derivatives of u. Its forward derivative along an axis, with
    the next derivatives of u as tangents, is the chain rule: no graph is nested, and row i depends on point i only.

    Raises:
        InputError: as `evaluate_residual`.
    """
    x, at = sweep.points.x, sweep.trial.axes
    residual, values = of_derivatives(partial(evaluate_residual, problem), sweep)
    slopes = {}
    for axis in axes:
        number = at.index(axis)
        tangents = [_next(problem, sweep, operator, number) for operator in values]
        direction = torch.zeros_like(x)
        direction[:, number] = 1
        slopes[axis] = slope(residual, (x, *values.values()), (direction, *tangents))
    return {name: {axis: by_name[name] for axis, by_name in slopes.items()} for name in slopes[axes[0]]}


def _next(problem: Problem, sweep: Sweep, operator: Asked, axis: int) -> Tensor:
    """The derivative along an axis of an operator applied to u, (n, outputs)."""
    if isinstance(operator, Elsewhere):
        raise InputError(
            f"residual of {type(problem).__name__}: its derivative along an axis is not known, since it has integrals, "
            "or values of u at other points"
        )
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
    operators: frozenset[Asked] = frozenset(),
    *,
    chunk: int | None = None,
    otherwise: Network | None = None,
) -> tuple[frozenset[Asked], tuple[str, ...]]:
    """Evaluate the residual on all points and on half of them; the operators that it asks for, and its equations.

    `operators` are those that it is known to ask for; `chunk` as for `Sweep`. Where both do not agree, `otherwise` is a
    network to try as well: that of a finished run leaves nothing but rounding.

    Raises:
        InputError: NaN or Inf, or a row that depends on other rows: the engine needs row i to depend on point i only.
    """
    sweep = Sweep(trial, network, points, operators, chunk=chunk)
    whole = evaluate_residual(problem, sweep)
    title = f"residual of {type(problem).__name__}"
    for name, values in whole.items():
        if not torch.isfinite(values).all():
            bad = points.x[~torch.isfinite(values)]
            first = dict(zip(trial.axes, bad[0].tolist(), strict=True))
            raise InputError(f"{title}: {name!r} is {broken(len(bad), len(points), first, ' at the start,')}")
    half = Points(points.x[: (len(points) + 1) // 2])
    part = evaluate_residual(problem, Sweep(trial, network, half, sweep.operators, chunk=chunk))
    wrong = next((name for name, values in part.items() if not _agree(values, whole[name])), None)
    if wrong is not None and otherwise is not None:
        whole, part = (
            evaluate_residual(problem, Sweep(trial, otherwise, at, sweep.operators, chunk=chunk))
            for at in (points, half)
        )
        wrong = next((name for name, values in part.items() if not _agree(values, whole[name])), None)
    if wrong is not None:
        raise InputError(
            f"{title}: {wrong!r} at a point changes with the other points; it must be pointwise "
            "(no means, sums or sorting over the points)"
        )
    return sweep.operators, tuple(whole)


def _agree(part: Tensor, whole: Tensor) -> bool:
    expected, tolerance = whole[: len(part)], 1e-3 if part.dtype == torch.float32 else 1e-8
    return torch.allclose(part, expected, rtol=tolerance, atol=tolerance * float(expected.detach().abs().max()))
