"""The bound by the maximum principle: never below the true error, and None where no principle is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg import Annulus, Ball, Box, Problem, dirichlet, initial, neumann, periodic
from pinnreg.estimates import Bound, by_maximum_principle


def make(domain: Any, *given: Any, residual: Callable[..., Any], known: Any = None) -> Any:
    body = {"domain": domain, "conditions": given, "residual": residual}
    body |= {} if known is None else {"reference": lambda self: known}
    return dataclass(frozen=True)(type("Made", (Problem,), body))()


def solved(problem: Any, steps: int, mode: str = "default") -> tuple[Bound | None, pinnreg.Solution]:
    config = {
        "problem": problem,
        "network": {"hidden": [8]},
        "points": {"interior": 60, "boundary": 40},
        "conditions": mode,
        "evaluate": {"estimate": "none", "grid": 30},
        "train": [{"optimiser": "gauss_newton", "steps": steps}],
    }
    solution = pinnreg.solve(config, out=False, figures=False)
    objective, parameters = solution.trained or pytest.fail("it was trained")
    return by_maximum_principle(objective, parameters, seed=0), solution


def wave_of(x: Any, y: Any) -> Any:
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


SQUARE, DISC = Box(x=(0, 1), y=(0, 1)), Ball(x=0, y=0, radius=1)
ROD = Box(x=(0, 1), t=(0, 0.2))
PROBLEMS = {
    "poisson": make(
        SQUARE,
        dirichlet(0.0),
        residual=lambda self, u, x, y: u.laplacian + 2 * math.pi**2 * wave_of(x, y),
        known=lambda x, y: np.sin(np.pi * x) * np.sin(np.pi * y),
    ),
    "turned around": make(
        SQUARE,
        dirichlet(0.0),
        residual=lambda self, u, x, y: -(3 * u.xx + u.yy) - 4 * math.pi**2 * wave_of(x, y),
        known=lambda x, y: np.sin(np.pi * x) * np.sin(np.pi * y),
    ),
    "heat": make(
        ROD,
        dirichlet(0.0),
        initial(lambda x: torch.sin(math.pi * x)),
        residual=lambda self, u: 2 * u.t - u.xx,
        known=lambda x, t: np.exp(-(np.pi**2) * t / 2) * np.sin(np.pi * x),
    ),
}


@pytest.mark.first(4)
@pytest.mark.parametrize("name", ["poisson", "turned around", "heat"])
@pytest.mark.parametrize("mode", ["default", "soft"])
@pytest.mark.parametrize("steps", [2, 8])
def test_no_error_is_larger(name: str, mode: str, steps: int) -> None:
    bound, solution = solved(PROBLEMS[name], steps, mode)
    assert bound is not None
    assert solution.report is not None
    error = solution.report.errors["u"].max_abs
    assert error <= bound.max_abs <= 1000 * error
    assert (bound.boundary > 0) == (mode == "soft" or name == "heat")


def plain(self: Any, u: Any) -> Any:
    return u.laplacian + 1


@pytest.mark.parametrize(
    "problem",
    [
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.laplacian + u),  # it may have eigenfunctions
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.laplacian - u**3 + 1),
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.laplacian - 9 * torch.abs(u + 0) + 1),
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.laplacian - torch.relu(u + 0) - 1),
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.laplacian - torch.abs(u.x) - 1),
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.biharmonic - 1),
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.xy + 1),
        make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.xx - u.yy + 1),
        make(SQUARE, dirichlet(0.0, on="x"), neumann(0.0, on="y"), residual=plain),
        make(SQUARE, dirichlet(0.0, on="x"), periodic("y"), residual=plain),
        make(SQUARE, dirichlet(0.0, on="x"), residual=plain),
        make(ROD, dirichlet(0.0), initial(0.0), residual=lambda self, u: u.t + u.xx - 1),
        make(ROD, dirichlet(0.0), initial(0.0), residual=lambda self, u: u.tt - u.xx - 1),
        make(ROD, dirichlet(0.0), residual=lambda self, u: u.t - u.xx - 1),
    ],
)
def test_where_no_principle_is_known_there_is_none(problem: Any) -> None:
    assert solved(problem, 1)[0] is None


@dataclass(frozen=True)
class Found(Problem):
    """k uₓₓ = -1, k to be found."""

    k: float = 1.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u):
        return self.k * u.xx + 1


def test_an_equation_whose_coefficient_is_to_be_found_has_none() -> None:
    config = {"problem": Found(), "network": {"hidden": [4]}, "points": {"interior": 20}}
    train = [{"optimiser": "gauss_newton", "steps": 1}]
    solution = pinnreg.solve({**config, "train": train, "unknown": {"k": {"start": 2.0}}}, out=False, figures=False)
    objective, parameters = solution.trained or pytest.fail("it was trained")
    assert by_maximum_principle(objective, parameters, seed=0) is None


@pytest.mark.parametrize("domain", [DISC, Annulus(x=0, y=0, inner=0.5, outer=1), DISC - Ball(x=0.2, y=0, radius=0.3)])
def test_shapes_have_one(domain: Any) -> None:
    bound, _ = solved(make(domain, dirichlet(0.0), residual=lambda self, u, x: u.laplacian + u.x - u + x), 1)
    assert bound is not None
    assert 0 < bound.inside < math.inf


def test_a_run_prints_it_and_says_it_again(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["network.hidden=[6]", "train.0.steps=3", "points.interior=40", "evaluate.grid=9"]
    with pytest.raises(SystemExit):
        pinnreg.cli.main(["solve", "poisson", *(f"--set={each}" for each in options), "--out", str(tmp_path / "run")])
    (said,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("bound of the error by"))
    report = pinnreg.report.read_report(tmp_path / "run")
    assert report.errors["u"].max_abs <= report.facts["bound"]["max_abs"]
    with pytest.raises(SystemExit):
        pinnreg.cli.main(["evaluate", str(tmp_path / "run"), "--json", str(tmp_path / "again.json")])
    assert said in capsys.readouterr().out.splitlines()
    assert json.loads((tmp_path / "again.json").read_text())["bound"] == report.facts["bound"]
    with pytest.raises(SystemExit):
        pinnreg.cli.main(["evaluate", str(tmp_path / "run"), "--estimate", "none"])
    assert "bound of the error" not in capsys.readouterr().out


def test_an_equation_that_cannot_be_taken_to_pieces_costs_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no rule for this function")

    monkeypatch.setattr("pinnreg.run.results.by_maximum_principle", fail)
    config = {"problem": PROBLEMS["poisson"], "network": {"hidden": [4]}, "points": {"interior": 20}}
    train = [{"optimiser": "gauss_newton", "steps": 1}]
    evaluate = {"grid": 9, "estimate": "defect"}
    report = pinnreg.solve({**config, "train": train, "evaluate": evaluate}, out=False, figures=False).report
    assert report is not None
    assert "bound" not in report.facts
