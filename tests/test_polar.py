"""Spectral references on discs and annuli, against closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import jn_zeros, jv

from pinnreg.domain import Annulus, Ball, Box, Ellipse
from pinnreg.errors import InputError
from pinnreg.reference import finite_elements, polar
from pinnreg.reference.angular import Round, solve_modes
from pinnreg.reference.radial import Radial

DISC = Ball(x=0.2, y=0.1, radius=0.9)
ANNULUS = Annulus(x=0.2, y=0.1, inner=0.3, outer=1.1)
UNIT = Ball(x=0, y=0, radius=1)
POINT = {"x": np.array([0.3]), "y": np.array([-0.2])}


def exact(x, y):
    return np.sin(2 * x + 1) * np.exp(y)


def outward(x, y):
    """∂u/∂r."""
    r = np.hypot(x - 0.2, y - 0.1)
    return (2 * np.cos(2 * x + 1) * np.exp(y) * (x - 0.2) + exact(x, y) * (y - 0.1)) / r


def source(diffusion, reaction):
    return lambda x, y: (3 * diffusion + reaction) * exact(x, y)


def grid(shape, count=31):
    return {axis: np.linspace(*ends, count) for axis, ends in shape.bounds.items()}


def error(values, truth):
    there = np.isfinite(values)
    return np.linalg.norm((values - truth)[there]) / np.linalg.norm(truth[there])


@pytest.mark.parametrize(
    ("shape", "conditions"),
    [
        (DISC, {"dirichlet": {"boundary": exact}}),
        (DISC, {"flux": {"boundary": outward}}),
        (ANNULUS, {"dirichlet": {"inner": exact, "outer": exact}}),
        (ANNULUS, {"dirichlet": {"outer": exact}, "flux": {"inner": lambda x, y: -outward(x, y)}}),
        (ANNULUS, {"flux": {"outer": outward}, "dirichlet": {"inner": exact}}),
    ],
    ids=["disc", "disc, flux", "annulus", "annulus, flux inside", "annulus, flux outside"],
)
@pytest.mark.parametrize(
    ("diffusion", "reaction"),
    [pytest.param(1.0, 0.0, marks=pytest.mark.slow), (0.5, 2.0), pytest.param(1.0, -7.0, marks=pytest.mark.slow)],
)
def test_a_manufactured_solution_is_found_to_rounding(shape, conditions, diffusion, reaction):
    if reaction == 0 and "dirichlet" not in conditions:
        reaction = 1.0
    found = polar(shape, source(diffusion, reaction), diffusion=diffusion, reaction=reaction, **conditions)
    solved = found.solve(grid(shape))
    x, y = np.meshgrid(*grid(shape).values(), indexing="ij")
    assert error(solved.values["u"], exact(x, y)) < 1e-12
    assert solved.error_estimate < 1e-12
    assert found.kind == "Fourier-Legendre method"


def test_the_error_falls_faster_than_any_power_and_the_difference_tells_it():
    names = {0.9: "boundary"}
    centre = np.array([0.2, 0.1])
    problem = Round(centre, (0.0, 0.9), names, source(1, 0), 1.0, 0.0, {"boundary": exact}, {}, initial=0.0, start=None)
    points = centre + 0.6 * np.random.default_rng(0).uniform(-1, 1, (200, 2))
    found = [solve_modes(problem, degree) for degree in (6, 9, 12, 18)]
    values = [each.at(points, each.steady()) for each in found]
    errors = [error(each, exact(*points.T)) for each in values]
    assert errors[0] > 1e-6
    assert all(fine < coarse / 30 for coarse, fine in pairwise(errors))
    assert error(values[0], values[1]) == pytest.approx(errors[0], rel=0.1)


@pytest.mark.parametrize(
    "mode", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow), 7]
)
def test_bessel_modes_of_a_disc_decay_at_their_rates(mode):
    zero = jn_zeros(mode, 2)[1]

    def start(x, y):
        return jv(mode, zero * np.hypot(x, y)) * np.cos(mode * np.arctan2(y, x))

    found = polar(UNIT, diffusion=0.1, dirichlet={"boundary": 0.0}, initial=start, time=(1, 2))
    axes = {**grid(UNIT), "t": np.array([1.0, 1.3, 2.0])}
    solved = found.solve(axes)
    x, y, t = np.meshgrid(*axes.values(), indexing="ij")
    assert error(solved.values["u"], start(x, y) * np.exp(-0.1 * zero**2 * (t - 1))) < 1e-12
    assert solved.error_estimate < 1e-12


def test_without_flux_heat_grows_with_its_source():
    found = polar(ANNULUS, 3.0, time=(0, 2), initial=1.0)
    axes = {**grid(ANNULUS), "t": np.array([0.0, 0.5, 2.0])}
    values = found.solve(axes).values["u"]
    there = np.isfinite(values).all(axis=2)
    assert np.allclose(values[there], [1, 2.5, 7], rtol=1e-12)


def test_heat_with_data_that_do_not_fit_ends_in_the_steady_state():
    conditions = {"dirichlet": {"boundary": torch.mul}}
    steady = polar(UNIT, lambda x, y: np.exp(x), **conditions)
    heat = polar(UNIT, lambda x, y: np.exp(x), **conditions, initial=1.0, time=(0, 10))
    points = {"x": np.tile([0.3, 0.9], 3), "y": np.tile([-0.2, 0.1], 3), "t": np.repeat([0.0, 0.1, 10.0], 2)}
    solved = heat.scattered(points)
    assert np.array_equal(solved.values["u"][:2], [1, 1])
    assert np.allclose(solved.values["u"][4:], steady.at({"x": points["x"][:2], "y": points["y"][:2]})["u"], rtol=1e-12)
    assert solved.error_estimate < 1e-10
    # u_t = Δu + f by differences
    step = 1e-3
    offsets = np.array([(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]) * step
    x, y, t = (np.array([0.3, -0.2, 0.1]) + offsets).T
    u = heat.at({"x": x, "y": y, "t": t})["u"]
    laplacian = (u[1:5].sum() - 4 * u[0]) / step**2
    assert (u[5] - u[6]) / (2 * step) == pytest.approx(laplacian + np.exp(0.3), abs=1e-4)


def test_values_are_nan_outside_only():
    found = polar(ANNULUS, 1.0, dirichlet={"inner": 0.0, "outer": 0.0}, output="w")
    values = found.solve(grid(ANNULUS)).values["w"]
    x, y = np.meshgrid(*grid(ANNULUS).values(), indexing="ij")
    radii = np.hypot(x - 0.2, y - 0.1)
    assert np.array_equal(np.isnan(values), (radii < 0.3 - 1e-12) | (radii > 1.1 + 1e-12))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"x": [0.1], "y": [0.2], "t": [-1.0]}, "axis 't'"),
        ({"x": [0.1], "y": [0.2], "t": [1.5]}, "axis 't'"),
        ({"x": [0.1], "y": [0.2]}, "x, y, t in this order"),
        ({"y": [0.1], "x": [0.2], "t": [0.5]}, "x, y, t in this order"),
        ({"x": [0.1], "z": [0.2], "t": [0.5]}, "unknown axis 'z'"),
        ({"x": [0.1, 0.2], "y": [0.2], "t": [0.5]}, "x 2, y 1, t 1"),
    ],
)
@pytest.mark.parametrize("kind", ["polar", "finite elements"])
def test_points_that_do_not_fit_are_refused(kind, points, message):
    """Values beyond the end would be extrapolated ones, and without a time those of another problem."""
    given = {"dirichlet": {"boundary": 0.0}, "time": (0.0, 1.0)}
    found = polar(UNIT, 1.0, **given) if kind == "polar" else finite_elements(UNIT, lambda u, v, w: u * v, 1.0, **given)
    with pytest.raises(InputError, match=message):
        found.at({axis: np.array(each) for axis, each in points.items()})


@pytest.mark.parametrize("mode", [0, 1, 2, 5, 6])
@pytest.mark.parametrize("inner", [0.0, 0.4])
def test_radial_functions_have_their_derivatives_and_circles(mode, inner):
    space = Radial(7, inner, 1.5)
    power, radii, step = space.power(mode), np.linspace(0.5, 1.4, 5), 1e-6
    ahead, behind = (space.functions(power, radii + each) for each in (step, -step))
    assert np.allclose((ahead - behind) / (2 * step), space.slopes(power, radii), atol=1e-6)
    at_circles = space.functions(power, np.array(space.circles))
    assert np.allclose(at_circles, np.eye(len(space.circles), 8), atol=1e-14)
    matrix, mass = space.matrices(mode)
    assert np.allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(mass).min() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"domain": Box(x=(0, 1), y=(0, 1))}, "Ball or an Annulus"),
        ({"domain": Ellipse(2, 1, x=0, y=0)}, "Ball or an Annulus"),
        ({"domain": Ball(x=0, y=0, z=0, radius=1)}, "two axes"),
        ({"domain": 1}, "shape of pinnreg.domain"),
        ({"dirichlet": {"bound": 0.0}}, "did you mean 'boundary'"),
        ({"dirichlet": {"boundary": 0.0}, "flux": {"boundary": 0.0}}, "both a value and a flux"),
        ({"diffusion": 0.0}, "diffusion as a positive number"),
        ({"diffusion": "a"}, "diffusion as a positive number"),
        ({"reaction": True}, "reaction as a finite number"),
        ({"dirichlet": {}}, "not unique"),
        ({"time": (1, 0)}, "polar, time"),
        ({"tolerance": 0.0}, "tolerance as a positive number"),
        ({"tolerance": "a"}, "tolerance as a positive number"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        polar(**{"domain": UNIT, "dirichlet": {"boundary": 0.0}} | arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": lambda x, y: x / (0 * x)}, "source: is NaN or Inf"),
        ({"source": "a"}, "source: expected a number or a function"),
        ({"dirichlet": {"boundary": lambda x, y: x[:3]}}, "dirichlet on 'boundary'.*broadcast"),
        ({"time": (0, 1), "initial": lambda x, y: 1j * x}, "initial.*complex"),
    ],
)
def test_functions_that_do_not_fit_are_told(options, message):
    found = polar(**{"domain": UNIT, "dirichlet": {"boundary": 0.0}} | options)
    with pytest.raises(InputError, match=message):
        found.at({**POINT, "t": np.ones(1)} if "time" in options else POINT)
