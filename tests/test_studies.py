"""Studies that are run: what is made, what is kept, and what the command says."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_studies import KTV, STUDY, TINY, Cli, rows

import pinnreg
from pinnreg import InputError
from pinnreg.domain.samplers import unit_points
from pinnreg.report import read_report
from pinnreg.studies import StudyResult, runner, study, worker
from pinnreg.studies.worker import Answer, Task, work

FILES = {"study.yaml", "study.csv", "summary.csv", "summary.md", "runs"}


DATA_ALONE = '''
from dataclasses import dataclass

from pinnreg import Box, Problem


@dataclass(frozen=True)
class Curve(Problem):
    """u(x) from measurements alone."""

    domain = Box(x=(0, 1))
    residual = None
'''


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult, list[Task]]:
    """STUDY when all is made: its folder, what was found, and the runs as they were asked for."""
    folder: Path = tmp_path_factory.mktemp("studies") / "whole"
    tasks: list[Task] = []

    def here(given: Sequence[Task], *_: Any) -> Iterator[tuple[int, Answer]]:
        for number, task in reversed(list(enumerate(given))):
            tasks.append(task)
            yield number, work(task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "in_processes", here)
        patch.setattr(runner, "write_figures", lambda *_: None)
        return folder, study(STUDY, folder), tasks


@pytest.fixture
def done(whole: tuple[Path, StudyResult, list[Task]]) -> Path:
    """That folder, to be copied."""
    return whole[0]


# what is made and kept


def test_a_study_makes_its_runs_and_measures_them(whole: tuple[Path, StudyResult, list[Task]]) -> None:
    out, found, tasks = whole
    assert len(tasks) == len(found.runs) == 6
    assert {path.name for path in out.iterdir()} == FILES
    table = rows(out)
    assert [(row["regularisers"], row["seed"], row["regularisers.0.weight"]) for row in table] == [
        *[("none", "0", ""), ("none", "1", "")],
        *[("ktv2", seed, weight) for seed in ("0", "1") for weight in ("1e-07", "0.001")],
    ]
    assert {row["status"] for row in table} == {"ok"}
    assert [row["chosen"] for row in table].count("yes") == 4
    assert len(rows(out, "summary.csv")) == 2
    for row, run in zip(table, found.runs, strict=True):
        folder = out / "runs" / row["run"]
        report = read_report(folder)
        assert run.value("rel_l2") == report.errors["u"].rel_l2 == float(row["rel_l2"])
        solution = pinnreg.load(folder)
        assert run.value("residual") == solution.history["residual"][-1]
        assert not (folder / "error_field.png").exists()


def test_the_fresh_residual_is_that_of_points_that_training_never_saw(made: list[Task], tmp_path: Path) -> None:
    found = study({"base": TINY, "vary": {"seed": [3]}}, tmp_path)
    solution = pinnreg.load(tmp_path / "runs" / found.runs[0].plan.hash)
    fine = solution.residual(unit_points("grid", 20_000, 1, 0))["residual"]
    # scrambled Sobol points integrate a smooth function to many digits
    assert found.runs[0].value("validation_residual") == pytest.approx(float((fine**2).mean()), rel=1e-4)
    assert found.runs[0].value("validation_residual") != found.runs[0].value("residual")


@pytest.mark.slow
def test_with_soft_conditions_they_count_when_a_weight_is_chosen(made: list[Task], tmp_path: Path) -> None:
    base = {
        "problem": "heat",
        "conditions": "soft",
        "weights": {"initial": 2.0},
        "network": {"hidden": [6]},
        "points": {"interior": 40, "boundary": 30},
        "train": [{"optimiser": "gauss_newton", "steps": 8}],
        "evaluate": {"grid": 12},
    }
    weights = [{"kind": "ktv", "order": 1, "samples": 40, "weight": [1e-8, 100]}]
    found = study({"base": base, "vary": {"regularisers": {"ktv1": weights}}}, tmp_path)
    assert found.score == "validation_loss"
    # u = 0, which the largest weight enforces, has the smallest residual and the largest error
    assert min(found.runs, key=lambda run: run.value("validation_residual")) is found.runs[1]
    assert max(found.runs, key=lambda run: run.value("rel_l2")) is found.runs[1]
    assert found.entries[0].chosen["0"].plan.candidates["regularisers.0.weight"] < 100
    # by hand, on a grid
    run = found.runs[0]
    solution, fine = pinnreg.load(tmp_path / "runs" / run.plan.hash), torch.linspace(0, 1, 2001)[:, None].numpy()
    first = solution(np.hstack([fine, 0 * fine])) - np.sin(np.pi * fine)
    walls = solution(np.vstack([np.hstack([0 * fine, fine]), np.hstack([0 * fine + 1, fine])]))
    expected = run.value("validation_residual") + 2 * np.mean(first**2) + np.mean(walls**2)
    assert run.value("validation_loss") == pytest.approx(float(expected), rel=1e-2)


def test_a_second_call_runs_nothing_and_a_changed_study_what_is_new(
    made: list[Task], done: Path, tmp_path: Path
) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    before = rows(tmp_path)
    study(STUDY, tmp_path)
    assert made == []
    assert rows(tmp_path) == before
    wider = {**STUDY, "vary": {**STUDY["vary"], "seed": [1, 2]}, "choose": "residual"}
    study(wider, tmp_path)
    assert {task["config"]["seed"] for task in made} == {2}
    assert len(made) == 3
    assert [row for row in rows(tmp_path) if row["seed"] == "1"] == [row for row in before if row["seed"] == "1"]


def test_a_study_that_does_not_analyse_measures_all_but_the_hessian_and_the_variations(
    made: list[Task], done: Path, tmp_path: Path
) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    analysed = rows(tmp_path)[0]
    found = study({**STUDY, "vary": {"seed": [0]}, "analyse": False}, tmp_path)
    assert len(made) == 1  # what is measured less is another run
    (row,) = rows(tmp_path)
    own = {name for name in analysed if name.startswith(("hessian", "variation_"))}
    assert own
    assert not own & set(row)
    assert (row["rel_l2"], row["validation_residual"]) == (analysed["rel_l2"], analysed["validation_residual"])
    assert "Hessian" not in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert found.study.analyse is False


def test_a_study_that_was_killed_continues_to_the_same_table(made: list[Task], done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    before = rows(tmp_path), rows(tmp_path, "summary.csv")
    # a run that had not begun, one in the middle, one in its first moments
    gone, half, early = [tmp_path / "runs" / row["run"] for row in before[0][1:4]]
    shutil.rmtree(gone)
    (half / "metrics.json").unlink()
    for file in early.iterdir():
        if file.name != "config.yaml":  # which comes first
            file.unlink()
    (early / ".7f2a.pinnreg-tmp").write_text("step", encoding="utf-8")
    for name in ("study.csv", "summary.csv", "summary.md"):
        (tmp_path / name).unlink()
    study(STUDY, tmp_path)
    assert {Path(task["folder"]).name for task in made} == {gone.name, half.name, early.name}
    assert (rows(tmp_path), rows(tmp_path, "summary.csv")) == before


def test_what_another_command_made_meanwhile_is_kept(
    made: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"base": TINY, "vary": {"seed": [0, 1]}}

    def another(missing: Sequence[Any], *_: Any, **__: Any) -> None:
        """Between the look at what is missing and the claim, another command makes it all."""
        assert len(missing) == 2
        monkeypatch.setattr(runner, "check", lambda *_, **__: None)
        study(asked, tmp_path)

    monkeypatch.setattr(runner, "check", another)
    assert all(run.done for run in study(asked, tmp_path).runs)
    assert len(made) == 2


def test_a_finished_run_is_not_made_again_by_a_worker(made: list[Task], tmp_path: Path) -> None:
    study({"base": TINY, "vary": {"seed": [0]}}, tmp_path)
    (task,) = made
    before = {path: path.stat().st_mtime_ns for path in Path(task["folder"]).iterdir()}
    assert work(task)["status"] == "ok"
    assert {path: path.stat().st_mtime_ns for path in Path(task["folder"]).iterdir()} == before


def test_runs_are_ordinary_runs(made: list[Task], tmp_path: Path) -> None:
    found = study({"base": TINY, "vary": {"seed": [0]}}, tmp_path)
    folder = tmp_path / "runs" / found.runs[0].plan.hash
    report = pinnreg.evaluate(folder).report
    assert report is not None
    assert report.errors["u"].rel_l2 == found.runs[0].value("rel_l2")
    alone = pinnreg.solve(TINY, out=False)
    assert alone.report is not None
    assert alone.report.errors["u"].rel_l2 == found.runs[0].value("rel_l2")


def test_a_study_without_a_reference(made: list[Task], tmp_path: Path) -> None:
    problems = Path(__file__).parent / "data" / "problems"
    base = {**TINY, "problem": "no_reference"}
    found = study({"base": base, "vary": {"seed": [0, 1]}}, tmp_path, problems=problems)
    assert [row["rel_l2"] for row in rows(tmp_path)] == ["", ""]
    assert all(run.done and run.value("validation_residual") > 0 for run in found.runs)
    assert "there is no reference" in (tmp_path / "summary.md").read_text(encoding="utf-8")


@pytest.mark.figures
def test_data_alone_without_a_reference(tmp_path: Path, made: list[Task]) -> None:
    (tmp_path / "curve.py").write_text(DATA_ALONE, encoding="utf-8")
    (tmp_path / "data.csv").write_text("x,u\n" + "".join(f"{x / 9},{x}\n" for x in range(10)), encoding="utf-8")
    base = {"problem": "curve", "network": {"hidden": [4]}, "measurements": [{"file": str(tmp_path / "data.csv")}]}
    base |= {"train": [{"optimiser": "adam", "steps": 2}], "evaluate": {"grid": 5}}
    found = study({"base": base, "vary": {"seed": [0, 1]}}, tmp_path / "out", problems=tmp_path)
    assert all(run.done for run in found.runs)
    assert not list((tmp_path / "out").glob("*.png"))
    # nothing could choose among weights, but for measurements that are held out
    vary = {"regularisers": {"none": [], "ktv": [{**KTV, "weight": [1e-3, 1.0]}]}}
    with pytest.raises(InputError, match=r"vary.regularisers.0.weight.*none can be chosen.*held_out"):
        study({"base": base, "vary": vary}, tmp_path / "refused", problems=tmp_path)
    assert not (tmp_path / "refused").exists()
    held = {"base": base, "vary": vary, "set": {"measurements.0.held_out": 0.3}}
    with pytest.raises(InputError, match="none can be chosen"):
        study({**held, "choose": "residual"}, tmp_path / "refused", problems=tmp_path)
    judged = study(held, tmp_path / "judged", problems=tmp_path)
    assert judged.score == "validation"
    assert [len(entry.chosen) for entry in judged.entries] == [1, 1]


# the command


def test_the_command_prints_the_table_and_writes_json(cli: Cli, made: list[Task], done: Path) -> None:
    code, out, err = cli("study", "mine.yaml", "--json", "all.json")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["regularisers", "seeds", "median"]
    assert lines[1].split()[:4] == ["none", "2", "of", "2"]
    assert lines[3].startswith("none: the baseline")
    assert lines[-1].startswith("report: outputs/mine/summary.md")
    assert [line.split()[0] for line in err.splitlines()] == [f"{number}/6" for number in range(1, 7)]
    data = json.loads(Path("all.json").read_text(encoding="utf-8"))
    assert [row["regularisers"] for row in data["summary"]] == ["none", "ktv2"]
    assert len(data["runs"]) == 6
    assert data["study"]["vary"]["seed"] == [0, 1]
    shutil.copytree(done, "elsewhere")
    some = sorted(Path("elsewhere/runs").iterdir())[::3]
    for path in some:
        shutil.rmtree(path)
    made.clear()
    code, out, err = cli("study", "mine.yaml", "--out", "elsewhere", "--quiet")
    assert (code, out, err) == (0, "", "")
    assert {Path(task["folder"]).resolve() for task in made} == {path.resolve() for path in some}
    assert rows(Path("elsewhere")) == rows(Path("outputs/mine"))
    assert cli("study", "mine.yaml")[2] == "6/6  runs were done before\n"


def test_failed_runs_exit_with_1_after_the_table(cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "solve", lambda *_, **__: 1 / 0)
    code, out, err = cli("study", "mine.yaml")
    assert code == 1
    assert "0 of 2" in out
    assert "error: regularisers none, seed 0: failed: ZeroDivisionError: division by zero" in err
    assert err.splitlines()[-1] == "6 of 6 runs failed; the same command tries them again"


def test_a_terminal_gets_a_bar(cli: Cli, made: list[Task], done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(done, "outputs/mine")
    for path in sorted(Path("outputs/mine/runs").iterdir())[:2]:
        shutil.rmtree(path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, out, err = cli("study", "mine.yaml")
    assert code == 0
    assert "6/6" in err
    assert "\x1b" in err
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["solve", "mine.yaml"], ["mine.yaml: this is a study", "use: pinnreg study mine.yaml"]),
        (["study", "heat"], ["heat: this is the config of one run", "use: pinnreg solve heat"]),
        (["study", "missing.yaml"], ["missing.yaml: no such study file"]),
        (["study", "mine.yaml", "--jobs", "0"], ["--jobs"]),
        (["study", "mine.yaml", "--json", "/dev/null/x"], ["--json", "cannot be written"]),
        (["study", "mine.yaml", "--out", "/dev/null/x"], ["cannot be written"]),
        (["study", "mine.yaml", "--problems", "nowhere"], ["'nowhere' does not exist"]),
        (["study"], ["CONFIG"]),
    ],
)
def test_bad_commands(cli: Cli, arguments: list[str], parts: list[str]) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for part in parts:
        assert part in err


def test_studies_are_listed_apart_from_configs(cli: Cli) -> None:
    assert cli("list", "--json", "list.json")[0] == 0
    data = json.loads(Path("list.json").read_text(encoding="utf-8"))
    shipped = pinnreg.registry.shipped_configs(studies=True)
    assert list(data["studies"]) == list(shipped)
    assert not set(data["configs"]) & set(shipped)


def test_solve_refuses_shipped_studies_and_dicts(made: list[Task]) -> None:
    with pytest.raises(InputError, match="this is a study"):
        pinnreg.solve(STUDY)
    for name in pinnreg.registry.shipped_configs(studies=True):
        with pytest.raises(InputError, match="this is a study"):
            pinnreg.solve(name)


def test_without_dask_the_message_says_how_to_install_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = cli("study", "mine.yaml", "--scheduler", "tcp://localhost:1")
    assert code == 2
    assert "pip install 'pinnreg[cluster]'" in err
