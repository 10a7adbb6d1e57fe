"""The residual is called by name, and checked once on real points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinnreg import Box, Field, InputError, Problem, derivatives
from pinnreg.equations import Points, Sweep, Trial, check_residual, evaluate_residual
from pinnreg.equations.call import call
from pinnreg.networks import MLP
from pinnreg.randomness import generator
from pinnreg.taylor import Operator

POINTS = torch.rand((15, 2), generator=generator(0, "points"), dtype=torch.float64)
NETWORK = MLP(2, [6], 2, generator=generator(0, "network"), dtype=torch.float64)
U, V = "u", "v"


def with_residual(residual: Callable[..., Any], axes: tuple[str, ...] = ("x", "t")) -> Problem:
    body = {"residual": residual, "outputs": (U, V), "domain": Box(**dict.fromkeys(axes, (0, 1)))}
    return dataclass(frozen=True)(type("Local", (Problem,), body))()


def evaluate(residual: Callable[..., Any], axes: tuple[str, ...] = ("x", "t")) -> dict[str, Tensor]:
    trial = Trial(axes, (U, V), ((), ()))
    sweep = Sweep(trial, NETWORK, Points(POINTS))
    return evaluate_residual(with_residual(residual, axes), sweep)


def check(residual: Callable[..., Any], points: Tensor = POINTS) -> frozenset[Operator]:
    trial = Trial(("x", "t"), (U, V), ((), ()))
    return check_residual(with_residual(residual), trial, NETWORK, Points(points))[0]


EXPECTED = derivatives(NETWORK, POINTS, [(0, 0), (1, 0), (0, 1), (2, 0)])
X, T = POINTS.unbind(dim=1)


RESIDUALS: dict[str, tuple[Callable[..., Any], Tensor]] = {
    "an output": (lambda self, u: u, EXPECTED[0, 0][:, 0]),
    "another output": (lambda self, v: v, EXPECTED[0, 0][:, 1]),
    "any order": (lambda self, t, v, x, u: u.x + t * v.t - x, EXPECTED[1, 0][:, 0] + T * EXPECTED[0, 1][:, 1] - X),
    "points": (lambda self, points, u: u + points.prod(dim=1), EXPECTED[0, 0][:, 0] + X * T),
    "coordinates alone": (lambda self, x: torch.sin(x), torch.sin(X)),
    "defaults": (lambda self, u, k=3.0: k * u, 3 * EXPECTED[0, 0][:, 0]),
    "keyword only": (lambda self, *, u, t: u * t, EXPECTED[0, 0][:, 0] * T),
    "a static function": (staticmethod(lambda u: u.xx), EXPECTED[2, 0][:, 0]),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", RESIDUALS)
def test_arguments_are_matched_by_name(name: str) -> None:
    residual, expected = RESIDUALS[name]
    found = evaluate(residual)
    assert list(found) == ["residual"]
    assert torch.allclose(found["residual"], expected, rtol=1e-12, atol=1e-12)


def test_what_the_names_stand_for() -> None:
    seen: dict[str, Any] = {}

    def residual(self: Problem, u: Any, v: Any, x: Any, t: Any, points: Any) -> Any:
        seen.update(self=self, u=u, v=v, x=x, t=t, points=points)
        return u.x

    evaluate(residual)
    assert isinstance(seen["self"], Problem)
    assert isinstance(seen["u"], Field)
    assert isinstance(seen["v"], Field)
    assert torch.equal(seen["x"], X)
    assert torch.equal(seen["t"], T)
    assert torch.equal(seen["points"], POINTS)


@settings(max_examples=30)
@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 4), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_a_function_gets_exactly_what_it_names(order: list[str], count: int, given_values: set[str]) -> None:
    names = order[:count]
    values = {name: f"value of {name}" for name in given_values}
    function = eval(f"lambda {', '.join(names)}: [{', '.join(names)}]")
    if given_values >= set(names):
        assert call(function, values, "f") == [values[name] for name in names]
    else:
        with pytest.raises(InputError, match="unknown argument of f"):
            call(function, values, "f")


def test_a_dict_gives_named_equations_in_order() -> None:
    found = evaluate(lambda self, u, v: {"mass": u.x + v.t, "momentum": u, "third": torch.sin(v)})
    assert list(found) == ["mass", "momentum", "third"]
    assert torch.allclose(found["mass"], EXPECTED[1, 0][:, 0] + EXPECTED[0, 1][:, 1], rtol=1e-12)
    assert torch.equal(found["momentum"], EXPECTED[0, 0][:, 0])


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (
            lambda self, u: u.x[:, None],
            r"residual of Local: 'residual' must have shape \(n,\) = \(15,\), got \(15, 1\)"
            r" \(an \(n, 1\) would broadcast to \(n, n\): index with \[:, 0\]\)",
        ),
        (lambda self, u: u.x[:, None] + u.x, r"got \(15, 15\)$"),
        (lambda self, u: u.x.sum(), r"shape \(n,\) = \(15,\), got \(\)"),
        (lambda self, u: u.x[:4], r"got \(4,\)"),
        (lambda self, u: u.grad, r"got \(15, 1\)"),
        (lambda self, u: 0.0, "must be a torch tensor.*got float"),
        (lambda self, u: None, "must be a torch tensor.*got NoneType"),
        (lambda self, u: (u.x, u.t), "must be a torch tensor.*got tuple"),
        (lambda self, u: u.x.detach().numpy(), "must be a torch tensor.*got ndarray"),
        (lambda self, u: {}, "empty dict"),
        (lambda self, u: {"a": u.x, "b": u.x[:, None]}, "'b' must have shape.*would broadcast"),
        (lambda self, u: {"a": u.x, "b": 1}, "'b' must be a torch tensor"),
    ],
)
def test_a_result_of_the_wrong_form_is_refused(residual: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(residual)


def if_on_a_tensor(self: Problem, u: Any, x: Any) -> Any:
    if x > 0.5:
        return u.x
    return u.t


def if_on_a_field(self: Problem, u: Any) -> Any:
    return u.x if u > 0 else u.t


def and_of_tensors(self: Problem, u: Any, x: Any) -> Any:
    return torch.where(x > 0 and x < 1, u.x, u.t)


def equal_to_zero(self: Problem, u: Any) -> Any:
    return u.x if u == 0 else u.t


@pytest.mark.parametrize("residual", [if_on_a_tensor, if_on_a_field, and_of_tensors, equal_to_zero])
def test_a_python_branch_on_values_points_to_where(residual: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"residual of Local \(line \d+ of .*test_residual.py.*torch\.where"):
        evaluate(residual)


@pytest.mark.parametrize(
    ("residual", "axis", "axes"),
    [
        (lambda self, u, x: (x * u.x).x, "x", ("x", "t")),
        (lambda self, u: (u * u).xx, "x", ("x", "t")),
        (lambda self, u, x: u.t - (x * u.x).xt, "x", ("x", "t")),
        (lambda self, u: u.t - torch.sin(u).x, "x", ("x", "t")),
        (lambda self, u: u.x.x, "x", ("x", "t")),
        (lambda self, u: (u * u).y10, "y10", ("y1", "y10")),
        (lambda self, u: u.x + (u * u).t, "t", ("x", "t")),
        (lambda self, u: (u * u).t + u.x, "t", ("x", "t")),
        (lambda self, u: 2 * (u * u).t, "t", ("x", "t")),
        (lambda self, u: -(u * u).t, "t", ("x", "t")),
        (lambda self, u: (u * u).t, "t", ("x", "t")),
        (lambda self, u: {"mass": (u * u).t}, "t", ("x", "t")),
    ],
)
def test_a_derivative_of_an_expression_shows_the_product_rule(
    residual: Callable[..., Any], axis: str, axes: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        evaluate(residual, axes)
    message = str(caught.value)
    assert "product rule" in message
    assert f"(k * u.{axis}).{axis} = k.{axis} * u.{axis} + k * u.{axis}{axis}" in message
    assert f"(u * u).{axis} = 2 * u * u.{axis}" in message


def test_the_expanded_form_is_the_derivative() -> None:
    # what the message proposes, on k = x²: (k u_x)_x against automatic differentiation
    expanded = evaluate(lambda self, u, x: 2 * x * u.x + x**2 * u.xx)["residual"]
    at = POINTS.clone().requires_grad_()
    flux = at[:, 0] ** 2 * derivatives(NETWORK, at, [(1, 0)])[1, 0][:, 0]
    assert torch.allclose(expanded, torch.autograd.grad(flux.sum(), at)[0][:, 0], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (lambda self, w: w, "unknown argument of residual of Local 'w'.*known: u, v, x, t, points"),
        (lambda self, u, point: u, "'point'; did you mean 'points'"),
        (lambda self, u, nu: u, "unknown argument of residual of Local 'nu'.*did you mean 'u'"),
        (lambda self, *fields: fields[0], r"matched by name, \*args and \*\*kwargs cannot be"),
        (lambda *given: given[1], r"matched by name, \*args and \*\*kwargs cannot be"),
        (lambda self, u, **rest: u, r"\*args and \*\*kwargs"),
        (lambda self, u: u.sin(), r"'u' has no attribute 'sin'.*torch\.sin\(u\)"),
        (lambda self, u: u.z, "axes x, t"),
        (lambda self, u: u.d("z"), "the axes are x, t"),
        (lambda self, u: 1 / 0 * u, r"line \d+ of .*ZeroDivisionError"),
        (lambda self, u: (u * u).nothing, "AttributeError.*nothing"),
        (lambda self, u: u + torch.ones(4), "RuntimeError"),
    ],
)
def test_a_residual_that_fails_says_where_and_what_was_expected(residual: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(residual)


def test_the_line_of_the_problem_file_is_named_not_that_of_a_library() -> None:
    def residual(self: Problem, u: Any) -> Any:
        return torch.stack([u.x, torch.ones(3)])  # fails inside torch

    with pytest.raises(InputError, match=r"test_residual.py: return torch\.stack") as caught:
        evaluate(residual)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_the_check_finds_the_derivatives_that_are_needed() -> None:
    assert check(lambda self, u, v: u.t + v * u.xx) == {(0, 1), (0, 0), (2, 0)}
    assert check(lambda self, u: torch.where(u > 1e9, u.xx, u.t)) == {(0, 0), (2, 0), (0, 1)}


POINTWISE: dict[str, Callable[..., Any]] = {
    "plain": lambda self, u: u.t + u * u.x,
    "where": lambda self, u, x: torch.where(x > 0.5, u.x, u.t),
    "constant": lambda self, x: torch.full_like(x, 2.0),
    "zero": lambda self, u: 0 * u,
    "of points": lambda self, u, points: u.x - points.square().sum(dim=1),
    "large": lambda self, u: 1e12 * u.x,
    "small": lambda self, u: 1e-12 * u.x,
    "several": lambda self, u, v: {"a": u.x, "b": v.t},
}


@pytest.mark.parametrize("name", POINTWISE)
def test_a_pointwise_residual_passes(name: str) -> None:
    check(POINTWISE[name])
    check(POINTWISE[name], POINTS[:1])
    check(POINTWISE[name], POINTS[:2])


@pytest.mark.parametrize(
    "residual",
    [
        lambda self, u: u.x - u.value.mean(),
        lambda self, u: u.x - torch.mean(u),
        lambda self, u: 1e-12 * (u.x - torch.mean(u)),
        lambda self, u: u.x / u.x.abs().sum(),
        lambda self, u: torch.sort(u).values,
        lambda self, u: torch.cumsum(u.x.flip(0), dim=0).flip(0),
        lambda self, u: torch.roll(u.x, 1),
        lambda self, u: u.x - u.x.flip(0),
        lambda self, u: u.x + len(u),
        lambda self, u, v: {"good": u.x, "bad": v - v.value.mean()},
    ],
)
def test_a_residual_that_mixes_points_is_refused(residual: Callable[..., Any]) -> None:
    name = "bad" if isinstance(evaluate(residual), Mapping) and "bad" in evaluate(residual) else "residual"
    with pytest.raises(InputError, match=f"residual of Local: '{name}' at a point changes with the other points"):
        check(residual)


@pytest.mark.parametrize(
    ("residual", "bad"),
    [
        (lambda self, u, x: u / torch.zeros_like(x), 0),
        (lambda self, u, x: u + torch.where(x == x[3], math.nan, 0.0), 3),
        (lambda self, u, x: u + torch.where(x == x[14], math.inf, 0.0), 14),
        (lambda self, u, x: torch.sqrt(x - 1) + u, 0),
        (lambda self, u, x: u * torch.log(-x), 0),
    ],
)
def test_nan_and_inf_at_the_start_are_refused_with_a_place(residual: Callable[..., Any], bad: int) -> None:
    x, t = POINTS[bad].tolist()
    with pytest.raises(
        InputError, match=rf"'residual' is NaN or Inf at the start, at \d+ of 15 points, the first x={x:g}, t={t:g}"
    ):
        check(residual)


def test_the_check_asks_the_network_about_half_the_points() -> None:
    sizes: list[int] = []

    def residual(self: Problem, u: Any) -> Any:
        sizes.append(len(u))
        return u.x

    check(residual)
    assert sizes == [15, 8]


def test_single_precision_passes_the_check_and_still_fails_it() -> None:
    network = MLP(2, [6], 2, generator=generator(0, "network"), dtype=torch.float32)
    trial = Trial(("x", "t"), (U, V), ((), ()))
    points = Points(POINTS.float())
    check_residual(with_residual(lambda self, u: 100 * u.xx + u.t), trial, network, points)
    with pytest.raises(InputError, match="changes with the other points"):
        check_residual(with_residual(lambda self, u: u.x - torch.mean(u)), trial, network, points)
