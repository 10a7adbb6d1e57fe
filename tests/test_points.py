"""Importance weights of points that were drawn by the residual: what they are, and that they undo the choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

from pinnreg import Box, Problem, dirichlet
from pinnreg.config import resolve
from pinnreg.objective import INTERIOR
from pinnreg.objective.sampling import adapted_points
from pinnreg.run.prepare import prepare

CPU = torch.device("cpu")
F64 = torch.float64
SQUARE = Box(x=(0, 1), y=(0, 1))


@dataclass(frozen=True)
class Slope(Problem):
    """A residual that no network changes: 3 x, and one that any does."""

    domain = SQUARE
    outputs = ("u",)
    conditions = (dirichlet(0.0, on="x=min"),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return {"known": 0 * u.x + 3 * x, "other": u.xx + u.y}


def objective(**sections: Any) -> Placed:
    points = {"interior": 40, "boundary": 12, "resample_every": 10, "resample": "residual", "importance": True}
    config = {"problem": Slope(), "network": {"hidden": [5]}, "conditions": "soft", "balance": False, **sections}
    config["points"] = points | config.get("points", {})
    return placed(prepare(resolve(config), with_reference=False).objective)


def saved(of: Placed) -> Any:
    """What a checkpoint keeps of the collocation points."""
    return of.state()["placed"][INTERIOR]


def steep(points: Tensor) -> Tensor:
    return 0.1 + 10 * points[:, 0] ** 4


def drawn(count: int, step: int, size: Any = steep) -> tuple[Tensor, Tensor]:
    return adapted_points(size, SQUARE, count, 0, step, device=CPU, dtype=F64)


def test_a_point_counts_in_inverse_proportion_to_its_density(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[Tensor] = []

    def size(points: Tensor) -> Tensor:
        pools.append(points)
        return steep(points)

    points, importance = drawn(50, 3, size)
    density = steep(points) / steep(pools[0]).mean() + 1
    assert importance.shape == (50,)
    assert float(importance.mean()) == pytest.approx(1)
    products = importance * density
    assert torch.allclose(products, products.mean())
    assert float(importance.max() / importance.min()) > 2


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_without_a_usable_residual_all_points_count_alike(value: float) -> None:
    _, importance = drawn(50, 1, lambda points: torch.full_like(points[:, 0], value))
    assert torch.equal(importance, torch.ones(50, dtype=F64))


def test_a_mean_with_importance_is_that_over_the_domain() -> None:
    """∫ x² is estimated up to the effect of drawing without replacement; without the weights it is far off."""
    plain, weighted = [], []
    for step in range(60):
        points, importance = drawn(100, step)
        squares = points[:, 0] ** 2
        plain.append(squares.mean())
        weighted.append((importance * squares).mean())
    errors = [abs(float(torch.stack(each).mean()) - 1 / 3) for each in (plain, weighted)]
    assert errors[1] < 0.03
    assert errors[0] > 0.1


def test_the_loss_of_an_equation_is_weighted_and_those_of_conditions_are_not() -> None:
    of = objective()
    assert saved(of)["importance"] is None  # the first points are not drawn by the residual
    of = of.resample(of.parameters, 10)
    importance = saved(of)["importance"]
    points = saved(of)["x"]
    with torch.no_grad():
        losses, rows = of.losses(of.parameters), of.rows(of.parameters)
    assert float(losses["known"]) == pytest.approx(float((importance * 9 * points[:, 0] ** 2).mean()))
    assert float(losses["other"]) == pytest.approx(float((importance * rows["other"].values ** 2).mean()))
    assert float(losses["dirichlet"]) == pytest.approx(float((rows["dirichlet"].values ** 2).mean()))
    assert rows["dirichlet"].importance is None


def test_importance_is_an_option_and_does_not_change_the_points() -> None:
    points = {"interior": 400}
    weighted, plain = (
        objective(weights={"other": 0.0}, points=points | {"importance": each}) for each in (True, False)
    )
    weighted, plain = (of.resample(of.parameters, 10) for of in (weighted, plain))
    assert torch.equal(saved(weighted)["x"], saved(plain)["x"])
    assert saved(plain)["importance"] is None
    one, two = (of.losses(of.parameters)["known"].item() for of in (weighted, plain))
    # the mean of 9 x² over the domain is 3; points where x is large are preferred
    assert abs(one - 3) < 0.3
    assert two > 3.4


def test_the_next_points_do_not_depend_on_importance() -> None:
    """The size of the residual is that of the equations themselves."""
    weighted, plain = objective(), objective(points={"importance": False})
    for step in (10, 20):
        weighted, plain = (of.resample(of.parameters, step) for of in (weighted, plain))
    assert torch.equal(saved(weighted)["x"], saved(plain)["x"])


def test_a_saved_state_has_the_importance() -> None:
    one, two = objective(), objective()
    one = one.resample(one.parameters, 10)
    two = two.with_state(one.state())
    assert torch.equal(saved(two)["importance"], saved(one)["importance"])
    assert all(
        torch.equal(two.losses(two.parameters)[name], value) for name, value in one.losses(one.parameters).items()
    )
    saved(one)["importance"].zero_()  # a copy
    assert float(saved(one)["importance"].sum()) > 0


def test_the_gradient_is_that_of_the_weighted_loss() -> None:
    of = objective(problem=Slope())
    of = of.resample(of.parameters, 10)
    importance, points = saved(of)["importance"], saved(of)["x"]
    _, gradient = of.gradient(of.parameters)

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        rows = of.rows(parameters)
        own = sum((importance * rows[name].values.square()).mean() for name in ("known", "other"))
        return own + rows["dirichlet"].values.square().mean()

    expected = torch.autograd.grad(loss(of.parameters), list(of.parameters.values()), materialize_grads=True)
    assert len(points) == len(importance)
    for found, each in zip(gradient.values(), expected, strict=True):
        assert torch.allclose(found, each, rtol=1e-10, atol=1e-12)
