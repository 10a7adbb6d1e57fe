"""The driven cavity: walls, symmetry, its equations in between, an honest estimate, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import scipy
import skfem
from skfem.helpers import ddot, div, dot, grad, mul

from pinnreg.errors import InputError
from pinnreg.reference import Reference, Solved, cavity, driven_cavity
from pinnreg.reference.corner_flow import Corner

GRID = {"x": np.linspace(0, 1, 21), "y": np.linspace(0, 1, 17)}
FINE = {axis: np.linspace(0, 1, 201) for axis in "xy"}


def lid(x: Any) -> Any:
    return 16 * (x * (1 - x)) ** 2


def solved(monkeypatch: pytest.MonkeyPatch, *degrees: int, reynolds: float = 100.0) -> Solved:
    monkeypatch.setattr(cavity, "DEGREES", degrees)
    return driven_cavity(lid, reynolds).solve(GRID)


@pytest.fixture(scope="module")
def best() -> Mapping[str, Any]:
    """The flow as well as it is solved by default."""
    return driven_cavity(lid, 100.0).solve(GRID).values


def test_the_walls_are_at_rest_and_the_lid_moves_as_it_is_told(best: Mapping[str, Any]) -> None:
    values = best
    assert np.abs(values["u"][:, -1] - lid(GRID["x"])).max() < 1e-13
    assert max(np.abs(values["v"][edge]).max() for edge in (0, -1, (slice(None), 0), (slice(None), -1))) < 1e-13
    assert max(np.abs(values["u"][edge]).max() for edge in (0, -1, (slice(None), 0))) < 1e-13
    assert abs(values["p"][10, 8]) < 1e-13


def test_a_slow_flow_is_the_same_from_left_and_right_and_its_pressure_grows_with_the_viscosity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, slower = (solved(monkeypatch, 10, 14, reynolds=reynolds).values for reynolds in (1e-4, 1e-5))
    assert np.abs(slow["u"] - slow["u"][::-1]).max() < 1e-5
    assert np.abs(slow["v"] + slow["v"][::-1]).max() < 1e-5
    assert np.abs(slower["p"] - 10 * slow["p"]).max() < 1e-5 * np.abs(slower["p"]).max()


# a slow flow needs fewer functions
@pytest.mark.parametrize(("reynolds", "degrees"), [(1.0, (12, 16)), (300.0, cavity.DEGREES)])
def test_momentum_and_mass_are_in_balance_around_any_square(
    monkeypatch: pytest.MonkeyPatch, reynolds: float, degrees: tuple[int, int]
) -> None:
    monkeypatch.setattr(cavity, "DEGREES", degrees)
    values = driven_cavity(lid, reynolds).solve(FINE).values
    u, v, p = (values[name][20:-20, 20:-20] for name in "uvp")
    h = FINE["x"][1]
    d = [np.gradient(each, h, edge_order=2) for each in (u, v, p)]
    inner = slice(4, -4)
    second = [sum(np.gradient(slope, h, axis=axis) for axis, slope in enumerate(each)) for each in d[:2]]
    rows = [u * each[0] + v * each[1] + d[2][axis] - second[axis] / reynolds for axis, each in enumerate(d[:2])]
    # differences of second order
    assert np.abs((d[0][0] + d[1][1])[inner, inner]).max() < 1e-3 * np.abs(d[0][1]).max()
    for axis, row in enumerate(rows):
        assert np.abs(row[inner, inner]).max() < 5e-3 * max(
            np.abs(d[2][axis]).max(), np.abs(second[axis] / reynolds).max()
        )


@pytest.mark.parametrize("degree", [12, 18])
def test_the_estimate_is_honest(monkeypatch: pytest.MonkeyPatch, best: Mapping[str, Any], degree: int) -> None:
    found = solved(monkeypatch, degree - 4, degree)
    assert found.error_estimate is not None
    errors = [np.linalg.norm(found.values[name] - best[name]) / np.linalg.norm(best[name]) for name in "uvp"]
    assert max(errors) < found.error_estimate < 100 * max(errors)


def test_the_velocity_converges_with_the_degree(monkeypatch: pytest.MonkeyPatch, best: Mapping[str, Any]) -> None:
    errors = [np.abs(solved(monkeypatch, 8, degree).values["u"] - best["u"]).max() for degree in (10, 14, 18)]
    assert errors[0] > 4 * errors[1] > 12 * errors[2]
    assert errors[2] < 1e-5


def shearing(x: Any) -> Any:
    """A lid whose slopes at its ends are not 0, nor the same."""
    return 4 * x * (1 - x) * (1 + x / 2)


def logarithms(x: Any, y: Any) -> Any:
    """What its pressure has no bound by, for Re = 100."""
    return (4 * np.log(x**2 + (1 - y) ** 2) - 6 * np.log((1 - x) ** 2 + (1 - y) ** 2)) / 100


@pytest.mark.parametrize("end", [0, 1])
def test_at_a_corner_that_is_sheared_the_flow_creeps_and_derivatives_are_those_of_it(end: int) -> None:
    near, h = np.array([0.1, 0.2, 0.4, 0.8]), 1e-5
    corner, places = Corner(-3.0, end), (abs(end - near), 1 - near[:3])

    def slope(axis: int, *order: int) -> Any:
        down, up = (
            corner.stream(*(each + side * (axis == n) for n, each in enumerate(places)))(*order) for side in (-h, h)
        )
        return (up - down) / (2 * h)

    d = corner.stream(*places)
    for i, j in ((0, 0), (1, 0), (0, 1)):
        assert np.abs(slope(0, i, j) - d(i + 1, j)).max() < 1e-7
        assert np.abs(slope(1, i, j) - d(i, j + 1)).max() < 1e-7
    # ∇p = (∂_y, −∂ₓ) Δψ/Re for 2s/Re log r, r the distance
    away, down = near[:, None], near[None, :3]
    force = -3 * 2 / (away**2 + down**2)
    assert np.abs(slope(1, 2, 0) + slope(1, 0, 2) - force * away).max() < 1e-5
    assert np.abs(slope(0, 2, 0) + slope(0, 0, 2) - (1 - 2 * end) * force * down).max() < 1e-5
    on_lid, on_wall = corner.stream(places[0], np.ones(1)), corner.stream(np.array([float(end)]), places[1])
    assert on_lid(0, 1)[:, 0] == pytest.approx(-3 * near)
    assert max(np.abs(each).max() for each in (on_lid(1, 0), on_lid(0, 0), on_wall(1, 0), on_wall(0, 1))) < 1e-12


@pytest.mark.slow
def test_below_a_lid_that_shears_the_corners_the_flow_is_that_of_elements_of_taylor_and_hood() -> None:
    found = driven_cavity(shearing, 100.0, pinned=(0.5, 0.5))
    values = found.solve(GRID).values
    assert np.abs(values["u"][:, -1] - shearing(GRID["x"])).max() < 1e-13
    assert max(np.abs(values["v"][edge]).max() for edge in (0, -1, (slice(None), 0), (slice(None), -1))) < 1e-13
    assert max(np.abs(values["u"][edge]).max() for edge in (0, -1, (slice(None), 0))) < 1e-13
    inner = np.linspace(0.1, 0.9, 9)
    points = np.array(np.meshgrid(inner, inner, indexing="ij")).reshape(2, -1)
    solved = found.solve({"x": inner, "y": inner})
    assert solved.error_estimate is not None
    assert solved.error_estimate < 1e-4
    u, v, p = (solved.values[name].ravel() for name in "uvp")
    p = p + logarithms(*points)
    errors = []
    for cells in (12, 24):
        (other_u, other_v), other_p = taylor_hood(shearing, 100.0, points, cells)
        pairs = ((other_u, u), (other_v, v), (other_p - other_p[40], p - p[40]))
        errors.append([np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in pairs])
    assert max(errors[1][:2]) < 2e-3
    assert errors[1][2] < 2e-2
    assert all(rough > 4 * fine for rough, fine in zip(*errors, strict=True))


def taylor_hood(lid: Any, reynolds: float, points: Any, cells: int) -> tuple[Any, Any]:
    """u and v, (2, n), and p, (n,), at points by elements of degrees two and one, smaller at the walls."""
    ticks = (1 - np.cos(np.pi * np.linspace(0, 1, cells + 1))) / 2
    mesh = skfem.MeshTri.init_tensor(ticks, ticks)
    flow = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementTriP2()), intorder=6)
    pressure = flow.with_element(skfem.ElementTriP1())
    viscous = skfem.BilinearForm(lambda u, v, w: ddot(grad(u), grad(v)) / reynolds).assemble(flow)
    mass = skfem.BilinearForm(lambda u, q, w: -div(u) * q).assemble(flow, pressure)
    carried = skfem.BilinearForm(lambda u, v, w: dot(mul(grad(u), w.wind) + mul(grad(w.wind), u), v))
    before = skfem.LinearForm(lambda v, w: dot(mul(grad(w.wind), w.wind), v))
    found = np.zeros(flow.N + pressure.N)
    top = flow.get_dofs(lambda x: np.isclose(x[1], 1)).all("u^1")
    found[top] = lid(flow.doflocs[0, top])
    known = np.append(flow.get_dofs().all(), flow.N)
    for _ in range(7):
        wind = flow.interpolate(found[: flow.N])
        matrix = scipy.sparse.bmat([[viscous + carried.assemble(flow, wind=wind), mass.T], [mass, None]], "csr")
        right = np.append(before.assemble(flow, wind=wind), np.zeros(pressure.N))
        found = skfem.solve(*skfem.condense(matrix, right, x=found, D=known))
    velocity = flow.probes(points) @ found[: flow.N]
    return velocity.reshape(2, -1), pressure.probes(points) @ found[flow.N :]


@pytest.mark.parametrize("wrong", [lambda x: 1 + 0 * x, lambda x: 16 * x**2, lambda x: 0.0])
def test_a_lid_that_moves_at_its_ends_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="vanishes at x = 0"):
        driven_cavity(wrong, 100.0)


@pytest.mark.parametrize("reynolds", [0.0, -1.0, float("nan"), "a"])
def test_a_reynolds_number_that_is_none_is_refused(reynolds: Any) -> None:
    with pytest.raises(InputError, match="Reynolds"):
        driven_cavity(lid, reynolds)


def test_no_flow_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cavity, "DEGREES", (8, 10))
    found = driven_cavity(lid, 1e6)
    assert isinstance(found, Reference)
    with pytest.raises(RuntimeError, match="does not converge for Re = 1e\\+06"):
        found.solve(GRID)
