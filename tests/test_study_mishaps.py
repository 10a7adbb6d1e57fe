"""What goes wrong in a study: runs that diverge or fail, files that change, two commands at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_studies import STUDY, TINY, Cli, rows

import pinnreg
from pinnreg import InputError, Interrupted
from pinnreg.studies import study, worker
from pinnreg.studies.claim import at_work, claimed
from pinnreg.studies.measures import read_metrics
from pinnreg.studies.model import read_study
from pinnreg.studies.plan import plan
from pinnreg.studies.tasks import task_of
from pinnreg.studies.worker import Task, work

HUGE = {"usual": 1e-2, "huge": 1e100}


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
    asked = {"base": TINY, "vary": {"seed": [0, 1]}}
    found = study(asked, tmp_path)
    assert [run.status for run in found.runs] == ["ok", "failed: MemoryError: none left"]
    assert len(found.entries[0].chosen) == 1
    assert rows(tmp_path)[1]["rel_l2"] == ""
    made.clear()
    monkeypatch.setattr(worker, "solve", solve)
    assert [run.status for run in study(asked, tmp_path).runs] == ["ok"] * 2
    assert len(made) == 1


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("what", "when"),
    [
        ("problem", "before"),
        ("data", "meanwhile"),
        pytest.param("problem", "meanwhile", marks=pytest.mark.slow),
        pytest.param("data", "before", marks=pytest.mark.slow),
    ],
)
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
    task: Task = {**task_of(planned, tmp_path, "mine"), "folder": str(tmp_path / "run")}
    (tmp_path / ".pinnreg-claim").write_text("of another command", encoding="utf-8")
    assert work(task)["status"] == "interrupted"
    assert read_metrics(tmp_path / "run") is None
    (tmp_path / ".pinnreg-claim").write_text("mine", encoding="utf-8")
    assert work(task)["status"] == "ok"
    assert read_metrics(tmp_path / "run") is not None


def test_a_claim_that_cannot_be_read_counts_as_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".pinnreg-claim").write_text("mine", encoding="utf-8")
    assert at_work(tmp_path, "mine")
    assert not at_work(tmp_path, "another")
    (tmp_path / ".pinnreg-claim").unlink()
    assert not at_work(tmp_path, "mine")
    (tmp_path / ".pinnreg-claim").mkdir()  # as good as any other reason that it cannot be read
    assert at_work(tmp_path, "mine")


def test_runs_that_stop_because_the_claim_is_gone_have_failed(
    cli: Cli, made: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(worker, "at_work", lambda *_: False)
    code, _, err = cli("study", "mine.yaml")
    assert code == 1
    assert "failed: stopped, since .pinnreg-claim in the study's folder was removed or replaced" in err
    assert err.splitlines()[-1] == "6 of 6 runs failed; the same command tries them again"


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "3", '{"status": "ok"}', '{"status": 1, "measures": 3}', "\x00"]
)
def test_a_record_that_is_none_says_that_the_run_is_to_be_made(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    assert read_metrics(tmp_path) is None


def test_a_study_of_more_runs_than_memory_holds_is_refused(tmp_path: Path) -> None:
    vary = {f"problem.{name}": list(range(1000)) for name in ("frequency", "a", "b", "c")}
    with pytest.raises(InputError, match=r"a study of 1000000000000 runs: this needs about 10\^6 GB"):
        study({"base": TINY, "vary": vary}, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_candidates_are_runs_that_count(tmp_path: Path) -> None:
    weights = [10.0**-number for number in range(300)]
    each = {"kind": "ktv", "samples": 4, "weight": weights}
    study_of = {"base": TINY, "vary": {"regularisers": {"none": [], "many": [each, {**each, "order": 3}] * 2}}}
    with pytest.raises(InputError, match="a study of 8100000001 runs"):
        study(study_of, tmp_path / "out")


def test_planning_can_be_interrupted(tmp_path: Path) -> None:
    asked: list[int] = []
    with pytest.raises(Interrupted):
        study(
            {"base": TINY, "vary": {"seed": list(range(1000))}},
            tmp_path / "out",
            interrupted=lambda: 2 if len(asked) > 3 else asked.append(0),  # type: ignore[func-returns-value]
        )
    assert not any(tmp_path.iterdir())


def test_planning_is_told_of(tmp_path: Path, made: list[Task]) -> None:
    seen: list[tuple[int, int]] = []
    study({"base": TINY, "vary": {"seed": [0, 1]}}, tmp_path, planning=lambda *counts: seen.append(counts))
    assert seen == [(0, 2), (1, 2)]
