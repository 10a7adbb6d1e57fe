"""Runs on a Dask cluster, here of processes of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinnreg import InputError, Interrupted
from pinnreg.cli.process import guarded
from pinnreg.studies import cluster, study
from pinnreg.studies.repeating import CLOCKS

distributed = pytest.importorskip("distributed")

TINY: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "network": {"hidden": [5]},
    "points": {"interior": 10},
    "train": [{"optimiser": "adam", "steps": 4, "learning_rate": 1e-2}],
    "evaluate": {"grid": 20},
    "device": "cpu",
}


@pytest.mark.slow
def test_a_cluster_makes_the_same_runs_and_stops(tmp_path: Path) -> None:
    asked = {"base": TINY, "vary": {"train.0.learning_rate": {"usual": 1e-2, "huge": 1e100}, "seed": [0, 1]}}
    local = study(asked, tmp_path / "local")
    options = {"processes": True, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as workers:
        found = study(asked, tmp_path / "cluster", scheduler=workers.scheduler_address)
        assert [run.status for run in found.runs] == ["ok", "ok", "diverged", "diverged"]
        for run, same in zip(found.runs, local.runs, strict=True):
            assert run.plan.hash == same.plan.hash
            assert run.measures | dict.fromkeys(CLOCKS, 0) == same.measures | dict.fromkeys(CLOCKS, 0)
            assert (tmp_path / "cluster" / "runs" / run.plan.hash / "metrics.json").is_file()
        _check_interruption(workers.scheduler_address, tmp_path / "long")


def _check_interruption(address: str, folder: Path) -> None:
    """The command stops at once, and the run on the worker when it sees that nobody waits for it."""
    long = {**TINY, "train": [{"optimiser": "adam", "steps": 10**7}]}

    def interrupted() -> int | None:
        return 2 if list((folder / "runs").glob("*/history.csv")) else None

    with pytest.raises(Interrupted):
        study({"base": long, "vary": {"seed": [0]}}, folder, scheduler=address, interrupted=interrupted)
    assert {path.name for path in folder.iterdir()} == {"runs", "study.yaml"}  # nobody is at work any more
    with distributed.Client(address, set_as_default=False) as client:
        # both workers are free again
        assert client.gather(client.map(abs, [-1, -2, -3, -4])) == [1, 2, 3, 4]
    assert not list(folder.glob("runs/*/metrics.json"))


def test_a_scheduler_that_is_lost_is_one_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", str(file)]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=null, stderr=null) as scheduler:
        started, looks = time.monotonic(), iter(range(10**6))
        while not (file.is_file() and file.read_text(encoding="utf-8")):
            assert time.monotonic() - started < 30
            time.sleep(0.1)

        def interrupted() -> int | None:
            if next(looks) == 2:  # once the runs are sent
                scheduler.kill()
            return None

        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        asked = {"base": TINY, "vary": {"seed": [0, 1]}}
        code = guarded(lambda: study(asked, tmp_path / "out", scheduler=address, interrupted=interrupted))
    assert code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: ConnectionError: --scheduler {address}: the connection was lost")


def test_what_was_cancelled_on_the_cluster_has_failed() -> None:
    assert cluster._answer(SimpleNamespace(status="cancelled"))["status"] == (
        "failed: the cluster gave no answer: cancelled"
    )


@pytest.mark.serial
@pytest.mark.parametrize("address", ["foo", "tcp://127.0.0.1:abc", "nonsense://127.0.0.1:9"])
def test_what_cannot_be_an_address_is_refused_at_once(tmp_path: Path, address: str) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=f"--scheduler {address}: no Dask scheduler there"):
        study({"base": TINY, "vary": {"seed": [0]}}, tmp_path, scheduler=address)
    assert time.monotonic() - started < cluster.CONNECT_SECONDS / 2


def test_no_scheduler_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
    with pytest.raises(InputError, match="no Dask scheduler there"):
        study({"base": TINY, "vary": {"seed": [0]}}, tmp_path, scheduler="tcp://127.0.0.1:9")
