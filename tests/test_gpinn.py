"""The penalty on the residual's gradient, against nested automatic differentiation of the whole residual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import pi
from typing import Any

import pytest
import torch
from objectives import Placed, penalty_rows, placed, value_of
from quick import only
from torch import Tensor

import pinnreg
from pinnreg import Box, InputError, Laplacian, Problem, dirichlet, measurements
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.regularisers import GPINN
from pinnreg.run.prepare import prepare

initial = partial(pinnreg.initial, exact=True)
F64 = torch.float64
Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Varied(Problem):
    """A Laplacian with a coefficient that depends on all coordinates."""

    domain = Box(x=(-1, 1), y=(0, 2), t=(0, 1))
    conditions = (
        initial(lambda x, y: torch.cos(x) * y),
        dirichlet(lambda x, y, t: torch.cos(x + t) * y, on="x"),
    )

    def residual(self, u: Any, x: Tensor, y: Tensor, t: Tensor) -> Any:
        return u.t - (1 + x * y * torch.exp(-t)) * u.laplacian + u.value**3


@dataclass(frozen=True)
class Plate(Problem):
    """Δ²u with the product of a field and a gradient."""

    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(lambda x, y: torch.sin(x + 2 * y)),)

    def residual(self, u: Any, points: Tensor) -> Any:
        return u.biharmonic - u.value * u.grad.sum(dim=1) - points.square().sum(dim=1)


@dataclass(frozen=True)
class Mixed(Problem):
    """Mixed derivatives, nonlinear."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(2 * x)), initial(lambda x: torch.cos(3 * x), order=1))

    def residual(self, u: Any, x: Tensor, t: Tensor) -> Any:
        return u.xt * u.x + torch.sin(x * t) * u.xxt - u.tt


@dataclass(frozen=True)
class Coupled(Problem):
    """Two equations for two outputs, one of them linear, with exact data for one output only."""

    domain = Box(x=(0, 1), y=(0, 1))
    outputs = ("u", "v")
    conditions = (dirichlet(lambda y: 1 + y**2, on="x", of="u"),)

    def residual(self, u: Any, v: Any, y: Tensor) -> Any:
        return {"momentum": u.value * u.x - y * v.laplacian, "mass": u.x + v.y}


@dataclass(frozen=True)
class Heat(Problem):
    """The simplest one with a second derivative."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - 0.4 * u.xx


PROBLEMS = [Varied(), Plate(), Mixed(), Coupled()]


def objective(problem: Problem, conditions: str = "default", chunk: int | None = None, **gpinn: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [4, 3]},
        "points": {"interior": 5, "boundary": 4, "chunk": chunk},
        "conditions": conditions,
        "balance": False,
        "regularisers": [{"kind": "gpinn", "weight": 0.2, **gpinn}],
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


@cache
def made(problem: Problem) -> Placed:
    """For tests that only read it."""
    return objective(problem)


class Nested:
    """An output, differentiated by one `torch.autograd.grad` after the other."""

    def __init__(self, value: Tensor, points: Tensor, axes: tuple[str, ...]) -> None:
        self.value, self._points, self._axes = value, points, axes

    def __getattr__(self, name: str) -> Tensor:
        if name == "laplacian":
            return torch.stack([getattr(self, axis * 2) for axis in self._space]).sum(dim=0)
        if name == "biharmonic":
            return Nested(self.laplacian, self._points, self._axes).laplacian
        if name == "grad":
            return torch.stack([getattr(self, axis) for axis in self._space], dim=1)
        value = self.value
        for axis in name:
            value = gradient_at_points(value, self._points)[:, self._axes.index(axis)]
        return value

    @property
    def _space(self) -> list[str]:
        return [axis for axis in self._axes if axis != "t"]


def gradient_at_points(values: Tensor, points: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=True, materialize_grads=True)
    return gradient


def nested_residuals(of: Placed, points: Tensor) -> dict[str, Tensor]:
    """The residual at points (which must require gradients), without the engine."""
    values, axes = of.trial(of.model.network_at(of.parameters), points), of.trial.axes
    arguments: dict[str, Any] = {
        name: Nested(values[:, number], points, axes) for number, name in enumerate(of.trial.outputs)
    }
    arguments |= dict(zip(axes, points.unbind(dim=1), strict=True)) | {"points": points}
    names = of.problem.residual.__code__.co_varnames[1 : of.problem.residual.__code__.co_argcount]
    found = of.problem.residual(**{name: arguments[name] for name in names})
    return found if isinstance(found, dict) else {"residual": found}


def by_parameter(value: Tensor, of: Placed) -> Tensor:
    leaves = list(of.parameters.values())
    found = torch.autograd.grad(value, leaves, retain_graph=True, materialize_grads=True)
    return torch.cat([each.reshape(-1) for each in found])


def assert_close(found: Tensor, expected: Tensor, tolerance: float = 1e-11) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).detach().abs().max()) <= tolerance * float(expected.detach().abs().max())


@pytest.mark.first(2)
@pytest.mark.parametrize("conditions", ["default", pytest.param("soft", marks=pytest.mark.slow)])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: type(each).__name__)
def test_rows_are_the_gradient_of_the_residual(problem: Problem, conditions: str) -> None:
    of = made(problem) if conditions == "default" else objective(problem, conditions)
    assert any(of.trial.data) == (conditions == "default")
    points = of.points[""].x.clone().requires_grad_()
    residuals = nested_residuals(of, points)
    # first that the oracle has the residual itself
    rows = of.rows(of.parameters)
    for name, values in residuals.items():
        assert_close(rows[name].values, values)
    slopes = torch.stack([gradient_at_points(values, points) for values in residuals.values()])  # (equations, n, d)
    columns = slopes.mT.reshape(-1)
    assert_close(rows["gpinn"].values, (len(columns) / 5) ** 0.5 * columns)
    expected = slopes.square().sum(dim=(0, 2)).mean()
    found = of.losses(of.parameters)["gpinn"]
    assert_close(found, expected)
    assert_close(by_parameter(found, of), by_parameter(expected, of))


@pytest.mark.parametrize(("axes", "columns"), [("space", [0, 1]), (("t",), [2]), (("t", "x"), [0, 2])])
def test_axes_choose_the_components(axes: Any, columns: list[int]) -> None:
    of = objective(Varied(), axes=axes)
    points = of.points[""].x.clone().requires_grad_()
    slopes = gradient_at_points(nested_residuals(of, points)["residual"], points)
    assert_close(of.losses(of.parameters)["gpinn"], slopes[:, columns].square().sum(dim=1).mean())


def test_points_of_its_own_are_drawn_afresh() -> None:
    of = objective(Varied(), samples=12)
    seen = []
    for step in range(3):
        of = of.redraw(step, progress=0, smooth=False)
        points = of.points["gpinn"].x.clone().requires_grad_()
        assert len(points) == 12
        slopes = gradient_at_points(nested_residuals(of, points)["residual"], points)
        assert_close(of.losses(of.parameters)["gpinn"], slopes.square().sum(dim=1).mean())
        seen.append(points)
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


# an exact solution


def value_at(network: Function, problem: Problem) -> float:
    trial = Trial(problem.domain.axes, ("u",), ((),))
    points = problem.domain.interior(torch.rand((30, 2), generator=torch.Generator().manual_seed(1), dtype=F64))
    return value_of(penalty_rows(GPINN(), problem, Sweep(trial, network, Points(points)))).item()


def wave(rate: float) -> Function:
    """exp(-rate π² t) sin πx, which solves the heat equation for rate 0.4."""
    x, t = (torch.tensor(column, dtype=F64)[:, None] for column in ([1.0, 0.0], [0.0, 1.0]))
    return lambda at: torch.exp(-rate * pi**2 * (at @ t)) * torch.sin(pi * (at @ x))


def test_it_vanishes_for_an_exact_solution_and_for_no_other() -> None:
    assert value_at(wave(0.4), Heat()) < 1e-24
    assert value_at(wave(0.41), Heat()) > 1e-4
    # ∇r only: a residual that is the same everywhere is for the residual's own term
    square = torch.tensor([[1.0], [0.0]], dtype=F64)
    assert value_at(lambda at: (at @ square).square(), Heat()) < 1e-24


def test_it_vanishes_for_an_exact_solution_with_exact_conditions() -> None:
    @dataclass(frozen=True)
    class Line(Problem):
        """u = 1 + 2x + 3t, which is the interpolation of its exact data: the network is to be zero."""

        domain = Box(x=(0, 1), t=(0, 1))
        conditions = (initial(lambda x: 1 + 2 * x), dirichlet(lambda x, t: 1 + 2 * x + 3 * t, on="x"))

        def residual(self, u: Any, x: Tensor) -> Any:
            return u.t - x * u.xx - 1.5 * u.x

    of = objective(Line())
    zero = {name: torch.zeros_like(each).requires_grad_() for name, each in of.parameters.items()}
    assert of.losses(of.parameters)["gpinn"].item() > 1e-3
    assert of.losses(zero)["gpinn"].item() < 1e-24


# how it is computed


@pytest.mark.parametrize("problem", only(PROBLEMS, Varied(), Coupled()), ids=lambda each: type(each).__name__)
def test_a_chunk_changes_nothing(problem: Problem) -> None:
    whole, parts = made(problem), objective(problem, chunk=3)
    (losses, gradient), (others, another) = (of.gradient(of.parameters) for of in (whole, parts))
    for name, value in losses.items():
        assert_close(others[name], value)
    for name, value in gradient.items():
        torch.testing.assert_close(another[name], value, rtol=1e-10, atol=1e-10)
    expected = whole.linearise(whole.parameters)
    found = parts.linearise(parts.parameters)
    assert parts.evaluator._by_layer
    assert_close(found.residuals, expected.residuals)
    assert_close(found.jacobian, expected.jacobian)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: type(each).__name__)
def test_gauss_newton_sees_the_derivatives_of_the_rows(problem: Problem) -> None:
    of = made(problem)
    found = of.linearise(of.parameters)
    rows = of.rows(of.parameters)["gpinn"].values
    slopes = torch.stack([by_parameter(row, of) for row in rows])
    assert of.evaluator._by_layer
    assert_close(found.jacobian[found.rows["gpinn"]], (0.2 / len(rows)) ** 0.5 * slopes)


@pytest.mark.usefixtures("only_series")
def test_one_order_more_than_the_residual_and_no_nested_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    of = objective(Heat())
    assert of.objective.shapes["gpinn"].operators == {(0, 1), (2, 0)} | {(1, 1), (3, 0)} | {(0, 2), (2, 1)}
    laplacian = objective(Varied(), axes=("x",)).objective.shapes["gpinn"].operators
    values = {(0, 0, 0), (0, 0, 1), Laplacian((0, 1), 1)}
    assert laplacian == values | {(1, 0, 0), (1, 0, 1), (3, 0, 0), (1, 2, 0)}

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a graph within a graph")

    with monkeypatch.context() as patch:  # the interpolation of the data is known from the start
        patch.setattr(torch.autograd, "grad", refuse)
        of.losses(of.parameters)


def test_it_needs_an_equation() -> None:
    @dataclass(frozen=True)
    class Data(Problem):
        """Nothing but data."""

        domain = Box(x=(0, 1))
        conditions = (measurements([[0.5]], [1.0]),)
        residual = None  # type: ignore[assignment]

    with pytest.raises(InputError, match="gpinn penalises the gradient of the residual, and the problem has none"):
        objective(Data())


@pytest.mark.parametrize("axes", [("z",), ("x", "z")])
def test_axes_that_the_domain_lacks_are_refused(axes: Any) -> None:
    with pytest.raises(InputError, match="unknown axis in regularisers: gpinn: axes: 'z'"):
        objective(Heat(), axes=axes)
