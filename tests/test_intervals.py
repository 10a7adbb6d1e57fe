"""Intervals of coefficients and bands of u, against training again with other values and against their spread."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg import Box, Problem, dirichlet, measurements
from pinnreg.config import resolve
from pinnreg.estimates import NORMAL, BandSize, Estimate, EstimatedErrors, Uncertainty, uncertainty
from pinnreg.objective import Evaluator
from pinnreg.plots.rows import rows_of
from pinnreg.run.prepare import prepare
from pinnreg.training import History, train

TIMES = np.linspace(0.1, 2, 12)
NOISE = 0.02


def decay(values: np.ndarray, known: float | None = None) -> Problem:
    """U' = -k u from 1, measured at some times."""

    @dataclass(frozen=True)
    class Decay(Problem):
        k: float = 1.0
        domain = Box(t=(0, 2))
        conditions = (dirichlet(1.0, on="t=min"), measurements(TIMES[:, None], values, noise=known))

        def residual(self, u):
            return u.t + self.k * u

    return Decay()


def values_of(seed: int, noise: float = NOISE) -> np.ndarray:
    return np.exp(-TIMES) + noise * np.random.default_rng(seed).standard_normal(len(TIMES))


def trained(values: np.ndarray, *, positive: bool = False, **changes: Any) -> tuple[float, Uncertainty]:
    config = {
        "problem": decay(values),
        "network": {"hidden": [6]},
        "points": {"interior": 30},
        "unknown": {"k": {"start": 0.7, "positive": positive}},
        "weights": {"residual": 1e4},
        "train": [{"optimiser": "gauss_newton", "steps": 60}],
        **changes,
    }
    prepared = prepare(resolve(config, {}, []), trains=True)
    objective = prepared.objective
    outcome = train(Evaluator(objective), prepared.resolved.config.train, History(objective.names, (), None, ["k"]))
    found = uncertainty(objective, outcome.batch, outcome.parameters)
    assert found is not None
    return objective.model.coefficient_values(outcome.parameters)["k"], found


@pytest.fixture(scope="module")
def of_one() -> tuple[float, Uncertainty]:
    """What is found of the values of seed 1."""
    return trained(values_of(1))


@pytest.mark.slow
@pytest.mark.parametrize("positive", [False, True])
def test_what_a_value_does_to_a_coefficient_is_what_training_again_finds(positive: bool) -> None:
    values, step = values_of(0), 1e-4
    k, found = trained(values, positive=positive)
    (deviation,) = found.noise.values()
    factor = k if positive else 0.7
    for number in (2, 7):
        moved = values.copy()
        moved[number] += step
        again, _ = trained(moved, positive=positive)
        predicted = factor * float(found.root[-1, number]) / deviation
        # of a root with the deviation of the noise: deviation · dθ/dyₖ
        assert (again - k) / step == pytest.approx(predicted, rel=0.05)


@pytest.mark.slow
def test_a_standard_error_is_that_of_the_least_squares_fit_of_the_exact_solution(
    of_one: tuple[float, Uncertainty],
) -> None:
    values = values_of(1)
    k, found = of_one
    interval = found.intervals()["k"]
    slopes = -TIMES * np.exp(-k * TIMES)
    sigma = math.sqrt(np.sum((values - np.exp(-k * TIMES)) ** 2) / (len(values) - 1))
    assert interval.standard_error == pytest.approx(sigma / np.linalg.norm(slopes), rel=0.02)
    assert next(iter(found.noise.values())) == pytest.approx(sigma, rel=0.02)
    assert (interval.low, interval.high) == pytest.approx([k + s * 1.96 * interval.standard_error for s in (-1, 1)])
    # u = exp(-k t), of which only k is uncertain
    at = np.array([[0.3], [1.0], [1.9]])
    expected = at[:, 0] * np.exp(-k * at[:, 0]) * interval.standard_error
    assert found.band(at)["u"] == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_noise_that_is_known_is_not_looked_for(of_one: tuple[float, Uncertainty]) -> None:
    values = values_of(1)
    _, found = of_one
    _, known = trained(values, problem=decay(values, 10 * NOISE))
    (name,) = found.noise
    assert known.noise == {name: 10 * NOISE}
    ratio = known.intervals()["k"].standard_error / found.intervals()["k"].standard_error
    assert ratio == pytest.approx(10 * NOISE / found.noise[name], rel=1e-6)


@pytest.mark.slow
def test_a_positive_coefficient_has_a_positive_interval() -> None:
    _, found = trained(values_of(2, noise=0.6), positive=True)
    interval = found.intervals()["k"]
    assert 0 < interval.low < interval.high


def test_without_enough_measurements_there_is_none() -> None:
    prepared = prepare(resolve({"problem": {"name": "poisson"}, "network": {"hidden": [4]}}, {}, []), trains=True)
    outcome = Evaluator(prepared.objective)
    parameters = outcome.initial()
    assert uncertainty(prepared.objective, outcome.first(parameters), parameters) is None


@pytest.mark.estimates
def test_a_run_reports_intervals_and_bands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    options = ["network.hidden=[6]", "train.0.steps=25", "points.interior=60", "evaluate.grid=9"]
    with pytest.raises(SystemExit) as ended:
        pinnreg.cli.main(["solve", "heat_inverse", *(f"--set={each}" for each in options), "--out", str(folder)])
    assert ended.value.code == 0
    facts = json.loads((folder / "report.json").read_text())
    alpha = facts["unknown"]["alpha"]
    low, high = alpha["interval"]
    assert low < alpha["estimate"] < high
    assert high - low == pytest.approx(2 * 1.96 * alpha["standard_error"], rel=0.1)
    assert facts["noise"].keys() == {"measurements"}
    with np.load(folder / "fields.npz") as fields:
        assert fields["u_band"].shape == fields["u"].shape
        assert (fields["u_band"] >= 0).all()
        assert fields["u_band"].max() > 0
        u, band, estimate = (fields[name] for name in ("u", "u_band", "u_estimate"))
    size = facts["bands"]["u"]
    assert size["rel_l2"] == pytest.approx(NORMAL * np.linalg.norm(band) / np.linalg.norm(u))
    assert size["max_abs"] == pytest.approx(NORMAL * band.max())
    # the estimate of the error has it in it: the linearised defect alone is a hundredth of the error
    estimated, true = facts["estimated_errors"]["u"], facts["errors"]["u"]
    assert estimated["kind"] == "defect and noise"
    assert estimated["max_abs"] == pytest.approx(math.hypot(np.abs(estimate).max(), band.max()))
    assert 1 / 3 < estimated["rel_l2"] / true["rel_l2"] < 3
    out = capsys.readouterr().out
    assert "95 % within" in out
    assert f"u: noise of the measurements leaves {size['rel_l2']:.2e} (relative, 95 %)" in out
    assert "by the linearised defect and the noise of the measurements" in out
    with pytest.raises(SystemExit):
        pinnreg.cli.main(["evaluate", str(folder)])
    again = capsys.readouterr().out
    assert f"u: noise of the measurements leaves {size['rel_l2']:.2e} (relative, 95 %)" in again
    assert "by the linearised defect and the noise of the measurements" in again
    assert pinnreg.report.read_report(folder).facts["unknown"]["alpha"]["interval"] == alpha["interval"]


@pytest.mark.slow
def test_intervals_contain_the_truth_as_often_as_they_say() -> None:
    inside, found = 0, []
    for seed in range(60):
        k, uncertain = trained(values_of(100 + seed))
        interval = uncertain.intervals()["k"]
        inside += interval.low <= 1 <= interval.high
        found.append((k, interval.standard_error))
    assert inside >= 50  # 5 times in 1000 with 0.95 of 60 and few values
    spread = np.std([k for k, _ in found], ddof=1)
    assert np.mean([error for _, error in found]) == pytest.approx(spread, rel=0.25)


@pytest.mark.slow
def test_the_parameters_are_left_as_they_were(of_one: tuple[float, Uncertainty]) -> None:
    one, found = of_one
    found.band(np.array([[0.5]]))
    found.intervals()
    again, other = trained(values_of(1))
    assert one == again
    assert torch.equal(found.root, other.root)


def test_curves_show_the_band() -> None:
    x = np.linspace(0, 1, 5)
    fields = {"u": x, "u_reference": x, "u_error": 0 * x, "u_band": 0.1 + 0 * x}
    figure = pinnreg.plots.error_field({"x": x}, fields, title="", errors={"u": 0.0})
    (band,) = figure.axes[0].collections
    (path,) = band.get_paths()
    assert path.vertices[:, 1].min() == pytest.approx(-0.1 * NORMAL)
    assert path.vertices[:, 1].max() == pytest.approx(1 + 0.1 * NORMAL)
    assert "95 %, by the noise of measurements" in [text.get_text() for text in figure.legends[0].get_texts()]
    # below the curve of the error, too, where it is seen however narrow it is beside the values
    (below,) = figure.axes[1].collections
    assert below.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.1 * NORMAL)


def test_without_a_reference_the_estimate_that_is_shown_has_the_band_in_it() -> None:
    x = np.linspace(0, 1, 5)
    (row,) = rows_of({"x": x}, {"u": x, "u_estimate": -3 + 0 * x, "u_band": 4 + 0 * x}, None)
    assert row.misfit == pytest.approx(5 + 0 * x)


def test_an_estimate_that_is_large_beside_the_noise_keeps_its_own_reliability() -> None:
    model: Any = None
    good, poor = ({"u": each} for each in ("good", "poor"))
    bands = {"u": BandSize(0.01 * NORMAL, 0.01 * NORMAL)}
    for size, of_its_own, expected in ((0.02, poor, "poor"), (0.02, good, "good"), (1e-4, poor, "good")):
        estimate = Estimate("defect", poor, "noise", (model, {}), (model, {}), (of_its_own, "its own reason"))
        found, reason = estimate.with_noise({"u": EstimatedErrors(size, size, "poor", "defect")}, bands)
        assert found["u"] == EstimatedErrors(*2 * (math.hypot(size, 0.01),), expected, "defect and noise")
        assert reason == ("nearly all of it is noise of the measurements" if size < 1e-3 else "its own reason")


def test_measurements_without_a_weight_say_nothing() -> None:
    config = {"problem": decay(values_of(0)), "network": {"hidden": [4]}, "points": {"interior": 20}}
    config |= {"weights": {"measurements": 0.0}, "train": [{"optimiser": "gauss_newton", "steps": 20}]}
    report = pinnreg.solve(config, out=False, figures=False).report
    assert report is not None
    assert "noise" not in report.facts


AT_A_MINIMUM: dict[str, Any] = {
    "problem": decay(values_of(0)),
    "network": {"hidden": [6]},
    "points": {"interior": 30},
    "unknown": {"k": {"start": 0.7}},
    "train": [{"optimiser": "gauss_newton", "steps": 40}],
}


def test_a_run_at_a_minimum_has_intervals() -> None:
    assert "interval" in pinnreg.solve(AT_A_MINIMUM, out=False, figures=False).report.facts["unknown"]["k"]


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "changes",
    [
        {"train": [{"optimiser": "gauss_newton", "steps": 3}]},  # it has not converged
        pytest.param({"train": [{"optimiser": "adam", "steps": 20}]}, marks=pytest.mark.slow),
        pytest.param({"network": {"hidden": [60, 60]}}, marks=pytest.mark.slow),  # too many parameters
        {"evaluate": {"estimate": "none"}},
    ],
)
def test_runs_that_are_at_no_minimum_have_no_intervals(changes: dict[str, Any]) -> None:
    shorter = {"train": [{"optimiser": "gauss_newton", "steps": 6}]} if "network" in changes else {}
    report = pinnreg.solve({**AT_A_MINIMUM, **shorter, **changes}, out=False, figures=False).report
    assert "interval" not in report.facts["unknown"]["k"]
    assert "noise" not in report.facts
    assert "u_band" not in report.fields
