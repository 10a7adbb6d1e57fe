"""General conditions, integrals, values elsewhere and parts of faces: against functions whose values are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pinnreg
from pinnreg import Box, Problem, condition, dirichlet, initial, integral, neumann, robin
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep, Trial, evaluate_residual, named_conditions
from pinnreg.equations.residual import of_derivatives
from pinnreg.errors import InputError
from pinnreg.objective import Replicas, linearise
from pinnreg.objective.compiled import CompiledGradient
from pinnreg.objective.drawing import first_batch
from pinnreg.objective.functions import plain_gradient
from pinnreg.run.prepare import prepare

SQUARE = Box(x=(0, 2), y=(-1, 1))
STRIP = Box(x=(0, 1), t=(0, 2))
ROD = Box(x=(0, 1))

Exact = Callable[..., Tensor]


def on(domain: Box, *exact: Exact) -> Callable[[Points], Sweep]:
    """Sweeps of outputs u, v, ... that are given functions of the coordinates."""
    outputs = ("u", "v", "w")[: len(exact)]
    trial = Trial(domain.axes, outputs, ((),) * len(outputs))
    return lambda points: Sweep(trial, lambda x: torch.stack([each(*x.unbind(dim=1)) for each in exact], dim=1), points)


def problem_of(given_domain: Box, *conditions: Any, outputs: tuple[str, ...] = ("u",), **residual: Any) -> Problem:
    """A problem with some conditions, and an equation if one is given."""

    @dataclass(frozen=True)
    class Given(Problem):
        h: float = 2.0
        domain = given_domain

        def residual(self, u: Any) -> Any:
            return u.value

    Given.outputs = outputs
    Given.conditions = conditions
    if residual:
        Given.residual = residual["residual"]  # type: ignore[method-assign]
    return Given()


def rows(problem: Problem, *exact: Exact, count: int = 24, sampler: Any = "sobol") -> tuple[Tensor, Points]:
    """The rows of the first condition on given functions."""
    one = named_conditions(problem)[0]
    points = one.sample(problem.domain, count, sampler, 5)
    return one.residual(on(problem.domain, *exact)(points), problem).detach(), points


# conditions of any form


@pytest.mark.parametrize("face", ["x=min", "x=max", "y=min", "y", ["x=max", "y=min"], None])
def test_the_normal_derivative_is_along_the_outward_normal(face: Any) -> None:
    where: dict[str, Any] = {"on": ("x", "y") if face is None else face}
    given_problem = problem_of(
        SQUARE, condition(lambda u, normal, x, y: u.n - normal[:, 0] * y - normal[:, 1] * x, **where)
    )
    found, points = rows(given_problem, lambda x, y: x * y)
    assert found.abs().max() < 1e-12
    assert len(found) == 24
    assert points.normals is not None


def test_radiation_is_written_as_in_the_book() -> None:
    radiation = condition(lambda u, h: u.n + h * u**4, on="x=max")
    found, _ = rows(problem_of(ROD, radiation), lambda x: 3 * x)
    assert found.tolist() == [3 + 2.0 * 81]


def test_a_condition_sees_all_outputs_and_holds_in_the_domain_if_it_names_no_faces() -> None:
    sees_both = condition(lambda u, v, x, y: u.x + v.y - x)
    found, points = rows(problem_of(SQUARE, sees_both, outputs=("u", "v")), lambda x, y: x**2, lambda x, y: x * y)
    assert torch.allclose(found, 2 * points.x[:, 0], rtol=1e-12)
    assert points.normals is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [({"x": 0.5}, {0: 0.5}), ({"x": 0.5, "t": 1.0}, {0: 0.5, 1: 1.0}), ({"t": 2.0}, {1: 2.0})],
)
def test_at_fixes_coordinates_and_leaves_the_others(at: dict[str, float], expected: dict[int, float]) -> None:
    found, points = rows(problem_of(STRIP, dirichlet(0.0, at=at)), lambda x, t: x + t)
    for number in range(2):
        column = points.x[:, number]
        if number in expected:
            assert (column == expected[number]).all()
        else:
            assert len(set(column.tolist())) == 24
    assert len(points) == (1 if len(expected) == 2 else 24)
    assert torch.allclose(found, points.x.sum(dim=1))


@given(edge=st.floats(0.02, 0.98), seed=st.integers(0, 100), sampler=st.sampled_from(["sobol", "uniform", "grid"]))
@settings(max_examples=25, deadline=None)
def test_where_takes_a_part_of_the_faces(edge: float, seed: int, sampler: Any) -> None:
    part = dirichlet(0.0, "x", where=lambda y: y < 2 * edge - 1)
    points = part.sample(SQUARE, 64, sampler, seed).x
    assert (points[:, 1] < 2 * edge - 1).all()
    assert set(points[:, 0].tolist()) == {0.0, 2.0}
    assert len(points) == 64 or sampler == "grid"
    # spread over all of it
    assert points[:, 1].max() > -1 + 0.8 * 2 * edge or sampler == "grid"


def test_conditions_on_parts_join_to_one_on_the_whole() -> None:
    whole = problem_of(SQUARE, dirichlet(lambda x, y: torch.where(y < 0, x, 2 * x), "x=max"))
    left = problem_of(
        SQUARE,
        dirichlet(lambda x: x, "x=max", where=lambda y: y < 0),
        dirichlet(lambda x: 2 * x, "x=max", where=lambda y: y >= 0, name="other"),
    )
    exact = lambda x, y: torch.where(y < 0, x, 2 * x)  # noqa: E731
    assert rows(whole, exact)[0].abs().max() == 0
    for one in named_conditions(left):
        points = one.sample(SQUARE, 30, "sobol", 1)
        assert one.residual(on(SQUARE, exact)(points), left).abs().max() == 0


@pytest.mark.parametrize(
    ("order", "face", "expected"), [(1, "x=min", -4.0), (2, "x=min", 6.0), (3, "x=min", -24.0), (3, "x=max", 24.0)]
)
def test_normal_derivatives_of_higher_order(order: int, face: str, expected: float) -> None:
    found, _ = rows(problem_of(ROD, neumann(0.0, face, order=order)), lambda x: 4 * x + 3 * x**2 + 4 * x**3)
    assert found.tolist() == pytest.approx([expected])


# values elsewhere


def test_values_elsewhere_have_derivatives_of_their_own() -> None:
    period = condition(lambda u, x: u.at(x=1.0).x - u.at(x=0.0).x + u.at(x=x / 2), at={"x": 0.25})
    found, _ = rows(problem_of(ROD, period), lambda x: x**3)
    assert found.tolist() == pytest.approx([3.0 + 0.125**3])


def test_a_place_that_several_fields_share_is_swept_once() -> None:
    calls: list[int] = []

    def network(x: Tensor) -> Tensor:
        calls.append(len(x))
        return torch.cat([x, 2 * x], dim=1)

    sweep = Sweep(Trial(("x",), ("u", "v"), ((), ())), network, Points(torch.rand(5, 1, dtype=torch.float64)))
    both = problem_of(ROD, outputs=("u", "v"), residual=lambda self, u, v: u.at(x=1.0) + v.at(x=1.0))
    found = evaluate_residual(both, sweep)["residual"]
    assert found.tolist() == [3.0] * 5
    assert calls == [5]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda u: u.at(z=1.0), r"axis of .at\(...\): 'z'"),
        (lambda u: u.at(x="left"), "expected a number or a tensor, got str"),
        (lambda u: u.at(x=torch.ones(3, dtype=torch.float64)), r"expected a tensor \(24,\), got \(3,\)"),
        (lambda u: u.at(x=u), "got a Field; write .value"),
        (lambda u: u.n, "along the outward normal, .*: only faces have one"),
        (lambda u: integral(lambda u: u, over="z"), "axis of integral: 'z'"),
        (lambda u: integral(lambda u: u, over=()), "`over` names the axes"),
        (lambda u: integral(lambda u: u, over={"x": (0.0, "t")}), "the limits of 'x' are two numbers or tensors"),
        (lambda u: integral(lambda u: torch.ones(7), over="x"), "must give real numbers of shape"),
        (lambda u: integral(lambda w: w, over="x"), "argument of integral 'w'"),
        (lambda u: integral(lambda u: u, over="x", nodes=0), "nodes is how many points"),
    ],
)
def test_what_cannot_be_asked_elsewhere_is_refused(ask: Callable[[Any], Any], message: str) -> None:
    wrong = problem_of(ROD, residual=lambda self, u: ask(u) + u)
    sweep = on(ROD, lambda x: x)(Points(torch.rand(24, 1, dtype=torch.float64)))
    with pytest.raises(InputError, match=message):
        evaluate_residual(wrong, sweep)


# integrals


@pytest.mark.parametrize(
    ("over", "function", "value"),
    [
        ("x", lambda u: u**2, lambda y: (1 + y) ** 2 * 8 / 3),
        ("x", lambda u, y: u * y, lambda y: 2 * (1 + y) * y),
        ("y", lambda u, x: u * x, None),
        (("x", "y"), lambda u: u.x * u.y, None),
    ],
)
def test_an_integral_equals_what_calculus_says(over: Any, function: Any, value: Any) -> None:
    known = {"y": lambda x: 2 * x * x, ("x", "y"): 4.0}
    equals = value or known[over]
    found, points = rows(problem_of(SQUARE, integral(function, over, equals=equals)), lambda x, y: x * (1 + y))
    assert found.abs().max() < 1e-12
    assert len(points) == (1 if over == ("x", "y") else 24)


def test_the_flux_through_a_face_is_an_integral_of_the_normal_derivative() -> None:
    flux = integral(lambda u, y: u.n * y, over="y", on="x=max", equals=2 / 3)
    found, points = rows(problem_of(SQUARE, flux), lambda x, y: x * y)
    assert found.abs().max() < 1e-12
    assert len(points) == 1


def test_integrals_in_a_residual_see_the_coordinates_of_outside() -> None:
    def residual(self: Any, u: Any, x: Any) -> Any:
        here = x
        fredholm = integral(lambda u, x: torch.cos(here - x) * u, over="x")
        volterra = integral(lambda u, x: x * u, over={"x": (0.0, here)})
        return fredholm + volterra + 0 * u

    x = torch.linspace(0.1, 0.9, 7, dtype=torch.float64)
    sweep = on(ROD, torch.sin)(Points(x[:, None]))
    found = evaluate_residual(problem_of(ROD, residual=residual), sweep)["residual"]
    by_scipy = [_fredholm(each) + math.sin(each) - each * math.cos(each) for each in x.tolist()]
    assert found.tolist() == pytest.approx(by_scipy, rel=1e-12)


def _fredholm(x: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(40)
    at = (nodes + 1) / 2
    return float(weights @ (np.cos(x - at) * np.sin(at)) / 2)


def test_an_integral_within_an_integral() -> None:
    double = problem_of(
        ROD, residual=lambda self, u: integral(lambda u: u * integral(lambda u: u**2, over="x"), over="x") + 0 * u
    )
    sweep = on(ROD, lambda x: x)(Points(torch.rand(3, 1, dtype=torch.float64)))
    assert evaluate_residual(double, sweep)["residual"].tolist() == pytest.approx([1 / 6] * 3)


def test_gradients_at_nodes_have_the_shape_of_points_there() -> None:
    def residual(self: Any, u: Any, x: Any) -> Any:
        return integral(lambda u, points: (u.grad * points).sum(dim=-1), over="y") + 0 * u

    sweep = on(SQUARE, lambda x, y: x * y)(Points(torch.rand(2, 2, dtype=torch.float64)))  # as many as axes
    found = evaluate_residual(problem_of(SQUARE, residual=residual), sweep)["residual"]
    assert found.abs().max() < 1e-14  # ∫ 2 x y dy
    shifted = problem_of(
        SQUARE, residual=lambda self, u, x: integral(lambda u: (u.grad**2).sum(dim=-1), over="y") - 2 * x**2 - 2 / 3
    )
    assert evaluate_residual(shifted, sweep)["residual"].abs().max() < 1e-14


def test_an_integral_over_many_axes_is_one_of_points() -> None:
    cube = Box(**{f"x{number}": (0, 1) for number in range(1, 31)})
    mean = integral(lambda u: u, over=cube.axes, equals=15.0)
    found, points = rows(problem_of(cube, mean), lambda *x: sum(x))  # type: ignore[arg-type]
    assert abs(float(found)) < 0.05
    assert len(points) == 1


def test_an_integral_outside_of_a_residual_has_to_equal_something() -> None:
    with pytest.raises(InputError, match="integral: a condition says what it equals"):
        integral(lambda u: u, over="x")


# what the engine makes of them


def nonlocal_residual(self: Any, u: Any, x: Any, t: Any) -> Any:
    return u.t - u.xx - integral(lambda u: u**3, over="x") + u.at(x=1.0).x * torch.exp(-t) + u.at(t=t / 2)


FEW = {"interior": 13, "boundary": 6, "resample_every": None}
NONLOCAL = (
    integral(lambda u: u**2, over="x", equals=lambda t: 1 + t),
    condition(lambda u, h: u.n + h * u**4, on="x=max"),
    condition(lambda u: torch.sin(u.at(t=2.0)) - u, on="t=min", name="period"),
    dirichlet(0.5, at={"x": 0.5, "t": 1.0}),
    dirichlet(lambda t: torch.sin(2 * t), "x=min", where=lambda t: t > 1, name="late"),
)


NONLOCAL_PROBLEM = problem_of(STRIP, *NONLOCAL, residual=nonlocal_residual)


def objective_of(**config: Any) -> Any:
    given_config = {
        "problem": NONLOCAL_PROBLEM,
        "network": {"hidden": [5, 4]},
        "points": FEW,
        **config,
    }
    return prepare(resolve(given_config), with_reference=False).objective


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"conditions": "soft"},
        pytest.param({"points": {"interior": 13, "boundary": 6, "chunk": 40}}, marks=pytest.mark.slow),
    ],
)
def test_the_jacobian_of_rows_that_see_several_points(config: Mapping[str, Any]) -> None:
    objective = objective_of(**config)
    parameters = objective.model.initial()
    batch = first_batch(objective, parameters)
    fast = linearise(objective, batch, parameters, by_layer=True)
    slow = linearise(objective, batch, parameters, by_layer=False)
    assert torch.allclose(fast.residuals, slow.residuals, rtol=1e-12, atol=1e-13)
    assert torch.allclose(fast.jacobian, slow.jacobian, rtol=1e-9, atol=1e-12)
    assert objective.by_layer in (True, None)
    assert objective.shapes[""].seen == 1 + 32 + 1 + 1


def test_rows_of_derivatives_know_those_elsewhere() -> None:
    problem = problem_of(STRIP, residual=nonlocal_residual)
    x = torch.rand(6, 2, dtype=torch.float64)
    sweep = on(STRIP, lambda x, t: torch.sin(x) * t)(Points(x))
    function, values = of_derivatives(lambda at: evaluate_residual(problem, at), sweep)
    again = function(x, *values.values())["residual"]
    assert torch.allclose(again, evaluate_residual(problem, sweep)["residual"])
    assert {type(key).__name__ for key in values} == {"tuple", "Elsewhere"}
    assert len(values) == 2 + 3  # u.t and u.xx, and at three places one each
    moved = {key: value + 1 for key, value in values.items()}
    assert not torch.allclose(function(x, *moved.values())["residual"], again)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "train",
    [
        {"optimiser": "gauss_newton", "steps": 2},
        pytest.param({"optimiser": "lbfgs", "steps": 5}, marks=pytest.mark.slow),
        pytest.param({"optimiser": "ssbroyden", "steps": 5}, marks=pytest.mark.slow),
        {"optimiser": "adam", "steps": 10},
    ],
)
@pytest.mark.parametrize(
    "more",
    [{}, pytest.param({"regularisers": [{"kind": "noise_stability", "sigma": 1e-3}]}, marks=pytest.mark.slow)],
)
def test_every_optimiser_lowers_the_loss(train: dict[str, Any], more: dict[str, Any]) -> None:
    problem = problem_of(STRIP, *NONLOCAL, residual=nonlocal_residual)
    config = {
        "problem": problem,
        "network": {"hidden": [5, 4]},
        "points": {"interior": 15, "boundary": 6, "resample_every": None},
        "train": [train],
        **more,
    }
    loss = pinnreg.solve(config).history["loss"]
    assert loss[-1] < loss[0]


@pytest.mark.slow
def test_a_compiled_gradient_is_the_plain_one() -> None:
    objective = objective_of()
    parameters = objective.model.initial()
    batch = first_batch(objective, parameters)
    found, expected = CompiledGradient(objective)(batch, parameters), plain_gradient(objective, batch, parameters)
    for one, other in zip(found, expected, strict=True):
        assert all(torch.allclose(one[name], other[name], rtol=1e-8, atol=1e-12) for name in other)


@pytest.mark.slow
def test_replicas_have_the_gradients_that_each_has_alone() -> None:
    objectives = [objective_of(seed=seed) for seed in range(2)]
    replicas = Replicas(objectives)  # which compares the losses
    parameters = replicas.initial()
    _, together = replicas.gradient(replicas.first(parameters), parameters)
    for number, each in enumerate(objectives):
        own = each.model.initial()
        _, alone = plain_gradient(each, first_batch(each, own), own)
        size = max(float(gradient.abs().max()) for gradient in alone.values())
        for name, gradient in alone.items():
            assert torch.allclose(together[name][number], gradient, rtol=0, atol=1e-10 * size)


def test_places_of_places_are_taken_in_parts_with_their_rows() -> None:
    def residual(self: Any, u: Any) -> Any:
        return u.t - integral(lambda u: u * integral(lambda u: u.at(x=0.0) + u, over="x", nodes=3), over="x", nodes=2)

    problem = problem_of(STRIP, dirichlet(lambda x: x, "x"), residual=residual)
    given_config = {"problem": problem, "network": {"hidden": [4]}, "points": FEW}
    objective = prepare(resolve(given_config), with_reference=False).objective
    parameters = objective.model.initial()
    batch = first_batch(objective, parameters)
    whole = objective.rows(batch, parameters)["residual"].values
    rows = torch.tensor([5, 2, 11])
    part = objective.rows_at(objective.term(""), batch.points[""].part(rows), parameters)["residual"].values
    assert torch.allclose(part, whole[rows], rtol=1e-12)
    fast, slow = (linearise(objective, batch, parameters, by_layer=each) for each in (True, False))
    assert torch.allclose(fast.jacobian, slow.jacobian, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("chunk", [7, *(pytest.param(each, marks=pytest.mark.slow) for each in (50, 1000))])
def test_chunks_change_nothing(chunk: int) -> None:
    whole, parts = objective_of(), objective_of(points={**FEW, "chunk": chunk})
    parameters = whole.model.initial()
    one, other = (plain_gradient(each, first_batch(each, parameters), parameters) for each in (whole, parts))
    for a, b in zip(one, other, strict=True):
        assert all(torch.allclose(a[name], b[name], rtol=1e-9, atol=1e-12) for name in a)


def test_places_within_places_are_taken_in_parts() -> None:
    def residual(self: Any, u: Any, x: Any) -> Any:
        twice = integral(lambda x: integral(lambda u: u, over={"x": (0.0, x)}, nodes=4), over="x", nodes=3)
        return u.xx + twice + integral(lambda u: u * u.at(x=0.5), over="x", nodes=3)

    config = {"problem": problem_of(ROD, dirichlet(0.0), residual=residual), "network": {"hidden": [4]}}
    objective = prepare(resolve({**config, "points": {"interior": 12}}), with_reference=False).objective
    parameters = objective.model.initial()
    points = first_batch(objective, parameters).points[""]
    term = objective.terms[0]
    whole = objective.rows_at(term, points, parameters)["residual"].values
    part = objective.rows_at(term, points.part(slice(5, 9)), parameters)["residual"].values
    assert torch.allclose(part, whole[5:9], rtol=1e-12, atol=1e-13)


def test_gpinn_says_why_it_cannot() -> None:
    problem = problem_of(STRIP, *NONLOCAL, residual=nonlocal_residual)
    with pytest.raises(InputError, match="its derivative along an axis is not known, since it has integrals"):
        prepare(resolve({"problem": problem, "regularisers": [{"kind": "gpinn", "weight": 1.0}]}), with_reference=False)


# coefficients in conditions


@dataclass(frozen=True)
class Wall(Problem):
    """-u'' = 0 on (0, 1), u(0) = 0, and at the other end a Robin condition or a slope: u = x/2 for h = q = 1."""

    h: float = 1.0
    q: float = 0.5
    robin_end: bool = True
    domain = Box(x=(0, 1))

    @property
    def conditions(self) -> Any:
        end = robin(self.h, 1.0, 1.0, "x=max") if self.robin_end else neumann(self.q, "x=max")
        return (dirichlet(0.0, "x=min"), end)

    def residual(self, u: Any) -> Any:
        return -u.xx


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "robin_end", "known"),
    [("h", True, 1.0), ("q", False, 0.5)],
)
def test_a_coefficient_of_a_condition_is_found(name: str, robin_end: bool, known: float, tmp_path: Any) -> None:
    x = np.linspace(0, 1, 11)
    np.savetxt(tmp_path / "u.csv", np.column_stack([x, x / 2]), delimiter=",", header="x,u", comments="")
    config = {
        "problem": Wall(robin_end=robin_end),
        "network": {"hidden": [4]},
        "points": {"interior": 12},
        "unknown": {name: {"start": 3.0}},
        "measurements": [{"file": str(tmp_path / "u.csv")}],
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
    }
    assert pinnreg.solve(config).unknown[name] == pytest.approx(known, abs=1e-6)


def test_a_condition_with_a_trained_coefficient_is_soft() -> None:
    @dataclass(frozen=True)
    class Fixed(Problem):
        height: float = 1.0
        other: float = 1.0
        domain = Box(x=(0, 1))
        conditions = property(lambda self: (dirichlet(self.height, "x=max"), dirichlet(0.0, "x=min", name="low")))

        def residual(self, u: Any) -> Any:
            return u.xx - self.other

    soft = prepare(resolve({"problem": Fixed(), "unknown": {"height": {}}}), with_reference=False).split
    assert [each.name for each in soft.soft] == ["dirichlet"]
    assert "unknown coefficient" in soft.reasons["dirichlet"]
    exact = prepare(resolve({"problem": Fixed(), "unknown": {"other": {}}}), with_reference=False).split
    assert not exact.soft


# refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dirichlet(0.0, "x", at={"x": 0.0}), "`on` names faces and `at` points; give one"),
        (lambda: dirichlet(0.0, at={}), "`at` fixes coordinates, as in"),
        (lambda: dirichlet(0.0, at={"x": "left"}), "`at` fixes coordinates by numbers, got x: 'left'"),
        (lambda: dirichlet(0.0, at={"x": True}), "by numbers"),
        (lambda: dirichlet(0.0, where=0.5), "`where` is a function of coordinates"),
        (lambda: dirichlet(0.0, at={"x": 0.0}, exact=True), "only on whole faces"),
        (lambda: initial(0.0, where=lambda x: x > 0, exact=True), "only on the whole face"),
        (lambda: neumann(0.0, order=0), "order must be an integer of at least 1, got 0"),
        (lambda: condition(1.0), "expected a function"),
        (lambda: problem_of(ROD, dirichlet(0.0, at={"x": 2.0})), "x = 2 lies outside of Box"),
        (lambda: problem_of(ROD, dirichlet(0.0, at={"y": 2.0})), "axis of condition 'dirichlet': 'y'"),
        (lambda: problem_of(ROD, dirichlet(0.0, "x", where=lambda x: x > 3)), "no point of x=min, x=max was found"),
        (
            lambda: problem_of(ROD, dirichlet(0.0, "x", where=lambda x: x)),
            "`where` of condition .* must give a boolean",
        ),
        (lambda: problem_of(ROD, dirichlet(0.0, "x", where=lambda q: q > 1)), "argument of `where` of condition"),
        (lambda: problem_of(ROD, integral(lambda u: u, over="t", equals=0.0)), "axis of condition 'integral': 't'"),
        (lambda: problem_of(ROD, integral(lambda u: u, over="x", on="x=max", equals=0.0)), "'x', which is fixed there"),
        (lambda: problem_of(Box(t=(0, 1)), dirichlet(0.0)), r"time is the only axis here; initial\(...\) says"),
    ],
)
def test_what_a_condition_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda u: u.q, "Field 'u' has no attribute 'q'"),
        (lambda u: 1.0, "must be a torch tensor"),
        (lambda u: {"a": u.value, "b": u.value}, "several equations are several conditions"),
        (lambda w: w, "argument of condition 'condition' 'w'"),
        (lambda u: torch.complex(u.value, u.value), "is complex"),
    ],
)
def test_what_a_function_cannot_give_is_refused(function: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(resolve({"problem": problem_of(ROD, condition(function, on="x=max"))}), with_reference=False)


# what a review found


@pytest.mark.slow
@pytest.mark.parametrize("extra", [(), (condition(lambda u: u.n + u**4 + 1, on="x=max", name="radiation"),)])
def test_a_solved_problem_can_be_started_from(extra: tuple[Any, ...], tmp_path: Path) -> None:
    problem = problem_of(
        ROD,
        dirichlet(0.0, "x=min") if extra else dirichlet(0.0),
        *extra,
        residual=lambda self, u, x: u.xx + torch.pi**2 * torch.sin(torch.pi * x),
    )
    config = {"problem": problem, "network": {"hidden": [10, 10]}, "points": {"interior": 60}}
    config["train"] = [{"optimiser": "gauss_newton", "steps": 60}]
    first = pinnreg.solve(config, out=tmp_path / "run")
    assert first.history["loss"][-1] < 1e-17
    again = pinnreg.solve({**config, "start": str(tmp_path / "run")}, {"train.0.steps": 1}, out=False)
    assert again.history["loss"][0] < 1e-12


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(condition(lambda u: u.n, on="x=max"), marks=pytest.mark.slow),
        condition(lambda u: u.at(x=1.0).x, at={"x": 0.0}),
        pytest.param(neumann(0.0, "x=max"), marks=pytest.mark.slow),
        pytest.param(integral(lambda u, x: u * (x - 0.625), over="x", equals=0.0), marks=pytest.mark.slow),
    ],
    ids=["slope", "elsewhere", "neumann", "integral"],
)
def test_homogeneous_conditions_are_judged_beside_u(end: Any) -> None:
    problem = problem_of(ROD, dirichlet(0.0, "x=min"), end, residual=lambda self, u: u.xx + 1)
    config = {"problem": problem, "network": {"hidden": [5]}, "points": {"interior": 30}}
    solution = pinnreg.solve({**config, "train": [{"optimiser": "gauss_newton", "steps": 25}]}, out=False)
    assert solution.report is not None
    assert solution.report.facts["converged"], solution.report.facts["convergence"]


def test_rows_that_depend_on_each_other_are_refused() -> None:
    mean = condition(lambda u: u.value.mean().expand(len(u)), on="x")
    with pytest.raises(InputError, match=r"condition 'condition': its rows .* a mean is integral\(\.\.\., equals"):
        prepare(resolve({"problem": problem_of(SQUARE, mean)}), with_reference=False)


def test_u_outside_of_the_domain_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    ahead = problem_of(STRIP, residual=lambda self, u, t: u.t + u.at(t=t - 1.0))
    prepare(resolve({"problem": ahead, "points": FEW}), with_reference=False)
    assert "the residual: u is asked for at t from -" in caplog.text
    caplog.clear()
    within = problem_of(STRIP, residual=lambda self, u, t: u.t + u.at(t=t / 2) + integral(lambda u: u, over="x"))
    objective = prepare(resolve({"problem": within, "points": FEW}), with_reference=False).objective
    assert "outside" not in caplog.text
    assert not objective.in_time  # it may look ahead


@pytest.mark.parametrize("equals", ["1", True, math.inf, 1 + 2j, lambda x: x])
def test_what_an_integral_equals_is_checked(equals: Any) -> None:
    with pytest.raises(
        InputError, match=r"integral: (expected a number|its data are complex|what it equals cannot depend)"
    ):
        integral(lambda u: u, over="x", equals=equals)


def test_coordinates_of_outside_broadcast_in_an_integral() -> None:
    def residual(self: Any, u: Any, x: Any) -> Any:
        here = x
        return integral(lambda u: u.at(x=here), over="x") + 0 * u

    x = torch.rand(5, 1, dtype=torch.float64)
    sweep = on(ROD, torch.sin)(Points(x))
    found = evaluate_residual(problem_of(ROD, residual=residual), sweep)["residual"]
    assert torch.allclose(found, torch.sin(x[:, 0]))


def test_parameters_are_arguments_of_integrals_in_residuals_too() -> None:
    problem = problem_of(ROD, residual=lambda self, u: integral(lambda u, h: h * u, over="x") + 0 * u)
    sweep = on(ROD, lambda x: x)(Points(torch.rand(3, 1, dtype=torch.float64)))
    assert evaluate_residual(problem, sweep)["residual"].tolist() == pytest.approx([1.0] * 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"on": "x=max"}, "`on` and `at` are of a condition"),
        ({"at": {"x": 0.0}}, "`on` and `at` are of a condition"),
        ({"nodes": 3000}, "9000000 nodes, which each row sees, are too many; 131072 at most"),
    ],
)
def test_an_integral_in_a_residual_refuses_what_it_would_ignore(more: dict[str, Any], message: str) -> None:
    problem = problem_of(SQUARE, residual=lambda self, u: integral(lambda u: u, over=("x", "y"), **more) + 0 * u)
    sweep = on(SQUARE, lambda x, y: x)(Points(torch.rand(3, 2, dtype=torch.float64)))
    with pytest.raises(InputError, match=message):
        evaluate_residual(problem, sweep)
