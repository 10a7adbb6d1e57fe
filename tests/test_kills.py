"""Processes that are killed, or whose disk fills up, lose nothing: what goes on after them ends at the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import digest

import pinnreg
from pinnreg.errors import InputError

BASE: dict[str, Any] = {
    "problem": {"name": "poisson", "dimension": 1},
    "network": {"hidden": [4]},
    "points": {"interior": 8, "resample_every": 3},
    "regularisers": [{"kind": "ktv", "order": 2, "samples": 6, "weight": 1e-6}],
    "evaluate": {"grid": 12, "every": 2},
    "device": "cpu",
}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"momentum": 0.5, "learning_rate": 1e-4},
    "lbfgs": {"history": 3},
    "ssbroyden": {},
    "gauss_newton": {},
}


def stages(*names: str, steps: int = 6) -> list[dict[str, Any]]:
    return [{"optimiser": name, "steps": steps, **OPTIMISERS[name]} for name in names]


RUN = {**BASE, "train": stages("adam", "gauss_newton")}
OLD = {**BASE, "seed": 1, "train": stages("adam")}
STUDY = {"base": {**BASE, "train": stages("gauss_newton")}, "vary": {"seed": [0, 1]}}
SIZES = [0, 100, 400, 900, 2_000, 4_000, 5_000, 6_000, 8_000, 12_000, 30_000, 300_000]
"""Bytes that a file can have on a small disk, around the sizes of those that a run writes."""


def tried(root: Path, **trials: Any) -> dict[str, Any]:
    """What `killing` found."""
    asked = {"root": str(root), "warm_up": RUN, "trials": trials}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).parent / "killing.py"), json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert not found["bad"], "\n".join(found["bad"])
    return found


@pytest.mark.slow
def test_some_kills_and_full_disks(tmp_path: Path) -> None:
    short = {**BASE, "train": stages("adam", "gauss_newton", steps=3)}
    old, study = (
        {**OLD, "train": stages("adam", steps=1)},
        {**STUDY, "base": {**BASE, "train": stages("adam", steps=1)}},
    )
    found = tried(
        tmp_path,
        new={"config": short, "at_events": ["die"], "stride": 151},
        over={"config": short, "old": old, "at_events": ["die", "fill_up"], "stride": 151, "at_random": 1},
        study={"config": study, "kind": "study", "at_events": ["die"], "stride": 197},
    )
    assert min(found["events"].values()) > 30
    assert found["trials"] >= 5


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_moment_at_which_a_run_changes_a_file(tmp_path: Path, optimiser: str) -> None:
    config = {**BASE, "train": stages(optimiser)}
    found = tried(tmp_path, run={"config": config, "at_events": ["die", "fill_up"], "at_random": 20})
    assert found["trials"] == 2 * found["events"]["run"] + 20


@pytest.mark.slow
def test_every_moment_at_which_a_run_replaces_another(tmp_path: Path) -> None:
    tried(tmp_path, run={"config": RUN, "old": OLD, "at_events": ["die", "fill_up"], "at_random": 20, "sizes": SIZES})


@pytest.mark.slow
def test_every_moment_at_which_a_study_changes_a_file(tmp_path: Path) -> None:
    study = {"config": STUDY, "kind": "study", "at_events": ["die", "fill_up"], "sizes": SIZES}
    again = {**STUDY, "vary": {"seed": [0, 1, 2]}}
    tried(tmp_path, study=study, more={**study, "config": again, "old": STUDY, "stride": 3})


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = pinnreg.solve(RUN, out=tmp_path / "run", figures=False)
    for name in ("checkpoint.pt", "report.json", "fields.npz"):
        (tmp_path / "run" / name).unlink()
    # a run that has trained lacks its checkpoint, which is lost and not yet to come
    with pytest.raises(InputError, match="no such checkpoint"):
        pinnreg.solve(out=tmp_path / "run", resume=True)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "history.csv").write_text("".join(rows[:2]))
    resumed = pinnreg.solve(out=tmp_path / "run", resume=True)
    assert "stopped before its first checkpoint, and begins again" in caplog.text
    for name, values in whole.parameters.items():
        assert resumed.parameters[name].equal(values)
    np.testing.assert_array_equal(resumed.history["loss"], whole.history["loss"])


SCRIPT = "import json, sys, pinnreg; pinnreg.study(json.loads(sys.argv[1]), out=sys.argv[2], jobs=2)"


@pytest.mark.slow
def test_studies_whose_command_is_killed(tmp_path: Path) -> None:
    """With the processes that it has started, at random moments."""
    study = {"base": {**BASE, "train": [{"optimiser": "adam", "steps": 400}]}, "vary": {"seed": [0, 1, 2]}}

    def begun(folder: Path) -> subprocess.Popen[bytes]:
        asked = [sys.executable, "-W", "ignore", "-c", SCRIPT, json.dumps(study), str(folder)]
        return subprocess.Popen(asked, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})

    start = time.monotonic()
    assert begun(tmp_path / "whole").wait() == 0
    seconds, draws = time.monotonic() - start, np.random.default_rng(0)
    for number in range(20):
        folder = tmp_path / str(number)
        process = begun(folder)
        time.sleep(float(draws.uniform(0.2, 1.1)) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert begun(folder).wait() == 0
        assert digest(folder) == digest(tmp_path / "whole"), number
