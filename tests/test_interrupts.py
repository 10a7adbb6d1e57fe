"""A signal stops what goes on at once, wherever that is, and in training between two steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from started import wait_for

import pinnreg
from pinnreg.cli.process import Signals, signals
from pinnreg.errors import Interrupted, user_code

SLOW = """
import time
from dataclasses import dataclass
from pathlib import Path
from pinnreg import Box, Problem

def wait():
    Path("ready").touch()
    time.sleep(60)

{at_import}

@dataclass(frozen=True)
class Slow(Problem):
    domain = Box(x=(0, 1))

    def residual(self, u):
        return u.xx - 1

    def reference(self):
        def solution(x):
            {in_reference}
            return x
        return solution
"""


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("in_reference", signal.SIGTERM),
        pytest.param("at_import", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_is_honoured_while_the_users_own_code_runs(tmp_path: Path, where: str, number: signal.Signals) -> None:
    (tmp_path / "problems").mkdir()
    places = {"at_import": "", "in_reference": ""} | {where: "wait()"}
    (tmp_path / "problems" / "slow.py").write_text(SLOW.format(**places), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", "from pinnreg.cli import main; main()", "solve", "slow", "--out", "run"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(tmp_path / "ready", process)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert err.splitlines()[-1] == f"interrupted by signal {int(number)}: nothing was kept"
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_where_all_ask_a_signal_is_only_remembered() -> None:
    with signals(deferred=True) as received:
        signal.raise_signal(signal.SIGINT)
        assert received() == signal.SIGINT
    with signals() as received, received.deferred():
        signal.raise_signal(signal.SIGTERM)
        assert received() == signal.SIGTERM


def test_elsewhere_it_stops_what_goes_on_and_no_handler_of_errors_keeps_it() -> None:
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except Exception:  # what goes on after a failure
            pytest.fail("it went on")

    with signals(), pytest.raises(Interrupted) as caught, user_code("a user's"):
        work()
    assert caught.value.signal == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupted_comparison_after_training_tells_of_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comparing(*_: object) -> None:
        raise Interrupted(15, None)

    config = {"problem": {"name": "poisson", "dimension": 1}, "network": {"hidden": [3]}, "points": {"interior": 9}}
    config |= {"train": [{"optimiser": "adam", "steps": 2}], "evaluate": {"grid": 5}}
    with monkeypatch.context() as patch:
        patch.setattr("pinnreg.run.line.compared", comparing)
        with pytest.raises(Interrupted) as caught:
            pinnreg.solve(config, out=tmp_path / "run")
    assert caught.value.checkpoint == tmp_path / "run" / "checkpoint.pt"
    assert pinnreg.solve(out=tmp_path / "run", resume=True).report is not None


def test_nothing_has_come_at_first() -> None:
    assert Signals()() is None
