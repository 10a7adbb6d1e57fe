"""Ordinary differential equations and the heat equation's sines: accuracy, honest estimates, refusals."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from scipy.special import erfc

from pinnreg.errors import InputError
from pinnreg.reference import heat_sines, ordinary

TIMES = np.linspace(0, 10, 1001)


def relative(values, truth):
    return np.linalg.norm(values - truth) / np.linalg.norm(truth)


def oscillator(t, u, v):
    return v, -4 * u


def forced(t, u):
    return (np.cos(t) - (u - np.sin(t)),)


CASES = {
    "two components": (oscillator, (1.0, 0.0), lambda t: np.cos(2 * t)),
    "of time": (forced, (0.0,), np.sin),
    "growing": (lambda t, u: (u,), (1e-3,), lambda t: 1e-3 * np.exp(t)),
    "saturating": (lambda t, u: (u * (1 - u),), (0.01,), lambda t: 1 / (1 + 99 * np.exp(-t))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_closed_form_is_met_between_the_steps_too(name):
    rhs, start, exact = CASES[name]
    found = ordinary(rhs, start, t=(0, 10))
    solved = found.solve({"t": TIMES})
    assert found.kind == "Runge-Kutta method"
    assert relative(solved.values["u"], exact(TIMES)) <= min(solved.error_estimate, 2e-12)
    assert np.abs(solved.values["u"] - exact(TIMES)).max() < 1e-11 * np.abs(exact(TIMES)).max()


@pytest.mark.parametrize("name", ["two components", "saturating"])
def test_the_error_falls_with_the_tolerance_under_an_honest_estimate(name):
    rhs, start, exact = CASES[name]
    tolerances, errors = np.array([1e-5, 1e-7, 1e-9, 1e-11]), []
    for rtol in tolerances:
        solved = ordinary(rhs, start, t=(0, 10), rtol=rtol, atol=rtol / 100).solve({"t": TIMES})
        errors.append(relative(solved.values["u"], exact(TIMES)))
        assert errors[-1] <= solved.error_estimate <= 1000 * errors[-1]
    assert 0.8 < np.polyfit(np.log(tolerances), np.log(errors), 1)[0] < 1.3


def test_a_stiff_equation_keeps_to_its_slow_solution():
    # Prothero and Robinson (1974)
    found = ordinary(lambda t, u: (-20 * (u - np.cos(t)) - np.sin(t),), (1.0,), t=(0, 10))
    assert relative(found.solve({"t": TIMES}).values["u"], np.cos(TIMES)) < 1e-12


@pytest.mark.first(1)
@pytest.mark.parametrize("rate", [1.0, 1e6])
def test_a_rate_far_above_the_solution_s_own_costs_the_implicit_method_nothing(rate, monkeypatch):
    monkeypatch.setattr("pinnreg.reference.runge_kutta._MOST_EVALUATIONS", 40_000)
    found = ordinary(lambda t, u: (-rate * (u - np.cos(t)) - np.sin(t),), (1.0,), t=(0, 10), stiff=True)
    solved = found.solve({"t": TIMES})
    assert found.kind == "Runge-Kutta method"
    assert relative(solved.values["u"], np.cos(TIMES)) <= solved.error_estimate < 1e-9
    if rate > 1:
        with pytest.raises(RuntimeError, match="is it stiff"):
            ordinary(lambda t, u: (-rate * (u - np.cos(t)) - np.sin(t),), (1.0,), t=(0, 10)).solve({"t": TIMES})


def test_the_implicit_method_s_error_falls_with_its_tolerance_under_an_honest_estimate():
    tolerances, errors = np.array([1e-5, 1e-7, 1e-9]), []
    for rtol in tolerances:
        found = ordinary(oscillator, (1.0, 0.0), t=(0, 10), stiff=True, rtol=rtol, atol=rtol / 100)
        solved = found.solve({"t": TIMES})
        errors.append(relative(solved.values["u"], np.cos(2 * TIMES)))
        assert errors[-1] <= solved.error_estimate <= 1000 * errors[-1]
    assert 0.6 < np.polyfit(np.log(tolerances), np.log(errors), 1)[0] < 1.3


def test_the_axis_may_be_one_of_space():
    found = ordinary(oscillator, (1.0, 0.0), t=(0, 1), axis="x")
    assert relative(found.solve({"x": TIMES / 10}).values["u"], np.cos(TIMES / 5)) < 1e-12
    with pytest.raises(InputError, match="'t'"):
        found.solve({"t": TIMES / 10})


def test_components_have_the_names_they_are_given_and_others_are_not_shown():
    values = ordinary(oscillator, (1.0, 0.0), t=(0, 10), outputs=("p", "q")).solve({"t": TIMES}).values
    assert list(values) == ["p", "q"]
    assert relative(values["q"], -2 * np.sin(2 * TIMES)) < 1e-11
    assert list(ordinary(oscillator, (1.0, 0.0), t=(0, 10)).solve({"t": TIMES}).values) == ["u"]


def test_times_come_in_any_order_and_the_first_gives_the_start():
    found = ordinary(oscillator, (0.3, 0.0), t=(1, 3))
    values = found.solve({"t": np.array([2.0, 1.0, 3.0, 2.0])}).values["u"]
    assert values[1] == 0.3
    assert values[0] == values[3]
    assert values == pytest.approx(0.3 * np.cos(2 * np.array([1.0, 0.0, 2.0, 1.0])), abs=1e-13)
    scattered = found.at({"t": np.array([2.5, 1.5])})["u"]
    assert scattered == pytest.approx(0.3 * np.cos([3.0, 1.0]), abs=1e-13)


def test_the_equation_is_solved_once_for_all_that_is_asked():
    calls = []
    found = ordinary(lambda t, u: (calls.append(t) or -u,), (1.0,), t=(0, 1))
    found.solve({"t": TIMES / 10})
    made = len(calls)
    found.solve({"t": TIMES / 20})
    assert len(calls) == made > 0


def test_a_solution_that_blows_up_or_takes_for_ever_is_an_error(monkeypatch):
    with pytest.raises(RuntimeError, match=r"did not reach t = 2"):
        ordinary(lambda t, u: (u**2,), (1.0,), t=(0, 2)).solve({"t": np.ones(1)})
    monkeypatch.setattr("pinnreg.reference.runge_kutta._MOST_EVALUATIONS", 1000)
    with pytest.raises(RuntimeError, match=r"did not reach t = 10"):
        ordinary(lambda t, u: (-1e6 * u,), (1.0,), t=(0, 10)).solve({"t": TIMES})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"t": (1, 0)}, "ordinary, t"),
        ({"start": ()}, "start"),
        ({"start": (np.nan, 0.0)}, "finite"),
        ({"start": 1.0}, "sequence"),
        ({"outputs": ()}, "0 outputs for 2"),
        ({"outputs": ("u", "v", "w")}, "3 outputs for 2"),
        ({"rtol": 1e-15}, "rtol"),
        ({"rtol": 0.1}, "rtol"),
        ({"atol": 0.0}, "atol"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ordinary(**{"rhs": oscillator, "start": (1.0, 0.0), "t": (0, 10)} | arguments)


@pytest.mark.parametrize(
    ("rhs", "message"), [(lambda t, u: (u, u), r"expected 1 real.*\(2,\)"), (lambda t, u: (1j * u,), "complex")]
)
def test_a_right_hand_side_that_does_not_fit_is_refused(rhs, message):
    with pytest.raises(InputError, match=message):
        ordinary(rhs, (1.0,), t=(0, 1)).solve({"t": np.ones(1)})


def test_times_outside_are_refused():
    with pytest.raises(InputError, match="axis 't'"):
        ordinary(oscillator, (1.0, 0.0), t=(0, 1)).solve({"t": np.array([1.5])})


# the heat equation


def by_images(x, t, alpha, length):
    """The hat as its corners make it spread: each adds its jump in slope times a wedge that diffusion rounds off."""
    width = 2 * np.sqrt(alpha * t)
    u = 0.0
    for corner in range(-20, 21):
        y = np.abs(x - (corner + 0.5) * length)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(width > 0, y / width, np.inf)
            rounded = width / 2 * np.exp(-(z**2)) / np.sqrt(pi) - np.where(width > 0, y / 2 * erfc(z), 0.0)
        u = u + (-1) ** (corner + 1) * 4 / length * rounded
    return u + 1 - 2 * np.abs((x / length + 0.5) % 2 - 1)


@pytest.mark.parametrize(("alpha", "length"), [(0.4, 1.0), (5e-3, 2.0)])
def test_a_hat_spreads_as_by_images(alpha, length):
    axes = {"x": np.linspace(0, length, 101), "t": np.array([0.0, 1e-4, 1e-3, 0.05, 0.3, 1.0])}
    values = heat_sines(alpha, {1: 1.0}, length=length, zigzag=True).solve(axes).values["u"]
    assert np.abs(values - by_images(axes["x"][:, None], axes["t"], alpha, length)).max() < 1e-13


def test_any_units_have_the_same_solution():
    unit = {"x": np.linspace(0, 1, 31), "t": np.linspace(0, 1, 9)}
    axes = {"x": 0.04 * unit["x"], "t": 10 * unit["t"]}
    for zigzag in (False, True):
        plain = heat_sines(0.3125, {1: 1.0, 2: -0.5}, zigzag=zigzag)
        scaled = heat_sines(5e-5, {1: 700.0, 2: -350.0}, length=0.04, duration=10, base=300, zigzag=zigzag)
        expected = 300 + 700 * plain.solve(unit).values["u"]
        assert np.allclose(scaled.solve(axes).values["u"], expected, rtol=1e-13, atol=0)
        assert scaled.scipy is not None
        lines = scaled.scipy.solve(axes)
        assert relative(lines.values["u"], expected) <= lines.error_estimate < 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha as a positive number"),
        ({"alpha": "a"}, "alpha as a positive number"),
        ({"length": -1.0}, "length as a positive number"),
        ({"duration": np.inf}, "duration as a positive number"),
        ({"amplitudes": {}}, "at least one amplitude"),
    ],
)
def test_the_sines_refuse_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        heat_sines(**{"alpha": 0.4, "amplitudes": {1: 1.0}} | arguments)
