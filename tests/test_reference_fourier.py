"""Evolution equations by Fourier modes: accuracy, order, corners, complex solutions, honest estimates."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest

from pinnreg.errors import InputError
from pinnreg.reference import fourier, method_of_lines
from pinnreg.reference.modes import _phi

PERIOD = {"x": (0.0, 1.0), "t": (0.0, 0.5)}
GRID = {"x": np.linspace(0, 1, 41), "t": np.linspace(0, 0.5, 12)}


def relative(values, truth):
    return np.linalg.norm(values - truth) / np.linalg.norm(truth)


def bell(x):
    return 0.5 * np.exp(np.sin(2 * pi * x) - 1)


def logistic(t):
    return bell(GRID["x"])[:, None] / (bell(GRID["x"])[:, None] + (1 - bell(GRID["x"])[:, None]) * np.exp(-6 * t))


def nothing(u):
    return 0 * u


def test_the_functions_of_the_exponential_steps_have_their_values_on_either_side_of_the_formulas():
    z = np.array([0.0, 1e-9, 0.3j, -0.999, 0.999j, -1.001, 1.001j, -40.0, 1e6j])
    found = _phi(z)
    for n, whole in enumerate((1, 2, 6)):
        # ∫₀¹ exp((1 − s) z) sⁿ/n! ds by Gauss-Legendre
        nodes, weights = np.polynomial.legendre.leggauss(60)
        s = (nodes + 1) / 2
        integral = (np.exp(np.outer(z[:-1], 1 - s)) * s**n / [1, 1, 2][n]) @ (weights / 2)
        assert found[n + 1][0] == pytest.approx(1 / whole)
        assert np.abs(found[n + 1][:-1] - integral).max() < 1e-14
    assert np.abs(found[3][-1]) < 1e-6


def test_the_linear_part_alone_is_exact_whatever_the_steps():
    found = fourier(lambda k: -0.01 * k**2 - 3j * k, nothing, bell, **PERIOD, modes=64, steps=16)
    solved = found.solve(GRID)
    samples = np.fft.fft(bell(np.arange(64) / 64)) / 64
    wave = 2 * pi * np.fft.fftfreq(64, 1 / 64)[:, None, None]
    moved = np.exp(1j * wave * (GRID["x"][:, None] - 3 * GRID["t"]) - 0.01 * wave**2 * GRID["t"])
    truth = (samples[:, None, None] * moved).sum(axis=0).real
    assert found.kind == "Fourier method"
    assert relative(solved.values["u"], truth) < 1e-14
    assert solved.error_estimate < 1e-14


@pytest.mark.parametrize("shift", [0.0, 40.0], ids=["explicit", "stiff"])
def test_the_steps_are_of_fourth_order_with_an_honest_estimate(shift):
    steps, errors = np.array([16, 32, 64, 128]) * (1 if shift == 0 else 4), []
    for count in steps:
        found = fourier(lambda k: -shift + 0 * k, lambda u: 6 * u * (1 - u) + shift * u, bell, **PERIOD, steps=count)
        solved = found.solve(GRID)
        errors.append(relative(solved.values["u"], logistic(GRID["t"])))
        assert errors[-1] <= solved.error_estimate <= 100 * errors[-1]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert -4.4 < slope < -3.6


@pytest.mark.parametrize("speed", [0.0, 1.5])
def test_a_soliton_keeps_its_shape(speed):
    # sech(x − ct) exp(icx + i(1 − c²)t/2) for i hₜ + ½ hₓₓ + |h|² h = 0, on a period of whole waves
    half = 12 * pi
    soliton = lambda x, t: np.exp(1j * (speed * x + (1 - speed**2) * t / 2)) / np.cosh(x - speed * t)  # noqa: E731
    found = fourier(
        lambda k: -0.5j * k**2,
        lambda h: 1j * np.abs(h) ** 2 * h,
        lambda x: soliton(x, 0.0),
        x=(-half, half),
        t=(0, 2),
        steps=1000,
        outputs=("u", "v"),
    )
    axes = {"x": np.linspace(-8, 8, 33), "t": np.linspace(0, 2, 7)}
    solved = found.solve(axes)
    truth = soliton(axes["x"][:, None], axes["t"])
    error = max(relative(solved.values["u"], truth.real), relative(solved.values["v"], truth.imag))
    assert error < 1e-9
    assert error / 10 <= solved.error_estimate < 1e-8


def test_a_corner_of_the_start_is_known_to_the_tail_of_its_modes():
    corner = lambda x: np.abs(x - 0.5)  # noqa: E731
    times = np.array([0.0, 1e-5, 1e-3, 0.1])
    found = fourier(lambda k: -0.1 * k**2, nothing, corner, **PERIOD, modes=32, steps=16)
    values = found.solve({"x": GRID["x"], "t": times}).values["u"]
    n = np.arange(1, 6001, 2)[:, None, None]
    x = GRID["x"][:, None]
    series = 2 / (pi * n) ** 2 * np.cos(2 * pi * n * x) * np.exp(-0.1 * (2 * pi * n) ** 2 * times[1:])
    assert np.array_equal(values[:, 0], corner(GRID["x"]))
    # of 32 modes sixteen times as many are carried
    assert np.abs(values[:, 1:] - 0.25 - series.sum(axis=0)).max(axis=0) == pytest.approx([0, 0, 0], abs=3e-5)
    assert np.abs(values[:, 2:] - 0.25 - series.sum(axis=0)[:, 1:]).max() < 1e-9


def test_a_nonlinear_term_may_be_differentiated():
    # uₜ = ν uₓₓ - u uₓ by Cole and Hopf: u = -2ν φₓ/φ, where φ obeys the heat equation
    nu, k = 0.02, 2 * pi
    fading = lambda t: 0.6 * np.exp(-nu * k**2 * t)  # noqa: E731
    exact = lambda x, t: 2 * nu * k * fading(t) * np.sin(k * x) / (1 + fading(t) * np.cos(k * x))  # noqa: E731
    steps, errors = np.array([16, 32, 64]), []
    for count in steps:
        found = fourier(
            lambda k: -nu * k**2,
            lambda u: u**2 / 2,
            lambda x: exact(x, 0.0),
            factor=lambda k: -1j * k,
            **PERIOD,
            modes=128,
            steps=count,
        )
        solved = found.solve(GRID)
        errors.append(relative(solved.values["u"], exact(GRID["x"][:, None], GRID["t"])))
        assert errors[-1] <= solved.error_estimate <= 100 * errors[-1]
    assert -4.6 < np.polyfit(np.log(steps), np.log(errors), 1)[0] < -3.4


def test_a_system_is_as_its_components_where_these_do_not_meet():
    rates = (lambda k: -0.02 * k**2, lambda k: -0.3j * k)
    reactions = (lambda u: 6 * u * (1 - u), lambda v: -(v**3))
    starts = (bell, lambda x: np.cos(2 * pi * x))
    both = fourier(
        lambda k: [rate(k) for rate in rates],
        lambda u, v: (reactions[0](u), reactions[1](v)),
        lambda x: [start(x) for start in starts],
        outputs=("u", "v"),
        system=True,
        **PERIOD,
        steps=400,
    ).solve(GRID)
    for output, *one in zip(("u", "v"), rates, reactions, starts, strict=True):
        alone = fourier(*one, **PERIOD, steps=400).solve(GRID)
        assert np.abs(both.values[output] - alone.values["u"]).max() < 1e-14


@pytest.mark.slow
def test_a_system_turns_as_its_complex_form_and_carries_the_tail_of_corners():
    corner = lambda x: np.abs(x - 0.5)  # noqa: E731
    turned = fourier(
        lambda k: -0.1 * k**2, lambda h: 3j * h, lambda x: corner(x) + 0j, outputs=("u", "v"), **PERIOD, modes=32
    ).solve(GRID)
    system = fourier(
        lambda k: (-0.1 * k**2, -0.1 * k**2),
        lambda u, v: (-3 * v, 3 * u),
        lambda x: (corner(x), 0 * x),
        outputs=("u", "v"),
        system=True,
        **PERIOD,
        modes=32,
    ).solve(GRID)
    for output in ("u", "v"):
        assert np.abs(system.values[output] - turned.values[output]).max() < 1e-12


def test_a_system_of_three_has_three_outputs():
    found = fourier(
        lambda k: (0 * k, 0 * k, 0 * k),
        lambda u, v, w: (v - w, w - u, u - v),
        lambda x: (1 + 0 * x, 0 * x, 0 * x),
        outputs=("u", "v", "w"),
        system=True,
        **PERIOD,
        steps=500,
    ).solve(GRID)
    turn = 3**0.5 * GRID["t"]
    assert np.abs(found.values["u"] - (1 + 2 * np.cos(turn)) / 3).max() < 1e-12
    assert np.abs(found.values["v"] - found.values["w"] + 2 / 3**0.5 * np.sin(turn)).max() < 1e-12


def test_a_reaction_with_diffusion_agrees_with_the_method_of_lines():
    rhs = lambda x, u, ux, uxx: 0.02 * uxx + 5 * (u - u**3)  # noqa: E731
    start = lambda x: np.cos(2 * pi * x) + 0.3  # noqa: E731
    lines = method_of_lines(rhs, start, **PERIOD, boundary="periodic").solve(GRID)
    found = fourier(lambda k: -0.02 * k**2, lambda u: 5 * (u - u**3), start, **PERIOD, modes=128, steps=500).solve(GRID)
    assert relative(lines.values["u"], found.values["u"]) <= lines.error_estimate + found.error_estimate
    assert found.error_estimate < 1e-10


SQUARE = {"x": (0.0, 1.0), "y": (0.0, 2.0), "t": (0.0, 0.5)}
PLANE = {"x": np.linspace(0, 1, 9), "y": np.linspace(0, 2, 7), "t": np.linspace(0, 0.5, 5)}


def test_in_the_plane_the_linear_part_alone_is_exact_and_turns_with_the_grid():
    wave = lambda x, y: np.cos(2 * pi * (2 * x - y)) + np.sin(2 * pi * x) + 0.3  # noqa: E731
    found = fourier(lambda k, m: -0.01 * k**2 - 0.02 * m**2, nothing, wave, **SQUARE, modes=32, steps=16)
    x, y, t = np.ix_(*PLANE.values())
    fade = lambda k, m: np.exp(-(0.01 * k**2 + 0.02 * m**2) * (2 * pi) ** 2 * t)  # noqa: E731
    truth = np.cos(2 * pi * (2 * x - y)) * fade(2, 1) + np.sin(2 * pi * x) * fade(1, 0) + 0.3
    solved = found.solve(PLANE)
    assert relative(solved.values["u"], truth) < 1e-14
    assert solved.error_estimate < 1e-14


@pytest.mark.parametrize("axis", [0, 1])
def test_what_changes_along_one_axis_only_is_as_on_a_line(axis):
    linear, reaction = (lambda k: -0.02 * k**2), (lambda u: 6 * u * (1 - u))
    line = fourier(linear, reaction, bell, **PERIOD, modes=64, steps=48).solve(GRID).values["u"]
    plane = fourier(
        lambda *waves: linear(waves[axis]),
        reaction,
        lambda *places: bell(places[axis]),
        x=(0, 1),
        y=(0, 1),
        t=(0, 0.5),
        modes=64,
        steps=48,
    )
    values = plane.solve({"x": GRID["x"], "y": GRID["x"], "t": GRID["t"]}).values["u"]
    assert np.abs(values - np.expand_dims(line, 1 - axis)).max() < 1e-8


def test_in_the_plane_a_source_may_depend_on_place_and_time_and_steps_are_of_fourth_order():
    # u = exp(sin 2πx + cos πy) (2 + sin 9t) by its own equation uₜ = 0.01 Δu - u² + f, and twice that as v
    shape = lambda x, y: np.exp(np.sin(2 * pi * x) + np.cos(pi * y))  # noqa: E731
    bent = lambda x, y: (  # noqa: E731
        4 * pi**2 * (np.cos(2 * pi * x) ** 2 - np.sin(2 * pi * x)) + pi**2 * (np.sin(pi * y) ** 2 - np.cos(pi * y))
    )
    size = lambda t: 2 + np.sin(9 * t)  # noqa: E731

    def reaction(u, v, x, y, t):
        source = shape(x, y) * (9 * np.cos(9 * t) - 0.01 * bent(x, y) * size(t)) + (shape(x, y) * size(t)) ** 2
        return source - u * v / 2, 2 * source - v**2 / 2

    x, y, t = np.ix_(*PLANE.values())
    truth, errors, steps = shape(x, y) * size(t), [], np.array([32, 64, 128])
    for count in steps:
        found = fourier(
            lambda k, m: [-0.01 * (k**2 + m**2)] * 2,
            reaction,
            lambda x, y: [2 * shape(x, y), 4 * shape(x, y)],
            **SQUARE,
            modes=48,
            steps=count,
            outputs=("u", "v"),
            system=True,
        )
        solved = found.solve(PLANE)
        errors.append(max(relative(solved.values["u"], truth), relative(solved.values["v"], 2 * truth)))
        assert errors[-1] <= solved.error_estimate <= 100 * errors[-1]
    assert -4.4 < np.polyfit(np.log(steps), np.log(errors), 1)[0] < -3.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": (1, 1)}, "fourier, y"),
        ({"factor": lambda k: k}, "no `factor`"),
        ({"outputs": ("u", "v")}, "no complex functions"),
        ({"linear": lambda k, m: 1 / k}, "linear: is NaN or Inf"),
        ({"linear": lambda k, m: 1j * k}, "linear: expected .* real numbers"),
        ({"nonlinear": lambda u: u[0]}, "nonlinear: expected .* real numbers, got"),
        ({"nonlinear": lambda u: 1e3 * (1 + u**2)}, "did not reach t = 0.5"),
        (
            {"outputs": ("u", "v"), "system": True, "nonlinear": lambda u, v: (u, v)},
            "initial data: expected a sequence",
        ),
        ({"outputs": ("u", "v"), "system": True}, r"nonlinear: it is called as F\(u, v\), one argument each"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_in_the_plane_too_what_does_not_fit_is_refused(arguments, message):
    given = {"linear": lambda k, m: -k * k, "nonlinear": lambda u: -u, "initial": lambda x, y: bell(x), "modes": 32}
    with pytest.raises((InputError, RuntimeError), match=message):
        fourier(**SQUARE | given | {"steps": 16} | arguments).solve(PLANE)


def test_times_come_in_any_order_and_the_ends_agree():
    found = fourier(lambda k: -0.01 * k**2, lambda u: 6 * u * (1 - u), bell, **PERIOD, modes=128, steps=1500)
    shuffled = np.array([0.3, 0.0, 0.5, 0.3, 0.123456])
    values = found.solve({"x": GRID["x"], "t": shuffled}).values["u"]
    assert np.array_equal(values[:, 1], bell(GRID["x"]))
    assert np.array_equal(values[:, 0], values[:, 3])
    assert np.allclose(values[0], values[-1], rtol=0, atol=1e-14)
    scattered = found.at({"x": np.array([0.3, 0.8]), "t": np.array([0.123456, 0.3])})["u"]
    assert scattered == pytest.approx([values[12, 4], values[32, 0]], abs=1e-14)


def test_the_equation_is_marched_through_once():
    calls = []
    found = fourier(lambda k: -0.01 * k**2, lambda u: calls.append(1) or u, bell, **PERIOD, steps=400)
    found.solve(GRID)
    made = len(calls)
    found.solve({"x": GRID["x"], "t": np.array([0.25])})
    assert made > 4 * 600
    assert len(calls) - made <= 4 * 4


def test_a_solution_that_blows_up_is_an_error():
    found = fourier(lambda k: 0 * k, lambda u: 50 * u**3, lambda x: 2 + 0 * x, **PERIOD)
    with pytest.raises(RuntimeError, match=r"did not reach t = 0.5"):
        found.solve(GRID)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": (1, 0)}, "fourier, x"),
        ({"t": (0, np.nan)}, "fourier, t"),
        ({"modes": 30}, "even number of modes"),
        ({"modes": 65}, "even number of modes"),
        ({"steps": 15}, "16 steps"),
        ({"outputs": ()}, "got 0"),
        ({"outputs": ("u", "v", "w")}, "got 3"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        fourier(lambda k: -(k**2), nothing, bell, **PERIOD | arguments)


@pytest.mark.parametrize(
    ("linear", "nonlinear", "initial", "message"),
    [
        (lambda k: k[:3], nothing, bell, r"linear: expected .*\(3,\)"),
        (lambda k: 1 / k, nothing, bell, "linear: is NaN or Inf at 1 of"),
        (lambda k: 0 * k, lambda u: u[:, None], bell, "nonlinear: expected"),
        (lambda k: 0 * k, lambda u: 1j * u, bell, "nonlinear: complex values for one output"),
        (lambda k: 0 * k, nothing, np.log, "initial data: is NaN or Inf"),
        (lambda k: 0 * k, nothing, lambda x: np.exp(2j * pi * x), "initial data: complex"),
        (lambda k: 0 * k, nothing, lambda x: "no", "initial data: expected"),
    ],
)
def test_functions_that_do_not_fit_are_refused(linear, nonlinear, initial, message):
    with pytest.raises(InputError, match=message):
        fourier(linear, nonlinear, initial, **PERIOD, steps=16).solve(GRID)


@pytest.mark.parametrize(
    ("linear", "nonlinear", "initial", "message"),
    [
        (lambda k: -(k**2), lambda u, v: (u, v), lambda x: (x, x), "linear: expected a sequence of 2"),
        (lambda k: (k, k), lambda u, v: u, lambda x: (bell(x), bell(x)), "nonlinear: expected a sequence of 2"),
        (lambda k: (k, k), lambda u, v: (u,), lambda x: (bell(x), bell(x)), "nonlinear: expected a sequence of 2"),
        (lambda k: (k, k), lambda u, v: (u, v), bell, "initial data: expected a sequence of 2"),
        (lambda k: (k, k), lambda u, v: (u, 1j * v), lambda x: (bell(x), bell(x)), "nonlinear: complex"),
    ],
)
def test_functions_that_do_not_fit_a_system_are_refused(linear, nonlinear, initial, message):
    with pytest.raises(InputError, match=message):
        fourier(linear, nonlinear, initial, **PERIOD, steps=16, outputs=("u", "v"), system=True).solve(GRID)


def test_a_factor_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="factor: is NaN or Inf at 1 of"):
        fourier(lambda k: 0 * k, nothing, bell, **PERIOD, steps=16, factor=lambda k: 1 / k).solve(GRID)


def test_points_outside_are_refused():
    with pytest.raises(InputError, match="axis 'x'"):
        fourier(lambda k: 0 * k, nothing, bell, **PERIOD).solve({"x": np.array([1.5]), "t": np.zeros(1)})
