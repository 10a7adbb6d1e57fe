"""Studies that are run: what is made, what is kept, how they are stopped, and what the command says."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import pinnreg
from pinnreg import InputError, Interrupted
from pinnreg.cli import main
from pinnreg.domain.samplers import unit_points
from pinnreg.report import read_report
from pinnreg.studies import figures, processes, runner, study, worker
from pinnreg.studies.claim import at_work, claimed
from pinnreg.studies.measures import read_metrics
from pinnreg.studies.model import read_study
from pinnreg.studies.plan import plan
from pinnreg.studies.worker import Answer, Task, work

Cli = Callable[..., tuple[int, str, str]]
TINY: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "network": {"hidden": [5]},
    "points": {"interior": 10},
    "train": [{"optimiser": "adam", "steps": 4, "learning_rate": 1e-2}],
    "evaluate": {"grid": 20},
    "device": "cpu",
}
KTV = {"kind": "ktv", "order": 2, "samples": 8}
STUDY: dict[str, Any] = {
    "base": TINY,
    "vary": {"regularisers": {"none": [], "ktv2": [{**KTV, "weight": [1e-7, 1e-3]}]}, "seed": [0, 1]},
}
FILES = {".lock", "study.csv", "summary.csv", "summary.md", "runs"}
HUGE = {"usual": 1e-2, "huge": 1e100}


DATA_ALONE = '''
from dataclasses import dataclass

from pinnreg import Box, Problem


@dataclass(frozen=True)
class Curve(Problem):
    """u(x) from measurements alone."""

    domain = Box(x=(0, 1))
    residual = None
'''


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Runs are made in this process, and noted; no figures are drawn."""
    tasks: list[Task] = []

    def here(given: Sequence[Task], *_: Any) -> Iterator[tuple[int, Answer]]:
        for number, task in reversed(list(enumerate(given))):  # processes end in any order
            tasks.append(task)
            yield number, work(task)

    monkeypatch.setattr(runner, "in_processes", here)
    monkeypatch.setattr(runner, "write_figures", lambda *_: None)
    return tasks


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in an empty folder that holds `mine.yaml`: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capsys.readouterr()

    return run


def rows(folder: Path, name: str = "study.csv") -> list[dict[str, str]]:
    """A table without the times, which no two calls share."""
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


# what is made and kept


def test_a_study_makes_its_runs_and_measures_them(made: list[Task], tmp_path: Path) -> None:
    found = study(STUDY, tmp_path)
    assert len(made) == len(found.runs) == 6
    assert {path.name for path in tmp_path.iterdir()} == FILES
    table = rows(tmp_path)
    assert [(row["regularisers"], row["seed"], row["regularisers.0.weight"]) for row in table] == [
        *[("none", "0", ""), ("none", "1", "")],
        *[("ktv2", seed, weight) for seed in ("0", "1") for weight in ("1e-07", "0.001")],
    ]
    assert {row["status"] for row in table} == {"ok"}
    assert [row["chosen"] for row in table].count("yes") == 4
    assert len(rows(tmp_path, "summary.csv")) == 2
    for row, run in zip(table, found.runs, strict=True):
        folder = tmp_path / "runs" / row["run"]
        report, _ = read_report(folder)
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


def test_with_soft_conditions_they_count_when_a_weight_is_chosen(made: list[Task], tmp_path: Path) -> None:
    base = {
        "problem": "heat",
        "conditions": "soft",
        "weights": {"initial": 2.0},
        "network": {"hidden": [6]},
        "points": {"interior": 40, "boundary": 30},
        "train": [{"optimiser": "gauss_newton", "steps": 25}],
        "evaluate": {"grid": 12},
    }
    weights = [{"kind": "ktv", "order": 1, "samples": 40, "weight": [1e-8, 1e-2, 100]}]
    found = study({"base": base, "vary": {"regularisers": {"ktv1": weights}}}, tmp_path)
    assert found.score == "validation_loss"
    # u = 0, which the largest weight enforces, has the smallest residual and the largest error
    assert min(found.runs, key=lambda run: run.value("validation_residual")) is found.runs[2]
    assert max(found.runs, key=lambda run: run.value("rel_l2")) is found.runs[2]
    assert found.entries[0].chosen["0"].plan.candidates["regularisers.0.weight"] < 100
    # by hand, on a grid
    run = found.runs[0]
    solution, fine = pinnreg.load(tmp_path / "runs" / run.plan.hash), torch.linspace(0, 1, 2001)[:, None].numpy()
    first = solution(np.hstack([fine, 0 * fine])) - np.sin(np.pi * fine)
    walls = solution(np.vstack([np.hstack([0 * fine, fine]), np.hstack([0 * fine + 1, fine])]))
    expected = run.value("validation_residual") + 2 * np.mean(first**2) + np.mean(walls**2)
    assert run.value("validation_loss") == pytest.approx(float(expected), rel=1e-2)


def test_a_second_call_runs_nothing_and_a_changed_study_what_is_new(made: list[Task], tmp_path: Path) -> None:
    study(STUDY, tmp_path)
    before = rows(tmp_path)
    made.clear()
    study(STUDY, tmp_path)
    assert made == []
    assert rows(tmp_path) == before
    wider = {**STUDY, "vary": {**STUDY["vary"], "seed": [1, 2]}, "choose": "residual"}
    study(wider, tmp_path)
    assert {task["config"]["seed"] for task in made} == {2}
    assert len(made) == 3
    assert [row for row in rows(tmp_path) if row["seed"] == "1"] == [row for row in before if row["seed"] == "1"]


def test_a_study_that_was_killed_continues_to_the_same_table(made: list[Task], tmp_path: Path) -> None:
    study(STUDY, tmp_path)
    before = rows(tmp_path), rows(tmp_path, "summary.csv")
    # a run that had not begun, one in the middle, one in its first moments
    gone, half, early = [tmp_path / "runs" / row["run"] for row in before[0][1:4]]
    shutil.rmtree(gone)
    (half / "metrics.json").unlink()
    for file in early.iterdir():
        file.unlink()
    (early / "history.csv").write_text("step", encoding="utf-8")
    for name in ("study.csv", "summary.csv", "summary.md"):
        (tmp_path / name).unlink()
    made.clear()
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
    base = {"problem": "no_reference", "train": [{"optimiser": "adam", "steps": 2}], "evaluate": {"grid": 5}}
    found = study({"base": base, "vary": {"seed": [0, 1]}}, tmp_path, problems=problems)
    assert [row["rel_l2"] for row in rows(tmp_path)] == ["", ""]
    assert all(run.done and run.value("validation_residual") > 0 for run in found.runs)
    assert "there is no reference" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_data_alone_without_a_reference(tmp_path: Path, made: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "write_figures", figures.write_figures)
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


# what goes wrong


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
def test_a_diverging_run_is_counted_and_not_tried_again(made: list[Task], tmp_path: Path) -> None:
    asked = {"base": TINY, "vary": {"train.0.learning_rate": HUGE, "seed": [0, 1]}}
    found = study(asked, tmp_path)
    assert [run.status for run in found.runs] == ["ok", "ok", "diverged", "diverged"]
    assert [len(entry.chosen) for entry in found.entries] == [2, 0]
    assert all(run.value("sweeps") >= 10 and run.value("seconds") > 0 for run in found.runs)
    assert "| huge | 0 of 2 |" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    made.clear()
    study(asked, tmp_path)
    assert made == []


def test_a_failed_run_is_reported_and_tried_again(
    made: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = worker.solve

    def fails(config: dict[str, Any], **options: Any) -> Any:
        if config["seed"] == 1:
            raise MemoryError("none\nleft")
        return solve(config, **options)

    monkeypatch.setattr(worker, "solve", fails)
    asked = {"base": TINY, "vary": {"seed": [0, 1, 2]}}
    found = study(asked, tmp_path)
    assert [run.status for run in found.runs] == ["ok", "failed: MemoryError: none left", "ok"]
    assert len(found.entries[0].chosen) == 2
    assert rows(tmp_path)[1]["rel_l2"] == ""
    made.clear()
    monkeypatch.setattr(worker, "solve", solve)
    assert [run.status for run in study(asked, tmp_path).runs] == ["ok"] * 3
    assert len(made) == 1


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("what", ["problem", "data"])
def test_files_that_change_during_a_study_fail_its_runs(
    what: str, when: str, made: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = tmp_path / "poisson.py"
    problem.write_text(pinnreg.registry.find()["poisson"].read_text(encoding="utf-8"), encoding="utf-8")
    data = tmp_path / "data.csv"
    data.write_text("x,u\n0.5,1\n0.25,1\n", encoding="utf-8")
    asked = {"base": {**TINY, "measurements": [{"file": str(data)}]}, "vary": {"seed": [0, 1]}}
    solve = worker.solve

    def edit() -> None:
        problem.write_text(problem.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    def edit_data() -> None:
        data.write_text(data.read_text(encoding="utf-8") + "0.75,1\n", encoding="utf-8")

    change = edit if what == "problem" else edit_data

    def solve_changed(*arguments: Any, **options: Any) -> Any:
        change()
        return solve(*arguments, **options)

    if when == "meanwhile":
        monkeypatch.setattr(worker, "solve", solve_changed)
    name = "the problem file" if what == "problem" else str(data)
    wrong = f"failed: {name} changed during the study"

    def progress(done: int, total: int, run: Any) -> None:
        if run is not None and when == "before" and done == 1:
            change()

    found = study(asked, tmp_path / "out", problems=tmp_path, progress=progress)
    assert [run.status for run in found.runs] == [wrong, wrong if when == "meanwhile" else "ok"]
    assert len(list((tmp_path / "out").glob("runs/*/metrics.json"))) == (when == "before")
    monkeypatch.setattr(worker, "solve", solve)
    again = study(asked, tmp_path / "out", problems=tmp_path)
    assert [run.status for run in again.runs] == ["ok", "ok"]
    assert not {run.plan.hash for run in again.runs} & {run.plan.hash for run in found.runs}


def test_the_folder_of_a_run_is_no_place_for_a_study(made: list[Task], tmp_path: Path) -> None:
    pinnreg.solve(TINY, out=tmp_path / "run", figures=False)
    before = sorted((tmp_path / "run").iterdir())
    with pytest.raises(InputError, match="the folder of one run"):
        study(STUDY, tmp_path / "run")
    assert sorted((tmp_path / "run").iterdir()) == before


def test_one_command_at_a_time(tmp_path: Path) -> None:
    with claimed(tmp_path / "out") as word:
        assert at_work(tmp_path / "out", word)
        with pytest.raises(InputError, match="another command is at work"), claimed(tmp_path / "out"):
            pass
        assert at_work(tmp_path / "out", word)
    assert not at_work(tmp_path / "out", word)
    with pytest.raises(RuntimeError), claimed(tmp_path / "out") as word:
        raise RuntimeError
    assert not at_work(tmp_path / "out", word)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"), claimed(tmp_path / "file" / "out"):
        pass


def test_a_run_that_nobody_waits_for_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ASK_SECONDS", 0.0)
    (planned,) = plan(*read_study({"base": TINY, "vary": {"seed": [0]}})[::2])
    task: Task = {**runner._task(planned, tmp_path, "mine"), "folder": str(tmp_path / "run")}
    (tmp_path / ".lock").write_text("of another command", encoding="utf-8")
    assert work(task)["status"] == "interrupted"
    assert read_metrics(tmp_path / "run") is None
    (tmp_path / ".lock").write_text("mine", encoding="utf-8")
    assert work(task)["status"] == "ok"
    assert read_metrics(tmp_path / "run") is not None


def test_a_lock_that_cannot_be_read_counts_as_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".lock").write_text("mine", encoding="utf-8")
    assert at_work(tmp_path, "mine")
    assert not at_work(tmp_path, "another")
    (tmp_path / ".lock").unlink()
    assert not at_work(tmp_path, "mine")
    (tmp_path / ".lock").mkdir()  # as good as any other reason that it cannot be read
    assert at_work(tmp_path, "mine")


def test_runs_that_stop_because_the_lock_is_gone_have_failed(
    cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(worker, "at_work", lambda *_: False)
    code, _, err = cli("study", "mine.yaml")
    assert code == 1
    assert "failed: stopped, since .lock in the study's folder was removed or replaced" in err
    assert err.splitlines()[-1] == "6 of 6 runs failed; the same command tries them again"


# processes

DEADLY = '''
import multiprocessing
import os
from dataclasses import dataclass

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Deadly(Problem):
    """uₓₓ = -1; kills the process that solves it if told to."""

    kill: bool = False
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u):
        return u.xx + 1

    def reference(self):
        if self.kill and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), 9)
        return lambda x: x * (1 - x) / 2
'''


def test_processes_of_which_one_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "write_figures", lambda *_: None)
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "deadly.py").write_text(DEADLY, encoding="utf-8")
    base = {**TINY, "problem": {"name": "deadly"}}
    asked = {"base": base, "vary": {"problem.kill": [False, True], "seed": [0, 1]}}
    environment = dict(os.environ)
    found = study(asked, tmp_path / "out", jobs=2, problems=tmp_path / "problems")
    assert [run.status for run in found.runs] == ["ok"] * 2 + ["failed: the process was killed by SIGKILL"] * 2
    assert dict(os.environ) == environment
    # the same results as in this process
    threads = torch.get_num_threads()
    for run in found.runs[:2]:
        alone = pinnreg.solve(base, {"seed": int(run.plan.seed)}, out=False, problems=tmp_path / "problems")
        assert alone.report is not None
        assert run.value("rel_l2") == alone.report.errors["u"].rel_l2
    assert torch.get_num_threads() == threads


def test_an_interrupted_study_stops_its_processes(tmp_path: Path) -> None:
    long = {**TINY, "train": [{"optimiser": "adam", "steps": 10**7}]}
    started, seen = time.monotonic(), []

    def interrupted() -> int | None:
        # once the process trains, which it takes seconds to import for
        return 15 if list((tmp_path / "out" / "runs").glob("*/history.csv")) else None

    with pytest.raises(Interrupted) as caught:
        study(
            {"base": long, "vary": {"seed": [0]}},
            tmp_path / "out",
            jobs=1,
            interrupted=interrupted,
            progress=lambda *counts: seen.append(counts),
        )
    assert caught.value.signal == 15
    assert seen == [(0, 1, None)]
    assert not list((tmp_path / "out" / "runs").glob("*/metrics.json"))
    assert not at_work(tmp_path / "out", (tmp_path / "out" / ".lock").read_text(encoding="utf-8") or "none")
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_stops_the_command_which_then_continues(
    number: signal.Signals, made: list[Task], tmp_path: Path
) -> None:
    asked = {**STUDY, "vary": {**STUDY["vary"], "seed": list(range(20))}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-c", "from pinnreg.cli import main; main()", "study", "mine.yaml", "--jobs", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("1/60  regularisers none, seed 0: error ")
        # a terminal sends SIGINT to all processes
        os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
        sent = time.monotonic()
        code = process.wait(30)
        assert time.monotonic() - sent < 5
        message = process.stderr.read().splitlines()[-1]
    assert code == 128 + number
    assert message.startswith(f"interrupted by signal {int(number)}: ")
    assert message.endswith("of 60 runs are kept; go on with the same command: pinnreg study mine.yaml --jobs 1")
    folder = tmp_path / "outputs" / "mine"
    kept = len(list(folder.glob("runs/*/metrics.json")))
    assert 1 <= kept < 60
    assert not (folder / "study.csv").exists()
    # continued in this process: other runs, the same table
    study(tmp_path / "mine.yaml", folder)
    assert len(made) == 60 - kept
    again = tmp_path / "again"
    study(tmp_path / "mine.yaml", again)
    assert rows(folder) == rows(again)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_when_the_command_is_killed_its_processes_end(tmp_path: Path) -> None:
    long = {**TINY, "train": [{"optimiser": "adam", "steps": 10**7}]}
    asked = {"base": long, "vary": {"seed": [0]}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    command = [sys.executable, "-c", "from pinnreg.cli import main; main()", "study", "mine.yaml", "--jobs", "1"]
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as process:
        until(lambda: list(tmp_path.glob("outputs/mine/runs/*/history.csv")))
        session = processes_of(process.pid)
        assert len(session) > 1
        process.kill()
    until(lambda: not processes_of(process.pid))


def processes_of(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, of = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append(int(folder.name))
    return found


def until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    started = time.monotonic()
    while not happened():
        assert time.monotonic() - started < seconds
        time.sleep(0.1)


def test_processes_have_one_thread_each() -> None:
    with processes._environment():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    with contextlib.closing(processes.in_processes([], 3, lambda: None)) as nothing:
        assert list(nothing) == []
    assert processes.cores() >= 1


# the command


def test_the_command_prints_the_table_and_writes_json(cli: Cli, made: list[Task]) -> None:
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
    code, out, err = cli("study", "mine.yaml", "--out", "elsewhere", "--quiet")
    assert (code, out, err) == (0, "", "")
    assert rows(Path("elsewhere")) == rows(Path("outputs/mine"))
    assert cli("study", "mine.yaml")[2] == "6/6  runs were done before\n"


def test_failed_runs_exit_with_1_after_the_table(cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "solve", lambda *_, **__: 1 / 0)
    code, out, err = cli("study", "mine.yaml")
    assert code == 1
    assert "0 of 2" in out
    assert "error: regularisers none, seed 0: failed: ZeroDivisionError: division by zero" in err
    assert err.splitlines()[-1] == "6 of 6 runs failed; the same command tries them again"


def test_a_terminal_gets_a_bar(cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
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
