"""Processes of a study: killed, interrupted, and left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import study_lanes
import torch
import yaml
from small_studies import STUDY, TINY, rows
from started import processes_of, until

import pinnreg
from pinnreg import Interrupted
from pinnreg.processes import ENVIRONMENT, _environment, cores
from pinnreg.studies import processes, study
from pinnreg.studies.worker import Task

DEADLY = '''
import multiprocessing
import os
from dataclasses import dataclass

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Deadly(Problem):
    """uₓₓ = -1 - number; the last one kills the process that solves it."""

    number: int = 0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u):
        return u.xx + 1 + self.number

    def reference(self):
        if self.number == 2 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), 9)
        return lambda x: (1 + self.number) * x * (1 - x) / 2
'''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_no_process_sees_an_interrupt() -> None:
    """Nor the first one, with which multiprocessing starts a process of its own."""
    code = (
        "from pathlib import Path\n"
        "from pinnreg import processes\n"
        "from pinnreg.studies.processes import _serve\n"
        "lanes = [processes._Lane(_serve) for _ in range(2)]\n"
        "for lane in lanes:\n"
        "    lines = Path(f'/proc/{lane.process.pid}/status').read_text().splitlines()\n"
        "    print(next(line.split()[1] for line in lines if line.startswith('SigBlk')))\n"
        "    lane.process.kill()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(mask, 16) >> signal.SIGINT - 1 & 1 for mask in done.stdout.split()] == [1, 1]


@pytest.mark.slow
def test_processes_of_which_one_is_killed(tmp_path: Path) -> None:
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "deadly.py").write_text(DEADLY, encoding="utf-8")
    base = {**TINY, "problem": {"name": "deadly"}}
    asked = {"base": base, "vary": {"problem.number": [0, 1, 2]}}
    environment = {name: os.environ.get(name) for name in ENVIRONMENT}
    found = study(asked, tmp_path / "out", jobs=2, problems=tmp_path / "problems")
    assert [run.status for run in found.runs] == ["ok"] * 2 + ["failed: the process was killed by SIGKILL"]
    assert {name: os.environ.get(name) for name in ENVIRONMENT} == environment
    # the same results as in this process
    threads = torch.get_num_threads()
    for number, run in enumerate(found.runs[:2]):
        alone = pinnreg.solve(base, {"problem.number": number}, out=False, problems=tmp_path / "problems")
        assert alone.report is not None
        assert run.value("rel_l2") == alone.report.errors["u"].rel_l2
    assert torch.get_num_threads() == threads


def test_another_process_stands_in_for_one_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    # processes that import nothing of the package
    monkeypatch.setattr(processes, "_serve", study_lanes.serve)
    tasks: list[Any] = ["die", "die", "who", "die", "who", "who"]
    found = dict(processes.in_processes(tasks, 2, lambda: None))
    assert sorted(found) == list(range(6))
    killed = [number for number, answer in found.items() if answer["status"] != "ok"]
    assert sorted(killed) == [0, 1, 3]
    assert {found[number]["status"] for number in killed} == {"failed: the process was killed by SIGKILL"}
    assert all(found[number]["notes"] != [str(os.getpid())] for number in (2, 4, 5))


def test_an_interrupted_study_stops_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # that training is stopped too is seen where a signal stops the command
    monkeypatch.setattr(processes, "_serve", study_lanes.serve)
    started, seen = time.monotonic(), []

    def interrupted() -> int | None:
        # once the process is at work
        return 15 if list((tmp_path / "out" / "runs").glob("*/history.csv")) else None

    with pytest.raises(Interrupted) as caught:
        study(
            {"base": TINY, "vary": {"seed": [0]}},
            tmp_path / "out",
            jobs=1,
            interrupted=interrupted,
            progress=lambda *counts: seen.append(counts),
        )
    assert caught.value.signal == 15
    assert seen == [(0, 1, None)]
    assert not list((tmp_path / "out" / "runs").glob("*/metrics.json"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"runs", "study.yaml"}  # nobody is at work any more
    assert time.monotonic() - started < 60


@pytest.mark.serial
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_stops_the_command_which_then_continues(
    number: signal.Signals, made: list[Task], tmp_path: Path
) -> None:
    asked = {**STUDY, "vary": {**STUDY["vary"], "seed": list(range(3))}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-c", "from pinnreg.cli import main; main()", "study", "mine.yaml", "--jobs", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("1/9  regularisers none, seed 0: error ")
        # a terminal sends SIGINT to all processes
        os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
        sent = time.monotonic()
        code = process.wait(30)
        assert time.monotonic() - sent < 5
        message = process.stderr.read().splitlines()[-1]
    assert code == 128 + number
    assert message.startswith(f"interrupted by signal {int(number)}: ")
    assert message.endswith("of 9 runs are kept; go on with the same command: pinnreg study mine.yaml --jobs 1")
    folder = tmp_path / "outputs" / "mine"
    kept = len(list(folder.glob("runs/*/metrics.json")))
    assert 1 <= kept < 9
    assert not (folder / "study.csv").exists()
    # continued in this process: the other runs; that the table is the same is in test_studies
    study(tmp_path / "mine.yaml", folder)
    assert len(made) == 9 - kept
    assert [row["status"] for row in rows(folder)] == ["ok"] * 9


@pytest.mark.slow
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


def test_processes_have_one_thread_each() -> None:
    with _environment():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    with contextlib.closing(processes.in_processes([], 3, lambda: None)) as nothing:
        assert list(nothing) == []
    assert cores() >= 1


@pytest.mark.slow
def test_a_script_without_a_guard_makes_a_study(tmp_path: Path) -> None:
    """Its processes do not run it again."""
    asked = {"base": TINY, "vary": {"seed": [0]}}
    script = f"import pinnreg\nprint('once')\nprint(pinnreg.study({asked!r}, 'out').runs[0].status)\n"
    (tmp_path / "plain.py").write_text(script, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "plain.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout.split() == ["once", "ok"]
