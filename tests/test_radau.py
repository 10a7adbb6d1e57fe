"""Radau collocation for linear systems in time, against exponentials."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from pinnreg.reference.radau import STAGES, Path, radau, steps

MASS = scipy.sparse.csr_array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.5]])
MATRIX = scipy.sparse.csr_array([[3.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 4.0]])
START = np.array([1.0, -1.0, 0.5])


def exact(time):
    """Of M u' + A u = (1, 2, 3)."""
    steady = np.linalg.solve(MATRIX.toarray(), [1.0, 2.0, 3.0])
    rates = np.linalg.solve(MASS.toarray(), MATRIX.toarray())
    return steady + scipy.linalg.expm(-time * rates) @ (START - steady)


def solved(times, **changes):
    arguments = {
        "mass": MASS,
        "matrix": MATRIX,
        "load": lambda time: np.array([1.0, 2.0, 3.0]),
        "free": np.arange(3),
        "prescribed": lambda time: np.zeros(3),
        "start": START,
        "times": np.asarray(times),
        "factorise": lambda matrix: scipy.sparse.linalg.splu(matrix.tocsc()),
    }
    return radau(**arguments | changes)


def test_the_order_is_nine_at_the_steps_and_six_between_them():
    counts = np.array([1, 2, 4])
    at_end, between = np.empty((2, 3))
    for number, count in enumerate(counts):
        path = solved(np.linspace(0, 0.8, count + 1))
        at_end[number] = np.abs(path(0.8) - exact(0.8)).max()
        between[number] = max(np.abs(path(time) - exact(time)).max() for time in np.linspace(0, 0.8, 50))
    assert np.polyfit(np.log(counts), np.log(at_end), 1)[0] < -8
    assert -8 < np.polyfit(np.log(counts), np.log(between), 1)[0] < -4.5


def test_graded_steps_are_nearly_exact_at_any_time():
    path = solved(steps((0.0, 10.0), 4))
    for time in np.geomspace(1e-4, 10, 30):
        assert np.allclose(path(time), exact(time), rtol=0, atol=1e-6)


def test_what_is_prescribed_is_met_and_moves_the_others():
    """u₁ = t³ is a polynomial of the steps; the others are found by a solve with it as a load."""
    path = solved(
        np.linspace(0, 1, 5),
        free=np.array([1, 2]),
        prescribed=lambda time: np.array([time**3, 0, 0]),
        start=np.array([0.0, 1, 1]),
    )
    assert path(0.37)[0] == pytest.approx(0.37**3, abs=1e-14)

    def slope(time, u):
        pushed = np.array([2.0, 3.0]) - MATRIX.toarray()[1:, 0] * time**3 - MASS.toarray()[1:, 0] * 3 * time**2
        return np.linalg.solve(MASS.toarray()[1:, 1:], pushed - MATRIX.toarray()[1:, 1:] @ u)

    other = scipy.integrate.solve_ivp(slope, (0, 1), [1.0, 1.0], rtol=1e-11, atol=1e-12).y[:, -1]
    assert np.allclose(path(1.0)[1:], other, rtol=1e-9)


def test_fast_modes_are_damped_at_once():
    path = solved([0.0, 1.0], matrix=1e8 * MATRIX)
    assert np.abs(path(1.0)).max() < 1e-6


def test_steps_double_and_fill_the_span():
    found = steps((2.0, 5.0), 3)
    sizes = np.diff(found)
    assert found[0] == 2
    assert found[-1] == pytest.approx(5)
    assert set(np.round(sizes[1:] / sizes[:-1], 9)) == {1.0, 2.0}
    path = Path(found, np.ones((len(sizes), STAGES + 1, 2)))
    assert np.allclose([path(time) for time in (2.0, 2.7, 5.0)], 1)
