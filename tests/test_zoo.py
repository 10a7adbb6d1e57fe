"""`pinnreg bench zoo`: what it solves, what it says of each problem, its page, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pinnreg import InputError, plots, registry
from pinnreg.cli import main
from pinnreg.cli.zoo import _cells
from pinnreg.studies import ZooRow, ZooRun, zoo_study
from pinnreg.studies.published import PUBLISHED

Bench = Callable[..., tuple[int, str, str]]

ROD = '''
from dataclasses import dataclass

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Rod(Problem):
    """uₓₓ = -2, u = 0 at both ends."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = {"network": {"hidden": [4]}, "points": {"interior": 20}, "train": [{"optimiser": "OPT", "steps": STEPS}]}

    def residual(self, u):
        return u.xx + 2

    def reference(self):
        return lambda x: x * (1 - x)
'''


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Runs the command in a folder with two problems of one's own: one that is solved, and one that is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems").mkdir()
    solved, unsolved = (
        ROD.replace("OPT", opt).replace("STEPS", steps) for opt, steps in (("gauss_newton", "20"), ("adam", "1"))
    )
    (tmp_path / "problems" / "rod.py").write_text(solved, encoding="utf-8")
    (tmp_path / "problems" / "bad.py").write_text(unsolved, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["bench", "zoo", "--jobs", "1", *arguments])
        return int(caught.value.code or 0), *capsys.readouterr()

    return run


def test_all_shipped_problems_are_cases_and_published_ones_are_among_them() -> None:
    asked = zoo_study()
    assert asked["cases"] == sorted({*registry.find(), *PUBLISHED})
    assert set(PUBLISHED) <= {*registry.find(), *registry.shipped_configs()}
    assert zoo_study(["heat", "poisson1d"], seeds=2)["vary"] == {"seed": [0, 1]}
    with pytest.raises(InputError, match="'haet'; did you mean 'heat'"):
        zoo_study(["haet"])


def test_runs_are_kept_and_their_errors_and_estimates_stand_side_by_side(bench: Bench, tmp_path: Path) -> None:
    arguments = ("--problem", "rod", "--problem", "bad", "--seeds", "2", "--page", "pages", "--json", "zoo.json")
    code, out, err = bench(*arguments)
    assert code == 0
    assert "2/4" in err
    rod, bad = json.loads((tmp_path / "zoo.json").read_text(encoding="utf-8"))["rows"]
    assert rod["error"] < 1e-4 < bad["error"]
    assert (rod["reference"], len(rod["runs"])) == ("closed form", 2)
    for run in rod["runs"]:
        assert run["estimated"] == pytest.approx(run["error"], rel=2)
        assert run["converged"]
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["rod", "bad"]
    assert lines[2].split()[1].endswith("!")
    assert "1 of 2 problems end below 0.0001" in out
    assert "No runs with an error above 0.01 say that it has converged." in out
    page = (tmp_path / "pages" / "bench_zoo.md").read_text(encoding="utf-8")
    assert "| [rod](bench_zoo_rod.png) |" in page
    assert (tmp_path / "pages" / "bench_zoo_rod.png").read_bytes().startswith(b"\x89PNG")
    assert "](bench_zoo.png)" in page
    assert (tmp_path / "pages" / "bench_zoo.png").read_bytes().startswith(b"\x89PNG")
    again, out_again, err = bench(*arguments)
    assert (again, out_again) == (0, out)
    assert "4/4  runs were done before" in err


def test_an_unknown_problem_is_refused_before_anything_is_written(bench: Bench, tmp_path: Path) -> None:
    code, out, err = bench("--problem", "rdo", "--page", "pages")
    assert (code, out) == (2, "")
    assert "did you mean 'rod'" in err
    assert {path.name for path in tmp_path.iterdir()} == {"problems"}


def test_noise_makes_no_problem_unsolved_and_a_wrong_verdict_is_counted() -> None:
    assert ZooRun("0", "ok", 1e-5).is_solved
    assert not ZooRun("0", "ok", 1e-3).is_solved
    assert ZooRun("0", "ok", 1e-3, floor=2e-3).is_solved
    assert ZooRun("0", "ok", 0.02, converged=True).is_deceptive
    assert not ZooRun("0", "ok", 0.02, converged=False).is_deceptive
    assert not ZooRun("0", "ok", 0.02, converged=True, floor=0.03).is_deceptive
    lost = ZooRun("1", "diverged", math.inf)
    row = ZooRow("a", (ZooRun("0", "ok", 1e-5, seconds=2.0), lost, lost), "none", None, 0, None, None)
    assert (row.error, row.seconds, row.is_solved) == (math.inf, 2.0, False)
    assert math.isnan(row.estimated)


@pytest.mark.parametrize(
    ("runs", "mark"),
    [
        ([ZooRun("0", "ok", 1e-5, converged=True)], ""),
        ([ZooRun("0", "ok", 1e-3, converged=False)], "!"),
        ([ZooRun("0", "ok", 0.1, converged=True)], "!!"),
        ([ZooRun("0", "ok", 1e-5), ZooRun("1", "ok", 1e-5), ZooRun("2", "ok", 0.1, converged=True)], "!!"),
    ],
)
def test_marks_say_what_the_notes_say_of_them(runs: list[ZooRun], mark: str) -> None:
    cell = _cells(ZooRow("a", tuple(runs), "none", None, 0, None, None))[1]
    assert cell.lstrip("0123456789.e-") == mark


def test_thumbnails_have_one_scale_and_a_panel_each() -> None:
    x, t = np.linspace(0, 1, 9), np.linspace(0, 1, 7)
    pictures = [
        plots.Thumbnail("curve", "1e-12", {"x": x}, np.full(9, 1e-12)),
        plots.Thumbnail("map", "1e-3", {"x": x, "t": t}, np.full((9, 7), 1e-3)),
        plots.Thumbnail("cube", "0", {"x": x, "y": x, "t": t}, np.zeros((9, 9, 7))),
    ]
    figure = plots.thumbnails(pictures, title="all")
    named = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert named == ["curve\n1e-12", "map\n1e-3", "cube\n0"]
    norms = {(mesh.norm.vmin, mesh.norm.vmax) for ax in figure.axes[1:3] for mesh in ax.collections}
    assert norms == {(1e-14, 1.0)}
    with pytest.raises(InputError, match="nothing to draw"):
        plots.thumbnails([], title="none")
