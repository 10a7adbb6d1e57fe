"""The lightning solver on polygons, against closed forms and finite elements."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from skfem.helpers import dot, grad

from pinnreg.domain import Annulus, Ball, Box, Polygon
from pinnreg.errors import InputError
from pinnreg.reference import finite_elements, lightning
from pinnreg.reference.lightning import Edges, fitted
from pinnreg.reference.loop import loop_of
from pinnreg.reference.rational import Columns

SQUARE = Box(x=(0, 1), y=(0, 1))
EDGES = [f"edge{number}" for number in range(1, 7)]
L_SHAPE = Polygon([(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1)])
ZERO = dict.fromkeys(EDGES, 0.0)
MOTZ = Polygon([(-1, 0), (0, 0), (1, 0), (1, 1), (-1, 1)], edges=["cut", "free", "hot", "free", "free"])


def grid(shape, count=41):
    return {axis: np.linspace(*ends, count) for axis, ends in shape.bounds.items()}


def largest(solved, exact, axes):
    """Error."""
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    values = solved.values["u"]
    there = np.isfinite(values)
    return np.abs(values[there] - exact(*(each[there] for each in mesh))).max()


def scale(solved):
    return np.sqrt(np.nanmean(solved.values["u"] ** 2))


def corner_function(x, y):
    """r^{2/3} sin(2θ/3) with θ from the one edge of the notch of the L-shape to the other."""
    theta = np.arctan2(y, x)
    theta = np.where(theta < np.pi / 4, theta + 2 * np.pi, theta) - np.pi / 2
    return np.hypot(x, y) ** (2 / 3) * np.sin(2 * theta / 3)


@pytest.fixture(scope="module")
def torsion():
    """−Δu = 1 on the L-shape."""
    return lightning(L_SHAPE, 1.0, dirichlet=ZERO, tolerance=3e-8)


@pytest.mark.parametrize(
    ("shape", "source", "exact"),
    [
        (L_SHAPE, 0.0, corner_function),
        (L_SHAPE, -4.0, lambda x, y: x**2 + y**2 + np.exp(x) * np.sin(y)),
        (Polygon([(0, 0), (2, 0), (0.3, 1)]), 2.0, lambda x, y: y - x**2),
        (Box(x=(0, 3), y=(0, 1)) - Polygon([(1, -1), (2, -1), (1.5, 0.7)]), 0.0, lambda x, y: x**3 - 3 * x * y**2),
    ],
    ids=["corner", "L-shape", "triangle", "notch"],
)
def test_harmonic_functions_are_found_within_the_bound(shape, source, exact):
    found = lightning(shape, source, dirichlet={str(side): exact for side in shape.faces(None)}, tolerance=3e-8)
    solved = found.solve(grid(shape))
    error = largest(solved, exact, grid(shape))
    assert error < 1e-7 * scale(solved)
    assert error <= 1.01 * solved.error_estimate * scale(solved) + 1e-14
    assert found.kind == "lightning solver"


def test_the_l_shape_has_its_known_value(torsion):
    solved = torsion.scattered({"x": np.array([-0.5]), "y": np.array([-0.5])})
    assert solved.values["u"].item() == pytest.approx(0.131052962, abs=5.1e-10)
    assert solved.error_estimate < 1e-7


@pytest.mark.slow
def test_the_bound_falls_root_exponentially():
    problem = Edges(L_SHAPE, loop_of("test", L_SHAPE), 1.0, ZERO, {})
    bounds = [fitted(problem, count)[0].bound for count in (8, 16, 32, 64)]
    assert all(fine < coarse / 8 for coarse, fine in pairwise(bounds))
    slope = np.polyfit(np.sqrt([8, 16, 32, 64]), np.log(bounds), 1)[0]
    assert -4 < slope < -1.5


def test_finite_elements_and_the_lightning_solver_agree(torsion):
    axes = grid(L_SHAPE, 21)
    sharp = torsion.solve(axes)
    elements = finite_elements(L_SHAPE, lambda u, v, w: dot(grad(u), grad(v)), 1.0, dirichlet=ZERO, degree=4, size=0.12)
    solved = elements.solve(axes)
    there = np.isfinite(sharp.values["u"])
    assert np.array_equal(there, np.isfinite(solved.values["u"]))
    difference = np.linalg.norm((sharp.values["u"] - solved.values["u"])[there]) / np.linalg.norm(
        sharp.values["u"][there]
    )
    assert difference < 3e-7
    assert difference / 2 < solved.error_estimate < 20 * difference


def test_values_may_jump_at_corners():
    found = lightning(SQUARE, dirichlet={"x=min": 0.0, "x=max": 0.0, "y=min": 0.0, "y=max": 1.0})
    solved = found.scattered({"x": np.array([0.5, 0.2]), "y": np.array([0.5, 0.9])})
    odd = np.arange(1, 400, 2)
    # e^{-kπ(1 - y)} and no hyperbolic functions, which overflow
    series = (
        4 / (np.pi * odd) * np.sin(odd * np.pi * 0.2) * np.exp(-odd * np.pi * 0.1)
        * (1 - np.exp(-2 * odd * np.pi * 0.9)) / (1 - np.exp(-2 * odd * np.pi))
    ).sum()  # fmt: skip
    assert np.allclose(solved.values["u"], [0.25, series], rtol=1e-9)
    assert solved.error_estimate < 1e-8


def test_fluxes_are_met():
    """x + 2y on a square, and −x² + 3y with a source 2 on a triangle."""
    square = lightning(
        SQUARE, dirichlet={"x=min": lambda x, y: 2 * y}, flux={"x=max": 1.0, "y=min": -2.0, "y=max": 2.0}
    )
    assert largest(square.solve(grid(SQUARE)), lambda x, y: x + 2 * y, grid(SQUARE)) < 1e-9
    triangle = Polygon([(0, 0), (1, 0), (0, 1)], edges=["bottom", "slope", "left"])
    found = lightning(triangle, 2.0, dirichlet={"slope": lambda x, y: 3 * y - x**2}, flux={"bottom": -3.0})
    assert largest(found.solve(grid(triangle)), lambda x, y: 3 * y - x**2, grid(triangle)) < 1e-9


@pytest.mark.slow
def test_motz_problem_has_its_coefficients():
    """u = Σ αⱼ r^{j−1/2} cos((j − 1/2)θ) beside the end of the free part (Z.-C. Li et al. 1987)."""
    found = lightning(MOTZ, dirichlet={"cut": 0.0, "hot": 500.0}, tolerance=1e-7)
    r, theta = np.array([1e-6, 1e-3, 1e-3]), np.array([0.0, 1.0, 3.0])
    solved = found.scattered({"x": r * np.cos(theta), "y": r * np.sin(theta)})
    leading = (401.1624537452, 87.6559201951, 17.2379150794)
    series = sum(alpha * r ** (j + 0.5) * np.cos((j + 0.5) * theta) for j, alpha in enumerate(leading))
    assert np.abs(solved.values["u"] - series).max() < 1e-5
    assert solved.values["u"][0] == pytest.approx(series[0], rel=1e-5)


def test_columns_are_orthonormal_and_the_same_anywhere():
    points = np.exp(1j * np.linspace(0, 3, 200)) + 0.3
    columns = Columns.on(points, np.array([2.0 + 0j]), np.array([0.5]), 30)
    found = columns(points)
    assert np.allclose(found[:, 1:].conj().T @ found[:, 1:], 200 * np.eye(31), atol=1e-9)
    assert np.allclose(columns(points[:3]), found[:3], rtol=1e-12)
    assert np.allclose(found[:, 0], 0.5 / (points - 2))


@pytest.mark.parametrize("shape", [L_SHAPE, SQUARE, MOTZ, SQUARE - Box(x=(0.5, 2), y=(0.25, 0.5))])
def test_the_loop_goes_around_with_the_shape_on_its_left(shape):
    loop = loop_of("test", shape)
    area = (loop.corners.conj() * np.roll(loop.corners, -1)).imag.sum() / 2
    assert area == pytest.approx(shape.volume, rel=1e-5)
    assert loop.angles.sum() == pytest.approx((len(loop.corners) - 2) * np.pi)
    for name, start, along in zip(loop.names, loop.corners, loop.along, strict=True):
        points, normals = (each.numpy() for each in shape.boundary(name).sample(200, "grid"))
        middle = start + along / 2
        nearest = np.hypot(points[:, 0] - middle.real, points[:, 1] - middle.imag).argmin()
        outward = -1j * along / abs(along)
        assert np.allclose(normals[nearest], [outward.real, outward.imag], atol=1e-12)
    poles, _ = loop.poles(shape, 20)
    assert len(poles) >= 15 * len(loop.corners)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"domain": Ball(x=0, y=0, radius=1)}, "curved"),
        ({"domain": Annulus(x=0, y=0, inner=0.5, outer=1)}, "curved"),
        ({"domain": Box(x=(0, 3), y=(0, 3)) - Box(x=(1, 2), y=(1, 2))}, "holes"),
        ({"domain": Box(x=(0, 1))}, "two axes"),
        ({"dirichlet": {"x=mix": 0.0}}, "did you mean"),
        ({"dirichlet": {}}, "not unique"),
        ({"flux": {"x=min": 0.0}}, "both a value and a flux"),
        ({"flux": {"y=min": lambda x, y: x}}, "flux on 'y=min' as a finite number"),
        ({"source": np.nan}, "source as a finite number"),
        ({"source": True}, "source as a finite number"),
        ({"tolerance": 0.0}, "tolerance as a positive number"),
        ({"tolerance": "a"}, "tolerance as a positive number"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    given = {"domain": SQUARE, "dirichlet": {"x=min": 0.0}} | arguments
    if not isinstance(given["domain"], Box) or given["domain"] is not SQUARE:
        given["dirichlet"] = {str(given["domain"].faces(None)[0]): 0.0}
    with pytest.raises(InputError, match=message):
        lightning(**given)


def test_a_function_that_does_not_fit_is_told():
    with pytest.raises(InputError, match="dirichlet on 'x=min': is NaN or Inf"):
        lightning(SQUARE, dirichlet={"x=min": lambda x, y: y / (0 * y)}).solve(grid(SQUARE))
