"""Problems that the repository has never seen, written in a folder of the user's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pinnreg
from pinnreg.cli import main

PROBLEMS = Path(__file__).parent / "data" / "problems"
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in a folder with the user's `problems`: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(PROBLEMS, tmp_path / "problems")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert isinstance(caught.value.code, int)
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


@pytest.mark.parametrize("name", ["coupled_waves", "no_reference"])
def test_a_problem_is_one_short_file(name: str) -> None:
    assert len((PROBLEMS / f"{name}.py").read_text().splitlines()) <= 30


@pytest.mark.slow
def test_third_derivative_two_outputs_and_periodicity(cli: Cli) -> None:
    """Found in ./problems, solved with its own defaults, compared with its own closed form."""
    settings = ["--set", "evaluate.grid=[40, 20]", "--set", "train.0.steps=60"]  # which suffice
    code, out, err = cli("solve", "coupled_waves", "--out", "run", *settings)
    assert code == 0, err
    report = json.loads(Path("run/report.json").read_text())
    assert set(report["errors"]) == {"u", "v"}
    assert max(errors["rel_l2"] for errors in report["errors"].values()) < 1e-5
    assert report["reference"]["kind"] == "closed form"
    assert out.splitlines()[1].split()[0] == "u"
    assert out.splitlines()[2].split()[0] == "v"
    with np.load("run/fields.npz") as fields:
        names = {f"{output}{suffix}" for output in "uv" for suffix in ("", "_reference", "_error", "_estimate")}
        assert set(fields.files) == {"x", "t"} | names
        np.testing.assert_allclose(fields["u"][0], fields["u"][-1], atol=1e-12)  # periodic
        np.testing.assert_allclose(fields["v"][:, 0], np.sin(fields["x"] - 1), atol=1e-12)  # exact at the start
    header = Path("run/history.csv").read_text().splitlines()[0].split(",")
    assert {"real", "real_weighted", "imaginary", "imaginary_weighted", "error_u", "error_v"} <= set(header)
    solution = pinnreg.load("run")
    points = np.random.default_rng(0).uniform(size=(30, 2)) * [2 * np.pi, 1.0]
    u, v = solution(points).T
    u_t, v_t = solution.derivative(points, "t").T
    u_xxx, v_xxx = solution.derivative(points, "xxx").T
    size = u**2 + v**2
    assert np.abs(u_t + u_xxx + v * size).max() < 1e-4
    assert np.abs(v_t + v_xxx - u * size).max() < 1e-4
    assert "Traceback" not in err
    assert "Taylor rule" not in err  # the user's data are differentiated by nesting, which is no news


def test_conditions_of_two_outputs_may_all_be_soft() -> None:
    overrides = {
        "conditions": "soft",
        "train": [{"optimiser": "adam", "steps": 2}],
        "points.interior": 20,
        "evaluate.grid": 4,
    }
    history = pinnreg.solve("coupled_waves", overrides, out=False, problems=PROBLEMS).history
    assert {"initial_u", "initial_v", "periodic"} <= set(history)
    assert all(history[name][0] > 0 for name in ("initial_u", "initial_v", "periodic"))


@pytest.mark.slow
@pytest.mark.figures
def test_without_a_reference_nothing_is_verified_and_that_is_said(cli: Cli) -> None:
    stages = "train=[{optimiser: adam, steps: 20}, {optimiser: lbfgs, steps: 30}]"
    settings = ["--set", stages, "--set", "points.interior=30", "--set", "evaluate.grid=50"]
    code, out, err = cli("solve", "no_reference", "--out", "run", *settings)
    assert code == 0, err
    assert "nothing was verified" in out
    assert "no reference" in err
    report = json.loads(Path("run/report.json").read_text())
    assert report["errors"] == {}
    assert report["reference"] is None
    assert Path("run/error_field.png").read_bytes().startswith(b"\x89PNG")
    with np.load("run/fields.npz") as fields:
        assert set(fields.files) == {"x", "u", "residual", "u_estimate"}
        assert (fields["residual"] >= 0).all()
        residual = fields["residual"].copy()
    assert not any(name.startswith("error") for name in Path("run/history.csv").read_text().splitlines()[0].split(","))
    solution = pinnreg.load("run")
    assert solution.report is not None
    assert solution.report.errors == {}
    x = np.linspace(0, 1, 50)
    u, u_xx = solution(x[:, None])[:, 0], solution.derivative(x[:, None], "xx")[:, 0]
    np.testing.assert_allclose(residual, np.abs(-u_xx + 2 * u**3 - np.sin(np.pi * x)), atol=1e-10)
    code, out, _ = cli("evaluate", "run")
    assert code == 0
    assert "nothing was verified" in out


def test_describe_says_that_there_is_no_reference(cli: Cli) -> None:
    assert "none: a solution is not verified" in cli("describe", "no_reference")[1]
    assert "coupled_waves" in cli("list")[1]


def test_a_local_file_that_shadows_a_shipped_one_is_announced(cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    Path("problems/heat.py").write_text(Path("problems/no_reference.py").read_text())
    settings = ["--set", "train=[{optimiser: adam, steps: 1}]", "--set", "evaluate.grid=4", "--out", "run"]
    code, _, err = cli("solve", "heat", *settings)
    assert code == 0
    assert len([line for line in err.splitlines() if "problems/heat.py is used instead of" in line]) == 1
    assert pinnreg.load("run").problem.k == 2.0  # type: ignore[attr-defined]


def test_the_python_calls_take_folders(tmp_path: Path) -> None:
    overrides = {"train": [{"optimiser": "adam", "steps": 1}], "points.interior": 9, "evaluate.grid": 4}
    for problems in (PROBLEMS, str(PROBLEMS), [PROBLEMS], [str(PROBLEMS), tmp_path]):
        assert pinnreg.solve("no_reference", overrides, out=False, problems=problems).report is not None
    with pytest.raises(pinnreg.InputError, match="unknown config or problem 'no_reference'"):
        pinnreg.solve("no_reference", overrides, out=False)
