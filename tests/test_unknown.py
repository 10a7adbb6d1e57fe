"""Unknown coefficients: their columns of the Jacobian, and what they are found to be."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from math import pi
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from pairs import pairwise
from pydantic import PositiveFloat
from torch import Tensor, nn

import pinnreg
from pinnreg import Box, Problem, dirichlet, initial, measurements
from pinnreg.config import resolve
from pinnreg.equations import Unknown, split_conditions
from pinnreg.objective import PointSettings, objective_of
from pinnreg.regularisers import GPINN, Jacobian, NoiseStability, Ridge
from pinnreg.run import Solution
from pinnreg.run.prepare import prepare

F64 = torch.float64
TRUTH = 0.7
AT = [(0.1 * i, 0.15 * j) for i in range(1, 10) for j in range(1, 5)]


def exact(x: float, t: float) -> float:
    """The solution for the true coefficient."""
    return math.exp(-TRUTH * pi**2 * t / 4) * math.sin(pi * x)


@dataclass(frozen=True)
class Measured(Problem):
    """u_t = α/4 u_xx with exact measurements for α = 0.7."""

    alpha: PositiveFloat = 0.4
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (
        initial(lambda x: torch.sin(pi * x)),
        dirichlet(0.0, on="x"),
        measurements(AT, [exact(*at) for at in AT]),
    )

    def residual(self, u: Any) -> Any:
        return u.t - self.alpha / 4 * u.xx


@dataclass(frozen=True)
class Pair(Problem):
    """Two equations with three coefficients, one of them in both."""

    rate: float = 0.5
    speed: float = -2.0
    power: PositiveFloat = 1.5
    outputs = ("u", "v")
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: x, of="u"), dirichlet(0.0, on="x", of="v"))

    def residual(self, u: Any, v: Any, x: Tensor) -> Any:
        first = u.t - torch.exp(self.rate * x) * u.xx + self.speed * v
        return {"first": first, "second": v.t - self.rate**2 * u * v.x - self.power * v.xx}


THREE = {"rate": {"start": 0.8}, "speed": {"start": -3.0}, "power": {"start": 2.5, "positive": True}}
GPINN_AND_NOISE: list[dict[str, Any]] = [
    {"kind": "gpinn", "weight": 0.1},
    {"kind": "noise_stability", "sigma": 0.1, "unperturbed": 0.2},
    {"kind": "ridge", "weight": 0.3},
]


def objective(problem: Problem | None = None, unknown: dict[str, Any] | None = None, **sections: Any) -> Placed:
    config = {
        "problem": problem or Pair(),
        "network": {"hidden": [4, 3]},
        "unknown": THREE if unknown is None else unknown,
        **sections,
        "points": {"interior": 7, "boundary": 4, **sections.get("points", {})},
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


class Scaled(nn.Module):
    """A network with a parameter besides those of its layers."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.last = nn.Linear(2, 4, dtype=F64), nn.Linear(4, 2, dtype=F64)
        self.slope = nn.Parameter(torch.linspace(0.5, 1.5, 4, dtype=F64))

    def forward(self, points: Tensor) -> Tensor:
        return self.last(torch.tanh(self.slope * self.first(points)))


def of_scaled(chunk: int | None = None) -> Placed:
    problem = Pair()
    objective = objective_of(
        problem,
        split_conditions(problem, "soft"),
        Scaled(),
        points=PointSettings(interior=10, boundary=6, chunk=chunk),
        weights={},
        regularisers=[GPINN(weight=0.1), Jacobian(), Ridge(), NoiseStability(sigma=0.1)],
        unknown={"rate": Unknown(0.8), "power": Unknown(2.5, positive=True)},
        seed=0,
    )
    return placed(objective)


def by_torch_func(of: Placed) -> Tensor:
    """The Jacobian of √(s w/n) r(W + U) of all terms and shifts."""

    def rows(parameters: dict[str, Tensor]) -> Tensor:
        found = []
        for name in of.names:
            for shift in of.batch.shifts:
                moved = {key: each + (shift.offset or {}).get(key, 0.0) for key, each in parameters.items()}
                each = of.rows(moved)[name]
                found.append((shift.share * of.weights[name] / each.values.numel()) ** 0.5 * each.residuals)
        return torch.cat(found)

    tables = torch.func.jacrev(rows)(of.parameters)
    return torch.cat([each.detach().reshape(each.shape[0], -1) for each in tables.values()], dim=1)


# the Jacobian


@pytest.mark.first(1)
@pairwise(regularisers=[[], GPINN_AND_NOISE], conditions=["default", "soft"], chunk=[None, 4])
def test_the_columns_of_the_coefficients(
    regularisers: list[dict[str, Any]], conditions: str, chunk: int | None
) -> None:
    sections = {"regularisers": regularisers, "conditions": conditions, "balance": False}
    of = objective(points={"chunk": chunk}, **sections)
    found, expected = of.linearise(of.parameters).jacobian, by_torch_func(objective(**sections))
    assert of.evaluator._by_layer
    assert list(of.parameters)[-3:] == ["unknown.rate", "unknown.speed", "unknown.power"]
    assert (expected[:, -3:].abs().amax(dim=0) > 1e-3).all()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11 * float(expected.abs().max()))
    gradient = of.gradient(of.parameters)[1]
    slopes = torch.stack([gradient[name] for name in of.model.coefficients])
    linear = 2 * found[:, -3:].T @ of.residuals(of.parameters)
    torch.testing.assert_close(slopes, linear, rtol=1e-9, atol=1e-11)


@pytest.mark.first(1)
@pytest.mark.parametrize("chunk", [None, 4])
def test_importance_enters_the_columns(chunk: int | None) -> None:
    points = {"resample": "residual", "resample_every": 5, "importance": True}
    of = objective(points={**points, "chunk": chunk}, regularisers=[{"kind": "gpinn", "weight": 0.1}])
    plain = objective(points=points, regularisers=[{"kind": "gpinn", "weight": 0.1}])
    plain = plain.resample(plain.parameters, 5)
    of = of.with_state(plain.state())
    importance = of.points[""].importance
    assert importance is not None
    assert float(importance.std()) > 0.1
    expected = by_torch_func(plain)
    found = of.linearise(of.parameters).jacobian
    assert of.evaluator._by_layer
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11 * float(expected.abs().max()))


@pytest.mark.parametrize("chunk", [None, 4])
def test_the_columns_where_layers_do_not_suffice(chunk: int | None, caplog: pytest.LogCaptureFixture) -> None:
    of = of_scaled(chunk)
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        found = of.linearise(of.parameters).jacobian
    assert not of.evaluator._by_layer
    assert [record.message[:40] for record in caplog.records] == ["not all of the network's parameters sit i"[:40]]
    expected = by_torch_func(of_scaled())
    assert (expected[:, -2:].abs().amax(dim=0) > 1e-3).all()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11 * float(expected.abs().max()))


# values


@pytest.mark.parametrize(
    ("unknown", "first", "value", "slope"),
    [
        (Unknown(2.5), 1.0, 2.5, 2.5),
        (Unknown(-3.0), -1.0, -3.0, 3.0),
        (Unknown(0.0), 0.0, 0.0, 1.0),
        (Unknown(2.5, positive=True), 0.0, 2.5, 2.5),
    ],
)
def test_what_is_trained_is_of_the_size_of_one(unknown: Unknown, first: float, value: float, slope: float) -> None:
    theta = torch.tensor(unknown.first, dtype=F64, requires_grad=True)
    found = unknown.value(theta)
    assert theta.item() == first
    assert found.item() == value
    assert torch.autograd.grad(found, theta)[0].item() == pytest.approx(slope)


def test_a_positive_one_cannot_leave_its_side() -> None:
    for theta in (-50.0, -3.0, 40.0):
        assert Unknown(1e-3, positive=True).value(torch.tensor(theta, dtype=F64)).item() > 0
        assert Unknown(1e-3).value(torch.tensor(theta, dtype=F64)).item() * theta > 0
    # pulled beyond zero, as a solution that grows pulls a diffusivity
    stage = {"optimiser": "adam", "steps": 30, "learning_rate": 0.1}
    small: dict[str, Any] = {"network": {"hidden": [10]}, "points": {"interior": 50}}
    free, positive = (
        solved(stage, problem=Growing(), unknown={"alpha": {"start": 0.05, "positive": each}}, **small)
        for each in (False, True)
    )
    assert free.unknown["alpha"] < 0 < positive.unknown["alpha"] < 0.05


@dataclass(frozen=True)
class Growing(Problem):
    """Measured where it grows as if α were -0.1."""

    alpha: float = 1.0
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (
        initial(lambda x: torch.sin(pi * x)),
        dirichlet(0.0, on="x"),
        measurements(AT, [math.exp(0.1 * pi**2 * t) * math.sin(pi * x) for x, t in AT]),
    )

    def residual(self, u: Any) -> Any:
        return u.t - self.alpha * u.xx


# what they are found to be


def solved(*stages: dict[str, Any], problem: Problem | None = None, **sections: Any) -> Solution:
    config = {
        "problem": problem or Measured(),
        "network": {"hidden": [10, 10]},
        "weights": {"measurements": 10.0},
        "unknown": {"alpha": {"start": 2.0}},
        "train": list(stages),
        "evaluate": {"grid": 5},
        **sections,
        "points": {"interior": 200, "resample_every": None, **sections.get("points", {})},
    }
    return pinnreg.solve(config, out=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unknown", [pytest.param({"start": 2.0}, marks=pytest.mark.slow), {"start": 0.2, "positive": True}]
)
def test_gauss_newton_finds_the_coefficient(unknown: dict[str, Any]) -> None:
    stage = {"optimiser": "gauss_newton", "steps": 20}
    found = solved(stage, unknown={"alpha": unknown}, network={"hidden": [8, 8]}, points={"interior": 100})
    assert found.history["unknown_alpha"][0] == pytest.approx(unknown["start"], rel=1e-15)
    assert found.unknown["alpha"] == pytest.approx(TRUTH, rel=1e-6)
    assert found([[0.5, 0.5]]).item() == pytest.approx(exact(0.5, 0.5), rel=1e-5)


@pytest.mark.slow
def test_adam_and_lbfgs_find_the_coefficient() -> None:
    stages = [{"optimiser": "adam", "steps": 50, "learning_rate": 1e-2}, {"optimiser": "lbfgs", "steps": 100}]
    found = solved(*stages, network={"hidden": [8, 8]}, points={"interior": 100})
    assert found.unknown["alpha"] == pytest.approx(TRUTH, rel=1e-2)
