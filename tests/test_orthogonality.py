"""Orthogonality: its value, its rows for Gauss-Newton, what it does to weights, and where it is refused."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

import pinnreg
from pinnreg.config import resolve
from pinnreg.errors import InputError
from pinnreg.run.prepare import prepare

F64 = torch.float64
NETWORK = {"kind": "quadratic", "hidden": [5, 3], "variant": "norm"}


def config(*regularisers: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {
        "problem": "heat",
        "network": NETWORK,
        "points": {"interior": 12, "boundary": 4},
        "regularisers": [{"kind": "orthogonality", **each} for each in regularisers],
        **sections,
    }


def objective(*regularisers: dict[str, Any], **sections: Any) -> Placed:
    resolved = resolve(config(*regularisers, **sections))
    return placed(prepare(resolved, with_reference=False).objective, compile=resolved.config.compile)


def grams(parameters: Any) -> list[Tensor]:
    """WᵀW - I of each block."""
    weights = [each.detach() for name, each in parameters.items() if name.endswith(".weight")]
    assert len(weights) == 2
    return [each.T @ each - torch.eye(each.shape[1], dtype=each.dtype) for each in weights]


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors.values()])


def test_the_value_is_the_mean_square_of_all_entries_summed_over_blocks() -> None:
    of = objective({"weight": 0.3})
    expected = sum(each.square().mean().item() for each in grams(of.parameters))
    assert expected > 0.01
    assert of.losses(of.parameters)["orthogonality"].item() == pytest.approx(expected, rel=1e-13)
    assert of.weights["orthogonality"] == 0.3


@pytest.mark.parametrize("sections", [{}, {"points": {"interior": 12, "chunk": 5}}])
def test_gauss_newton_has_the_jacobian_of_its_rows(sections: dict[str, Any]) -> None:
    of = objective({"weight": 0.3}, {"weight": 2.0}, unknown={"alpha": {"start": 1.0}}, **sections)
    found = of.linearise(of.parameters)
    assert of.evaluator._by_layer
    names = list(of.parameters)

    def rows(*values: Tensor) -> Tensor:
        return of.objective.rows_on_parameters(dict(zip(names, values, strict=True)))["orthogonality"].residuals

    by_parameter = torch.autograd.functional.jacobian(rows, tuple(of.parameters.values()))
    expected = torch.cat([each.reshape(len(each), -1) for each in by_parameter], dim=1)
    assert expected.abs().max() > 0.1
    assert not expected[:, -1].any()  # the unknown coefficient
    count = len(expected)
    assert count == 6 + 15  # two blocks of three and five columns
    for name, weight in (("orthogonality", 0.3), ("orthogonality_2", 2.0)):
        place, scale = found.rows[name], (weight / count) ** 0.5
        torch.testing.assert_close(found.jacobian[place], scale * expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.residuals, of.residuals(of.parameters), rtol=1e-13, atol=1e-14)
    gradient = 2 * found.jacobian.T @ found.residuals
    torch.testing.assert_close(gradient, flat(of.gradient(of.parameters)[1]), rtol=1e-9, atol=1e-9)


def test_with_noise_the_rows_are_those_of_the_perturbed_weights() -> None:
    sections = {"regularisers": [{"kind": "orthogonality"}, {"kind": "noise_stability", "sigma": 0.1}]}
    of = objective(**sections)
    found = of.linearise(of.parameters)
    assert len(found.residuals[found.rows["orthogonality"]]) == 2 * (6 + 15)
    gradient = 2 * found.jacobian.T @ found.residuals
    torch.testing.assert_close(gradient, flat(of.gradient(of.parameters)[1]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "stage",
    [
        {"optimiser": "gauss_newton", "steps": 6},
        pytest.param({"optimiser": "adam", "steps": 200}, marks=pytest.mark.slow),
    ],
)
def test_a_large_weight_makes_the_columns_orthonormal(stage: dict[str, Any]) -> None:
    stage = stage if stage["optimiser"] != "adam" else {**stage, "learning_rate": 2e-2}
    network = {"kind": "quadratic", "hidden": [7, 6]}
    sections = {"network": network, "train": [stage], "evaluate": {"grid": 5}}
    with_it = pinnreg.solve(config({"weight": 1e6}, **sections), out=False).parameters
    without = pinnreg.solve(config(**sections), {"train.0.steps": 6}, out=False).parameters
    distances = [max(float(each.abs().max()) for each in grams(each)) for each in (with_it, without)]
    assert distances[0] < 1e-3
    assert distances[1] > 0.1


def test_the_schedule_takes_the_weight_to_zero() -> None:
    of = objective({"weight": 2.0, "schedule": "linear"})
    found = []
    for progress in (0.0, 0.75, 1.0):
        of = of.redraw(3, progress=progress, smooth=False)
        found.append(of.weights["orthogonality"])
    assert found == [2.0, 0.5, 0.0]


def test_a_network_without_quadratic_blocks_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"orthogonality .* the network has none; it needs network: \{kind: quadratic\}"
    ):
        objective(network={"hidden": [4]}, regularisers=[{"kind": "ridge"}, {"kind": "orthogonality"}])


@pytest.mark.slow
def test_compiled_gradients_have_it_too(caplog: pytest.LogCaptureFixture) -> None:
    plain, compiled = (
        objective({"weight": 1.0}, compile=each, train=[{"optimiser": "adam"}]) for each in (False, True)
    )
    expected = plain.gradient(plain.parameters)[1]
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        found = compiled.gradient(compiled.parameters)[1]
    assert not caplog.records  # it would say that it goes on without
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-9, atol=1e-10)
