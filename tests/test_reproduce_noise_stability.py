"""The experiment on noise stability: what it is made of, and that its claims hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from objectives import placed, untrained
from torch import Tensor

from pinnreg.analysis import weighted_sharpness
from pinnreg.objective import Objective, regression
from pinnreg.regularisers import NoiseStability
from pinnreg.reproductions import flatness, reproduce, sensing, trace_estimates
from pinnreg.reproductions.flatness import Flatness, Trained
from pinnreg.reproductions.sensing import Sensing

F64 = torch.float64
D, RANK = 6, 2


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quiet(what: str, done: int, total: int) -> None:
    """Says nothing."""


def symmetric(count: int, seed: int) -> Tensor:
    found = torch.randn(count, D, D, generator=draws(seed), dtype=F64)
    return found + found.mT


# estimates of the trace


def linear_regression() -> Objective:
    """A loss that is quadratic in the parameters: its expansion ends after the second order."""
    network = torch.nn.utils.skip_init(torch.nn.Linear, 2, 1, dtype=F64)
    with torch.no_grad():
        for each in network.parameters():
            each.copy_(torch.randn(each.shape, generator=draws(0), dtype=F64))
    x = torch.rand(20, 2, generator=draws(1), dtype=F64).numpy()
    return regression(network, x, np.sin(3 * x[:, 0]), [(0, 1), (0, 1)])


def test_both_estimates_are_unbiased_and_two_points_cancel_the_gradient() -> None:
    objective, count = linear_regression(), 400
    of = placed(objective)
    exact = weighted_sharpness(objective, of.batch, of.parameters).trace
    found = {sigma: trace_estimates.estimates(untrained(objective), sigma, count) for sigma in (0.01, 1.0)}
    for one, two in found.values():
        for each in (one, two):
            assert abs(each.mean() - exact) < 4 * each.std() / np.sqrt(count)
    # of the same directions: what is left of two points does not depend on σ, that of one is 2 ∇L·u/σ more
    np.testing.assert_allclose(found[0.01][1], found[1.0][1], rtol=1e-8)
    first_order = [(one - two) * sigma for sigma, (one, two) in found.items()]
    np.testing.assert_allclose(first_order[0], first_order[1], rtol=1e-8, atol=1e-8)
    gradient = torch.cat([each.flatten() for each in of.gradient(of.parameters)[1].values()])
    assert first_order[0].std() == pytest.approx(2 * float(gradient.norm()), rel=0.15)


@pytest.mark.slow
def test_the_estimates_of_networks_in_training_go_as_claimed() -> None:
    found = trace_estimates.trace_estimates([3], quiet, draws=60)
    assert found.means.shape == found.deviations.shape == (1, len(trace_estimates.SIGMAS), 2)
    assert [claim.text for claim in found.claims() if not claim.holds and "mean" not in claim.text] == []
    expected = np.hypot(found.slopes[0] / trace_estimates.SIGMAS[0], found.deviations[0, 0, 1])
    assert found.deviations[0, 0, 0] == pytest.approx(expected, rel=0.3)


# matrix sensing


def test_coordinates_keep_the_scalar_product() -> None:
    one, two = symmetric(5, 0), symmetric(1, 1)
    rows, columns = torch.triu_indices(D, D)
    torch.testing.assert_close(sensing.coordinates(one) @ two[0, rows, columns], (one * two).sum((1, 2)))


def test_the_gradient_is_four_times_the_published_one() -> None:
    """Of which the learning rate takes account."""
    of = placed(sensing.objective(D, RANK, (), 0))
    count = 5 * D * RANK
    block = of.points["data"]
    matrices = torch.zeros(count, D, D)
    rows, columns = torch.triu_indices(D, D)
    matrices[:, rows, columns] = block.x / torch.where(rows == columns, 1.0, 2.0)
    matrices[:, columns, rows] = matrices[:, rows, columns]
    factor = of.parameters["factor"].detach()
    assert block.values is not None
    residuals = (matrices * (factor @ factor.T)).sum((1, 2)) - block.values
    published = (residuals[:, None, None] * matrices).mean(0) @ factor
    torch.testing.assert_close(of.gradient(of.parameters)[1]["factor"], 4 * published)


def test_validation_is_the_mean_over_fresh_measurements() -> None:
    factor = torch.randn(D, D, generator=draws(0), dtype=F64)
    truth = sensing.low_rank(D, RANK, 0)
    rows, columns = torch.triu_indices(D, D)
    fresh = sensing.measured(D, 20_000, draws(1))
    errors, values = (fresh @ of[rows, columns] for of in (factor @ factor.T - truth, truth))
    sampled = float(errors.square().mean() / values.square().mean())
    assert float(sensing.validation(factor[None], truth[None])) == pytest.approx(sampled, rel=0.05)
    assert int(torch.linalg.matrix_rank(truth)) == RANK


def test_the_hessian_trace_is_about_a_multiple_of_the_weights_squares() -> None:
    """4 (d + 1) |W|², in the mean over measurements."""
    found = []
    for seed in range(20):
        of = placed(sensing.objective(D, RANK, (), seed))
        at = {name: torch.zeros_like(each) for name, each in of.parameters.items()}
        at["factor"][:, :RANK] = _factor_of(sensing.low_rank(D, RANK, seed))  # where the loss is zero
        trace = weighted_sharpness(of.objective, of.batch, at).trace
        found.append(trace / (4 * (D + 1) * float(at["factor"].square().sum())))
    assert np.mean(found) == pytest.approx(1, abs=0.05)


def _factor_of(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors[:, -RANK:] * values[-RANK:].clamp(min=0).sqrt()


def test_settings_see_the_same_data_and_start_and_differ_in_noise() -> None:
    found = [placed(sensing.objective(D, RANK, setting.noise, 1)) for setting in sensing.SETTINGS.values()]
    for other in found[1:]:
        assert torch.equal(found[0].points["data"].x, other.points["data"].x)
        assert torch.equal(found[0].parameters["factor"], other.parameters["factor"])
    # the evaluations of a step are what it is said to take
    assert [len(each.batch.shifts) for each in found] == [setting.evaluations for setting in sensing.SETTINGS.values()]
    sides = [
        noise.sides
        for setting in sensing.SETTINGS.values()
        for noise in setting.noise
        if isinstance(noise, NoiseStability)
    ]
    assert sides == ["one", "two"]


def test_a_short_search_takes_equal_evaluations_and_lowers_the_loss() -> None:
    found = sensing.sensing(D, 1, range(2), quiet, steps=50)
    assert {float(each[-1]) for each in found.evaluations.values()} == {100.0}
    assert found.steps == 2 * (100 + 50 + 50)
    for name in sensing.SETTINGS:
        assert found.losses[name].shape == (2, len(found.evaluations[name]))
        assert (found.losses[name][:, -1] < 0.5 * found.losses[name][:, 0]).all()
    assert len(found.table().rows) == 3


def sensed(last: Mapping[str, float]) -> Sensing:
    at = np.linspace(0, 8000, 81)
    return Sensing(
        (50, 3),
        {name: np.where(at < 7000, 1.0, value) * np.ones((3, 1)) for name, value in last.items()},
        dict.fromkeys(last, at),
        {name: np.full((3, 2), 10 if name == sensing.PLAIN else 1) for name in last},
        1,
    )


@pytest.mark.parametrize(
    ("values", "failing"), [((0.5, 1e-3, 5e-4), 0), ((0.5, 1e-3, 1.1e-3), 1), ((0.005, 1e-3, 5e-4), 1)]
)
def test_the_order_of_the_settings_decides(values: tuple[float, float, float], failing: int) -> None:
    found = sensed(dict(zip(sensing.SETTINGS, values, strict=True)))
    assert sum(not claim.holds for claim in found.claims()) == failing


# networks that solve PDEs


def made_up(factor: float) -> Flatness:
    """Noise that multiplies what is measured."""

    def runs(by: float) -> list[Trained]:
        return [Trained(by * 1e-2, {"residual": (by * 100 * seed, by * 50 * seed)}, 40) for seed in (1, 2, 3)]

    return Flatness(
        {
            case: {name: runs(factor if name != flatness.NONE else 1.0) for name in flatness.SETTINGS}
            for case in flatness.CASES
        }
    )


def test_flatter_minima_are_judged_by_ratios() -> None:
    assert all(claim.holds for claim in made_up(0.5).claims())
    assert not any(claim.holds for claim in made_up(1.1).claims())
    assert {claim.value for claim in made_up(0.5).claims()} == {0.5}


def test_hessians_are_of_each_plain_term() -> None:
    config = {
        **flatness.CASES["heat, 300 points, soft"],
        "network": {"hidden": [4]},
        "points": {"interior": 20, "boundary": 12},
        "train": [{"optimiser": "gauss_newton", "steps": 3}],
    }
    plain = flatness.trained(config, [])
    noisy = flatness.trained(config, flatness.SETTINGS[flatness.CONSTANT])
    assert set(plain.hessians) == set(noisy.hessians) == {"residual", "initial", "dirichlet"}
    assert plain.error != noisy.error
    assert plain.trace == pytest.approx(sum(trace for trace, _ in plain.hessians.values()))
    assert plain.largest == max(largest for _, largest in plain.hessians.values())


@pytest.mark.slow
def test_the_claims_hold(tmp_path: Path) -> None:
    found = reproduce("noise_stability", tmp_path)
    assert [claim.text for claim in found.claims if not claim.holds] == []
    assert (tmp_path / "figure.png").stat().st_size > 20_000
