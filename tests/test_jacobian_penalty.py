"""The Jacobian penalty: against torch.func, its random projections, its centre, and where it is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

import pytest
import torch
from objectives import Placed, penalty_rows, placed, value_of
from scipy import stats
from torch import Tensor

from pinnreg import Box, Problem, dirichlet, initial
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.objective import Rows
from pinnreg.regularisers import KTV, Jacobian, PointPenalty
from pinnreg.run.prepare import prepare

F64 = torch.float64
Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Slab(Problem):
    """One output on a domain of volume 3, with exact data that have a slope in both axes."""

    domain = Box(x=(-1, 1), t=(0, 1.5))
    conditions = (initial(lambda x: x + torch.sin(pi * x)), dirichlet(lambda x, t: x * (1 + t), on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@dataclass(frozen=True)
class Three(Problem):
    """Three outputs with exact data of different kinds: on two axes, on one, none."""

    domain = Box(x=(0, 2), y=(0, 1), t=(0, 1))
    outputs = ("u", "v", "w")
    conditions = (
        dirichlet(lambda y, t: torch.cos(y + t), on="x", of="u"),
        initial(lambda x, y: torch.cos(y) + x * (2 - x), of="u"),
        dirichlet(lambda x: x**2, on="y=min", of="v"),
    )

    def residual(self, u: Any, v: Any, w: Any) -> Any:
        return {"first": u.t - v.x, "second": v.t - w.y, "third": w.t + u.xx}


def objective(problem: Problem, *regularisers: dict[str, Any], **sections: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [4]},
        "regularisers": [{"kind": "jacobian", **each} for each in regularisers],
        "train": [{"optimiser": "adam"}],
        **sections,
        "points": {"interior": 16, "boundary": 6, **sections.get("points", {})},
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def trial_function(of: Placed) -> Function:
    """The trial function of points (n, d) at the initial parameters, (n, outputs), in torch's own operations."""
    return lambda points: of.trial(of.model.network_at(of.parameters), points)


def jacobians(function: Function, points: Tensor) -> Tensor:
    """The Jacobian at each point, (n, outputs, d), by torch.func."""
    return torch.func.vmap(torch.func.jacrev(lambda point: function(point[None])[0]))(points)


def rows_of(penalty: PointPenalty, of: Placed, points: Tensor) -> Rows:
    sweep = Sweep(of.trial, of.model.network_at(of.parameters), Points(points))
    return penalty_rows(penalty, of.problem, sweep)


def some_points(domain: Box, count: int = 20) -> Tensor:
    return domain.interior(torch.rand((count, domain.dimension), generator=torch.Generator().manual_seed(1), dtype=F64))


def gradient_of(value: Tensor, of: Placed) -> Tensor:
    found = torch.autograd.grad(value, list(of.parameters.values()), retain_graph=True, materialize_grads=True)
    return torch.cat([each.reshape(-1) for each in found])


# the exact norm


@pytest.mark.parametrize("conditions", ["exact", pytest.param("soft", marks=pytest.mark.slow)])
@pytest.mark.parametrize("axes", ["all", "space", ("t",)])
def test_for_one_output_it_is_the_density_of_the_total_variation(axes: Any, conditions: str) -> None:
    of = objective(Slab(), conditions=conditions)
    points = some_points(of.problem.domain)
    found = value_of(rows_of(Jacobian(axes=axes), of, points))
    expected = value_of(rows_of(KTV(order=1, power=2, axes=axes), of, points)) / 3.0
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(gradient_of(found, of), gradient_of(expected, of), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("conditions", ["default", pytest.param("soft", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("axes", "columns"), [("all", [0, 1, 2]), ("space", [0, 1]), (("t", "x"), [0, 2]), (("y", "y"), [1])]
)
def test_it_is_the_squared_norm_of_the_jacobian(axes: Any, columns: list[int], conditions: str) -> None:
    of = objective(Three(), conditions=conditions)
    assert any(of.trial.data) == (conditions == "default")
    points = some_points(of.problem.domain)
    found = rows_of(Jacobian(axes=axes), of, points)
    expected = jacobians(trial_function(of), points)[:, :, columns].square().sum(dim=(1, 2)).mean()
    assert found.values.shape == (20 * 3 * len(columns),)  # a row a point, output and axis
    torch.testing.assert_close(value_of(found), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient_of(value_of(found), of), gradient_of(expected, of), rtol=1e-10, atol=1e-12)


@pytest.mark.first(1)
@pytest.mark.parametrize("chunk", [pytest.param(None, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("settings", [{}, {"projections": 2, "samples": 4}, {"centre": "data", "axes": "space"}])
def test_gauss_newton_sees_the_same_rows(settings: dict[str, Any], chunk: int | None) -> None:
    of = objective(Three(), {"weight": 0.3, **settings}, points={"interior": 4, "chunk": chunk})
    found = of.linearise(of.parameters)
    assert of.evaluator._by_layer  # or mistakes would be noticed, and the fallback would mend them
    rows = of.rows(of.parameters)["jacobian"].residuals
    rows = (0.3 / rows.numel()) ** 0.5 * rows
    place = found.rows["jacobian"]
    torch.testing.assert_close(found.residuals[place], rows.detach(), rtol=1e-12, atol=1e-14)
    slopes = torch.stack([gradient_of(row, of) for row in rows.unbind()] if chunk is None else _again(of, len(rows)))
    torch.testing.assert_close(found.jacobian[place], slopes, rtol=1e-11, atol=1e-13)


def _again(of: Placed, count: int) -> list[Tensor]:
    """Row by row, each with a graph of its own: that of a chunk can be passed once only."""
    scale = (0.3 / count) ** 0.5
    return [scale * gradient_of(of.rows(of.parameters)["jacobian"].residuals[row], of) for row in range(count)]


# projections


def rejected(drawn: Tensor, expected: Tensor) -> bool:
    """Whether t-tests of the columns' means reject the expected ones, at a level of 1e-4 for all together."""
    steps, columns = drawn.shape
    error = drawn.std(dim=0) / steps**0.5 + 1e-9 * expected.norm()
    largest = ((drawn.mean(dim=0) - expected).abs() / error).max()
    return bool(largest > stats.t.ppf(1 - 1e-4 / (2 * columns), df=steps - 1))


@pytest.mark.parametrize(
    ("projections", "centre"),
    [
        (1, "zero"),
        pytest.param(2, "data", marks=pytest.mark.slow),
        pytest.param(1, "data", marks=pytest.mark.slow),
        pytest.param(2, "zero", marks=pytest.mark.slow),
    ],
)
def test_projections_are_unbiased_in_value_and_gradient(projections: int, centre: str) -> None:
    points = {"interior": 384}  # many points and few steps: a step costs more than its points
    of = objective(Three(), {"projections": projections, "centre": centre}, points=points)
    exact = objective(Three(), {"centre": centre}, points=points)
    truth = exact.losses(exact.parameters)["jacobian"]
    slope, truth = gradient_of(truth, exact), truth.detach().reshape(1)
    values, gradients = [], []
    for step in range(100):
        of = of.redraw(step, progress=0, smooth=False)
        value = of.losses(of.parameters)["jacobian"]
        values.append(value.detach().reshape(1))
        gradients.append(gradient_of(value, of))
    drawn, slopes = torch.stack(values), torch.stack(gradients)
    assert drawn.std() > 0
    assert not rejected(drawn, truth)
    assert not rejected(slopes, slope)
    # the tests have power: a factor that is 5 % off, and the number of outputs or of projections forgotten
    along, one = slopes @ slope[:, None] / slope.square().sum(), torch.ones(1, dtype=F64)
    assert not rejected(along, one)
    for factor in (0.95, 1.05, 1 / 3, 2, 3):
        assert rejected(factor * drawn, truth)
        assert rejected(factor * along, one)


@pytest.mark.parametrize("projections", [1, 4])
def test_projections_are_unit_vectors_for_each_point_of_no_preferred_direction(projections: int) -> None:
    draws = torch.Generator().manual_seed(0)
    vectors = Jacobian(projections=projections).draw(5000, 3, draws, torch.empty(0, dtype=F64))
    assert vectors is not None
    assert vectors.shape == (5000, projections, 3)
    torch.testing.assert_close(vectors.norm(dim=2), torch.ones(5000, projections, dtype=F64))
    flat_vectors = vectors.reshape(-1, 3)
    second = flat_vectors.T @ flat_vectors / len(flat_vectors)
    # E v vᵀ = I/C; the variance of v_i² is 4/45 on the sphere
    error = 5 * (4 / 45 / len(flat_vectors)) ** 0.5
    assert float((second - torch.eye(3, dtype=F64) / 3).abs().max()) < error
    # normalised vectors from a cube would have these first two moments too; on the sphere E v_i⁴ = 1/5
    assert float(flat_vectors.pow(4).mean()) == pytest.approx(1 / 5, abs=0.005)


def test_projections_are_drawn_anew_at_each_step_and_repeat() -> None:
    of = objective(Three(), {"projections": 2}, {"projections": 2})

    def drawn(step: int) -> tuple[Tensor, Tensor]:
        points = of.redraw(step, progress=0).points
        one, two = points["jacobian"].values, points["jacobian_2"].values
        assert one is not None
        assert two is not None
        return one, two

    first, other = drawn(3)
    assert first.shape == (16, 2, 3)
    assert not torch.equal(first, other)  # two penalties draw for themselves
    assert not torch.equal(first, drawn(4)[0])
    assert torch.equal(first, drawn(3)[0])


# the centre


@pytest.mark.parametrize("chunk", [pytest.param(None, marks=pytest.mark.slow), 5])
@pytest.mark.parametrize("problem", [Slab(), Three()])
def test_the_data_centre_is_the_gradient_of_the_interpolation(problem: Problem, chunk: int | None) -> None:
    of = objective(problem, {"centre": "data"}, {"centre": "zero"}, conditions="default", points={"chunk": chunk})
    points = of.points["jacobian"].x
    centre = jacobians(of.trial.g, points)
    assert float(centre.abs().max()) > 0.5
    expected = (jacobians(trial_function(of), points) - centre).square().sum(dim=(1, 2)).mean()
    assert of.losses(of.parameters)["jacobian"].item() == pytest.approx(expected.item(), rel=1e-12)
    zero = {name: torch.zeros_like(each).requires_grad_() for name, each in of.parameters.items()}
    vanishing = of.losses(zero)
    assert vanishing["jacobian"].item() < 1e-28
    assert vanishing["jacobian_2"].item() == pytest.approx(float(centre.square().sum(dim=(1, 2)).mean()), rel=1e-12)


def test_a_centre_of_numbers_is_subtracted_from_its_axes() -> None:
    domain, trial = Box(x=(0, 1), t=(0, 1)), Trial(("x", "t"), ("u", "v"), ((), ()))
    slopes = torch.tensor([[1.5, 1.5], [-2.0, 0.5]], dtype=F64)  # u_x = v_x = 1.5, u_t = -2, v_t = 0.5

    def value(**settings: Any) -> float:
        sweep = Sweep(trial, lambda at: at @ slopes, Points(some_points(domain)))
        return value_of(penalty_rows(Jacobian(**settings), Slab(), sweep)).item()

    assert value() == pytest.approx(2 * 1.5**2 + 2.0**2 + 0.5**2)
    assert value(centre={"x": 1.5}) == pytest.approx(2.0**2 + 0.5**2)
    assert value(centre={"t": 1.0, "x": 0.5}) == pytest.approx(2 * 1.0**2 + 3.0**2 + 0.5**2)
    assert value(centre={"x": 1.5}, axes=("x",)) == pytest.approx(0, abs=1e-28)


# where it is taken


def test_the_collocation_points_are_used_and_the_new_ones_after_a_resample() -> None:
    of = objective(Slab(), {}, {"samples": 9}, points={"resample": "fresh", "resample_every": 4})
    drawn = of.points["jacobian_2"].x.clone()
    for step in (0, 4, 8):
        before = of.points[""].x.clone()
        if step:
            of = of.resample(of.parameters, step)
            assert not torch.equal(of.points[""].x, before)
        points = of.points[""].x
        assert torch.equal(of.points["jacobian"].x, points)
        expected = jacobians(trial_function(of), points).square().sum(dim=(1, 2)).mean()
        assert of.losses(of.parameters)["jacobian"].item() == pytest.approx(expected.item(), rel=1e-12)
        assert torch.equal(of.points["jacobian_2"].x, drawn)  # its own, which no resample changes
    of = of.redraw(8, progress=0, smooth=False)
    assert not torch.equal(of.points["jacobian_2"].x, drawn)
    assert torch.equal(of.points["jacobian"].x, of.points[""].x)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"projections": 1},
        pytest.param({"centre": {"y": 0.3}}, marks=pytest.mark.slow),
    ],
)
def test_importance_weighs_the_points_of_an_adaptive_resample(settings: dict[str, Any]) -> None:
    adaptive = {"resample": "residual", "resample_every": 5, "importance": True}
    of = objective(Three(), settings, points=adaptive)
    assert of.points["jacobian"].importance is None
    of = of.resample(of.parameters, 5)
    block = of.points["jacobian"]
    assert block.importance is not None
    assert torch.equal(block.importance, of.points[""].importance)  # type: ignore[arg-type]
    assert float(block.importance.std()) > 0.1
    centre = torch.tensor([0.0, settings.get("centre", {}).get("y", 0.0), 0.0], dtype=F64)
    table = jacobians(trial_function(of), block.x) - centre
    if block.values is not None:
        table = 3**0.5 * torch.einsum("npc,ncd->npd", block.values, table)
    expected = (block.importance * table.square().sum(dim=(1, 2))).mean()
    assert of.losses(of.parameters)["jacobian"].item() == pytest.approx(expected.item(), rel=1e-12)
    other = objective(Three(), settings, points=adaptive)
    other = other.with_state(of.state())
    assert other.losses(other.parameters)["jacobian"].item() == pytest.approx(expected.item(), rel=1e-12)
