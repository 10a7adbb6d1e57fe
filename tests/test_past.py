"""`runs` and `compare`: past runs listed, and beside each other."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_studies import TINY, Cli

import pinnreg
from pinnreg import InputError, Interrupted
from pinnreg.run.past import past, past_runs

HEAT = {**TINY, "problem": {"name": "heat"}, "evaluate": {"grid": [12, 9]}}
PENALTY = [{"kind": "ktv", "order": 2, "samples": 8, "weight": 1e-6}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs under `outputs`: two of Poisson, one of heat, one that was interrupted, and one of a study."""
    out: Path = tmp_path_factory.mktemp("past") / "outputs"
    given: Mapping[str, Any] = {
        "poisson/plain": TINY,
        "poisson/smooth": {**TINY, "regularisers": PENALTY, "seed": 3, "network": {"hidden": [6]}},
        "heat/fine": HEAT,
        "a_study/runs/0123": TINY,
    }
    for name, config in given.items():
        pinnreg.solve(config, out=out / name, figures=False, progress=False)
    steps = iter(range(99))
    hooks = pinnreg.Hooks(interrupted=lambda: 15 if next(steps) == 2 else None)
    longer = {**TINY, "train": [{"optimiser": "adam", "steps": 500, "learning_rate": 1e-2}]}
    with pytest.raises(Interrupted):
        pinnreg.solve(longer, out=out / "cut", hooks=hooks, progress=False)
    (out / "a_study" / "study.yaml").write_text("base: poisson\nprovenance: {pinnreg: 0.2.0}\n")
    for number, name in enumerate([*given, "cut"]):
        for file in ("config.yaml", "history.csv", "report.json"):
            if (path := out / name / file).exists():
                os.utime(path, (1e9 + number, 1e9 + number))
    return out


@pytest.fixture
def outputs(made: Path, tmp_path: Path) -> Path:
    """The same where `cli` is."""
    shutil.copytree(made, tmp_path / "outputs", copy_function=shutil.copy2)
    return tmp_path / "outputs"


def listed(cli: Cli, *arguments: str | Path) -> list[dict[str, Any]]:
    code, out, err = cli("runs", *arguments, "--json", "-")
    assert (code, "Traceback" in err) == (0, False)
    found: list[dict[str, Any]] = json.loads(out)["runs"]
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [Path(each["run"]).name for each in found]


def test_runs_are_listed_the_newest_first(outputs: Path, cli: Cli) -> None:
    found = listed(cli)
    assert names(found) == ["cut", "fine", "smooth", "plain"]
    smooth = found[2]
    report = json.loads((outputs / "poisson/smooth/report.json").read_text())
    assert smooth["error"] == report["errors"]["u"]["rel_l2"]
    assert smooth["converged"] is False
    assert smooth["seed"] == 3
    assert smooth["seconds"] == report["wall_seconds"]
    assert (found[0]["ended"], found[0]["error"], found[0]["steps"]) == (False, None, 0)
    code, out, _ = cli("runs")
    assert code == 0
    assert f"{smooth['error']:.2e}" in out
    assert "ktv2 1e-06" in out
    assert "not ended, step 0" in out


def test_runs_of_studies_are_listed_where_they_are_asked_for(outputs: Path, cli: Cli) -> None:
    assert names(listed(cli, "--all")) == ["cut", "0123", "fine", "smooth", "plain"]
    assert names(listed(cli, outputs / "a_study")) == names(listed(cli, outputs / "a_study/runs")) == ["0123"]
    shutil.rmtree(outputs / "poisson")
    shutil.rmtree(outputs / "heat")
    shutil.rmtree(outputs / "cut")
    code, out, _ = cli("runs")
    assert (code, "--all" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--problem", "heat"], ["fine"]),
        (["--problem", "heat", "--problem", "poisson"], ["cut", "fine", "smooth", "plain"]),
        (["--regulariser", "ktv"], ["smooth"]),
        (["--regulariser", "none", "--problem", "heat"], ["fine"]),
        (["--converged"], []),
        (["--not-converged"], ["cut", "fine", "smooth", "plain"]),
        (["--most", "2"], ["cut", "fine"]),
        (["--sort", "problem", "--most", "1"], ["fine"]),
    ],
)
def test_runs_are_chosen_and_sorted(outputs: Path, cli: Cli, arguments: list[str], expected: list[str]) -> None:
    assert names(listed(cli, *arguments)) == expected


@pytest.mark.parametrize("key", ["error", "seconds"])
def test_runs_are_sorted_by_numbers_those_without_one_last(outputs: Path, cli: Cli, key: str) -> None:
    values = [each[key] for each in listed(cli, "--sort", key)]
    known = [value for value in values if value is not None]
    assert known == sorted(known)
    assert values == known + [None] * (len(values) - len(known))


def test_what_cannot_be_read_does_not_hide_the_rest(outputs: Path, cli: Cli) -> None:
    (outputs / "poisson/plain/report.json").write_text("{")
    (outputs / "heat/fine/config.yaml").write_text("problem: [\nprovenance: {pinnreg: 1}")
    (outputs / "mine").mkdir()
    (outputs / "mine" / "config.yaml").write_text("a: stranger's\n")
    code, out, err = cli("runs")
    assert code == 0
    assert "smooth" in out
    assert "plain" not in out
    assert [line.partition(":")[0] for line in err.splitlines()] == ["note", "note"]
    assert "report.json" in err
    assert "mine" not in out + err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["nowhere: no such folder"]),
        (["--problem", "haet"], ["haet", "did you mean 'heat'"]),
        (["--sort", "size"], ["size", "seconds"]),
    ],
)
def test_wrong_questions_are_refused(outputs: Path, cli: Cli, arguments: list[str], words: list[str]) -> None:
    code, out, err = cli("runs", *arguments)
    assert (code, out) == (2, "")
    assert all(word in err for word in words)


def test_an_estimate_stands_for_an_error_and_says_so(outputs: Path, cli: Cli) -> None:
    path = outputs / "heat/fine/report.json"
    facts = json.loads(path.read_text())
    each = {"rel_l2": 0.125, "max_abs": 1.0, "reliability": "poor", "kind": "defect"}
    path.write_text(json.dumps({**facts, "errors": {}, "reference": None, "estimated_errors": {"u": each}}))
    assert past(outputs / "heat/fine").estimate == 0.125
    _, out, _ = cli("runs", "--problem", "heat")
    assert "1.25e-01  estimated, uncertain" in out
    path.write_text(path.read_text().replace("poor", "good"))
    _, out, _ = cli("runs", "--problem", "heat")
    assert "1.25e-01  estimated  " in out


# beside each other


def test_settings_that_differ_and_what_came_of_them(outputs: Path, cli: Cli) -> None:
    plain, smooth = outputs / "poisson/plain", outputs / "poisson/smooth"
    code, out, err = cli("compare", plain, smooth, "--json", "both.json", "--out", "both.png")
    assert (code, err) == (0, "")
    data = json.loads(Path("both.json").read_text())
    assert data["settings"] == {
        "network.hidden": {"A": [5], "B": [6]},
        "regularisers": {"A": [], "B": None},
        **{f"regularisers.0.{key}": {"A": None, "B": value} for key, value in flat(smooth).items() if value},
        "seed": {"A": 0, "B": 3},
    }
    one, two = (pinnreg.load(each) for each in (plain, smooth))
    assert one.report is not None
    x = one.report.axes["x"][:, None]
    u, v = one(x), two(x)
    assert data["from_the_first"]["u"]["B"] == pytest.approx(np.linalg.norm(v - u) / np.linalg.norm(u), rel=1e-12)
    assert Path("both.png").read_bytes().startswith(b"\x89PNG")
    assert "network.hidden" in out


def flat(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = dict(past(run).settings["regularisers"][0])
    return found


def test_solutions_on_other_grids_are_taken_on_that_of_the_first(outputs: Path) -> None:
    plain = outputs / "poisson/plain"
    other = pinnreg.solve({**TINY, "seed": 5, "evaluate": {"grid": 31}}, out=outputs / "other", figures=False)
    found = pinnreg.compare([plain, outputs / "other", outputs / "cut"])
    x = found.axes["x"][:, None]
    first = pinnreg.load(plain)(x)[:, 0]
    for name, solution in (("B", other), ("C", pinnreg.load(outputs / "cut"))):
        expected = np.linalg.norm(solution(x)[:, 0] - first) / np.linalg.norm(first)
        assert found.apart["u"][name] == pytest.approx(expected, rel=1e-12)
    known = np.asarray(found.fields["u"]["B: other"], dtype=np.float64)
    np.testing.assert_allclose(known, other(x)[:, 0] - np.sin(np.pi * x[:, 0]), atol=1e-12)
    assert not found.notes
    (figure,) = found.draw().values()
    titles = [ax.get_title().partition("\n")[0] for ax in figure.axes]
    assert titles[:4] == ["A: plain", "B: other", "C: cut", "|B - A|"]


def test_what_cannot_be_compared_says_why(outputs: Path, cli: Cli) -> None:
    code, out, _ = cli("compare", outputs / "poisson/plain", outputs / "heat/fine")
    assert code == 0
    assert "B cannot be compared with A: it is of another problem, heat" in out
    found = pinnreg.compare([outputs / "poisson/plain", outputs / "heat/fine"])
    assert np.isnan(found.apart["u"]["B"])
    assert found.fields["u"]["B: fine"] == "cannot be compared"


def test_a_figure_never_takes_the_place_of_a_stranger_s_file(outputs: Path, cli: Cli) -> None:
    pair = outputs / "poisson/plain", outputs / "poisson/smooth"
    Path("mine.png").write_bytes(b"mine")
    for target in ("mine.png", "figure.gif", str(pair[0] / "error_field.png")):
        code, out, err = cli("compare", *pair, "--out", target)
        assert (code, out) == (2, "")
        assert target in err
    assert Path("mine.png").read_bytes() == b"mine"
    assert [cli("compare", *pair, "--out", "of/my/own.pdf")[0] for _ in range(2)] == [0, 0]


def test_wrong_runs_are_refused(outputs: Path) -> None:
    plain = outputs / "poisson/plain"
    for given, words in (
        ([plain], "from 2 to 26"),
        ([plain, plain / "."], "twice"),
        ([plain, outputs / "nothing"], "no such folder"),
        ([plain, outputs], "not a run's folder"),
    ):
        with pytest.raises(InputError, match=words):
            pinnreg.compare(given)


def test_looking_back_changes_nothing(outputs: Path) -> None:
    before = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    past_runs(outputs, studies=True)
    pinnreg.compare([outputs / "poisson/plain", outputs / "cut"])
    assert {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()} == before
