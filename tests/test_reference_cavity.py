"""The driven cavity: walls, symmetry, its equations in between, an honest estimate, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from pinnreg.errors import InputError
from pinnreg.reference import Reference, Solved, cavity, driven_cavity

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


@pytest.mark.parametrize("wrong", [lambda x: 1 + 0 * x, lambda x: x * (1 - x), lambda x: 16 * x**2, lambda x: 0.0])
def test_a_lid_that_moves_at_its_ends_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="vanishes with its slope"):
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
