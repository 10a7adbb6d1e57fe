"""The relative residual: a number without units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

import pytest
import torch
from torch import Tensor

from pinnreg import Box, Problem
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.equations.relative import relative_residual


def found(residual: Callable[..., Any], u: Callable[[Tensor], Tensor]) -> dict[str, float]:
    @dataclass(frozen=True)
    class Mine(Problem):
        domain = Box(x=(0, 1))
        conditions = ()

        def residual(self, u: Any, x: Tensor) -> Any:
            return residual(u, x)

    points = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    return relative_residual(Mine(), Sweep(Trial(("x",), ("u",), ((),)), u, Points(points)))


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_factors_do_not_count(factor: float) -> None:
    one = found(lambda u, x: factor * (u.xx + u), lambda x: torch.sin(3 * x))
    assert one["residual"] == pytest.approx((9 - 1) / (9 + 1), rel=1e-9)


def test_a_solution_has_none_and_a_source_counts() -> None:
    sine = lambda x: torch.sin(pi * x)  # noqa: E731
    assert found(lambda u, x: u.xx + pi**2 * torch.sin(pi * x), sine)["residual"] < 1e-14
    assert found(lambda u, x: u.xx + 3 * pi**2 * torch.sin(pi * x), sine)["residual"] == pytest.approx(0.5)


def test_terms_are_linearised() -> None:
    # ∂(u²)/∂u · u = 2u², and -u² is left
    assert found(lambda u, x: u * u, lambda x: 1 + 0 * x)["residual"] == pytest.approx(1 / 3)


def test_equations_are_apart_and_nothing_is_zero() -> None:
    both = found(lambda u, x: {"one": u.x, "none": 0 * u.value}, lambda x: 2 * x)
    assert both == {"one": 1.0, "none": 0.0}


def test_what_is_not_finite_is_never_small() -> None:
    """Of a square root that training never saw negative, for instance."""
    assert found(lambda u, x: u.x + torch.sqrt(x - 0.5), lambda x: 2 * x)["residual"] == math.inf
    assert found(lambda u, x: u.x / (x - 1), lambda x: 2 * x)["residual"] == math.inf
