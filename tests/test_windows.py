"""Time windows: where their points lie, when one is left for the next; what a stage that ends by itself still tries."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

import pinnreg
from pinnreg import Box, InputError, Interrupted, Problem, dirichlet, initial, measurements, neumann, periodic
from pinnreg.config import resolve
from pinnreg.domain import Domain
from pinnreg.objective import Batch, Evaluator, Target, drawing
from pinnreg.optimisers import SGD, Adam, Advance, GaussNewton, Optimiser, Stage
from pinnreg.run.prepare import prepare
from pinnreg.training import History, Hooks, Outcome, loop, read_checkpoint, train

LATE = [[0.5, 1.1], [0.25, 2.9]]


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation that begins at t = 1, with conditions of all kinds."""

    domain = Box(x=(0, 1), t=(1, 3))
    conditions = (
        initial(lambda x: x * (1 - x)),
        dirichlet(0.0, on="x=min"),
        neumann(1.0, on="x=max"),
        measurements(LATE, [0.2, 0.1]),
    )

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx


@dataclass(frozen=True)
class Bare(Problem):
    """The same without measurements, which leave a loss."""

    domain = Decay.domain
    conditions = Decay.conditions[:3]
    residual = Decay.residual


@dataclass(frozen=True)
class Static(Problem):
    """Without a time."""

    domain = Box(x=(0, 1), y=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any) -> Any:
        return u.xx + u.yy - 1


@dataclass(frozen=True)
class Ending(Bare):
    """With its end prescribed."""

    conditions = (*Bare.conditions, dirichlet(0.0, on="t=max", name="end"))


@dataclass(frozen=True)
class Orbit(Bare):
    """Periodic in time."""

    conditions = (dirichlet(0.0, on="x"), periodic("t"))


def objective(problem: Problem, **sections: Any) -> Placed:
    config = {"problem": problem, "network": {"hidden": [4]}, "conditions": "soft", **sections}
    config["points"] = {"interior": 24, "boundary": 12, "resample_every": None} | config.get("points", {})
    config.setdefault("train", [{"optimiser": "adam"}])
    return placed(prepare(resolve(config), with_reference=False).objective)


def run(of: Placed, *stages: Stage, folder: Path | None = None, **options: Any) -> tuple[Outcome[Batch], Placed]:
    history = History(of.names, (), folder and folder / "history.csv")
    checkpoint = folder and folder / "checkpoint.pt"
    outcome = train(of.evaluator, stages, history, checkpoint=checkpoint, **options)
    return outcome, of.after(outcome)


def same(one: Placed, two: Placed) -> bool:
    return all(torch.equal(each, two.parameters[name]) for name, each in one.parameters.items())


@pytest.fixture
def widened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float, dict[str, Tensor]]]:
    """At which step to which share of the time, with the parameters of then."""
    seen: list[tuple[int, float, dict[str, Tensor]]] = []
    widen = Evaluator.widen

    def spy(self: Evaluator, batch: Batch, parameters: dict[str, Tensor], step: int, window: float) -> Batch:
        seen.append((step, window, {name: each.detach().clone() for name, each in parameters.items()}))
        return widen(self, batch, parameters, step, window)

    monkeypatch.setattr(Evaluator, "widen", spy)
    return seen


Widened = list[tuple[int, float, dict[str, Tensor]]]


@dataclass(frozen=True)
class Halting:
    """Gradient descent that ends by itself after its third step, wherever it is started."""

    windows: Any = "auto"
    steps: int = 1000
    optimiser: str = "halting"
    max_seconds: float | None = None
    max_sweeps: float | None = None
    redraw_every: int = 1
    log_every: int = 50
    evaluate_every: int = 50
    first_order: bool = True
    needs_smooth: bool = False
    needs_squares: bool = False

    def start(self, parameters: dict[str, Tensor]) -> Optimiser:
        return Steps(parameters)


@dataclass
class Steps:
    parameters: dict[str, Tensor]
    made: int = field(default=0)

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        losses, gradient = objective.gradient(self.parameters)
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.sub_(1e-3 * gradient[name])
        self.made += 1
        return Advance(1, losses, "nothing left" if self.made == 3 else None)

    def forget(self) -> None:
        self.made = 0

    def state(self) -> dict[str, Any]:
        return {"made": self.made}

    def load_state(self, state: dict[str, Any]) -> None:
        self.made = state["made"]


# where


@pytest.mark.parametrize("resample", ["refine", "fresh", "residual"])
def test_all_points_of_a_window_lie_in_it(resample: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "REFINED", 0.0)  # as if the residual were larger between the points each time
    regularisers = [{"kind": "ktv", "samples": 30}, {"kind": "jacobian"}]
    of = objective(Decay(), regularisers=regularisers, points={"resample": resample, "resample_every": 10})
    for share in (1 / 8, 1 / 2, 1):
        wide = of.widen(3, share)
        for each in (wide, wide.redraw(5, progress=0.0), wide.resample(wide.parameters, 10)):
            for name, points in each.points.items():
                latest = float(points.x[:, 1].max())
                if name == "measurements":
                    assert torch.equal(points.x, of.points[name].x)
                elif name == "initial":
                    assert latest == 1
                else:
                    assert 1 + 1.5 * share < latest <= 1 + 2 * share, (name, share)
        assert all(len(points) == len(of.points[name]) for name, points in wide.points.items())
        state = wide.resample(wide.parameters, 10).state()
        again = of.with_state(state).resample(of.parameters, 20)
        assert float(again.x[:, 1].max()) <= 1 + 2 * share


def test_a_stage_goes_through_its_windows_in_half_of_its_steps(widened: Widened) -> None:
    of = objective(Decay())
    outcome, after = run(of, Adam(steps=24, windows=3), Adam(steps=4), Adam(steps=12, windows=2))
    assert [(step, share) for step, share, _ in widened] == [(0, 1 / 3), (4, 2 / 3), (8, 1), (28, 1 / 2), (31, 1)]
    assert outcome.stop_reason == "adam: all 12 steps done"
    assert after.batch.placement.window == 1
    assert after.x[:, 1].max() > 2.5


def test_a_window_is_left_once_the_loss_is_low(widened: Widened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOW", 2.0)
    run(objective(Bare()), Adam(steps=24, windows=3))
    assert [step for step, *_ in widened] == [0, 1, 2]


@pytest.mark.parametrize("limit", [{"max_sweeps": 100}, {"max_seconds": 1e-9}])
def test_the_next_stage_has_the_whole_time_wherever_one_has_ended(limit: dict[str, float]) -> None:
    of = objective(Bare())
    outcome, after = run(of, Adam(steps=1000, windows=3, **limit), Adam(steps=2))  # type: ignore[arg-type]
    assert outcome.steps < 10
    assert after.batch.placement.window == 1


def test_auto_is_one_window_where_nothing_has_stuck(widened: Widened) -> None:
    ends = [run(objective(Bare()), Adam(steps=8, windows=windows))[1] for windows in (1, 2, "auto")]  # type: ignore[arg-type]
    assert not same(ends[0], ends[1])
    assert same(ends[0], ends[2])
    assert len(widened) == 2


@pytest.mark.first(3)
@pytest.mark.parametrize("problem", [Static(), Ending(), Orbit()])
@pytest.mark.parametrize("conditions", ["soft", "exact"])
def test_without_a_time_that_is_open_at_its_end_there_are_none(
    problem: Problem, conditions: str, widened: Widened
) -> None:
    conditions = "default" if conditions == "exact" else conditions  # neumann cannot be
    one, two = (objective(problem, conditions=conditions) for _ in range(2))
    assert not one.evaluator.in_time
    _, one = run(one, Adam(steps=6, windows=3))
    _, two = run(two, Adam(steps=6, windows=1))
    assert same(one, two)
    outcome, _ = run(objective(problem, conditions=conditions), Halting(), hooks=Hooks(wrong=lambda _: 1.0))
    assert outcome.stop_reason == "nothing left"
    assert not widened


@pytest.mark.parametrize("problem", [Decay(), Bare()])
@pytest.mark.parametrize("conditions", ["soft", "default"])
def test_measurements_do_not_prescribe_an_end(problem: Problem, conditions: str) -> None:
    assert objective(problem, conditions=conditions).evaluator.in_time


def test_windows_that_cannot_be_gone_through_are_refused() -> None:
    config = {"problem": Bare(), "train": [{"optimiser": "adam", "steps": 12, "windows": 7}]}
    with pytest.raises(InputError, match=r"train\.0: 7 windows take 14 steps at least, and there are 12"):
        resolve(config)
    for problem in (Static(), Ending(), Orbit()):
        with pytest.raises(InputError, match=r"train\.0\.windows has no effect"):
            pinnreg.solve(config, {"problem": problem, "train.0.windows": 2}, out=False)


def test_a_domain_that_does_not_say_what_a_part_of_its_time_is_has_no_windows() -> None:
    class Tube(Box):
        def until(self, share: float) -> Domain:
            return Domain.until(self, share)

    @dataclass(frozen=True)
    class InATube(Bare):
        domain = Tube(x=(0, 1), t=(1, 3))

    assert objective(Bare()).evaluator.in_time
    assert not objective(InATube()).evaluator.in_time


def test_an_integral_over_a_window_counts_as_its_part_of_the_whole() -> None:
    of = objective(Bare(), regularisers=[{"kind": "ktv", "weight": 3.0}, {"kind": "jacobian", "weight": 5.0}])
    for share in (1 / 8, 1 / 2, 1.0):
        weights = of.widen(3, share).batch.weights
        assert weights["ktv"] == pytest.approx(3 * share)
        assert weights["jacobian"] == 5


# what a stage that would end by itself still tries


@pytest.mark.parametrize("times", [0, 1, 2])
def test_it_gets_the_points_that_there_are_to_add(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 24 if times == 0 else 24 + (times - 1) * -(-24 // drawing.ADDED) + 1
    monkeypatch.setattr(drawing, "REFINED", 0.0)
    of = objective(Bare(), points={"resample": "refine", "resample_every": 1000, "most": most})
    outcome, after = run(of, Halting())
    assert (outcome.stop_reason, outcome.steps) == ("nothing left", 3 + 3 * times)
    assert len(after.x) == most
    assert torch.equal(after.x[:24], of.x)
    assert after.batch.settled


def test_a_stage_that_has_stuck_begins_again_once(widened: Widened, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[dict[str, Tensor]] = []

    def wrong(parameters: dict[str, Tensor]) -> float:
        asked.append({name: each.detach().clone() for name, each in parameters.items()})
        return 1.0

    of = objective(Decay())
    outcome, _ = run(of, Halting(), hooks=Hooks(wrong=wrong))
    assert outcome.stop_reason == "stuck at step 3, where it began again in 8 time windows; nothing left"
    assert [(step, share) for step, share, _ in widened] == [(3 * n, n / 8) for n in range(1, 9)]
    assert outcome.steps == 3 + 8 * 3
    assert len(asked) == 2  # before, and at the end
    first = of.evaluator.initial()
    assert all(torch.equal(each, first[name].detach()) for name, each in widened[0][2].items())
    assert not all(torch.equal(each, first[name].detach()) for name, each in asked[0].items())
    assert [record.message for record in caplog.records if record.name == "pinnreg"] == [
        "nothing left (a relative residual of 1.0e+00): the stage begins again in time windows"
    ]


@pytest.mark.parametrize(
    ("windows", "wrong", "steps"),
    [("auto", None, 3), ("auto", 1e-2, 3), (1, 1.0, 3), (2, 1.0, 6)],
)
def test_what_has_not_stuck_or_is_told_otherwise_does_not(windows: Any, wrong: float | None, steps: int) -> None:
    outcome, _ = run(objective(Bare()), Halting(windows), hooks=Hooks(wrong=lambda _: wrong))
    assert (outcome.stop_reason, outcome.steps) == ("nothing left", steps)


def test_a_limit_is_no_reason_to_begin_again(widened: Widened) -> None:
    outcome, _ = run(objective(Bare()), SGD(steps=3, learning_rate=1e-4), hooks=Hooks(wrong=lambda _: 1.0))
    assert outcome.stop_reason == "sgd: all 3 steps done"
    outcome, _ = run(objective(Bare()), Halting(steps=3), hooks=Hooks(wrong=lambda _: 1.0))
    assert outcome.steps == 3
    assert not widened


def test_no_later_stage_begins_again(widened: Widened) -> None:
    stages = Halting(), Halting()
    outcome, _ = run(objective(Bare()), *stages, hooks=Hooks(wrong=lambda _: 1.0))
    assert outcome.stop_reason == "stuck at step 3, where it began again in 8 time windows; nothing left"
    assert (outcome.steps, len(widened)) == (30, 8)
    outcome, _ = run(objective(Bare()), Adam(steps=2), *stages, hooks=Hooks(wrong=lambda _: 1.0))
    assert (outcome.stop_reason, outcome.steps, len(widened)) == ("nothing left", 8, 8)


@pytest.mark.first(1)
@pytest.mark.parametrize("after", [2.0, math.nan, None])
def test_what_windows_do_not_improve_is_kept(after: float | None, caplog: pytest.LogCaptureFixture) -> None:
    alone, kept = run(objective(Bare()), Halting(windows=1))
    answers = iter([1.0, after])
    outcome, found = run(objective(Bare()), Halting(), hooks=Hooks(wrong=lambda _: next(answers)))
    assert outcome.stop_reason == (
        "stuck at step 3, where it began again in 8 time windows, which was no better; nothing left"
    )
    assert same(found, kept)
    assert "windows were no better" in caplog.text
    assert alone.steps == 3
    answers = iter([1.0, 0.5])
    _, found = run(objective(Bare()), Halting(), hooks=Hooks(wrong=lambda _: next(answers)))
    assert not same(found, kept)


def test_with_too_few_steps_or_seconds_left_it_does_not_begin_again(widened: Widened) -> None:
    hooks = Hooks(wrong=lambda _: 1.0)
    for stage in (Halting(steps=18), Halting(max_sweeps=300.0), Halting(max_seconds=1e-9)):
        outcome, _ = run(objective(Bare()), stage, hooks=hooks)
        assert outcome.steps <= 3
    assert not widened


def test_windows_share_the_sweeps_of_a_stage_that_these_limit(widened: Widened) -> None:
    of = objective(Bare())
    once = run(of, Adam(steps=1))[0].sweeps
    outcome, after = run(of, Adam(steps=1_000_000, max_sweeps=24 * once, windows=3))
    assert [(step, share) for step, share, _ in widened] == [(0, 1 / 3), (4, 2 / 3), (8, 1)]
    assert (outcome.steps, after.batch.placement.window) == (24, 1)


# resumed


STAGES: dict[str, tuple[list[Stage], dict[str, Any]]] = {
    "auto": ([Halting(), Adam(steps=3)], {}),
    "adam": ([Adam(steps=14, windows=3, schedule="cosine"), SGD(steps=3, learning_rate=1e-4)], {}),
    "newton": ([Adam(steps=2), GaussNewton(steps=10, windows=3)], {"resample": "refine", "resample_every": 2}),
}


@pytest.mark.first(1)
@pytest.mark.parametrize(("name", "calls"), [("auto", 14), ("adam", 5), ("newton", 6)])
def test_a_run_that_is_stopped_in_a_window_goes_on_bit_for_bit(
    tmp_path: Path, name: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "REFINED", 0.0)
    stages, points = STAGES[name]

    def begun() -> Placed:
        return objective(Bare(), points=points, train=[{"optimiser": "gauss_newton"}])

    counter = itertools.count(1)
    wrong = {"wrong": lambda _: 1.0}
    expected, whole = run(begun(), *stages, hooks=Hooks(**wrong))
    stop = Hooks(**wrong, interrupted=lambda: 15 if next(counter) == calls else None)
    with pytest.raises(Interrupted):
        run(begun(), *stages, folder=tmp_path, hooks=stop)
    state = read_checkpoint(tmp_path / "checkpoint.pt", torch.device("cpu"))
    assert 0 < state["position"]["step"] < expected.steps
    assert (state["objective"]["window"] < 1) == (state["position"]["window"] < state["position"]["windows"])
    found, resumed = run(begun(), *stages, folder=tmp_path, resume=state, hooks=Hooks(**wrong))
    assert same(resumed, whole)
    assert (found.steps, found.sweeps, found.stop_reason) == (expected.steps, expected.sweeps, expected.stop_reason)
    assert resumed.points.keys() == whole.points.keys()
    assert all(np.array_equal(each.x, whole.points[term].x) for term, each in resumed.points.items())
