"""A run that starts from the network of another one: `start: RUN`."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import pinnreg
from pinnreg import Box, Problem, dirichlet, odd
from pinnreg.cli import main
from pinnreg.config import resolve
from pinnreg.errors import InputError
from pinnreg.run import Solution
from pinnreg.run.prepare import Prepared, prepare
from pinnreg.studies import study
from pinnreg.studies.worker import Task
from pinnreg.training import Hooks, loop, read_checkpoint

SMALL: dict[str, Any] = {
    "problem": {"name": "heat"},
    "network": {"hidden": [6]},
    "points": {"interior": 30, "resample_every": None},
    "train": [{"optimiser": "adam", "steps": 20, "learning_rate": 1e-2}],
    "evaluate": {"grid": 6},
    "device": "cpu",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    solution = pinnreg.solve(SMALL, {"seed": 3}, out=tmp_path_factory.mktemp("start") / "run")
    assert solution.folder is not None
    return solution.folder


def prepared(given: dict[str, Any], start: Path, **changes: Any) -> Prepared:
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    return prepare(resolve({**given, "start": start}, overrides), with_reference=False)


def values(solution: Solution) -> Any:
    """Of the first output at some points."""
    return solution(np.random.default_rng(0).uniform(size=(20, len(solution.trial.axes))))[:, 0]


def test_a_run_begins_where_the_other_has_ended(run: Path) -> None:
    ready = prepared(SMALL, run)
    begun = ready.solution(ready.objective.model.initial(), {})
    assert np.array_equal(values(begun), values(pinnreg.load(run)))
    assert ready.split.trial.sizes == pinnreg.load(run).trial.sizes


@pytest.mark.slow
def test_continuation_takes_fewer_steps(tmp_path: Path) -> None:
    """Burgers' equation with a thinner front, from the thicker one."""
    base = {
        "problem": {"name": "burgers", "nu": 0.04},
        "network": {"hidden": [8, 8]},
        "points": {"interior": 100, "boundary": 30, "resample_every": None},
        "train": [{"optimiser": "gauss_newton", "steps": 14}],
        "evaluate": {"grid": [6, 4], "every": 1},
    }
    thick = pinnreg.solve(base, {"problem.nu": 0.05}, out=tmp_path / "thick")
    alone = pinnreg.solve(base, out=False)
    continued = pinnreg.solve(base, {"start": str(thick.folder)}, out=False)

    def steps(solution: Solution) -> int:
        return int(np.argmax(solution.history["loss"] < 1e-3))

    assert 0 < steps(continued) < steps(alone) / 2
    assert continued.history["loss"][0] < 0.1 * alone.history["loss"][0]


def after(calls: int) -> Callable[[], int | None]:
    """Asks to stop at the call of this number, counted from 0."""
    counter = iter(range(1_000_000))
    return lambda: signal.SIGTERM if next(counter) == calls else None


def test_a_run_goes_on_bit_for_bit_without_what_it_started_from(tmp_path: Path) -> None:
    fourier = {"network.features.fourier.count": 3}  # drawn by the seed of the run that is started from
    first = pinnreg.solve(SMALL, {**fourier, "seed": 4}, out=tmp_path / "first")
    given = {**SMALL, "start": first.folder}
    whole = pinnreg.solve(given, fourier, out=tmp_path / "whole")
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, fourier, out=tmp_path / "part", hooks=Hooks(interrupted=after(1)))
    assert first.folder is not None
    shutil.rmtree(first.folder)
    resumed = pinnreg.solve(out=tmp_path / "part", resume=True)
    loaded = pinnreg.load(tmp_path / "whole")
    for name, expected in whole.parameters.items():
        assert torch.equal(resumed.parameters[name], expected)
        assert torch.equal(loaded.parameters[name], expected)
    assert np.array_equal(values(loaded), values(whole))
    assert np.array_equal(values(resumed), values(whole))
    saved = yaml.safe_load((tmp_path / "part" / "config.yaml").read_text())
    assert saved["start"] == str(first.folder)
    assert set(read_checkpoint(tmp_path / "part" / "checkpoint.pt", torch.device("cpu"))["start"]) == {
        "parameters",
        "seed",
        "sha256",
    }


def test_what_begins_again_does_so_from_the_start_after_a_resumption_too(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that has stuck goes back to its first parameters, which only the checkpoint then has."""
    copy = shutil.copytree(run, tmp_path / "start")
    given = {**SMALL, "start": copy}
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, out=tmp_path / "run", hooks=Hooks(interrupted=after(1)))
    shutil.rmtree(copy)
    begun: list[Any] = []
    own = loop._Loop.__post_init__

    def noted(self: Any) -> None:
        own(self)
        begun.append(self.objective.initial())

    monkeypatch.setattr(loop._Loop, "__post_init__", noted)
    pinnreg.solve(out=tmp_path / "run", resume=True)
    for name, expected in pinnreg.load(run).parameters.items():
        assert torch.equal(begun[0][name].detach(), expected)


def test_a_run_that_started_from_another_can_be_started_from(run: Path, tmp_path: Path) -> None:
    fourier = {"network.features.fourier.count": 3}
    folder: Path | None = None
    for seed in range(3):
        solution = pinnreg.solve({**SMALL, "start": folder}, {**fourier, "seed": seed}, out=tmp_path / str(seed))
        folder = solution.folder
        assert folder is not None
        ready = prepared({**SMALL, "seed": 9}, folder, **{"network__features__fourier__count": 3})
        begun = ready.solution(ready.objective.model.initial(), {})
        assert np.array_equal(values(begun), values(solution))


def test_sizes_are_those_of_the_start_unless_one_is_given(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hot = {**SMALL, "problem": {"name": "heat", "base": 300.0, "amplitude": 700.0}}
    assert prepared(hot, run).split.trial.sizes == pinnreg.load(run).trial.sizes
    assert not caplog.messages
    given = prepared(SMALL, run, network__scale=2.5)
    assert given.split.trial.sizes == (2.5,)
    assert "network.scale: 2.5: u begins as that multiple of the network, whose sizes were" in caplog.text


@dataclass(frozen=True)
class Elastic(Problem):
    """-k u'' = 1, with a k that may have to be found."""

    k: float = 2.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return -self.k * u.xx - 1

    def reference(self) -> Any:
        return lambda x: x * (1 - x) / (2 * self.k)


INVERSE: dict[str, Any] = {
    **SMALL,
    "problem": Elastic(),
    "measurements": [{"samples": 10}],
    "unknown": {"k": {"positive": True}},
    "train": [{"optimiser": "gauss_newton", "steps": 10}],
}


def test_coefficients_start_at_what_was_found_unless_their_start_is_given(tmp_path: Path) -> None:
    found = pinnreg.solve(INVERSE, out=tmp_path / "run")
    assert found.unknown["k"] == pytest.approx(2, rel=1e-3)
    again = {**INVERSE, "start": found.folder}
    assert resolve(again).config.unknown["k"].start == found.unknown["k"]
    assert resolve(again, {"unknown.k.start": 1.5}).config.unknown["k"].start == 1.5
    assert resolve({**again, "unknown": {"k": {"start": 1.0}}}).config.unknown["k"].start == 1.0
    assert resolve(INVERSE).config.unknown["k"].start == 1.0
    assert found.folder is not None
    ready = prepared(INVERSE, found.folder)
    assert ready.objective.model.coefficient_values(ready.objective.model.initial()) == found.unknown


@dataclass(frozen=True)
class Other(Problem):
    """With other axes, and an output of another name."""

    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.laplacian + 1


@dataclass(frozen=True)
class Renamed(Problem):
    domain = Box(x=(0, 1), t=(0, 1))
    outputs = ("w",)

    def residual(self, w: Any) -> Any:
        return w.t - w.xx - 1


@dataclass(frozen=True)
class Symmetrical(Problem):
    domain = Box(x=(0, 1), t=(0, 1))
    symmetry = odd("x")

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network.hidden": [7]},
            r"another network than the config's, which differs in network\.hidden\.0$",
        ),
        ({"network.activation": "sin"}, r"which differs in network\.activation$"),
        ({"network": {"kind": "quadratic", "hidden": [6]}}, r"which differs in network\.kind$"),
        ({"problem": Other()}, "start: .*: its axes are x, t, and those of Other x, y"),
        ({"problem": Renamed()}, "start: .*: its outputs are u, and those of Renamed w"),
        (
            {"problem": Symmetrical()},
            r"its parameter 'network\.1.*' is missing there and of shape",
        ),
    ],
)
def test_another_network_is_refused(run: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pinnreg.solve(
            {**SMALL, "start": run, **{k: v for k, v in changes.items() if "." not in k}},
            {key: value for key, value in changes.items() if "." in key},
            out=False,
        )


def test_what_is_no_finished_run_is_refused(run: Path, tmp_path: Path) -> None:
    def refusal(start: Path) -> str:
        with pytest.raises(InputError) as caught:
            pinnreg.solve({**SMALL, "start": start}, out=tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    assert refusal(tmp_path / "none") == f"start: {tmp_path / 'none'}: no such folder"
    (tmp_path / "empty").mkdir()
    assert "not a run's folder (it has no config.yaml)" in refusal(tmp_path / "empty")
    assert "config.yaml: no folder" in refusal(run / "config.yaml")
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "report.json").unlink()
    assert refusal(copy) == f"start: {copy}: the run has not ended (no report.json); --resume {copy} goes on"
    shutil.copy(run / "report.json", copy)
    (copy / "checkpoint.pt").write_bytes(b"PK no more")
    assert refusal(copy).startswith(f"start: {copy / 'checkpoint.pt'}: corrupt checkpoint")
    (copy / "checkpoint.pt").unlink()
    assert refusal(copy) == f"start: {copy / 'checkpoint.pt'}: no such checkpoint"


def test_other_precision_is_taken_over(run: Path) -> None:
    ready = prepared(SMALL, run, dtype="float32")
    for name, value in ready.objective.model.initial().items():
        assert torch.equal(value.detach(), pinnreg.load(run).parameters[name].float())


def test_the_command_line_takes_relative_paths(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, tmp_path / "runs" / "first")
    Path("mine.yaml").write_text(yaml.safe_dump(SMALL))
    with pytest.raises(SystemExit, match="0"):
        main(["solve", "mine.yaml", "--set", "start=runs/first", "--out", "second"])
    assert yaml.safe_load(Path("second/config.yaml").read_text())["start"] == str(tmp_path / "runs" / "first")
    with pytest.raises(SystemExit, match="2"):
        main(["solve", "mine.yaml", "--set", "start=runs/second", "--out", "third"])
    assert "start: " in (err := capsys.readouterr().err)
    assert "no such folder" in err


@pytest.mark.slow
def test_runs_of_a_study_start_from_a_run(run: Path, tmp_path: Path, made: list[Task]) -> None:
    copy = shutil.copytree(run, tmp_path / "first")
    asked = {"base": SMALL, "set": {"seed": 1}, "vary": {"start": {"alone": None, "from": str(copy)}}}
    result = study(asked, out=tmp_path / "study", jobs=1)
    losses = {each.plan.labels["start"]: each.measures for each in result.runs}
    assert losses["alone"] != losses["from"]
    hashes = {each.plan.hash for each in result.runs}
    pinnreg.solve(out=copy, resume=True, overrides={"train.0.steps": 25})
    again = study(asked, out=tmp_path / "study", jobs=1)
    assert len(made) == 3
    assert len(hashes & {each.plan.hash for each in again.runs}) == 1  # another start is another run


def test_a_run_that_was_stopped_before_its_first_checkpoint_needs_its_start(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "start")
    whole = pinnreg.solve({**SMALL, "start": copy}, out=tmp_path / "whole")
    for name in ("again", "lost"):
        (tmp_path / name).mkdir()
        shutil.copy(tmp_path / "whole" / "config.yaml", tmp_path / name)
    again = pinnreg.solve(out=tmp_path / "again", resume=True)
    for name, expected in whole.parameters.items():
        assert torch.equal(again.parameters[name], expected)
    shutil.rmtree(copy)
    with pytest.raises(InputError, match=r"start: .*: no such folder"):
        pinnreg.solve(out=tmp_path / "lost", resume=True)
