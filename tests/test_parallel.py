"""Several processes that share the rows of one training."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import placed
from row_kinds import HEAT, KINDS, KTV, objective
from torch import Tensor

import pinnreg
from pinnreg import registry
from pinnreg.config import resolve
from pinnreg.errors import InputError
from pinnreg.objective import Evaluator, InBlocks, Share, linearise
from pinnreg.objective import gradient as gradient_of
from pinnreg.objective.batch import Batch
from pinnreg.objective.in_blocks import in_blocks
from pinnreg.optimisers import GaussNewton
from pinnreg.parallel import Team, follows, team_of
from pinnreg.run.prepare import prepare
from pinnreg.run.sharing import check_shared
from pinnreg.training import History, train

ROOT = Path(pinnreg.__file__).resolve().parent.parent


class Here:
    """A team whose other processes are this one, with nothing in common but what is sent."""

    def __init__(self, others: Sequence[Share]) -> None:
        self.others, self.size, self.sent = others, len(others) + 1, 0

    def ask(self, orders: Sequence[Any], own: Callable[[Any], Any]) -> list[Any]:
        answers = [own(orders[0])]
        for share, order in zip(self.others, orders[1:], strict=True):
            sent = pickle.dumps(order)
            self.sent += len(sent)
            answers.append(pickle.loads(pickle.dumps(share.do(pickle.loads(sent)))))
        return answers


def team(of: Any, size: int) -> Any:
    return Here([Share(of.objective, leads=False) for _ in range(size - 1)])


@pytest.mark.first(4)
@pytest.mark.parametrize(("size", "chunk"), [(2, None), (3, None), (2, 7)])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_several_are_those_of_one(kind: str, size: int, chunk: int | None) -> None:
    of = objective(kind, chunk)
    at = linearise(of.objective, of.batch, of.parameters)
    evaluator = Evaluator(of.objective, team=team(of, size))
    found = evaluator.linearise(of.batch, of.parameters)
    assert isinstance(found, InBlocks)
    assert found.rows == at.rows
    assert found.jacobian.shape == at.jacobian.shape
    assert torch.allclose(found.residuals, at.residuals, rtol=1e-12, atol=1e-14)
    assert torch.allclose(evaluator.residuals(of.batch, of.parameters), at.residuals, rtol=1e-12, atol=1e-14)
    step = torch.linspace(-1, 1, at.jacobian.shape[1], dtype=torch.float64)
    right = torch.linspace(-1, 2, at.jacobian.shape[0], dtype=torch.float64)
    assert torch.allclose(found.jacobian @ step, at.jacobian @ step, rtol=1e-9, atol=1e-10)
    assert torch.allclose(found.jacobian.transposed(right), at.jacobian.T @ right, rtol=1e-9, atol=1e-10)
    expected = at.jacobian.T @ (right + at.jacobian @ step)
    assert torch.allclose(found.jacobian.misfit(right, step), expected, rtol=1e-9, atol=1e-10)
    both, r = torch.cat([at.jacobian, right[:, None]], dim=1), found.jacobian.triangle(right)
    assert torch.equal(r, r.triu())
    assert torch.allclose(r.T @ r, both.T @ both, rtol=1e-9, atol=1e-10)
    losses, gradient = evaluator.gradient(of.batch, of.parameters)
    expected_losses, expected_gradient = gradient_of(of.objective, of.batch, of.parameters)
    assert list(losses) == list(expected_losses) == list(found.losses)
    for name, value in expected_losses.items():
        assert float(losses[name]) == pytest.approx(float(value), rel=1e-12)
        assert float(found.losses[name]) == pytest.approx(float(value), rel=1e-12)
    for name, expected in expected_gradient.items():
        assert torch.allclose(gradient[name], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(registry.find()))
def test_every_problem_in_blocks_and_in_processes(name: str) -> None:
    """Systems, shapes, integrals, delays, free boundaries: whatever rows a point has, and wherever these look."""
    changes = {"problem": name, "points.interior": 30, "points.boundary": 10, "evaluate.grid": None}
    whole, parts = (
        prepare(resolve(HEAT, {**changes, "points.chunk": chunk}), with_reference=False).objective
        for chunk in (None, 7)
    )
    of, cut = placed(whole), placed(parts)
    at = linearise(whole, of.batch, of.parameters)
    right = torch.linspace(-1, 1, len(at.residuals), dtype=torch.float64)
    both = torch.cat([at.jacobian, right[:, None]], dim=1)
    evaluator = Evaluator(whole, team=team(of, 3))
    for found in (in_blocks(parts, cut.batch, cut.parameters), evaluator.linearise(of.batch, of.parameters)):
        assert isinstance(found, InBlocks)
        r = found.jacobian.triangle(right)
        assert_near(found.residuals, at.residuals)
        assert_near(found.jacobian.transposed(right), at.jacobian.T @ right)
        assert_near(r.T @ r, both.T @ both)
    losses, gradient = evaluator.gradient(of.batch, of.parameters)
    expected = gradient_of(whole, of.batch, of.parameters)
    assert list(losses) == list(expected[0])
    for parameter, slopes in expected[1].items():
        assert_near(gradient[parameter], slopes)


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert float((found - expected).abs().max()) <= 1e-11 * float(expected.abs().max())


def test_points_that_stay_are_sent_once() -> None:
    of = objective("ktv", None)
    several = team(of, 2)
    evaluator = Evaluator(of.objective, team=several)
    evaluator.residuals(of.batch, of.parameters)
    first = several.sent
    evaluator.residuals(of.batch, of.parameters)
    again = several.sent - first
    other: Batch = of.redraw(3, progress=0.0).batch  # other points of the penalty only
    expected = Evaluator(of.objective).residuals(other, of.parameters)
    assert torch.allclose(evaluator.residuals(other, of.parameters), expected, rtol=1e-12, atol=1e-14)
    assert 2 * again < several.sent - first - again < first


def test_no_process_is_without_rows() -> None:
    of = objective("exact", None)
    with pytest.raises(InputError, match="100 processes are more than there are rows"):
        Evaluator(of.objective, team=team(of, 100)).residuals(of.batch, of.parameters)


def test_a_term_of_fewer_points_than_processes() -> None:
    changes = {"problem": "logistic", "conditions": "soft", "points.interior": 20}
    prepared = prepare(resolve(HEAT, {**changes, "evaluate.grid": 9}), with_reference=False)
    evaluator = Evaluator(prepared.objective)
    parameters = evaluator.initial()
    batch = evaluator.first(parameters)
    assert min(points.rows for points in batch.points.values()) < 300
    many = Here([Share(prepared.objective, leads=False) for _ in range(15)])
    found = Evaluator(prepared.objective, team=many).residuals(batch, parameters)  # type: ignore[arg-type]
    assert torch.allclose(found, evaluator.residuals(batch, parameters), rtol=1e-12, atol=1e-14)


@pytest.mark.first(1)
@pytest.mark.parametrize("size", [2, 3])
def test_training_goes_the_way_of_one(size: int) -> None:
    ends = []
    for several in (False, True):
        of = objective("coefficient", None)
        evaluator = Evaluator(of.objective, team=team(of, size) if several else None)
        outcome = train(evaluator, [GaussNewton(steps=4)], History(of.names, (), None, ["alpha"]))
        ends.append((outcome.sweeps, torch.cat([each.detach().reshape(-1) for each in outcome.parameters.values()])))
    assert torch.allclose(ends[1][1], ends[0][1], rtol=1e-9, atol=1e-10)
    assert ends[1][0] == ends[0][0]  # which a stage may be limited by


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compile": True, "train": [{"optimiser": "adam"}]}, "compile: true: 2 processes"),
        ({"train.0.sketch": 12}, r"train\.0: 2 processes take no steps in a subspace"),
        ({"train.0.mixed_precision": True}, r"train\.0\.mixed_precision: no Jacobian is whole in 2 processes"),
        ({"network.hidden": [60, 60], "points.interior": 4000}, "of more than 3,000 parameters"),
    ],
)
def test_what_cannot_be_shared(changes: dict[str, Any], said: str) -> None:
    prepared = prepare(resolve(HEAT, changes), with_reference=False)
    with pytest.raises(InputError, match=said):
        check_shared(prepared, Team(0, 2))


def test_torchrun_and_the_option_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "3", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="--processes 2: torchrun has started 3"), team_of(2, []):
        pass


@pytest.mark.parametrize(
    ("given", "said"),
    [({"WORLD_SIZE": "two"}, "WORLD_SIZE.*expected a number, got 'two'"), ({"WORLD_SIZE": "2"}, "no RANK")],
)
def test_half_of_what_torchrun_sets(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=said):
        follows()


def test_far_more_processes_than_cores_are_refused() -> None:
    with pytest.raises(InputError, match=r"--processes 100000: this machine has \d+ cores"), team_of(100_000, []):
        pass


def test_one_process_is_no_team() -> None:
    with team_of(None, []) as none, team_of(1, []) as one:
        assert none is one is None


HELPER = """
import os, sys, time
from pinnreg.errors import InputError, LostProcess
from pinnreg.parallel import follows, team_of

def work(order):
    if order == "refuse":
        raise InputError("not this")
    if order == "die":
        os.kill(os.getpid(), 9)
    return order, os.environ["RANK"]

with team_of(3, ["helper"]) as team:
    if follows():
        team.serve(work)
        sys.exit()
    print(team.ask(["a", "b", "c"], work))
    try:
        team.ask(["a", "refuse", "c"], work)
    except InputError as error:
        print(error)
    print(team.ask(["d", "e", "f"], work))
    if sys.argv[1:]:
        try:
            team.ask(["a", "b", "die"], work)
        except LostProcess as error:
            print(error)
"""


def environment(*paths: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths)))}


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_orders_and_answers(tmp_path: Path, dies: bool) -> None:
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    command = [sys.executable, "-m", "helper", *(["dies"] if dies else [])]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(tmp_path), cwd=tmp_path, timeout=120, check=False
    )
    first, refused, again, *lost = done.stdout.splitlines()
    assert first == "[('a', '0'), ('b', '1'), ('c', '2')]"
    assert refused == "not this"
    assert again == "[('d', '0'), ('e', '1'), ('f', '2')]"
    assert lost == (["process 2 (killed by SIGKILL) of the 3 that train together is gone"] if dies else [])
    assert done.returncode == 0


@pytest.mark.slow
def test_one_that_does_not_come(tmp_path: Path) -> None:
    fails = "import sys\nfrom pinnreg.parallel import follows, team_of\n"
    fails += "if follows():\n    sys.exit(3)\nwith team_of(2, ['helper']):\n    pass\n"
    (tmp_path / "helper.py").write_text(fails, encoding="utf-8")
    command = [sys.executable, "-m", "helper"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(tmp_path), cwd=tmp_path, timeout=120, check=False
    )
    assert "process 1 of 2 has ended before it had begun" in done.stderr


def solve(folder: Path, *options: str, launcher: Sequence[str] = ("-m", "pinnreg")) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *launcher, "solve", *options],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=folder,
        timeout=300,
        check=False,
    )


def options(folder: Path, **changes: Any) -> list[str]:
    config = {
        "problem": "heat",
        "network.hidden": "[5]",
        "points.interior": 60,
        "regularisers": f"[{KTV}]",
        "evaluate.grid": "[6,6]",
        "evaluate.estimate": "none",
        "device": "cpu",
        **changes,
    }
    given = [each for key, value in config.items() if key != "problem" for each in ("--set", f"{key}={value}")]
    return [str(config["problem"]), *given, "--out", str(folder)]


def parameters_of(run: Path) -> Tensor:
    saved = torch.load(run / "checkpoint.pt", weights_only=True)["parameters"]
    return torch.cat([each.reshape(-1) for each in saved.values()])


STAGES = "[{optimiser: adam, steps: 3}, {optimiser: lbfgs, steps: 3}, {optimiser: gauss_newton, steps: 4}]"


@pytest.mark.slow
def test_several_processes_come_to_the_same(tmp_path: Path) -> None:
    given = {"train": STAGES}
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "pinnreg")
    runs = {
        "one": solve(tmp_path, *options(tmp_path / "one", **given)),
        "two": solve(tmp_path, *options(tmp_path / "two", **given), "--processes", "2"),
        "three": solve(tmp_path, *options(tmp_path / "three", **given), "--processes", "3"),
        "torchrun": solve(tmp_path, *options(tmp_path / "torchrun", **given), launcher=torchrun),
    }
    for name, done in runs.items():
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name / "report.json").is_file()
        assert "relative L2" in done.stdout
        assert done.stdout.count("stopped:") == 1
    one = parameters_of(tmp_path / "one")
    for name in ("two", "three", "torchrun"):
        assert torch.allclose(parameters_of(tmp_path / name), one, rtol=1e-10, atol=1e-10)
    # the same sums in the same order
    assert torch.equal(parameters_of(tmp_path / "two"), parameters_of(tmp_path / "torchrun"))


@pytest.mark.slow
def test_a_run_goes_on_in_another_number_of_processes(tmp_path: Path) -> None:
    whole = solve(tmp_path, *options(tmp_path / "whole", **{"train.0.steps": 6}))
    assert solve(tmp_path, *options(tmp_path / "run", **{"train.0.steps": 3}), "--processes", "3").returncode == 0
    resumed = solve(tmp_path, "--resume", str(tmp_path / "run"), "--set", "train.0.steps=6", "--processes", "2")
    assert resumed.returncode == whole.returncode == 0, resumed.stderr
    found, expected = parameters_of(tmp_path / "run"), parameters_of(tmp_path / "whole")
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_wrong_input_is_said_once(tmp_path: Path) -> None:
    refused = solve(tmp_path, *options(tmp_path / "run", **{"train.0.sketch": 5}), "--processes", "2")
    assert refused.returncode == 2
    assert refused.stderr.count("take no steps in a subspace") == 1
    assert not (tmp_path / "run").exists()


def begun(run: Path, count: int) -> tuple[subprocess.Popen[str], list[int]]:
    """A training without an end in its own group of processes, and the processes that do not lead."""
    given = options(run, **{"train.0.steps": 100_000, "train.0.optimiser": "adam"})
    leader = subprocess.Popen(
        [sys.executable, "-m", "pinnreg", "solve", *given, "--processes", str(count)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=run.parent,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (run / "checkpoint.pt").is_file():
        assert leader.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    others = [int(each) for each in Path(f"/proc/{leader.pid}/task/{leader.pid}/children").read_text().split()]
    assert len(others) == count - 1
    return leader, others


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_lost_process_ends_all_with_one_message(tmp_path: Path) -> None:
    run = tmp_path / "run"
    leader, others = begun(run, 3)
    os.kill(others[1], signal.SIGKILL)
    _, said = leader.communicate(timeout=120)
    assert leader.returncode == 1
    assert said.count("error:") == 1
    assert "process 2 (killed by SIGKILL) of the 3 that train together is gone; the last checkpoint is whole" in said
    assert not Path(f"/proc/{others[0]}").exists()
    resumed = solve(tmp_path, "--resume", str(run), "--set", "train.0.steps=5")
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_signal_to_all_is_the_leader_s(tmp_path: Path) -> None:
    leader, others = begun(tmp_path / "run", 2)
    os.killpg(leader.pid, signal.SIGINT)  # as Ctrl-C does
    _, said = leader.communicate(timeout=120)
    assert leader.returncode == 130
    assert "the state was saved; go on with: pinnreg solve --resume" in said
    assert not Path(f"/proc/{others[0]}").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_without_the_leader_all_end(tmp_path: Path) -> None:
    leader, others = begun(tmp_path / "run", 3)
    leader.kill()
    leader.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{each}").exists() for each in others):
        assert time.monotonic() < deadline
        time.sleep(0.1)
