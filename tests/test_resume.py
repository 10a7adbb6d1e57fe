"""A run that was stopped and goes on equals the run that was not, bit for bit."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from started import wait_for

import pinnreg
from pinnreg.run import Solution
from pinnreg.training import Hooks, Row, loop, read_history

RICH: dict[str, Any] = {
    "problem": "heat",
    "network": {"hidden": [6]},
    "points": {"interior": 20, "boundary": 8, "resample_every": 15, "resample": "fresh"},
    "conditions": "soft",
    "regularisers": [{"kind": "ktv", "samples": 8, "weight": 1e-4, "power": 1, "schedule": "cosine"}],
    "train": [
        {"optimiser": "adam", "steps": 25, "learning_rate": 1e-2, "schedule": "cosine"},
        {"optimiser": "lbfgs", "steps": 42, "redraw_every": 20},
    ],
    "evaluate": {"grid": 6, "every": 10},
    "device": "cpu",
}
RESIDUAL = {"points.resample": "residual"}
PLAIN: dict[str, Any] = RICH | {
    "points": {"interior": 20, "resample_every": None},
    "conditions": "default",
    "regularisers": [],
    "train": [{"optimiser": "adam", "steps": 20, "learning_rate": 1e-2}],
}


def after(calls: int) -> Callable[[], int | None]:
    """Asks to stop at the call of this number, counted from 0."""
    counter = iter(range(1_000_000))
    return lambda: signal.SIGTERM if next(counter) == calls else None


def assert_same_weights(one: Solution, other: Solution) -> None:
    """The same parameters, bit for bit."""
    assert list(one.parameters) == list(other.parameters)
    for name in one.parameters:
        assert torch.equal(one.parameters[name], other.parameters[name]), name


def assert_same_run(one: Solution, other: Solution) -> None:
    """The same weights and the same record, but for the seconds."""
    assert_same_weights(one, other)
    assert list(one.history) == list(other.history)
    for name in set(one.history) - {"seconds"}:
        np.testing.assert_array_equal(one.history[name], other.history[name])
    assert one.report is not None
    assert other.report is not None
    assert one.report.errors == other.report.errors


@pytest.fixture(scope="module")
def whole() -> Solution:
    """The rich run, never interrupted."""
    return pinnreg.solve(RICH, out=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, *(pytest.param(each, marks=pytest.mark.slow) for each in (RESIDUAL, {"dtype": "float32"}))],
    ids=["fresh", "residual", "float32"],
)
def test_interrupted_again_and_again(whole: Solution, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Stops at the very start, within Adam, at the change of stages, and twice within L-BFGS."""
    expected = pinnreg.solve(RICH, changes, out=False) if changes else whole
    folder = tmp_path / "run"
    stops = [0, 7, 6, 5, 7, 2, 2]  # steps between stops: Adam makes one an advance, L-BFGS ten
    for number, calls in enumerate(stops):
        given = (RICH, changes) if number == 0 else (None, None)
        with pytest.raises(pinnreg.Interrupted):
            pinnreg.solve(*given, out=folder, resume=number > 0, hooks=Hooks(interrupted=after(calls)))
        assert not (folder / "report.json").exists()
    resumed = pinnreg.solve(out=folder, resume=True)
    assert_same_run(resumed, expected)
    assert_same_run(pinnreg.load(folder), expected)
    seconds = resumed.history["seconds"]
    assert (np.diff(seconds) > 0).all()


# before, around and after the change of stages and a redraw of the points
@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 14, 20, 24, 25, 26, 28])
def test_interrupted_once(whole: Solution, tmp_path: Path, step: int) -> None:
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(RICH, out=tmp_path / "run", hooks=Hooks(interrupted=after(step)))
    assert_same_run(pinnreg.solve(RICH, out=tmp_path / "run", resume=True), whole)


def test_history_beyond_the_checkpoint_is_cut(whole: Solution, tmp_path: Path) -> None:
    """A machine that dies leaves a history that is ahead of the checkpoint."""
    folder = tmp_path / "run"
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(RICH, out=folder, hooks=Hooks(interrupted=after(6)))
    early = (folder / "checkpoint.pt").read_bytes()
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(out=folder, resume=True, hooks=Hooks(interrupted=after(17)))
    (folder / "checkpoint.pt").write_bytes(early)
    assert read_history(folder / "history.csv")["step"][-1] == 20
    resumed = pinnreg.solve(out=folder, resume=True)
    assert_same_run(resumed, whole)
    steps = read_history(folder / "history.csv")["step"]
    assert (np.diff(steps) > 0).all()
    np.testing.assert_array_equal(steps, whole.history["step"])


@pytest.mark.slow
def test_a_stage_that_ended_early_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that dies just after L-BFGS gave up in single precision, before the next stage was saved."""
    stages = [{"optimiser": "lbfgs", "steps": 5000, "windows": 1}, {"optimiser": "adam", "steps": 10}]
    small = {"network": {"hidden": [3]}, "points": {"interior": 5, "resample_every": None}}
    config = PLAIN | small | {"dtype": "float32", "train": stages}
    whole = pinnreg.solve(config, out=False)
    assert whole.history["step"][-1] < 5000
    save = loop._Loop._save

    def save_and_die(self: loop._Loop) -> None:
        save(self)
        if self.position.stop_reason:
            raise SystemError("the machine died")

    with monkeypatch.context() as patch:
        patch.setattr(loop._Loop, "_save", save_and_die)
        with pytest.raises(SystemError):
            pinnreg.solve(config, out=tmp_path / "run")
    assert_same_run(pinnreg.solve(out=tmp_path / "run", resume=True), whole)


@pytest.mark.parametrize("stage", ["adam", pytest.param("sgd", marks=pytest.mark.slow)])
def test_a_finished_run_is_extended(tmp_path: Path, stage: str) -> None:
    config = PLAIN | {"train": [{"optimiser": stage, "steps": 40, "learning_rate": 1e-3}]}
    longer = pinnreg.solve(config, out=False)
    folder = tmp_path / "run"
    pinnreg.solve(config, {"train.0.steps": 20}, out=folder)
    extended = pinnreg.solve(None, {"train.0.steps": 40}, out=folder, resume=True)
    assert_same_weights(extended, longer)  # the record has one more error, at the end of the shorter run
    assert extended.report is not None
    assert longer.report is not None
    assert extended.report.errors == longer.report.errors
    np.testing.assert_array_equal(extended.history["loss"], longer.history["loss"])
    assert yaml.safe_load((folder / "config.yaml").read_text())["train"][0]["steps"] == 40
    assert_same_weights(pinnreg.load(folder), longer)


@pytest.mark.slow
def test_a_last_stage_of_lbfgs_is_extended(tmp_path: Path) -> None:
    config = PLAIN | {"train": [*PLAIN["train"], {"optimiser": "lbfgs", "steps": 30}]}
    longer = pinnreg.solve(config, out=False)
    pinnreg.solve(config, {"train.1.steps": 10}, out=tmp_path / "run")
    extended = pinnreg.solve(None, {"train.1.steps": 30}, out=tmp_path / "run", resume=True)
    assert_same_weights(extended, longer)


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = pinnreg.solve(RICH, {"train.1.steps": 10}, out=tmp_path / "run")
    history = (tmp_path / "run/history.csv").read_text()
    again = pinnreg.solve(out=tmp_path / "run", resume=True)
    assert_same_run(again, first)
    assert (tmp_path / "run/history.csv").read_text() == history
    assert json.loads((tmp_path / "run/report.json").read_text())["steps"] == 35


def test_a_run_that_stopped_by_itself_goes_on_only_when_asked_for_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = {"optimiser": "gauss_newton", "steps": 200}
    problem, points = {"name": "poisson", "dimension": 1}, {"interior": 8, "resample_every": None}
    plain = {"problem": problem, "network": {"hidden": [6]}, "points": points, "train": [stage]}
    first = pinnreg.solve(plain, out=tmp_path / "run")
    assert first.history["step"][-1] < 200
    caplog.clear()
    again = pinnreg.solve(out=tmp_path / "run", resume=True)
    assert_same_run(again, first)
    (said,) = [record.message for record in caplog.records if "no step was made" in record.message]
    assert said.endswith("to go on: --set train.0.steps=400")
    assert again.report is not None
    assert first.report is not None
    assert again.report.seconds > first.report.seconds  # in all
    more = pinnreg.solve(None, {"train.0.steps": 300}, out=tmp_path / "run", resume=True)
    # how far is for the machine to say: there may be nothing left to gain above rounding
    assert more.history["step"][-1] > first.history["step"][-1]


def test_fewer_steps_than_were_made_are_refused(tmp_path: Path) -> None:
    pinnreg.solve(PLAIN, out=tmp_path / "run")
    with pytest.raises(pinnreg.InputError, match=r"train\.0\.steps: 20 steps are made"):
        pinnreg.solve(None, {"train.0.steps": 10}, out=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "report.json").exists()


def test_a_stage_that_ended_right_before_a_crash_has_ended(tmp_path: Path) -> None:
    """The checkpoint of its end still names the stage that ended."""

    class Killed(Exception):
        pass

    def kill(row: Row) -> None:
        if row.step > 10:
            raise Killed

    stages = [{"optimiser": "adam", "steps": 10}, {"optimiser": "adam", "steps": 20}]
    with pytest.raises(Killed):
        pinnreg.solve(PLAIN | {"train": stages}, out=tmp_path / "run", hooks=Hooks(progress=kill))
    with pytest.raises(pinnreg.InputError, match=r"train\.0 has ended"):
        pinnreg.solve(None, {"train.0.steps": 90}, out=tmp_path / "run", resume=True)
    assert_same_weights(
        pinnreg.solve(out=tmp_path / "run", resume=True), pinnreg.solve(PLAIN | {"train": stages}, out=False)
    )


def test_extending_an_annealed_run_does_not_raise_its_weight_again(tmp_path: Path) -> None:
    row = {"kind": "ktv", "samples": 8, "weight": 1.0, "schedule": "linear"}
    pinnreg.solve(PLAIN | {"regularisers": [row]}, out=tmp_path / "run")
    longer = pinnreg.solve(None, {"train.0.steps": 40}, out=tmp_path / "run", resume=True)
    weights = longer.history["ktv_weighted"] / longer.history["ktv"]
    assert weights[0] == 1.0
    assert list(weights[longer.history["step"] >= 20]) == [0.0] * int((longer.history["step"] >= 20).sum())


def test_extending_a_run_to_which_points_were_added_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = PLAIN | {"points": {"interior": 10, "resample_every": 3}, "train": [{"optimiser": "adam", "steps": 20}]}
    pinnreg.solve(config, out=tmp_path / "run")
    pinnreg.solve(None, {"train.0.steps": 40}, out=tmp_path / "run", resume=True)
    assert "points are added but in the last tenth of a stage, which is another now" in caplog.text
    caplog.clear()
    pinnreg.solve(None, {"train.0.steps": 40, "train.0.max_seconds": 60}, out=tmp_path / "run", resume=True)
    assert "points are added" not in caplog.text


def test_annealing_that_cannot_end_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    row = {"kind": "ktv", "samples": 8, "schedule": "linear"}
    given = PLAIN | {"regularisers": [row], "train": [{"optimiser": "lbfgs", "steps": 10}]}
    for limit in ({}, {"train.0.max_seconds": 1000}, {"train.0.max_sweeps": 1e9}):  # which add no redraws
        pinnreg.solve(given, limit, out=False)
        assert "training ended at 0 % of their schedule" in caplog.text
        caplog.clear()
    pinnreg.solve(given, {"train.0.redraw_every": 5}, out=False)
    assert "of their schedule" not in caplog.text


def test_evaluation_and_device_may_change(tmp_path: Path) -> None:
    whole = pinnreg.solve(PLAIN, out=False)
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(PLAIN, {"device": "auto"}, out=tmp_path / "run", hooks=Hooks(interrupted=after(9)))
    changes = {"evaluate.grid": [5, 4], "evaluate.every": 7, "train.0.max_seconds": 1000}
    resumed = pinnreg.solve(PLAIN, changes, out=tmp_path / "run", device="cpu", resume=True)
    assert all(torch.equal(resumed.parameters[name], whole.parameters[name]) for name in whole.parameters)
    assert resumed.report is not None
    assert resumed.report.fields["u"].shape == (5, 4)


def test_a_reference_may_come_later(tmp_path: Path) -> None:
    """History then has a column that its first lines lack."""
    problems = Path(__file__).parent / "data" / "problems"
    np.savez(tmp_path / "data.npz", x=np.linspace(0, 1, 6), u=np.ones(6))
    config = PLAIN | {"problem": "no_reference"}
    pinnreg.solve(config, {"train.0.steps": 10}, out=tmp_path / "run", problems=problems)
    changes = {"evaluate.reference": str(tmp_path / "data.npz"), "train.0.steps": 20}
    solution = pinnreg.solve(None, changes, out=tmp_path / "run", resume=True, problems=problems)
    assert solution.report is not None
    assert solution.history["error_u"][-1] == pytest.approx(solution.report.errors["u"].rel_l2)
    assert np.isnan(solution.history["error_u"][0])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 5),
        pytest.param("points.interior", 21, marks=pytest.mark.slow),
        pytest.param("train.0.learning_rate", 0.5, marks=pytest.mark.slow),
        pytest.param("weights.residual", 2.0, marks=pytest.mark.slow),
        ("problem.alpha", 0.1),
        pytest.param("network.hidden", [7], marks=pytest.mark.slow),
    ],
)
def test_another_config_is_refused_with_the_key(tmp_path: Path, key: str, value: Any) -> None:
    folder = tmp_path / "run"
    pinnreg.solve(PLAIN, out=folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(pinnreg.InputError, match=key.replace(".", r"\.")):
        pinnreg.solve(PLAIN, {key: value}, out=folder, resume=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


DIVERGING = PLAIN | {"train": [{"optimiser": "sgd", "steps": 400, "learning_rate": 1e6}]}


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
def test_a_stage_that_has_ended_cannot_be_given_other_steps(tmp_path: Path) -> None:
    stages = [{"optimiser": "adam", "steps": 10}, {"optimiser": "adam", "steps": 10}]
    pinnreg.solve(PLAIN | {"train": stages}, out=tmp_path / "run")
    before = (tmp_path / "run" / "config.yaml").read_text()
    with pytest.raises(pinnreg.InputError, match=r"train\.0 has ended"):
        pinnreg.solve(None, {"train.0.steps": 50}, out=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "config.yaml").read_text() == before
    assert (tmp_path / "run" / "report.json").exists()
    assert pinnreg.solve(None, {"train.1.steps": 15}, out=tmp_path / "run", resume=True).history["step"][-1] == 25


def test_a_refused_history_costs_no_results(tmp_path: Path) -> None:
    pinnreg.solve(PLAIN, out=tmp_path / "run")
    (tmp_path / "run" / "history.csv").write_text("step,seconds,loss,other,other_weighted\n0,0,1,1,1\n")
    with pytest.raises(pinnreg.InputError, match="are not those of this run"):
        pinnreg.solve(out=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "report.json").exists()


def test_a_signal_after_the_last_step_is_honoured_too(tmp_path: Path) -> None:
    steps = PLAIN["train"][0]["steps"]
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(PLAIN, out=tmp_path / "run", hooks=Hooks(interrupted=after(steps)))
    assert not (tmp_path / "run" / "report.json").exists()
    assert_same_weights(pinnreg.solve(out=tmp_path / "run", resume=True), pinnreg.solve(PLAIN, out=False))


@dataclass(frozen=True)
class Heat(pinnreg.Problem):
    """Not the shipped problem of this name."""

    alpha: float = 0.4
    mode: int = 1
    domain = pinnreg.Box(x=(0, 1))
    conditions = (pinnreg.dirichlet(5.0),)

    def residual(self, u: Any) -> Any:
        return self.alpha * u.xx


OtherHeat = dataclass(frozen=True)(type("Heat", (Heat,), {"residual": lambda self, u: u.xx - 1}))


def test_a_problem_given_as_an_object_is_never_taken_for_a_shipped_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = PLAIN | {"problem": Heat(), "evaluate": {"grid": 5}}
    solution = pinnreg.solve(given, out=tmp_path / "run")
    for read in (pinnreg.load, pinnreg.evaluate, lambda run: pinnreg.solve(out=run, resume=True)):
        with pytest.raises(pinnreg.InputError, match="given as an object of Python"):
            read(tmp_path / "run")
    shipped = PLAIN | {"evaluate": {"grid": 5}}
    with pytest.raises(pinnreg.InputError, match="not the one given"):
        pinnreg.solve(shipped, out=tmp_path / "run", resume=True)
    assert "has changed" not in caplog.text
    loaded = pinnreg.load(tmp_path / "run", problem=Heat())
    np.testing.assert_array_equal(loaded([[0.0], [0.3]]), solution([[0.0], [0.3]]))
    assert loaded([[0.0]])[0, 0] == 5.0
    pinnreg.evaluate(tmp_path / "run", problem=Heat())
    assert "has changed" not in caplog.text
    pinnreg.load(tmp_path / "run", problem=OtherHeat())
    assert "the code of problem 'heat' has changed since the run began" in caplog.text
    assert_same_weights(pinnreg.solve(given, out=tmp_path / "run", resume=True), solution)


def test_divergence_restores_the_last_good_state(tmp_path: Path) -> None:
    with pytest.raises(pinnreg.Diverged, match=r"'residual'.*last good state.*checkpoint"):
        pinnreg.solve(DIVERGING, out=tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.yaml", "history.csv", "checkpoint.pt"}
    loaded = pinnreg.load(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in loaded.parameters.values())
    assert np.isfinite(loaded([[0.5, 0.5]])).all()


def test_divergence_names_the_term_that_blew_up_first(tmp_path: Path) -> None:
    """The network's value overflows only in the exponential of the second equation."""
    (tmp_path / "blowing.py").write_text(
        "from dataclasses import dataclass\nimport torch\nfrom pinnreg import Box, Problem\n\n"
        "@dataclass(frozen=True)\nclass Blowing(Problem):\n    domain = Box(x=(0, 1))\n\n"
        "    def residual(self, u):\n"
        "        return {'calm': torch.tanh(u), 'wild': torch.where(u < -2, torch.log(u), u + 100)}\n"
    )
    config = PLAIN | {"problem": "blowing", "train": [{"optimiser": "adam", "steps": 500, "learning_rate": 0.1}]}
    with pytest.raises(pinnreg.Diverged, match="'wild' became NaN"):
        pinnreg.solve(config, out=False, problems=tmp_path)


LONG = PLAIN | {"train": [{"optimiser": "adam", "steps": 1_000_000}], "evaluate": {"grid": 6, "every": 1_000_000}}


def start(folder: Path, config: dict[str, Any]) -> subprocess.Popen[str]:
    """`pinnreg solve` in a process of its own, once it has made a few hundred steps."""
    file = folder / "long.yaml"
    file.write_text(yaml.safe_dump(config))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from pinnreg.cli import main; main()", "solve", "long.yaml", "--out", "run"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while _rows(folder / "run" / "history.csv") < 6:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no history"
        time.sleep(0.02)
    return process


def _rows(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.serial
def test_sigterm_and_resume_from_the_command_line(tmp_path: Path) -> None:
    process = start(tmp_path, LONG)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 143
    assert time.monotonic() - began < 5
    last = messages.splitlines()[-1]
    assert "the state was saved" in last
    assert "pinnreg solve --resume run" in last
    assert "Traceback" not in messages
    folder = tmp_path / "run"
    assert not (folder / "report.json").exists()
    made = int(torch.load(folder / "checkpoint.pt", weights_only=True)["position"]["step"])
    steps = made + 100
    resumed = pinnreg.solve(None, {"train.0.steps": steps}, out=folder, resume=True)
    whole = pinnreg.solve(LONG, {"train.0.steps": steps}, out=False)
    assert_same_run(resumed, whole)
    with (folder / "history.csv").open(newline="") as file:
        assert int(list(csv.DictReader(file))[-1]["step"]) == steps


@pytest.mark.slow
def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """The process is held in its first signal's handling by a step that takes very long."""
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(LONG))
    script = (
        "import sys, time\n"
        "from pinnreg.objective import Evaluator\n"
        "from pinnreg.cli import main\n"
        "original = Evaluator.redraw\n"
        "def slow(self, batch, parameters, step, **rest):\n"
        "    if step == 3:\n"
        "        open('ready', 'w').close()\n"
        "        for _ in range(600):\n"
        "            time.sleep(0.1)\n"
        "    return original(self, batch, parameters, step, **rest)\n"
        "Evaluator.redraw = slow\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "solve", "long.yaml", "--out", "run"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(tmp_path / "ready", process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM
    torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)  # whole
