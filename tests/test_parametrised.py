"""Axes that are parameters: solutions at their values, and the values that fit measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, initial


@dataclass(frozen=True)
class Cooling(Problem):
    """uₜ = -α u from 1, for all rates α."""

    domain = Box(alpha=(0.5, 2), t=(0, 1))
    parameters = ("alpha",)
    conditions = (initial(1.0),)

    def residual(self, u, alpha):
        return u.t + alpha * u

    def reference(self):
        return lambda alpha, t: np.exp(-alpha * t)


@dataclass(frozen=True)
class Source(Problem):
    """uₓₓ = -α - β x with u = 0 at both ends, for all α and β."""

    domain = Box(x=(0, 1), alpha=(-1, 1), beta=(0, 2))
    parameters = ("alpha", "beta")
    conditions = (dirichlet(0.0, on="x"),)

    def residual(self, u, x, alpha, beta):
        return u.xx + alpha + beta * x


def solved(problem: Any, steps: int = 25) -> pinnreg.Solution:
    config = {
        "problem": problem,
        "network": {"hidden": [12]},
        "points": {"interior": 150, "boundary": 40},
        "evaluate": {"estimate": "none", "grid": 9},
        "train": [{"optimiser": "gauss_newton", "steps": steps}],
    }
    return pinnreg.solve(config, out=False, figures=False)


@pytest.fixture(scope="module")
def cooling() -> pinnreg.Solution:
    return solved(Cooling())


def test_a_solution_at_a_value_is_one_of_the_rest(cooling: pinnreg.Solution) -> None:
    part, times = cooling.at(alpha=1.3), np.linspace(0, 1, 7)[:, None]
    whole = np.column_stack([np.full(7, 1.3), times])
    assert part.axes == ("t",)
    assert np.array_equal(part(times), cooling(whole))
    assert np.array_equal(part.derivative(times, "t"), cooling.derivative(whole, "t"))
    assert np.array_equal(part.on_grid({"t": times[:, 0]})["u"], cooling(whole)[:, 0])
    assert part(times)[:, 0] == pytest.approx(np.exp(-1.3 * times[:, 0]), abs=1e-4)


def test_grids_may_have_their_axes_in_any_order() -> None:
    part = solved(Source(), 1).at(beta=1.0)
    x, alpha = np.linspace(0, 1, 4), np.linspace(-1, 1, 3)
    one, other = part.on_grid({"x": x, "alpha": alpha})["u"], part.on_grid({"alpha": alpha, "x": x})["u"]
    assert np.array_equal(one, other.T)
    assert one[1, 2] == pytest.approx(part([[x[1], alpha[2]]])[0, 0], rel=1e-12)
    with pytest.raises(InputError, match="unknown axis: 'z'"):
        part.on_grid({"z": x})
    with pytest.raises(InputError, match="'beta' is fixed at 1"):
        part.on_grid({"x": x, "beta": x})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beta": 1.0}, "unknown axis: 'beta'"),
        ({"alpha": 3.0}, "expected a number from 0.5 to 2"),
        ({"alpha": "one"}, "expected a number from 0.5 to 2"),
        ({"alpha": float("nan")}, "expected a number from 0.5 to 2"),
        ({}, "not of none or all"),
        ({"alpha": 1.0, "t": 0.5}, "not of none or all"),
    ],
)
def test_values_that_cannot_be_are_refused(cooling: pinnreg.Solution, values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cooling.at(**values)


@pytest.mark.parametrize("truth", [0.6, 1.0, 1.9])
def test_a_calibration_finds_what_drew_the_values(cooling: pinnreg.Solution, truth: float) -> None:
    times = np.linspace(0.1, 1, 40)[:, None]
    exact = np.exp(-truth * times[:, 0])
    (found,) = cooling.calibrate(times, exact).values()
    assert found.value == pytest.approx(truth, abs=1e-3)
    noisy = exact + 0.02 * np.random.default_rng(1).standard_normal(40)
    (found,) = cooling.calibrate(times, noisy).values()
    slopes = times[:, 0] * np.exp(-found.value * times[:, 0])
    assert found.interval.standard_error == pytest.approx(0.02 / np.linalg.norm(slopes), rel=0.3)
    assert found.interval.low < truth < found.interval.high


@pytest.mark.first(1)
@pytest.mark.parametrize("count", [3, 30])
def test_intervals_hold_the_truth_as_often_as_they_say(cooling: pinnreg.Solution, count: int) -> None:
    times, draws = np.linspace(0.1, 1, count)[:, None], np.random.default_rng(2)
    inside, noise = 0, []
    for _ in range(200):
        values = np.exp(-1.2 * times[:, 0]) + 0.02 * draws.standard_normal(count)
        (found,) = cooling.calibrate(times, values).values()
        inside += found.interval.low < 1.2 < found.interval.high
        noise.append(found.noise)
    assert 180 <= inside <= 199
    assert np.sqrt(np.mean(np.square(noise))) == pytest.approx(0.02, rel=0.1)


def test_several_parameters_are_found_together() -> None:
    solution = solved(Source(), 15)
    x = np.linspace(0, 1, 20)[:, None]
    values = solution.at(alpha=0.4, beta=1.5)(x)[:, 0]
    found = solution.calibrate(x, values)
    assert {name: each.value for name, each in found.items()} == pytest.approx({"alpha": 0.4, "beta": 1.5}, abs=1e-4)


def test_a_parameter_at_the_end_of_its_range_is_said(
    cooling: pinnreg.Solution, caplog: pytest.LogCaptureFixture
) -> None:
    times = np.linspace(0.1, 1, 20)[:, None]
    (found,) = cooling.calibrate(times, np.exp(-4 * times[:, 0])).values()
    assert found.value == pytest.approx(2, abs=1e-5)
    assert "alpha is at the end of what was trained, 2: the best may lie beyond" in caplog.text
    caplog.clear()
    cooling.calibrate(times, np.exp(-1.4 * times[:, 0]))
    assert "beyond" not in caplog.text


def test_what_the_values_do_not_tell_has_no_interval(cooling: pinnreg.Solution) -> None:
    (found,) = cooling.calibrate(np.zeros((5, 1)), np.ones(5)).values()
    assert found.interval.high - found.interval.low > 1  # about all values that there are


@pytest.mark.parametrize(
    ("points", "values", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3), r"expected points \(n, 1\), in rows of t"),
        (np.zeros((3, 1)), np.zeros(2), "as many values as points"),
        (np.zeros((3, 1)), "text", r"expected values \(n,\)"),
        ({"t": [0.5]}, [1.0], "of real numbers"),
        (np.full((3, 1), 5.0), np.ones(3), "expected t from 0 to 1, where the solution was trained"),
        (np.zeros((1, 1)), np.zeros(1), "more than 1 values"),
        (np.zeros((3, 1)), np.array([0, 0, np.nan]), "got 3; the value of row 2, or its point, is not finite"),
    ],
)
def test_measurements_that_do_not_fit_are_refused(
    cooling: pinnreg.Solution, points: Any, values: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        cooling.calibrate(points, values)


def test_a_problem_without_parameters_is_not_calibrated() -> None:
    solution = pinnreg.solve(
        "poisson",
        {"network.hidden": [4], "points.interior": 20, "train.0.steps": 1, "evaluate.estimate": "none"},
        out=False,
        figures=False,
    )
    with pytest.raises(InputError, match="no axes that are parameters"):
        solution.calibrate(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(InputError, match="unknown output"):
        solution.calibrate(np.zeros((3, 2)), np.zeros(3), of="v")
