"""The shipped problems on shapes: their references solve the equations and obey the conditions, by differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import iv, kv
from test_problems import FEW_AXES, Differences, reference_of, weights
from torch import Tensor

import pinnreg
from pinnreg import Box, Problem, registry
from pinnreg.domain import Domain
from pinnreg.equations import Equation, FaceCondition, Points, Sweep, Trial, evaluate_residual, named_conditions

Array = NDArray[np.float64]
NAMES = [name for name in registry.find() if not isinstance(pinnreg.problem(name).domain, Box)]
CHANGED: list[tuple[str, dict[str, Any]]] = [
    ("poisson_disc", {"wave": 1.5}),
    ("poisson_ball", {"slope": -2.0}),
    ("heat_annulus", {"diffusion": 0.3}),
    ("fibre", {"conductivity": 0.2}),
    ("stacked_plates", {"lower": 5.0, "upper": 3.0}),
    ("composite_rod", {"left": 0.2, "right": 1.5}),
    ("composite_rod", {"left": 0.5, "right": 0.5}),
    ("poisson_holes", {"place": 0.6, "outside": 1.0, "holes": 0.0}),
]
CASES = [(name, FEW_AXES.get(name, {})) for name in NAMES] + CHANGED
DEAR = (
    *("heat_circles", "poisson_boltzmann", "poisson_holes", "poisson_holes-0.6-1.0-0.0", "poisson_lshape"),
    "heat_annulus-0.3",
)
"""Cases whose references take seconds."""
IDS = ["-".join([name, *map(str, changes.values())]) for name, changes in CASES]
each_case = pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param(*case, id=each, marks=pytest.mark.slow if each in DEAR else ())
        for case, each in zip(CASES, IDS, strict=True)
    ],
)
BY_ELEMENTS = {"poisson_holes": 1e-4, "poisson_boltzmann": 1e-4, "heat_circles": 3e-3}
"""References whose second derivatives are no better than their mesh, and how exact their values are."""
SUDDEN = ("heat_circles",)
"""With layers that begin thinner than any stencil."""
LAYERS = {"stacked_plates": ("lower", "upper"), "composite_rod": ("left", "right"), "fibre": ("conductivity", None)}
"""The coefficients on both sides of the interface; None for 1."""


@cache
def made(name: str, changes: tuple[tuple[str, Any], ...]) -> Problem:
    return pinnreg.problem(name, **dict(changes))


def scale(problem: Problem) -> float:
    """The largest value of the reference."""
    points = problem.domain.sample(200)
    return max(float(np.abs(values).max()) for values in at(problem, points).values())


def at(problem: Problem, points: Tensor) -> dict[str, Array]:
    columns = points.numpy().T
    return reference_of(problem).at(dict(zip(problem.domain.axes, columns, strict=True)))


def well_inside(domain: Domain, count: int = 6) -> Tensor:
    """Points with room for a stencil around them."""
    points = domain.sample(2000, "uniform", 5)
    room = domain.signed_distance(points) < -0.1 * max(b - a for a, b in domain.bounds.values())
    for kink in domain.kinks:
        room &= kink(points) > 0.1
    for number, (axis, (lower, upper)) in enumerate(domain.bounds.items()):
        if axis == "t":
            room &= (points[:, number] - lower).clamp(max=1) * (upper - points[:, number]) > 0.05
    return points[room][:count]


@each_case
def test_the_residual_vanishes_on_the_reference(name: str, changes: dict[str, Any]) -> None:
    problem = made(name, tuple(changes.items()))
    if name in BY_ELEMENTS:
        pytest.skip("of finite elements")
    points, best = Points(well_inside(problem.domain)), np.inf
    assert len(points) == 6
    for step in (1e-2, 3e-3):
        differences = Differences(problem, reference_of(problem), points, step)
        rows = evaluate_residual(problem, differences)
        best = min(best, max(float(values.abs().max()) for values in rows.values()) / differences.scale)
    assert best < 1e-6


@each_case
def test_the_reference_obeys_the_conditions(name: str, changes: dict[str, Any]) -> None:
    problem = made(name, tuple(changes.items()))
    tolerance = BY_ELEMENTS.get(name, 1e-6) * scale(problem)
    judged = 0
    for condition in named_conditions(problem):
        if not isinstance(condition, FaceCondition):
            continue  # below
        points = condition.sample(problem.domain, 20, "uniform", 1)
        points = points.part(away_from_corners(problem.domain, points.x))
        if name in SUDDEN and condition.kind != "initial":
            points = points.part(points.x[:, -1] > 0.1)
        # values on the boundary itself may be NaN by rounding
        moved = points.x - 1e-9 * points.normals if condition.kind != "initial" else points.x
        value, of_value, of_slope = condition.data(points, problem.domain.axes).view(3, -1).numpy()
        rows = of_value * at(problem, moved)[str(condition.of)] - value
        if of_slope.any():
            rows = rows + of_slope * slopes(problem, points.x, points.normals, -1.0)[str(condition.of)]
        assert np.abs(rows).max() < tolerance * max(1.0, np.abs(of_slope).max()), condition.name
        judged += 1
    assert judged


def away_from_corners(domain: Domain, points: Tensor) -> Tensor:
    """Which points have no corner near, where slopes may have no bound, (n,)."""
    places = torch.tensor([corner.place for corner in domain.corners], dtype=torch.float64).reshape(-1, 2)
    return (torch.cdist(points[:, :2], places) > 0.2).all(dim=1)


@pytest.mark.parametrize("name", LAYERS)
def test_the_flux_is_continuous_where_materials_meet(name: str) -> None:
    problem = pinnreg.problem(name)
    (held,) = (each for each in named_conditions(problem) if isinstance(each, Equation))
    points = held.sample(problem.domain, 20, "uniform", 1)
    inside, outside = (slopes(problem, points.x, points.normals, side)["u"] for side in (-1.0, 1.0))
    one, other = (1.0 if key is None else getattr(problem, key) for key in LAYERS[name])
    assert one * inside == pytest.approx(other * outside, rel=1e-5, abs=1e-5 * np.abs(one * inside).max())
    assert np.abs(inside - outside).max() > 0.1 * np.abs(inside).max()  # a kink


def slopes(problem: Problem, points: Tensor, normals: Tensor | None, side: float) -> dict[str, Array]:
    """∂u/∂n by differences on one side of points."""
    assert normals is not None
    h = side * 2e-3 * min(b - a for a, b in problem.domain.bounds.values())
    offsets = h * np.arange(7) + np.sign(h) * 1e-9
    values = [at(problem, points + offset * normals) for offset in offsets]
    taken = weights(offsets, 1)
    return {name: sum(w * each[name] for w, each in zip(taken, values, strict=True)) for name in values[0]}


def test_kirsch_s_plate_is_in_balance_and_its_hole_without_stress() -> None:
    problem: Any = pinnreg.problem("plate_hole", poisson=0.2)

    def exact(points: Tensor) -> Tensor:
        return torch.stack(problem.displacement(points[:, 0], points[:, 1]), dim=1)

    def sweep(points: Points) -> Sweep:
        return Sweep(Trial(("x", "y"), ("u", "v"), ((), ())), exact, points)

    inside = Points(problem.domain.sample(50))
    for rows in evaluate_residual(problem, sweep(inside)).values():
        assert float(rows.detach().abs().max()) < 1e-10
    for condition in named_conditions(problem):
        rows = condition.residual(sweep(condition.sample(problem.domain, 30, "sobol", 0)), problem)
        assert float(rows.detach().abs().max()) < 1e-10, condition.name
    # three times the stress that it is pulled with, at the top of the hole; with 2μ = 1 that is 1
    top = sweep(Points(torch.tensor([[0.0, 0.3]], dtype=torch.float64)))
    along, up = top((1, 0))[0, 0].item(), top((0, 1))[0, 1].item()
    assert along + problem.poisson / (1 - problem.poisson) * (along + up) == pytest.approx(3)


@pytest.mark.slow
def test_the_l_shape_is_that_of_two_references() -> None:
    from skfem.helpers import dot, grad

    from pinnreg import reference

    problem = pinnreg.problem("poisson_lshape")
    points = problem.domain.sample(50)
    zero = dict.fromkeys(problem.domain.edges, 0.0)  # type: ignore[attr-defined]
    laplace: Callable[..., Any] = lambda u, v, w: dot(grad(u), grad(v))  # noqa: E731
    other = reference.finite_elements(problem.domain, laplace, 1.0, dirichlet=zero, degree=4, size=0.1)
    found = other.at(dict(zip("xy", points.numpy().T, strict=True)))["u"]
    assert found == pytest.approx(at(problem, points)["u"], abs=1e-6 * 0.15)


# series that solve the equation themselves, fitted to the values on the boundary by least squares

HOLES = {
    "poisson_holes": [(x, y, 0.2) for x in (-0.6, 0.6) for y in (-0.6, 0.6)],
    "poisson_boltzmann": [(0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3)],
}
CORNERS = np.array([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j])


def boundary_of_holes(name: str, outside: float, on_holes: float) -> tuple[Array, Array]:
    """Points on the square, dense towards its corners, and on the holes, as x + iy, with the values there."""
    ends = np.concatenate([[0.0], np.geomspace(1e-7, 1, 150)])
    side = np.unique(np.concatenate([ends - 1, 1 - ends, np.linspace(-1, 1, 150)]))
    square = np.concatenate([side + 1j, side - 1j, 1 + 1j * side, -1 + 1j * side])
    circle = np.exp(2j * np.pi * np.arange(100) / 100)
    circles = np.concatenate([x + 1j * y + radius * circle for x, y, radius in HOLES[name]])
    return np.concatenate([square, circles]), np.repeat([outside, on_holes], [len(square), len(circles)])


def harmonics(z: Array) -> Array:
    """Polynomials, and logarithms and multipoles in the holes."""
    powers = [(z / 2**0.5) ** n for n in range(41)]
    for x, y, radius in HOLES["poisson_holes"]:
        away = z - (x + 1j * y)
        powers += [np.log(np.abs(away)) + 0j, *((radius / away) ** n for n in range(1, 13))]
    return np.column_stack([part for each in powers for part in (each.real, each.imag)])


def screened(z: Array, k: float = 8.0) -> Array:
    """What solves -Δu + k² u = 0: Bessel functions, those of the holes, and sources close to the corners."""
    columns = [iv(n, k * np.abs(z)) / iv(n, k * 2**0.5) * np.exp(1j * n * np.angle(z)) for n in range(41)]
    for x, y, radius in HOLES["poisson_boltzmann"]:
        away = z - (x + 1j * y)
        columns += [kv(n, k * np.abs(away)) / kv(n, k * radius) * np.exp(1j * n * np.angle(away)) for n in range(25)]
    for corner in CORNERS:
        for distance in np.exp(-4 * (24**0.5 - np.sqrt(np.arange(1, 25)))):
            away, scale = z - corner * (1 + distance), k * distance * 2**0.5
            columns += [kv(n, k * np.abs(away)) / kv(n, scale) * np.exp(1j * n * np.angle(away)) for n in (0, 1)]
    return np.column_stack([part for each in columns for part in (each.real, each.imag)])


def forced(z: Array, k: float = 8.0) -> Array:
    """A solution of -Δu + k² u = 10 (17 + x² + y²) sin πx sin 4πy on the whole plane."""
    (x, y), (a, b) = (z.real, z.imag), (np.pi, 4 * np.pi)
    both, by = np.sin(a * x) * np.sin(b * y), a**2 + b**2 + k**2
    total = 17 * both / by
    for of, slope, rate in (
        (x, np.cos(a * x) * np.sin(b * y), a),
        (y, np.sin(a * x) * np.cos(b * y), b),
    ):
        once = of * slope / by - 2 * rate * both / by**2  # of `of` times slope
        total = total + (of**2 * both + 2 * both / by + 4 * rate * once) / by
    return 10 * total


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes", "basis", "known", "values", "tolerance"),
    [
        ("poisson_holes", CHANGED[-1][1], harmonics, np.zeros_like, (1.0, 0.0), 5e-6),
        ("poisson_boltzmann", {}, screened, forced, (0.2, 1.0), 2e-5),
    ],
    ids=HOLES,
)
def test_finite_elements_find_what_series_find(
    name: str,
    changes: dict[str, Any],
    basis: Callable[[Array], Array],
    known: Callable[[Array], Array],
    values: tuple[float, float],
    tolerance: float,
) -> None:
    problem = made(name, tuple(changes.items()))
    places, given = boundary_of_holes(name, *values)
    fitted = np.linalg.lstsq(basis(places), given - known(places).real, rcond=1e-14)[0]
    points = problem.domain.sample(500)
    z = points.numpy() @ [1, 1j]
    series = known(z).real + basis(z) @ fitted
    difference = np.linalg.norm(at(problem, points)["u"] - series) / np.linalg.norm(series)
    assert difference < tolerance
