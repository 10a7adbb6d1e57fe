"""References that are zero, for which no error is relative, and those of some outputs only."""

from __future__ import annotations

import csv
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
from pinnreg import Box, Problem, condition, dirichlet, integral, measurements, neumann
from pinnreg.cli import main
from pinnreg.errors import InputError
from pinnreg.plots import draw
from pinnreg.report import compare, main_error, read_report
from pinnreg.studies import study

TINY: dict[str, Any] = {
    "network": {"hidden": [4]},
    "points": {"interior": 16, "boundary": 8},
    "train": [{"optimiser": "gauss_newton", "steps": 4}],
    "evaluate": {"grid": 7},
    "device": "cpu",
}

SOURCE = '''
from dataclasses import dataclass
from pinnreg import Box, Problem, dirichlet

@dataclass(frozen=True)
class Pair(Problem):
    """u'' = -2 and v'' = u''."""

    zero: bool = False
    domain = Box(x=(0, 1))
    outputs = ("u", "v")
    conditions = (dirichlet(0.0, of="u"), dirichlet(0.0, of="v"))

    def residual(self, u, v):
        return {"first": u.xx + 2 * (not self.zero), "second": v.xx - u.xx}

    def reference(self):
        known = lambda x: 0 * x if self.zero else x * (1 - x)
        return {"u": known, "v": known} if self.zero else {"v": known}
'''


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command in a folder with the problem above: stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "pair.py").write_text(SOURCE)
    (tmp_path / "pair.yaml").write_text(json.dumps({"problem": {"name": "pair"}, **TINY}))

    def run(*arguments: str) -> tuple[str, str]:
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
        return capsys.readouterr()

    return run


def test_of_a_zero_reference_the_error_is_the_rmse() -> None:
    values = np.array([3.0, -4.0])
    assert main_error(values, np.zeros(2)) == pytest.approx(math.sqrt(12.5))
    assert main_error(values, np.array([3.0, 0.0])) == pytest.approx(4 / 3)

    @dataclass(frozen=True)
    class Zero(Problem):
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0),)

        def residual(self, u: Any) -> Any:
            return u.xx

        def reference(self) -> Any:
            return lambda x: 0 * x

    solution = pinnreg.solve({"problem": Zero(), **TINY}, out=False)
    assert solution.report is not None
    errors = solution.report.errors["u"]
    assert errors.of_zero
    assert math.isnan(errors.rel_l2)
    assert errors.main == errors.rmse == solution.history["error_u"][-1] > 0


def test_the_terminal_says_which_error_it_is(cli: Callable[..., Any]) -> None:
    out, err = cli("solve", "pair.yaml", "--set", "problem.zero=true", "--out", "run")
    assert "error of u (RMSE) " in err
    assert "the reference of u, v is zero: no error is relative to it" in out
    assert out.splitlines()[1].split()[:3] == ["u", "-", "-"]
    assert json.loads(Path("run/report.json").read_text())["errors"]["u"]["rel_l2"] is None
    out, _ = cli("evaluate", "run")
    assert "the reference of u, v is zero" in out
    report = read_report(Path("run"))
    titles = [ax.get_title() for figure in draw(report, pinnreg.load("run").history).values() for ax in figure.axes]
    assert any(title.startswith("RMSE ") for title in titles)
    assert "RMSE" in titles


@pytest.mark.slow
def test_a_reference_of_some_outputs_only(cli: Callable[..., Any]) -> None:
    out, err = cli("solve", "pair.yaml", "--out", "run")
    assert "reference of Pair: no values of u, which will not be verified" in err
    assert "error of v " in err
    assert "error of u" not in err
    assert "no reference for u: not verified" in out
    report = read_report(Path("run"))
    assert list(report.errors) == ["v"]
    assert set(report.fields) == {"u", "u_estimate", "v", "v_reference", "v_error", "v_estimate"}
    history = Path("run/history.csv").read_text().splitlines()[0].split(",")
    assert "error_v" in history
    assert "error_u" not in history
    history_figure = draw(report, pinnreg.load("run").history)["history"]
    assert "relative L2 error" in [ax.get_title() for ax in history_figure.axes]
    figure = draw(report, {})["error_field"]
    assert any("no reference for u: not verified" in text.get_text() for text in figure.texts)
    np.savez("some.npz", x=np.linspace(0, 1, 9), u=np.zeros(9), other=np.ones(3))
    cli("solve", "--resume", "run", "--set", "evaluate.reference=some.npz")
    assert list(read_report(Path("run")).errors) == ["u"]


@pytest.mark.usefixtures("made")
def test_a_study_of_some_outputs_and_of_zeros(cli: Callable[..., Any], tmp_path: Path) -> None:
    asked = {"base": "pair.yaml", "vary": {"problem.zero": [False, True]}}
    result = study(asked, out=tmp_path / "study", jobs=1)
    found = {each.plan.labels["problem.zero"]: each.measures for each in result.runs}
    assert found["true"]["zero_references"] == 2
    assert "zero_references" not in found["false"]
    assert all(each["rel_l2"] is not None for each in found.values())
    assert "Where the reference of an output is zero, as here, its error is the RMSE." in (
        tmp_path / "study" / "summary.md"
    ).read_text(encoding="utf-8")
    with (tmp_path / "study" / "study.csv").open() as file:
        assert [row["zero_references"] for row in csv.DictReader(file)] == ["", "2.0"]


def test_a_reference_without_any_output_is_refused() -> None:
    @dataclass(frozen=True)
    class Wrong(Problem):
        domain = Box(x=(0, 1))
        outputs = ("u", "v")

        def residual(self, u: Any, v: Any) -> Any:
            return {"first": u.x - v, "second": v.x}

        def reference(self) -> Any:
            return pinnreg.reference.closed_form({"w": lambda x: x})

    with pytest.raises(InputError, match=r"reference of Wrong: no values for the output 'u' \(it has w\)"):
        pinnreg.solve({"problem": Wrong(), **TINY}, out=False)


def test_measurements_of_an_output_without_a_reference_are_refused() -> None:
    @dataclass(frozen=True)
    class Half(Problem):
        domain = Box(x=(0, 1))
        outputs = ("u", "v")

        def residual(self, u: Any, v: Any) -> Any:
            return {"first": u.x - v, "second": v.x}

        def reference(self) -> Any:
            return {"u": lambda x: x}

    given = {"problem": Half(), **TINY, "measurements": [{"samples": 5, "of": "v"}]}
    with pytest.raises(InputError, match="reference of Half: no values for the output 'v'"):
        pinnreg.solve(given, out=False)
    reference = pinnreg.reference.closed_form({"u": lambda x: x})
    axes = {"x": np.linspace(0, 1, 4)}
    report = compare({"u": axes["x"], "v": axes["x"]}, axes, reference, reference.solve(axes))
    assert set(report.fields) == {"u", "u_reference", "u_error", "v"}


ADVICE = "a complex u has two outputs, its real and its imaginary part, and a condition for each"
EQUATIONS = "is complex; return its real and its imaginary part as two equations"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: dirichlet(1j), f"dirichlet: its data are complex; {ADVICE}"),  # type: ignore[arg-type]
        (lambda: dirichlet(torch.tensor(1j)), f"dirichlet: its data are complex; {ADVICE}"),
        (lambda: dirichlet(lambda x: 1j * x), f"condition 'dirichlet': its data are complex; {ADVICE}"),
        (lambda: neumann(lambda: 1j), f"condition 'neumann': its data are complex; {ADVICE}"),
        (lambda: condition(lambda u: 1j * u, on="x"), f"condition 'condition': 'condition' {EQUATIONS}"),
        (lambda: integral(lambda u: 1j * u, over="x", equals=1.0), "must give real numbers"),
        (lambda: measurements([[0.5]], [1j]), f"measurements: points and values must be real; {ADVICE}"),
    ],
)
def test_complex_conditions_are_refused_with_advice(given: Callable[[], Any], message: str) -> None:
    def solved() -> None:
        @dataclass(frozen=True)
        class Complex(Problem):
            domain = Box(x=(0, 1))
            conditions = (given(),)

            def residual(self, u: Any) -> Any:
                return u.xx - 1

        pinnreg.solve({"problem": Complex(), **TINY}, out=False)

    with pytest.raises(InputError, match=message):
        solved()


def test_complex_equations_are_refused_with_advice() -> None:
    @dataclass(frozen=True)
    class Complex(Problem):
        domain = Box(x=(0, 1))

        def residual(self, u: Any) -> Any:
            return {"wave": 1j * u.x + u.xx}

    with pytest.raises(InputError, match=f"residual of Complex: 'wave' {EQUATIONS}"):
        pinnreg.solve({"problem": Complex(), **TINY}, out=False)
