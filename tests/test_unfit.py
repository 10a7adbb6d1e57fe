"""The solutions that are meant of problems that training solves wrongly."""

from __future__ import annotations

import numpy as np
import pytest

import pinnreg
from pinnreg.benchmarks import unfit


@pytest.mark.parametrize("problem", [unfit.Floating(), unfit.Mode(), unfit.Bratu(), unfit.Eikonal(), unfit.Jump()])
def test_what_is_meant_solves_the_equation_away_from_kinks(problem: pinnreg.Problem) -> None:
    known, step = problem.reference(), 1e-4
    (first, last), *others = problem.domain.bounds.values()
    x = np.linspace(first + 0.03, last - 0.03, 40)
    rest = [np.full_like(x, 0.3) for _ in others]
    u, after, before = (known(x + each, *rest) for each in (0.0, step, -step))
    uxx = (after - 2 * u + before) / step**2
    if isinstance(problem, unfit.Floating):
        uyy = (known(x, rest[0] + step) - 2 * u + known(x, rest[0] - step)) / step**2
        assert uxx + uyy == pytest.approx(-2 * np.pi**2 * u, abs=1e-5)
        return
    assert known(np.array([first, last])) == pytest.approx([0, 0], abs=1e-12)
    if isinstance(problem, unfit.Mode):
        assert uxx == pytest.approx(-(np.pi**2) * u, abs=1e-5)
    elif isinstance(problem, unfit.Bratu):
        assert known(np.array([0.5])) == pytest.approx([4.0915], abs=1e-4)
        assert uxx == pytest.approx(-np.exp(u), abs=1e-4)
    elif isinstance(problem, unfit.Eikonal):
        assert np.abs(after - before) / (2 * step) == pytest.approx(np.ones(40), rel=1e-9)
    else:
        k = np.where(x < 0.5, 1.0, problem.ratio)
        assert k * uxx == pytest.approx(-np.ones(40), abs=1e-5)
        # the flux is continuous, and u' is not
        left, right = ((known(0.5 + each) - known(0.5)) / each for each in (-1e-7, 1e-7))
        assert left == pytest.approx(problem.ratio * right, rel=1e-5)


def test_the_box_in_a_box_keeps_what_flows_and_is_that_of_one_material_where_they_are_alike() -> None:
    alike = unfit.BoxInBox(inner=1.0).reference()(np.array([0.0, 0.5]), np.array([0.0, 0.0]))
    # the series of -Δu = 1 on (-1, 1)²
    series = [
        (1 - x**2) / 2
        - 16 / np.pi**3 * sum(
            np.sin(k * np.pi * (1 + x) / 2) / (k**3 * np.cosh(k * np.pi / 2)) for k in range(1, 40, 2)
        )
        for x in (0.0, 0.5)
    ]  # fmt: skip
    assert alike == pytest.approx(series, rel=1e-3)
    known = unfit.BoxInBox().reference()
    x = np.linspace(-0.9, 0.9, 7)
    assert known(x, 0.3 + 0 * x) == pytest.approx(known(0.3 + 0 * x, x), rel=1e-9)
    assert known(np.array([0.0]), np.array([0.0]))[0] > 5 * alike[0]  # what insulates is hot
