"""The experiment on noise on the weights: what it is made of, and that its claims hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import placed, untrained

import pinnreg
from pinnreg.reproductions import noise_injection as by_width
from pinnreg.reproductions import noise_recovery as recovery


def quiet(what: str, done: int, total: int) -> None:
    """Says nothing."""


def normal(seed: int, *shape: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=draws, dtype=torch.float64)


def test_four_units_are_active_and_balanced() -> None:
    parameters, x = by_width.active(9, 3)
    inner, outer = parameters["inner"], parameters["outer"]
    torch.testing.assert_close(inner[:4] @ inner[:4].T, torch.eye(4, dtype=torch.float64) / 4)
    assert outer[:4].abs().tolist() == [0.5] * 4
    assert not inner[4:].any()
    assert not outer[4:].any()
    assert float(x.square().sum()) == pytest.approx(4)


def test_the_change_of_a_product_splits_into_the_sum_and_the_product_of_noises() -> None:
    parameters = {"inner": normal(0, 6, 4), "outer": normal(1, 6)}
    x, offsets = normal(2, 4), {"inner": normal(3, 5, 6, 4), "outer": normal(4, 5, 6)}
    total, first = by_width.changes("linear", parameters, x, offsets).unbind(dim=1)
    linear = offsets["outer"] @ (parameters["inner"] @ x) + (offsets["inner"] @ x) @ parameters["outer"]
    product = (offsets["outer"] * (offsets["inner"] @ x)).sum(dim=1)
    torch.testing.assert_close(first, linear.square())
    torch.testing.assert_close(total, linear.square() + product.square())
    for name, offset in offsets.items():
        alone = by_width.changes("linear", parameters, x, {name: offset})
        torch.testing.assert_close(alone[:, 0], alone[:, 1])


def test_the_change_of_curved_units_is_that_of_the_network() -> None:
    parameters, x, offset = {"inner": normal(0, 3, 4), "outer": normal(1, 3)}, normal(2, 4), normal(3, 2, 3, 4)
    outer = parameters["outer"]
    total, first = by_width.changes("sin", parameters, x, {"inner": offset}).unbind(dim=1)
    before = parameters["inner"] @ x
    sides = [(torch.sin((parameters["inner"] + sign * offset) @ x) - torch.sin(before)) @ outer for sign in (1, -1)]
    torch.testing.assert_close(total, (sides[0] ** 2 + sides[1] ** 2) / 2)
    torch.testing.assert_close(first, ((offset @ x) @ (outer * torch.cos(before))).square())


def test_the_excess_is_the_width_times_the_fourth_power_of_sigma_for_all_and_nothing_layer_by_layer() -> None:
    found = {scheme: by_width.energies_of(scheme, 64, range(2), 4)["linear"] for scheme in by_width.PERTURBED}
    expected = 64 * by_width.SIGMA**4
    assert abs(found["all"].excess - expected) < 4 * found["all"].deviation < 0.5 * expected
    for each in found.values():
        assert each.first == pytest.approx(2.5 * by_width.SIGMA**2, rel=0.2)  # the same mean energy
        assert each.total == pytest.approx(each.first + each.excess)
    assert abs(found["layer"].excess) < 1e-12


@pytest.mark.parametrize("power", [-0.5, 0.0, 1.0])
def test_the_slope_of_a_power_law_is_its_power(power: float) -> None:
    energies = {
        ("sin", "layer", width): by_width.Energy(1.0, 1.0, -3e-5 * width**power, 3e-6 * width**power)
        for width in by_width.WIDTHS
    }
    slope, error = by_width.slope(energies, "sin", "layer")
    assert slope == pytest.approx(power, abs=1e-12)
    x = np.log(by_width.WIDTHS)
    assert error == pytest.approx(0.1 / np.sqrt(np.square(x - x.mean()).sum()))


def test_schemes_are_trained_from_the_same_start_on_the_same_data() -> None:
    none, layer, everything = (placed(by_width._objective(16, scheme, 1)) for scheme in recovery.SCHEMES)
    for noisy in (layer, everything):
        assert torch.equal(none.points["data"].x, noisy.points["data"].x)
        assert all(torch.equal(values, noisy.parameters[name]) for name, values in none.parameters.items())
    assert none.batch.shifts[0].offset is None
    assert [len(each.batch.shifts[0].offset or {}) for each in (layer, everything)] == [1, 3]


def test_the_derivatives_of_wide_networks_are_of_one_size() -> None:
    points = normal(0, 200, 4)

    def size(width: int) -> float:
        network = by_width._network(width, 0)
        gradients = torch.autograd.grad(network(points).square().sum().sqrt(), list(network.parameters()))
        return float(torch.cat([each.flatten() for each in gradients]).norm())

    assert size(400) == pytest.approx(size(50), rel=0.5)


def test_the_error_is_relative_to_the_curve_without_noise() -> None:
    trained = untrained(by_width._objective(16, "none", 0))
    for values in trained.parameters.values():
        values.data.zero_()
    assert by_width._error(trained, 0) == pytest.approx(1)


@pytest.mark.parametrize(("widest", "holds"), [(0.4, [True, True]), (0.2, [False, False]), (0.15, [False, False])])
def test_claims_on_training_compare_all_with_layer(widest: float, holds: list[bool]) -> None:
    errors: Any = {(width, scheme): [0.2, 0.2] for width in (16, 64) for scheme in recovery.SCHEMES}
    errors[64, "all"] = [widest, widest]
    assert [claim.holds for claim in by_width._error_claims(errors)] == holds


def test_truths_are_sparse_and_of_low_rank() -> None:
    sparse, matrix = recovery.sparse_truth(0), recovery.low_rank_truth(0)
    assert sorted(sparse.abs().tolist()) == [0.0] * 95 + [1.0] * 5
    assert float(torch.linalg.matrix_norm(matrix, "nuc")) == pytest.approx(2)
    assert int(torch.linalg.matrix_rank(matrix)) == 2
    assert not torch.equal(sparse, recovery.sparse_truth(1))


def test_networks_of_the_truth_fit_the_measurements() -> None:
    vector, matrix = recovery.sparse_truth(0), recovery.low_rank_truth(0)
    fitted = placed(recovery._linear(recovery.DifferenceOfSquares(), vector, 50, [], 0))
    assert float(fitted.losses(fitted.parameters)["data"].detach()) > 1
    parts = {"u": vector.clamp(min=0).sqrt(), "v": (-vector).clamp(min=0).sqrt()}
    assert float(fitted.losses(parts)["data"]) < 1e-25
    fitted = placed(recovery._linear(recovery.Factorised(0), matrix.flatten(), 200, [], 0))
    assert float(fitted.losses({"u": matrix, "v": torch.eye(20, dtype=torch.float64)})["data"]) < 1e-25


@pytest.mark.first(1)
@pytest.mark.parametrize("run", [recovery.sparse, recovery.low_rank])
def test_recovery_measures_every_noise_on_every_seed(run: Callable[..., recovery.Recovery]) -> None:
    found = run([0, 1], 12, quiet)
    assert {scheme for scheme, _ in found.found} == set(recovery.SCHEMES)
    assert (found.steps == range(13)).all()
    assert found.done == 12 * 2 * len(found.found)
    for measures in found.found.values():
        for values in measures.values():
            assert values.shape == (2, 13)
            assert np.isfinite(values).all()
    if run is recovery.sparse:
        np.testing.assert_allclose([each[recovery.ERROR][:, 0] for each in found.found.values()], 1)
    ends = [measures[recovery.ERROR][0, -1] for measures in found.found.values()]
    assert len(set(ends)) == len(ends)  # each noise has its own effect
    assert len(found.table().rows) == len(found.found)


@pytest.mark.parametrize(("last", "holds"), [([0.1, 0.1], True), ([0.1, 0.6], False)])
def test_claims_on_recovery_are_about_the_worst_seed(last: list[float], holds: bool) -> None:
    noisy = {recovery.ERROR: np.array([[1.0, each] for each in last])}
    without = {recovery.ERROR: np.ones((2, 2))}
    found: Any = {("none", 0.0): without, ("layer", 0.1): noisy, ("all", 0.1): noisy}
    assert [claim.holds for claim in recovery.Recovery("it", 0.1, np.arange(2.0), found, 0).claims()] == [holds] * 2


@pytest.mark.slow
def test_the_claims_hold(tmp_path: Path) -> None:
    found = pinnreg.reproduce("noise_injection", tmp_path)
    assert [claim.text for claim in found.claims if not claim.holds] == []
