"""Ridge: the squared norm of the network's parameters, its gradient, and its rows for Gauss-Newton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

from pinnreg import Box, Problem, dirichlet
from pinnreg.config import resolve
from pinnreg.run.prepare import prepare

F64 = torch.float64


@dataclass(frozen=True)
class Reaction(Problem):
    """A nonlinear equation with two coefficients."""

    rate: float = 2.0
    source: float = -1.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.5),)

    def residual(self, u: Any) -> Any:
        return u.xx - self.rate * u**3 - self.source


def objective(*regularisers: dict[str, Any], **sections: Any) -> Placed:
    config = {
        "problem": Reaction(),
        "network": {"hidden": [3, 2], "scale": 1.0},
        "points": {"interior": 9, "boundary": 2},
        "regularisers": [{"kind": "ridge", **each} for each in regularisers],
        **sections,
    }
    of = placed(prepare(resolve(config), with_reference=False).objective)
    with torch.no_grad():  # biases begin at zero, which would hide them
        for number, each in enumerate(of.parameters.values()):
            if each.ndim:
                each.add_(torch.linspace(0.1, 0.2 + number, each.numel(), dtype=F64).reshape(each.shape))
    return of


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors.values()])


def test_the_value_is_the_squared_norm_of_all_weights_and_biases() -> None:
    of = objective({"weight": 0.3})
    squares = [entry**2 for each in of.parameters.values() for entry in each.reshape(-1).tolist()]
    assert len(squares) == 3 + 3 + 6 + 2 + 2 + 1
    assert of.losses(of.parameters)["ridge"].item() == pytest.approx(sum(squares), rel=1e-14)
    assert of.weights["ridge"] == 0.3


def test_the_gradient_is_twice_the_weighted_parameters() -> None:
    with_it, without = objective({"weight": 0.3}), objective()
    found = flat(with_it.gradient(with_it.parameters)[1]) - flat(without.gradient(without.parameters)[1])
    torch.testing.assert_close(found, 2 * 0.3 * flat(with_it.parameters), rtol=0, atol=1e-11)


@pytest.mark.parametrize("chunk", [None, 4])
def test_the_rows_of_gauss_newton_are_multiples_of_the_parameters(chunk: int | None) -> None:
    unknown = {"rate": {"start": 1.5}, "source": {"start": -3.0}}
    of = objective({"weight": 0.3}, {"weight": 2.0}, unknown=unknown, points={"interior": 9, "chunk": chunk})
    found = of.linearise(of.parameters)
    assert of.evaluator._by_layer
    network = flat(of.model.network_part(of.parameters))
    count = len(network)
    assert found.jacobian.shape[1] == count + 2
    for name, weight in (("ridge", 0.3), ("ridge_2", 2.0)):
        place = found.rows[name]
        expected = torch.zeros(count, count + 2, dtype=F64)
        expected[:, :count] = weight**0.5 * torch.eye(count, dtype=F64)
        torch.testing.assert_close(found.jacobian[place], expected, rtol=1e-14, atol=0)
        torch.testing.assert_close(found.residuals[place], weight**0.5 * network, rtol=1e-14, atol=0)
    total = of.total(of.losses(of.parameters))
    assert float(found.residuals.square().sum()) == pytest.approx(total.item(), rel=1e-13)


def test_unknown_coefficients_are_not_penalised() -> None:
    of, without = (objective(*each, unknown={"rate": {"start": 40.0}}) for each in ([{"weight": 5.0}], []))
    plain = objective({"weight": 5.0})
    assert of.losses(of.parameters)["ridge"].item() == plain.losses(plain.parameters)["ridge"].item()
    found, expected = (each.gradient(each.parameters)[1]["unknown.rate"] for each in (of, without))
    assert expected.item() != 0
    assert float(found) == pytest.approx(expected.item(), rel=1e-14)


def test_the_schedule_takes_the_weight_to_zero() -> None:
    of = objective({"weight": 2.0, "schedule": "linear"})
    assert [_weight(of, progress) for progress in (0.0, 0.75, 1.0)] == [2.0, 0.5, 0.0]
    assert not of.redraw(3, progress=1.0).fixed.annealing


def _weight(of: Placed, progress: float) -> float:
    return of.redraw(3, progress=progress).weights["ridge"]
