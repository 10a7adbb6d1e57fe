"""Batches of measurements, and where the penalties of a regression stand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from objectives import Placed, placed

from pinnreg.config import resolve
from pinnreg.errors import InputError
from pinnreg.networks import MLP
from pinnreg.objective import regression
from pinnreg.randomness import generator
from pinnreg.regularisers import Jacobian
from pinnreg.run.prepare import prepare

POINTS = np.random.default_rng(0).uniform(-1, 1, (20, 2))
VALUES = np.arange(20.0)


def fitted(batch: int | None) -> Placed:
    network = MLP(2, [4], 1, generator=generator(0, "network"), dtype=torch.float64)
    penalties = [Jacobian(weight=0.1)]
    return placed(regression(network, POINTS, VALUES, [(-1, 1)] * 2, regularisers=penalties, batch=batch))


def seen(of: Placed, step: int) -> list[float]:
    values = of.redraw(step, progress=0.0).points["data"].values
    assert values is not None
    return [float(each) for each in values]


def test_each_step_sees_other_values_each_as_often() -> None:
    of = fitted(5)
    batches = [seen(of, step) for step in range(1000)]
    assert all(len(set(batch)) == 5 for batch in batches)
    assert batches == [seen(of, step) for step in range(1000)]  # a function of the step alone
    counts = np.bincount(np.array(batches, dtype=int).reshape(-1), minlength=20)
    assert np.abs(counts - 250).max() < 5 * np.sqrt(250 * 0.75)
    assert of.objective.stochastic
    assert not fitted(None).objective.stochastic


def test_the_gradient_of_batches_is_that_of_all_on_average() -> None:
    of, whole = fitted(5), fitted(None)
    gradients = []
    for step in range(300):
        drawn = of.redraw(step, progress=0.0)
        gradients.append(drawn.gradient(of.parameters)[1]["layers.1.weight"])
    found = torch.stack(gradients)
    expected = whole.gradient(whole.parameters)[1]["layers.1.weight"]
    error = found.std(dim=0) / len(found) ** 0.5
    assert bool(((found.mean(dim=0) - expected).abs() < 4 * error).all())


def test_points_values_and_what_else_belongs_to_them_stay_together() -> None:
    points = fitted(5).redraw(3, progress=0.0).points["data"]
    assert points.values is not None
    np.testing.assert_array_equal(points.x.numpy(), POINTS[points.values.long().numpy()])


def test_penalties_of_a_regression_stand_at_its_data() -> None:
    of = fitted(5)
    np.testing.assert_array_equal(of.x.numpy(), POINTS)
    network = of.model.network_at(of.parameters)
    at = torch.from_numpy(POINTS).requires_grad_()
    (slopes,) = torch.autograd.grad(network(at).sum(), at)
    found = of.losses(of.parameters)["jacobian"]
    torch.testing.assert_close(found.detach(), slopes.square().sum(dim=1).mean())


@pytest.mark.parametrize("name", ["regression", "poisson"])
def test_a_config_asks_for_them_by_name(name: str) -> None:
    config = {"problem": {"name": name}, "measurements": [{"samples": 7}]}
    of = placed(prepare(resolve(config, {"points.interior": "data"})).objective)
    assert torch.equal(of.x, of.points["measurements"].x)
    assert len(placed(prepare(resolve(config, {"points.interior": 30})).objective).x) == 30


@pytest.mark.parametrize(("outputs", "inputs"), [(2, 2), (1, 3)])
def test_a_network_of_other_shape_is_refused(outputs: int, inputs: int) -> None:
    network = MLP(inputs, [4], outputs, generator=generator(0, "network"), dtype=torch.float64)
    with pytest.raises(InputError, match="regression: "):
        regression(network, POINTS, VALUES, [(-1, 1)] * 2)
