"""Coefficients of highest derivatives that jump are said before training, all other jumps are not; and it is true."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import pinnreg
from pinnreg import Box, Problem, dirichlet, problem, registry
from pinnreg.domain import Domain
from pinnreg.equations import jumping_coefficients

Function = Callable[..., Any]
INTERVAL = Box(x=(0, 1))
STRIP = Box(x=(0, 1), t=(0, 1))
SQUARE = Box(x=(0, 1), y=(0, 1))


def posed(domain: Domain, residual: Function, outputs: tuple[str, ...] = ("u",)) -> Problem:
    @dataclass(frozen=True)
    class Given(Problem):
        residual = None

    Given.domain, Given.outputs = domain, outputs  # type: ignore[misc, assignment]
    Given.residual = residual  # type: ignore[method-assign, assignment]
    return Given()


def k(x: Tensor) -> Tensor:
    return torch.where(x < 0.4, 1.0, 5.0)


def disc(x: Tensor, y: Tensor) -> Tensor:
    return torch.where((x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.04, 10.0, 1.0)


COEFFICIENTS: dict[str, tuple[Domain, Function, list[str]]] = {
    "diffusion": (INTERVAL, lambda self, u, x: k(x) * u.xx + 1, ["u.xx jumps along x from 1 to 5, as at x=0.4"]),
    "nothing else": (INTERVAL, lambda self, u, x: k(x) * u.xx, ["u.xx jumps along x"]),
    "in time": (STRIP, lambda self, u, x: u.t - k(x) * u.xx, ["u.xx jumps along x from -1 to -5, as at x=0.4, t="]),
    "by a hundredth": (INTERVAL, lambda self, u, x: (1 + 0.02 * (x > 0.3)) * u.xx + 1, ["to 1.02, as at x=0.3"]),
    "of small values": (
        INTERVAL,
        lambda self, u, x: torch.where(x < 0.2, 0.01 * torch.where(x < 0.1, 1.0, 5.0), 0.05 + x - 0.2) * u.xx + 1,
        ["from 0.01 to 0.05, as at x=0.1"],
    ),
    "an inclusion": (SQUARE, lambda self, u, x, y: disc(x, y) * u.laplacian, ["laplacian jumps along x", "along y"]),
    "by parts": (SQUARE, lambda self, u, x, y: disc(x, y) * (u.xx + u.yy) + 1, ["u.xx jumps along x", "u.yy jumps"]),
    "of a product": (SQUARE, lambda self, u, x: k(x) * u.xx * u.yy - u.xy**2, ["u.xx jumps along x"]),
    "of order 4": (SQUARE, lambda self, u, x: k(x) * u.biharmonic, [r"for \(k u_xx\)_xx = f it is k u_xx that"]),
    "mixed with time": (STRIP, lambda self, u, x: u.t - k(x) * u.xxt - u.xx, ["u.xxt jumps along x"]),
    "along the other axis": (SQUARE, lambda self, u, y: k(y) * u.xx + u.yy, []),
    "a switch in time": (STRIP, lambda self, u, t: u.t - k(t) * u.xx, []),
    "density": (STRIP, lambda self, u, x: k(x) * u.tt - u.xx, []),
    "source": (INTERVAL, lambda self, u, x: u.xx + k(x), []),
    "lower orders": (INTERVAL, lambda self, u, x: u.xx + k(x) * u.x + k(x) * u, []),
    "below order 4": (SQUARE, lambda self, u, x: u.biharmonic + k(x) * u.laplacian, []),
    "weight": (INTERVAL, lambda self, u, x: k(x) * (u.xx + 1), []),
    "order 1": (INTERVAL, lambda self, u, x: k(x) * u.x - 1, []),
    "steep": (INTERVAL, lambda self, u, x: (2 + torch.tanh(200 * (x - 0.5))) * u.xx + 1, []),
    "steeper": (INTERVAL, lambda self, u, x: (2 + torch.tanh(1e4 * (x - 0.5))) * u.xx + 1, []),
    "kink": (INTERVAL, lambda self, u, x: (1 + abs(x - 0.3)) * u.xx + 1, []),
    "sign change": (INTERVAL, lambda self, u, x: (x - 0.3) * u.xx + u, []),
    "vanishing": (INTERVAL, lambda self, u, x: torch.sqrt(x) * u.xx + u.x / x, []),
    "in u": (INTERVAL, lambda self, u: torch.where(u < 0.5, 1.0, 5.0) * u.xx + 1, []),
    "minimal surface": (
        SQUARE,
        lambda self, u: (1 + u.y**2) * u.xx - 2 * u.x * u.y * u.xy + (1 + u.x**2) * u.yy,
        [],
    ),
    "a residual that fails": (INTERVAL, lambda self, u: None, []),
}


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_jumps_of_the_coefficients_of_highest_derivatives_are_said(name: str) -> None:
    domain, residual, expected = COEFFICIENTS[name]
    notes = jumping_coefficients(posed(domain, residual))
    assert len(notes) == len(expected), notes
    for note, part in zip(notes, expected, strict=True):
        assert re.search(part, note), note


def test_coefficients_are_those_of_each_output_and_equation() -> None:
    def coupled(self: Problem, u: Any, v: Any, x: Tensor) -> Any:
        return {"first": u.xx + k(x) * v.x, "second": k(x) * v.xx - u}

    (note,) = jumping_coefficients(posed(INTERVAL, coupled, ("u", "v")))
    assert note.startswith("second: the coefficient of v.xx jumps")


# -(k u')' = 1 with u(0) = u(1) = 0: the flux is q = k u' = c - x


@dataclass(frozen=True)
class Rough(Problem):
    """k u'' = -1, as if k were a number."""

    domain = INTERVAL
    conditions = (dirichlet(0.0),)
    defaults: ClassVar[Any] = {
        "network": {"hidden": [8]},
        "points": {"interior": 60},
        "train": [{"optimiser": "gauss_newton", "steps": 40}],
        "evaluate": {"grid": [200]},
    }

    def residual(self, u: Any, x: Tensor) -> Any:
        return k(x) * u.xx + 1

    def reference(self) -> Any:
        return lambda x: rod(x)[0]


@dataclass(frozen=True)
class WithFlux(Problem):
    """The same with the flux as an output."""

    domain = INTERVAL
    outputs = ("u", "q")
    conditions = (dirichlet(0.0, of="u"),)
    defaults = Rough.defaults

    def residual(self, u: Any, q: Any, x: Tensor) -> Any:
        return {"flux": q - k(x) * u.x, "balance": q.x + 1}

    def reference(self) -> Any:
        return {"u": lambda x: rod(x)[0], "q": lambda x: rod(x)[1]}


def rod(x: Any) -> tuple[Any, Any]:
    """u and q in closed form, from ∫ q/k = 0."""
    c = (0.4**2 / 2 + (1 - 0.4**2) / 10) / (0.4 + 0.6 / 5)
    left = c * x - x**2 / 2
    right = (c * (x - 1) - (x**2 - 1) / 2) / 5
    return np.where(x < 0.4, left, right), c - x


@pytest.mark.slow
def test_what_the_note_says_is_true(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        wrong = pinnreg.solve({"problem": Rough()}, out=False)
        (said,) = [record.message for record in caplog.records if "coefficient" in record.message]
        assert "q - k * u.x and q.x - f" in said
        caplog.clear()
        right = pinnreg.solve({"problem": WithFlux()}, out=False)
        assert not [record for record in caplog.records if "coefficient" in record.message]
    assert wrong.report is not None
    assert right.report is not None
    assert wrong.report.errors["u"].rel_l2 > 0.2
    assert right.report.errors["u"].rel_l2 < 1e-2
    assert right.report.errors["q"].rel_l2 < 1e-2


@pytest.mark.parametrize("name", registry.find())
def test_shipped_coefficients_do_not_jump(name: str) -> None:
    assert jumping_coefficients(problem(name)) == []
