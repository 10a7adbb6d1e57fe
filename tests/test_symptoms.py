"""What runs say of themselves that their loss does not show: `notes` in report.json and on the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pinnreg
from pinnreg import Box, Problem, dirichlet, initial, integral, neumann, periodic
from pinnreg.cli import main

SMALL: dict[str, Any] = {
    "network": {"hidden": [6]},
    "points": {"interior": 60, "boundary": 20},
    "evaluate": {"estimate": "none", "grid": 20},
}
SQUARE = Box(x=(0, 1), y=(0, 1))


def make(domain: Any, *given: Any, residual: Callable[..., Any], outputs: tuple[str, ...] = ("u",)) -> Any:
    body = {"domain": domain, "conditions": given, "outputs": outputs, "residual": residual}
    return dataclass(frozen=True)(type("Made", (Problem,), body))()


def notes_of(problem: Any, steps: int = 6, **changes: Any) -> list[str]:
    given = {"problem": problem, **SMALL, "train": [{"optimiser": "gauss_newton", "steps": steps}], **changes}
    solution = pinnreg.solve(given, out=False, figures=False)
    assert solution.report is not None
    found: list[str] = solution.report.facts["notes"]
    return found


def poisson(self: Any, u: Any, x: Any) -> Any:
    return u.laplacian + torch.cos(math.pi * x)


def flow(self: Any, u: Any, v: Any, p: Any) -> Any:
    return {"x": p.x - u.laplacian - 1, "y": p.y - v.laplacian, "mass": u.x + v.y}


NORM = integral(lambda u: u**2, over=("x", "y"), equals=1.0)
TWO = (neumann(0.0, of="u"), neumann(0.0, of="v", name="v"))
CONSTANT = "is known up to a constant only"
MULTIPLE = "any multiple of u solves"


@pytest.mark.parametrize(
    ("given", "residual", "outputs", "note"),
    [
        ((neumann(0.0),), poisson, ("u",), f"'u' {CONSTANT}"),
        pytest.param((periodic("x"), periodic("y")), poisson, ("u",), f"'u' {CONSTANT}", marks=pytest.mark.slow),
        ((neumann(0.0), dirichlet(1.0, at={"x": 0.5, "y": 0.5})), poisson, ("u",), None),
        pytest.param(
            (neumann(0.0), integral(lambda u: u, over=("x", "y"), equals=0.0)),
            poisson,
            ("u",),
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param((neumann(0.0, on="x"), dirichlet(0.0, on="y")), poisson, ("u",), None, marks=pytest.mark.slow),
        pytest.param((dirichlet(0.0),), poisson, ("u",), None, marks=pytest.mark.slow),
        pytest.param((neumann(0.0),), lambda self, u, x: u.laplacian - u + x, ("u",), None, marks=pytest.mark.slow),
        pytest.param(
            (dirichlet(0.0, of="u"), dirichlet(0.0, of="v", name="v")),
            flow,
            ("u", "v", "p"),
            f"'p' {CONSTANT}",
            marks=pytest.mark.slow,
        ),
        ((neumann(0.0),), lambda self, u: u.laplacian - u, ("u",), MULTIPLE),
        pytest.param((neumann(0.0), NORM), lambda self, u: u.laplacian - u, ("u",), None, marks=pytest.mark.slow),
        pytest.param((neumann(0.0),), lambda self, u: u.laplacian - u**3, ("u",), None, marks=pytest.mark.slow),
        pytest.param(
            TWO,
            lambda self, u, v: {"a": u.laplacian - u + 1, "b": v.laplacian - v},
            ("u", "v"),
            None,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_the_data_do_not_determine_is_named(given: Any, residual: Any, outputs: Any, note: str | None) -> None:
    found = notes_of(make(SQUARE, *given, residual=residual, outputs=outputs), steps=12 if given is TWO else 2)
    named = [each for each in found if CONSTANT in each or MULTIPLE in each]
    assert len(named) == (note is not None)
    assert note is None or note in named[0]


@dataclass(frozen=True)
class Eigen(Problem):
    """u'' + k u = 0, whose solution is zero unless its size is said."""

    k: float = 9.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u):
        return u.xx + self.k * u


@pytest.mark.parametrize("steps", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_an_eigenfunction_without_a_norm_is_named(steps: int) -> None:
    problem = make(Box(x=(0, 1)), dirichlet(0.0), residual=lambda self, u: u.xx + math.pi**2 * u)
    assert any(MULTIPLE in each for each in notes_of(problem, steps))


def test_a_coefficient_that_jumps_is_a_note() -> None:
    problem = make(
        Box(x=(0, 1)),
        dirichlet(0.0, on="x=min"),
        dirichlet(1.0, on="x=max", name="end"),
        residual=lambda self, u, x: torch.where(x < 0.5, 1.0, 9.0) * u.xx,
    )
    assert any("jump" in each for each in notes_of(problem, 1))


@pytest.mark.slow
def test_a_zero_that_tells_no_coefficient_is_named() -> None:
    found = notes_of(Eigen(), steps=20, unknown={"k": {"start": 8.0}})
    assert any("no coefficient can be told from it" in each for each in found)


def test_a_zero_is_what_was_asked_for_is_said() -> None:
    found = notes_of(make(SQUARE, dirichlet(0.0), residual=lambda self, u: u.laplacian), steps=40)
    assert any("u = 0 solves all that was asked" in each for each in found)


ROD, OPEN = Box(x=(0, 1), t=(0, 1)), "can be another function"
SWING = Box(t=(0, 2))
HELD = dirichlet(0.0, on="x")
START = initial(lambda x: torch.sin(math.pi * x))


def heat(self: Any, u: Any, x: Any) -> Any:
    return u.t - 0.1 * u.xx - torch.sin(math.pi * x)


def bumps(self: Any, u: Any, x: Any, y: Any) -> Any:
    return u.laplacian + torch.sin(math.pi * x) * torch.sin(math.pi * y)


def predators(self: Any, u: Any, v: Any) -> Any:
    return {"u": u.t - 0.1 * u.xx - u * v, "v": v.t - 0.05 * v.xx - u}


TWO_OUTPUTS = (initial(lambda x: torch.sin(math.pi * x), of="u"), dirichlet(0.0, of="u"), dirichlet(0.0, of="v"))


@pytest.mark.estimates
@pytest.mark.parametrize(
    ("problem", "hint"),
    [
        pytest.param(make(ROD, HELD, residual=heat), "no condition of 'u' holds on t=min", marks=pytest.mark.slow),
        pytest.param(
            make(ROD, START, dirichlet(0.0, on="x=min"), residual=heat),
            "no condition of 'u' holds on x=max",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            make(ROD, HELD, START, residual=lambda self, u: u.tt - u.xx),
            "there is one initial condition",
            marks=pytest.mark.slow,
        ),
        (make(SWING, initial(1.0), residual=lambda self, u: u.tt + torch.sin(u)), "there is one initial condition"),
        pytest.param(
            make(SQUARE, dirichlet(0.0, on=("x", "y=min")), residual=bumps),
            "no condition of 'u' holds on y=max",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            make(ROD, *TWO_OUTPUTS, residual=predators, outputs=("u", "v")),
            "no condition of 'v' holds on t=min",
            marks=pytest.mark.slow,
        ),
        pytest.param(make(ROD, HELD, START, residual=heat), None, marks=pytest.mark.slow),
        pytest.param(
            make(ROD, HELD, START, initial(0.0, order=1), residual=lambda self, u: u.tt - u.xx),
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            make(SWING, initial(1.0), initial(0.0, order=1), residual=lambda self, u: u.tt + torch.sin(u)),
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param(make(SQUARE, dirichlet(0.0), residual=bumps), None, marks=pytest.mark.slow),
    ],
)
def test_a_condition_too_few_is_noticed_and_no_estimate_trusted(problem: Any, hint: str | None) -> None:
    interior = 100 if len(problem.domain.axes) == 1 else 400
    given = {"problem": problem, "network": {"hidden": [16, 16]}, "evaluate": {"grid": 20}}
    given |= {"points": {"interior": interior}}
    train = [{"optimiser": "gauss_newton", "steps": 50}]
    report = pinnreg.solve({**given, "train": train}, out=False, figures=False).report
    assert report is not None
    assert report.facts["converged"]
    found = [note for note in report.facts["notes"] if OPEN in note]
    assert len(found) == (hint is not None)
    if hint is not None:
        assert hint in found[0]
        assert {each.reliability for each in report.estimates.values()} == {"poor"}


NOTHING_HELD, TIMELESS = "the problem has no conditions and no measurements", "nothing is prescribed at any time"


@pytest.mark.parametrize(
    ("problem", "note"),
    [
        (make(SWING, residual=lambda self, u: u.t - u + u**2), NOTHING_HELD),
        (make(SQUARE, residual=lambda self, u, x: u.laplacian - u + x), NOTHING_HELD),
        (make(SQUARE, residual=lambda self, u, x: u - x), None),
        (make(ROD, HELD, residual=heat), TIMELESS),
        (make(ROD, periodic("x"), residual=lambda self, u, x: heat(self, u, x) + u), TIMELESS),
        (make(ROD, HELD, START, residual=heat), None),
        (make(ROD, HELD, periodic("t"), residual=heat), None),
        (make(ROD, HELD, dirichlet(0.0, on="t=max"), residual=heat), None),
        (make(SWING, dirichlet(1.0, at={"t": 1.0}), residual=lambda self, u: u.t - u), None),
        (make(SWING, integral(lambda u: u, over="t", equals=1.0), residual=lambda self, u: u.t - u), None),
        (make(ROD, HELD, residual=lambda self, u, t: u.xx - t), None),
    ],
)
def test_nothing_prescribed_is_a_note_whatever_the_network_found(problem: Any, note: str | None) -> None:
    found = [each for each in notes_of(problem, 2) if "nothing is prescribed" in each]
    assert len(found) == (note is not None)
    assert note is None or note in found[0]


def test_nothing_prescribed_beside_measurements_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("t,u\n0.5,0.6\n1.5,0.8\n")
    problem = make(SWING, residual=lambda self, u: u.t - u + u**2)
    found = notes_of(problem, 2, measurements=[{"file": str(tmp_path / "m.csv"), "noise": 0.1}])
    assert not any("nothing is prescribed" in each for each in found)


def decay(reference: Callable[..., Any]) -> Any:
    body = {
        "domain": Box(x=(0, 1)),
        "conditions": (dirichlet(lambda x: 2 * torch.exp(x)),),
        "residual": lambda self, u: u.xx - u,
        "reference": lambda self: pinnreg.reference.closed_form(reference),
    }
    return dataclass(frozen=True)(type("Decay", (Problem,), body))()


@pytest.mark.parametrize(("solution", "apart"), [(lambda x: 2 * np.exp(x), False), (lambda x: 2 * np.cos(x), True)])
def test_a_reference_of_another_problem_is_named(solution: Any, apart: bool) -> None:
    problem = decay(solution)
    found = [each for each in notes_of(problem, 40) if "the reference contradicts the run" in each]
    assert len(found) == apart


def test_an_error_of_a_run_that_has_not_converged_is_no_contradiction() -> None:
    assert not any("contradicts" in each for each in notes_of(decay(lambda x: 2 * np.cos(x)), 1))


@pytest.mark.estimates
@pytest.mark.parametrize("how", [None, pytest.param("defect", marks=pytest.mark.slow)])
def test_an_open_solution_is_not_trusted_when_it_is_evaluated_either(tmp_path: Path, how: Any) -> None:
    problem = make(SQUARE, neumann(0.0), residual=poisson)
    pinnreg.solve(
        {"problem": problem, **SMALL, "train": [{"optimiser": "gauss_newton", "steps": 12}]}, out=tmp_path / "a"
    )
    again = pinnreg.evaluate(tmp_path / "a", problem=problem, estimate=how or "auto")
    assert again.report is not None
    assert again.report.estimates["u"].reliability == "poor"
    assert again.report.facts["estimate"] == "equations and conditions leave the solution open"


@pytest.mark.slow
def test_an_estimate_of_nothing_is_not_trusted_where_nothing_was_asked() -> None:
    problem = make(ROD, HELD, residual=lambda self, u: u.t - u.xx)
    solved = pinnreg.solve({"problem": problem, "train": [{"optimiser": "gauss_newton", "steps": 40}]}, out=False)
    assert solved.report is not None
    assert solved.report.estimates["u"].reliability == "poor"


@pytest.mark.first(1)
# of many values, a sixth more is no chance any more
@pytest.mark.parametrize(
    ("count", "said", "named"), [(40, 0.1, False), (40, 0.02, True), (40, 0.085, False), (2500, 0.085, True)]
)
def test_measurements_farther_off_than_their_noise_are_named(
    tmp_path: Path, count: int, said: float, named: bool
) -> None:
    x = np.linspace(0.05, 0.95, count)
    u = np.sin(math.pi * x) + 0.1 * np.random.default_rng(0).standard_normal(count)
    np.savetxt(tmp_path / "m.csv", np.stack([x, u], axis=1), delimiter=",", header="x,u", comments="")
    problem = make(
        Box(x=(0, 1)), dirichlet(0.0), residual=lambda self, u, x: u.xx + math.pi**2 * torch.sin(math.pi * x)
    )
    measurements = [{"file": str(tmp_path / "m.csv"), "noise": said}]
    found = [note for note in notes_of(problem, 12, measurements=measurements) if "as far from u as its noise" in note]
    assert len(found) == named


@pytest.mark.first(4)
@pytest.mark.parametrize(
    ("conditions", "apart"),
    [
        ((dirichlet(0.0), initial(1.0)), "differ by 1 where x=min meets t=min"),
        ((dirichlet(0.0), initial(lambda x: x.sin())), "differ by 0.84 where x=max meets t=min"),
        ((dirichlet(1.0, on="x=min"), neumann(0.0, on="x=max"), initial(lambda x: 1 + 0 * x)), None),
        ((neumann(0.0), initial(1.0)), None),
        ((dirichlet(0.0), initial(lambda x: torch.sin(math.pi * x))), None),
    ],
)
@pytest.mark.parametrize("mode", ["default", "soft"])
def test_data_that_disagree_where_sides_meet_are_named(conditions: Any, apart: str | None, mode: str) -> None:
    problem = make(Box(x=(0, 1), t=(0, 1)), *conditions, residual=lambda self, u: u.t - u.xx)
    found = [each for each in notes_of(problem, steps=1, conditions=mode) if "the data of" in each]
    assert len(found) == (apart is not None)
    assert apart is None or apart in found[0]


def test_a_residual_that_is_small_at_its_points_only_is_named() -> None:
    problem = make(SQUARE, dirichlet(0.0), residual=lambda self, u, x: u.laplacian + torch.sin(9 * x))
    few = {"points": {"interior": 12, "resample_every": None}, "network": {"hidden": [20]}}
    found = notes_of(problem, 30, **few)
    assert any("'residual' is small only where it was trained" in each for each in found)
    assert not any("small only" in each for each in notes_of(problem, 3))


@pytest.mark.parametrize(
    ("limits", "more"),
    [({"steps": 4}, "train.0.steps=8"), ({"steps": 500, "max_sweeps": 3000}, "train.0.max_sweeps=6000")],
)
def test_a_run_that_was_cut_is_named_and_how_it_goes_on(limits: dict[str, int], more: str) -> None:
    found = notes_of({"name": "burgers"}, **{"train": [{"optimiser": "gauss_newton", **limits}]})
    (note,) = (each for each in found if "training was cut while the loss was falling" in each)
    assert note.endswith(f"go on with --resume --set {more}")


def test_notes_are_written_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "solve",
                "burgers",
                "--set",
                "train.0.steps=4",
                "--set",
                "network.hidden=[6]",
                "--set",
                "points.interior=60",
                "--out",
                str(folder),
            ]
        )
    assert ended.value.code == 0
    (note,) = json.loads((folder / "report.json").read_text())["notes"]
    assert f"note: {note}" in capsys.readouterr().out.splitlines()
