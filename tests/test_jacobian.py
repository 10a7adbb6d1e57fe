"""The Jacobian of an objective's rows against automatic differentiation row by row, in every kind of term."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any, Literal

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor, nn

from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements, neumann, periodic, robin
from pinnreg.config import resolve
from pinnreg.equations import split_conditions
from pinnreg.objective import Linearised, PointSettings, linearise, objective_of
from pinnreg.objective.linearise import POINTS_OF_JACREV
from pinnreg.optimisers import GaussNewton
from pinnreg.regularisers import KTV as Variation
from pinnreg.run.prepare import prepare

F64 = torch.float64


@dataclass(frozen=True)
class Burgers(Problem):
    """One nonlinear equation; its conditions can be exact."""

    domain = Box(x=(-1, 1), t=(0, 1))
    conditions = (initial(lambda x: -torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t + u * u.x - 0.1 * u.xx


@dataclass(frozen=True)
class Wave(Problem):
    """Initial conditions of both orders, and ends of three kinds."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (
        initial(lambda x: torch.sin(pi * x)),
        initial(0.5, order=1, name="speed"),
        neumann(1.0, on="x=max"),
        robin(lambda t: 1 + t, 2.0, lambda t: torch.cos(3 * t), on="x=min"),
    )

    def residual(self, u: Any, x: Tensor) -> Any:
        return u.tt - x * u.xx + u**3


@dataclass(frozen=True)
class Coupled(Problem):
    """Three equations for two outputs, one of them without derivatives."""

    domain = Box(x=(0, 1), y=(0, 1))
    outputs = ("u", "v")
    conditions = (dirichlet(0.0, on="x", of="u"), neumann(1.0, on="y", of="v"), robin(1.0, 2.0, 3.0, on="y", of="u"))

    def residual(self, u: Any, v: Any, x: Tensor) -> Any:
        return {"momentum": u * u.x + v * u.y - u.laplacian, "mass": u.x + v.y, "closure": u * v - x}


@dataclass(frozen=True)
class Ring(Problem):
    """Two outputs on a ring: a row of the soft condition has two points, and a point four rows."""

    domain = Box(x=(0, 2), t=(0, 1))
    outputs = ("u", "v")
    conditions = (periodic("x", order=1), initial(lambda x: torch.sin(pi * x), of="u"), initial(0.0, of="v"))

    def residual(self, u: Any, v: Any) -> Any:
        return {"one": u.t + v.x, "two": v.t + u.x + u * v}


@dataclass(frozen=True)
class Ends(Problem):
    """Periodic in the values, and in two derivatives, of one output."""

    domain = Box(x=(0, 2), y=(0, 1))
    conditions = (periodic("x", order=2), periodic("y", order=0, name="y"))

    def residual(self, u: Any) -> Any:
        return u.biharmonic + u


@dataclass(frozen=True)
class Measured(Problem):
    """Known at three points."""

    domain = Box(x=(0, 1))
    conditions = (measurements([[0.1], [0.5], [0.7]], [1.0, 2.0, 0.0]), dirichlet(0.0, on="x=min"))

    def residual(self, u: Any) -> Any:
        return u.x - u


@dataclass(frozen=True)
class Fit(Problem):
    """No derivative at all."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(1.0),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return torch.exp(u) - x


@dataclass(frozen=True)
class Arch(Problem):
    """u'' = -π² sin πx, too much for one neuron."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return u.xx + pi**2 * torch.sin(pi * x)


Make = Callable[..., Placed]


def objective(problem: Problem, **sections: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [4, 3]},
        "points": {"interior": 11, "boundary": 6},
        "conditions": "soft",
        "balance": False,
        **sections,
    }
    config["points"] = {"interior": 11, "boundary": 6, **config["points"]}
    return placed(prepare(resolve(config), with_reference=False).objective)


def adapted(problem: Problem, **sections: Any) -> Placed:
    """With importance weights, which only a redraw of the collocation points gives."""
    points = {"resample": "residual", "resample_every": 5, "importance": True, **sections.pop("points", {})}
    of = objective(problem, points=points, **sections)
    return of.resample(of.parameters, 5)


KTV = {"kind": "ktv", "samples": 7, "weight": 0.3}
CASES: dict[str, tuple[Make, Problem, dict[str, Any]]] = {
    "exact conditions": (objective, Burgers(), {"conditions": "exact"}),
    "initial and dirichlet": (objective, Burgers(), {}),
    "initial, neumann and robin": (objective, Wave(), {}),
    "several equations and outputs": (objective, Coupled(), {}),
    "several equations and outputs, exact": (objective, Coupled(), {"conditions": "default"}),
    "periodic": (objective, Ring(), {}),
    "periodic of orders 0 and 2": (objective, Ends(), {}),
    "measurements": (objective, Measured(), {}),
    "only values": (objective, Fit(), {}),
    "balanced": (objective, Coupled(), {"balance": True, "weights": {"mass": 3.0}}),
    "ktv": (objective, Coupled(), {"regularisers": [{**KTV, "order": 1}, {**KTV, "order": 2}]}),
    "ktv, full": (objective, Burgers(), {"regularisers": [{**KTV, "mixed": "full"}], "conditions": "exact"}),
    "importance": (adapted, Coupled(), {"weights": {"mass": 3.0}}),
    "weights": (objective, Wave(), {"weights": {"residual": 2.5, "initial": 0.0, "speed": 1e-6, "robin": 1e6}}),
    "one hidden layer": (objective, Wave(), {"network": {"hidden": [5]}}),
    "sin": (objective, Wave(), {"network": {"hidden": [4, 3], "activation": "sin"}}),
    "gelu": (objective, Wave(), {"network": {"hidden": [4, 3], "activation": "gelu"}}),
    "Fourier features": (objective, Wave(), {"network": {"hidden": [4], "features": {"fourier": {"count": 2}}}}),
    "periodic features": (
        objective,
        Ring(),
        {"network": {"hidden": [4, 3], "features": {"periodic": {"x": 2}}}, "conditions": "exact"},
    ),
}


@dataclass(frozen=True)
class Case:
    """What several tests look at, made once for each kind of term: an objective, and the same in chunks."""

    of: Placed
    found: Linearised
    parts: Placed
    found_in_parts: Linearised


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    of, parts = made(request.param), made(request.param, chunk=4)
    return Case(of, of.linearise(of.parameters), parts, parts.linearise(parts.parameters))


def made(kind: str, **points: Any) -> Placed:
    make, problem, sections = CASES[kind]
    return make(problem, **{**sections, "points": points})


def scaled_rows(of: Placed, parameters: dict[str, Tensor]) -> Tensor:
    """√(w vᵢ/n) rᵢ of all terms, from the definition of the loss Σ w mean(v r²)."""
    return torch.cat(
        [
            (of.weights[name] * (1 if rows.importance is None else rows.importance) / rows.values.numel()) ** 0.5
            * rows.values
            for name, rows in of.rows(parameters).items()
        ]
    )


def row_by_row(of: Placed) -> tuple[Tensor, Tensor]:
    """All rows, and the gradient of each by automatic differentiation of it alone."""
    leaves = {name: value.detach().requires_grad_() for name, value in of.parameters.items()}
    rows = scaled_rows(of, leaves)
    gradients = [
        torch.autograd.grad(row, list(leaves.values()), retain_graph=True, materialize_grads=True) for row in rows
    ]
    return rows.detach(), torch.stack([torch.cat([each.reshape(-1) for each in row]) for row in gradients])


def assert_close(found: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert bool((found - expected).abs().max() <= tolerance * expected.abs().max())


def assert_same(one: Linearised, two: Linearised, tolerance: float = 1e-12) -> None:
    assert list(one.losses) == list(two.losses)
    for name, value in two.losses.items():
        assert float(one.losses[name]) == pytest.approx(float(value), rel=tolerance)
    assert_close(one.residuals, two.residuals, tolerance)
    assert_close(one.jacobian, two.jacobian, tolerance)


def without_layers(of: Placed) -> Linearised:
    """Linearised as if the network had other parameters than those of linear layers."""
    return linearise(of.objective, of.batch, of.parameters, by_layer=False)


# every kind of term


@pytest.mark.first(6)
def test_the_jacobian_is_that_of_automatic_differentiation(case: Case) -> None:
    of, found = case.of, case.found
    residuals, jacobian = row_by_row(of)
    assert of.evaluator._by_layer  # or this would be a test of the fallback
    assert_close(found.residuals, residuals)
    assert_close(found.jacobian, jacobian)
    # each column on its own scale: small ones, as those of a last bias, are as right as others
    scale = jacobian.abs().amax(dim=0)
    assert bool(((found.jacobian - jacobian).abs() <= 1e-11 * scale + 1e-15).all())


def test_the_jacobian_is_that_of_torch_func() -> None:
    of = made("several equations and outputs")
    by_parameter = torch.func.jacrev(lambda parameters: scaled_rows(of, parameters))(of.parameters)
    jacobian = torch.cat([each.detach().flatten(1) for each in by_parameter.values()], dim=1)
    assert list(by_parameter) == list(of.parameters)  # the order of the columns
    assert_close(of.linearise(of.parameters).jacobian, jacobian)


def test_losses_residuals_and_gradient_are_those_of_the_objective(case: Case) -> None:
    of, found = case.of, case.found
    assert not found.residuals.requires_grad
    assert not found.jacobian.requires_grad
    losses, gradient = of.gradient(of.parameters)
    assert list(found.losses) == list(of.names)
    assert all(float(found.losses[name]) == pytest.approx(float(losses[name]), rel=1e-13) for name in of.names)
    assert_close(found.residuals, of.residuals(of.parameters), 1e-14)
    assert float(found.residuals @ found.residuals) == pytest.approx(float(of.total(losses)), rel=1e-13)
    flat = torch.cat([each.reshape(-1) for each in gradient.values()])
    assert_close(2 * found.jacobian.T @ found.residuals, flat)
    # and the network's own gradients are left alone
    assert all(parameter.grad is None for parameter in of.parameters.values())


def assert_a_chunk_changes_nothing(whole: Placed, found: Linearised, parts: Placed, in_parts: Linearised) -> None:
    assert_same(in_parts, found)
    assert parts.evaluator._by_layer
    assert_close(parts.residuals(parts.parameters), whole.residuals(whole.parameters))


def test_a_chunk_changes_nothing(case: Case) -> None:
    assert_a_chunk_changes_nothing(case.of, case.found, case.parts, case.found_in_parts)


@pytest.mark.parametrize(
    ("kind", "chunk"),
    [
        ("periodic", 1),
        ("measurements", 2),
        pytest.param("importance", 10, marks=pytest.mark.slow),
        pytest.param("ktv", 1, marks=pytest.mark.slow),
    ],
)
def test_another_chunk_changes_nothing(kind: str, chunk: int) -> None:
    whole, parts = made(kind), made(kind, chunk=chunk)
    found, in_parts = (each.linearise(each.parameters) for each in (whole, parts))
    assert_a_chunk_changes_nothing(whole, found, parts, in_parts)


def test_the_way_through_any_parameters_agrees(case: Case) -> None:
    assert_same(without_layers(case.parts), case.found)


@pytest.mark.parametrize("kind", ["several equations and outputs", "periodic", "measurements", "importance"])
def test_single_precision(kind: str) -> None:
    make, problem, sections = CASES[kind]
    # sizes that are found depend on the parameters at the start, which are others in single precision
    sections = {**sections, "network": {"hidden": [4, 3], "scale": 2.0}}
    single, double = make(problem, **sections, dtype="float32"), make(problem, **sections)
    if kind == "importance":  # points chosen by a residual to rounding
        double = double.with_state({key: _in_double(value) for key, value in single.state().items()})
    at = {name: value.detach().double().requires_grad_() for name, value in single.parameters.items()}
    found, expected = single.linearise(single.parameters), double.linearise(at)
    assert single.evaluator._by_layer
    assert found.jacobian.dtype == found.residuals.dtype == torch.float32
    assert_close(found.jacobian.double(), expected.jacobian, 1e-4)
    assert_close(found.residuals.double(), expected.residuals, 1e-4)


def _in_double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) else value


def test_more_points_than_one_batch_of_the_fallback_holds() -> None:
    points = {"interior": 2 * POINTS_OF_JACREV + 5, "boundary": POINTS_OF_JACREV + 3}
    of, other = (objective(Ring(), points=points) for _ in range(2))
    assert_same(without_layers(other), of.linearise(of.parameters))


def test_more_measurements_than_one_batch_of_the_fallback_holds() -> None:
    @dataclass(frozen=True)
    class Many(Problem):
        domain = Box(x=(0, 1))
        conditions = (measurements([[i / 40] for i in range(40)], [i / 7 for i in range(40)]),)

        def residual(self, u: Any) -> Any:
            return u.x - u

    of, other = objective(Many()), objective(Many())
    assert_same(without_layers(other), of.linearise(of.parameters))


def test_a_weight_of_zero_gives_rows_of_zeros() -> None:
    of = made("weights")
    found = of.linearise(of.parameters)
    zero = (found.jacobian == 0).all(dim=1)
    start = next(len(rows.values) for rows in of.rows(of.parameters).values())
    assert zero.nonzero()[:, 0].tolist() == list(range(start, start + 6))
    assert float(found.losses["initial"]) > 0


def test_importance_enters_as_its_root() -> None:
    of = adapted(Coupled(), weights={"mass": 3.0})
    importance = of.points[""].importance
    assert importance is not None
    assert float(importance.std()) > 0.1
    plain = objective(Coupled(), weights={"mass": 3.0}, points={"resample": "residual", "resample_every": 5})
    plain = plain.resample(plain.parameters, 5)
    assert torch.equal(plain.x, of.x)
    weighted, unweighted = of.linearise(of.parameters), plain.linearise(plain.parameters)
    root = importance.sqrt().repeat(3)  # three equations
    assert_close(weighted.residuals[:33], root * unweighted.residuals[:33])
    assert_close(weighted.jacobian[:33], root[:, None] * unweighted.jacobian[:33])
    assert_close(weighted.jacobian[33:], unweighted.jacobian[33:])


def test_an_equation_that_the_network_does_not_change_has_no_derivative() -> None:
    @dataclass(frozen=True)
    class Known(Problem):
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0),)

        def residual(self, u: Any, x: Tensor) -> Any:
            return {"equation": u.xx + 1, "known": 3 * x + 0 * u}

    of = objective(Known(), conditions="default")
    residuals, jacobian = row_by_row(of)
    found = of.linearise(of.parameters)
    assert_close(found.residuals, residuals)
    assert_close(found.jacobian, jacobian)
    assert bool((found.jacobian[11:] == 0).all())


# one linearisation after another


def test_the_buffer_is_reused_and_filled_anew() -> None:
    of = made("periodic")
    first = of.linearise(of.parameters)
    before, at = first.jacobian.clone(), first.jacobian.data_ptr()
    residuals = first.residuals.clone()
    moved = {name: value.detach() + 0.1 for name, value in of.parameters.items()}
    second = of.linearise(moved)
    assert second.jacobian.data_ptr() == at
    assert not torch.allclose(second.jacobian, before, rtol=1e-3)
    assert torch.equal(first.residuals, residuals)  # valid for good
    assert torch.equal(of.linearise(of.parameters).jacobian, before)


def test_the_jacobian_lies_in_memory_one_parameter_after_the_other() -> None:
    found = made("periodic").linearise(made("periodic").parameters)
    assert found.jacobian.T.is_contiguous()
    assert found.jacobian.shape == (2 * 11 + 4 * 6 + 6 + 6, 2 * 4 + 4 + 4 * 3 + 3 + 3 * 2 + 2)


def test_new_points_and_weights_are_seen() -> None:
    of = objective(
        Wave(), regularisers=[{**KTV, "schedule": "linear"}], points={"resample": "fresh", "resample_every": 3}
    )
    for step in range(3):
        of = of.redraw(step, progress=step / 4).resample(of.parameters, 3 * step)
        residuals, jacobian = row_by_row(of)
        found = of.linearise(of.parameters)
        assert_close(found.residuals, residuals)
        assert_close(found.jacobian, jacobian)


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_a_chunk_bounds_how_many_points_the_network_sees(chunk: int) -> None:
    seen: list[int] = []
    of = made("periodic", chunk=chunk)
    of.network[-1].register_forward_hook(lambda module, inputs, output: seen.append(output.shape[0]))
    of.linearise(of.parameters)
    assert max(seen) == max(chunk, 2)  # a pair is never torn apart


def test_a_linearisation_at_a_minimum_still_goes_by_layers(caplog: pytest.LogCaptureFixture) -> None:
    # where the gradient is nothing but rounding, it cannot say how the parameters act
    sections = {"network": {"hidden": [1], "scale": 1.0}, "conditions": "default"}
    of, resumed = (objective(Arch(), **sections) for _ in range(2))
    optimiser = GaussNewton().start(of.parameters)
    while optimiser.advance(of.fixed, 0, 1).stop is None:
        pass
    found = of.linearise(of.parameters)
    parts = found.jacobian.abs().T @ found.residuals.abs()
    assert float(found.residuals @ found.residuals) > 1
    assert float((found.jacobian.T @ found.residuals).norm() / parts.norm()) < 1e-7
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        again = resumed.linearise(of.parameters)
    assert not caplog.records
    assert torch.equal(again.jacobian, found.jacobian)


@pytest.mark.parametrize("balance", [False, True])
def test_a_penalty_of_power_one_does_not_hide_the_layers(balance: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Its rows are no residuals, but the conditions can be balanced."""
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        of = objective(Burgers(), regularisers=[{**KTV, "power": 1}], balance=balance, train=[{"optimiser": "adam"}])
        assert not balance or of.weights["initial"] != 1
        for asked in (of.linearise, of.residuals):
            with pytest.raises(InputError, match=r"ktv: the mean of .* is no mean of squares"):
                asked(of.parameters)
    assert not caplog.records


# networks of other kinds


class Body(nn.Module):
    """Two linear layers around an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 4, dtype=F64), nn.Linear(4, 1, dtype=F64)

    def forward(self, points: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(points)))


class WithoutBias(Body):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 1, bias=False, dtype=F64)


class Twice(Body):
    """One layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, dtype=F64)

    def forward(self, points: Tensor) -> Tensor:
        return self.last(torch.tanh(self.inner(torch.tanh(self.inner(self.first(points))))))


class Scaled(Body):
    """A parameter besides the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.linspace(0.5, 1.5, 4, dtype=F64))

    def forward(self, points: Tensor) -> Tensor:
        return self.last(torch.tanh(self.slope * self.first(points)))


class Normalised(Body):
    """A layer's own parameter enters changed."""

    def forward(self, points: Tensor) -> Tensor:
        weight = self.first.weight / self.first.weight.norm()
        return self.last(torch.tanh(nn.functional.linear(points, weight, self.first.bias)))


class Reused(Body):
    """A layer's own parameter acts in another way too."""

    def forward(self, points: Tensor) -> Tensor:
        return super().forward(points) * self.first.bias.sum()


class Frozen(Body):
    """A layer that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.first.weight.requires_grad_(False)


class Unruled(Body):
    """An activation without a Taylor rule: the derivatives by the points pass the layers several times."""

    def forward(self, points: Tensor) -> Tensor:
        return self.last(torch.asinh(self.first(points)))


def of_network(network: nn.Module, problem: Problem | None = None, chunk: int | None = None) -> Placed:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=F64))
    problem = problem or Wave()
    points = PointSettings(interior=12, boundary=4, chunk=chunk)
    split = split_conditions(problem, "soft")
    return placed(objective_of(problem, split, network, points=points, weights={}, regularisers=[], seed=0))


@pytest.mark.parametrize(
    ("kind", "layers", "chunk"),
    [
        (Body, True, None),
        (WithoutBias, True, 7),
        (Frozen, True, 7),
        (Twice, True, None),
        (Twice, True, 7),
        (Scaled, False, None),
        (Normalised, False, 7),
        (Reused, False, None),
        (Reused, False, 7),
    ],
)
def test_other_networks(kind: Any, layers: bool, chunk: int | None, caplog: pytest.LogCaptureFixture) -> None:
    of = of_network(kind(), chunk=chunk)
    residuals, jacobian = row_by_row(of_network(kind()))
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        for _ in range(2):
            found = of.linearise(of.parameters)
    assert of.evaluator._by_layer == layers
    said = [record.message for record in caplog.records]
    assert said == ([] if layers else [said[0]])  # once
    assert layers or "its Jacobian takes longer" in said[0]
    assert_close(found.residuals, residuals)
    assert_close(found.jacobian, jacobian)


@pytest.mark.parametrize(("kind", "layers"), [(Body, True), (Scaled, False), (Normalised, False), (Reused, False)])
def test_other_networks_are_told_apart_in_single_precision_too(kind: Any, layers: bool) -> None:
    of = of_network(kind().float())
    of.linearise(of.parameters)
    assert of.x.dtype == torch.float32
    assert of.evaluator._by_layer == layers


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_network_without_taylor_rules() -> None:
    residuals, jacobian = row_by_row(of_network(Unruled()))
    of = of_network(Unruled())
    found = of.linearise(of.parameters)
    assert_close(found.residuals, residuals)
    assert_close(found.jacobian, jacobian)


@dataclass(frozen=True)
class HalfIdle(Problem):
    """The second equation does not change with what is trained."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0, on="x=min"),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return {"first": u.xx - x, "second": x - 0.5 + 0 * u}


class Unruled1d(Unruled):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(1, 4, dtype=F64)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mode", ["soft", "exact"])
def test_an_equation_without_slopes_beside_nested_derivatives(mode: Literal["soft", "exact"]) -> None:
    problem, points = HalfIdle(), PointSettings(interior=10, boundary=2)
    split = split_conditions(problem, mode)
    of = placed(objective_of(problem, split, Unruled1d(), points=points, weights={}, regularisers=[], seed=0))
    found = of.linearise(of.parameters)
    assert found.jacobian[found.rows["first"]].any()
    assert not found.jacobian[found.rows["second"]].any()
    assert_gradient(of)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("balance", [False, True])
def test_a_penalty_may_need_rows_where_the_equations_need_layers(balance: bool) -> None:
    """Without derivatives the layers are all there is; the penalty's derivatives are nested."""
    problem, points = Algebraic(), PointSettings(interior=10, boundary=2)
    split = split_conditions(problem, "soft")
    penalties = [Variation(order=1, weight=1.0, samples=12)]
    of = placed(
        objective_of(
            problem, split, Unruled1d(), points=points, weights={}, regularisers=penalties, seed=0, balance=balance
        )
    )
    assert_gradient(of)


@dataclass(frozen=True)
class Algebraic(Problem):
    """An equation without derivatives."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0, on="x=min"),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return u - torch.sin(3 * x)


def assert_gradient(of: Placed) -> None:
    """2 Jᵀ r is the gradient."""
    found, (_, gradient) = of.linearise(of.parameters), of.gradient(of.parameters)
    expected = torch.cat([each.reshape(-1) for each in gradient.values()])
    assert_close(2 * found.jacobian.T @ found.residuals, expected)


# parts of a block


def test_a_part_of_a_block_has_its_rows_and_what_is_known_on_them() -> None:
    of = made("importance")
    block = of.points[""]
    part = block.part(slice(3, 8))
    assert torch.equal(part.x, block.x[3:8])
    assert part.importance is not None
    assert block.importance is not None
    assert torch.equal(part.importance, block.importance[3:8])
    assert part.normals is None
    for name, rows in of.rows_at("", block, of.parameters).items():
        assert_close(of.rows_at("", part, of.parameters)[name].values, rows.values[3:8])


def test_a_part_keeps_pairs_and_normals_together() -> None:
    of = made("periodic")
    block = of.points["periodic"]
    part = block.part(slice(2, 4))
    assert part.points_per_row == 2
    assert part.x.tolist() == block.x[[2, 3, 8, 9]].tolist()
    low, high = part.x.chunk(2)
    assert torch.equal(low[:, 1], high[:, 1])
    walls = made("initial, neumann and robin").points["robin"]
    some = walls.part(slice(1, 5))
    assert some.normals is not None
    assert walls.normals is not None
    assert torch.equal(some.normals, walls.normals[1:5])
    assert torch.equal(some.x, walls.x[1:5])


def test_a_part_of_measurements_keeps_their_values() -> None:
    @dataclass(frozen=True)
    class Many(Problem):
        domain = Box(x=(0, 1))
        conditions = (measurements([[i / 999] for i in range(999)], [i / 7 for i in range(999)]), dirichlet(0.0))

        def residual(self, u: Any) -> Any:
            return u.x - u

    # so many that the balance of the other condition looks at some of them only
    of = objective(Many(), balance=True)
    assert of.weights["dirichlet"] != 1
    assert of.weights["measurements"] == 1
    block = of.points["measurements"]
    with torch.no_grad():
        whole = of.rows_at("measurements", block, of.parameters)["measurements"].values
        for rows in (slice(5, 9), slice(0, 999, 100)):
            part = of.rows_at("measurements", block.part(rows), of.parameters)["measurements"].values
            assert_close(part, whole[rows])


def test_a_part_does_not_evaluate_the_data_again() -> None:
    calls: list[int] = []

    def data(x: Tensor) -> Tensor:
        calls.append(len(x))
        return torch.sin(pi * x)

    @dataclass(frozen=True)
    class Counted(Problem):
        domain = Box(x=(0, 1), t=(0, 1))
        conditions = (initial(data), dirichlet(0.0, on="x"))

        def residual(self, u: Any) -> Any:
            return u.t - u.xx

    of = objective(Counted(), conditions="exact", points={"chunk": 2})
    of.linearise(of.parameters)
    calls.clear()
    for _ in range(3):
        of.linearise(of.parameters)
    assert not calls


# cost


def test_one_pass_an_equation_and_none_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    of = made("several equations and outputs")
    of.linearise(of.parameters)
    count = [0]
    grad = torch.autograd.grad

    def counted(*args: Any, **options: Any) -> Any:
        count[0] += 1
        return grad(*args, **options)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    of.linearise(of.parameters)
    assert count[0] == 3 + 3  # equations and conditions
    assert math.isfinite(float(of.linearise(of.parameters).jacobian.sum()))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["several equations and outputs", "periodic", "importance"])
def test_cuda_agrees(kind: str) -> None:
    make, problem, sections = CASES[kind]
    here, there = make(problem, **sections, device="cpu"), make(problem, **sections, device="cuda")
    if kind == "importance":  # a device has its own random numbers
        there = there.with_state(here.state())
    found, expected = there.linearise(there.parameters), here.linearise(here.parameters)
    assert found.jacobian.device.type == "cuda"
    assert_close(found.jacobian.cpu(), expected.jacobian, 1e-10)
    assert_close(found.residuals.cpu(), expected.residuals, 1e-10)
