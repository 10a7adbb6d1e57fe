"""The loop: one fixed objective a step, points and penalties drawn on time, history, stopping, resuming; joint runs."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

import pinnreg
from pinnreg import Box, Diverged, InputError, Interrupted, Problem, dirichlet, initial
from pinnreg.config import read_yaml, resolve
from pinnreg.objective import Batch, Evaluator, Objective, drawing
from pinnreg.objective.functions import total
from pinnreg.objective.sampling import uniform_points
from pinnreg.registry import shipped
from pinnreg.run.prepare import prepare
from pinnreg.training import History, Hooks, Outcome, Row, read_checkpoint, read_history, train

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx


Config = dict[str, Any]


def config(train_: list[Config], **sections: Any) -> Config:
    return {
        "problem": Decay(),
        "network": {"hidden": [5]},
        "conditions": "exact",
        "train": train_,
        **sections,
        "points": {
            "interior": 16,
            "boundary": 8,
            "resample": "fresh",
            "resample_every": None,
            **sections.get("points", {}),
        },
    }


def run(given: Config, folder: Path | None = None, **options: Any) -> tuple[Outcome[Batch], dict[str, Any], Placed]:
    """Train as `pinnreg.solve` does, without what surrounds it."""
    prepared = prepare(resolve(given), with_reference=False)
    history = History(prepared.objective.names, (), folder and folder / "history.csv")
    of = placed(prepared.objective)
    outcome = train(
        of.evaluator,
        prepared.resolved.config.train,
        history,
        checkpoint=folder and folder / "checkpoint.pt",
        **options,
    )
    return outcome, history.columns(), of.after(outcome)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


ADAM = {"optimiser": "adam", "learning_rate": 1e-3}
KTV_ROW = [{"kind": "ktv", "samples": 8, "weight": 1e-3}]


# a step sees one fixed objective


@dataclass
class Evaluation:
    """One evaluation with gradient: the penalty points, and when they and the collocation points were drawn."""

    penalty: Tensor
    interior: Tensor
    drawn_at: int
    value: float
    parameters: dict[str, Tensor]


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[Evaluation]:
    """What every gradient of the runs in this test was taken of."""
    seen: list[Evaluation] = []
    losses = Objective.losses

    def spy(self: Objective, batch: Batch, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
        values = losses(self, batch, parameters)
        if torch.is_grad_enabled():
            seen.append(
                Evaluation(
                    batch.points["ktv"].x.clone(),
                    batch.points[""].x.clone(),
                    batch.step,
                    total(batch, values).item(),
                    {name: value.detach().clone() for name, value in parameters.items()},
                )
            )
        return values

    monkeypatch.setattr(Objective, "losses", spy)
    return seen


def test_adam_sees_new_penalty_points_each_step(evaluations: list[Evaluation]) -> None:
    run(config([{**ADAM, "steps": 6}], regularisers=KTV_ROW, seed=5))
    assert [each.drawn_at for each in evaluations] == list(range(6))
    for one, two in itertools.combinations(evaluations, 2):
        assert not torch.equal(one.penalty, two.penalty)
        assert torch.equal(one.interior, two.interior)
    for step, each in enumerate(evaluations):  # a function of (seed, step) and nothing else
        drawn = uniform_points(Decay().domain, 8, 5, "ktv", step, torch.empty(0, dtype=torch.float64))
        assert torch.equal(each.penalty, drawn)


def test_the_draws_do_not_depend_on_the_path(evaluations: list[Evaluation]) -> None:
    run(config([{**ADAM, "steps": 5}], regularisers=KTV_ROW))
    torch.manual_seed(1)
    run(config([{"optimiser": "sgd", "steps": 2}, {**ADAM, "steps": 3}], regularisers=KTV_ROW))
    for one, two in zip(evaluations[:5], evaluations[5:], strict=True):
        assert torch.equal(one.penalty, two.penalty)


def test_training_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 (the global generator is what is tested)
    before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    points = {"interior": 16, "resample_every": 2, "resample": "residual"}
    stages = [{**ADAM, "steps": 4}, {"optimiser": "lbfgs", "steps": 4}]
    run(config(stages, points=points, regularisers=KTV_ROW))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], before_numpy)  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("every", [4, 10, 15, 100])
def test_the_objective_of_lbfgs_is_fixed_between_redraws(evaluations: list[Evaluation], every: int) -> None:
    run(config([{"optimiser": "lbfgs", "steps": 24, "redraw_every": every}], regularisers=KTV_ROW))
    drawn = [each.drawn_at for each in evaluations]
    assert sorted(set(drawn)) == list(range(0, 24, every))
    assert drawn == sorted(drawn)
    assert len(evaluations) > 24  # many evaluations share one draw
    for block in set(drawn):
        assert len({each.penalty.sum().item() for each in evaluations if each.drawn_at == block}) == 1
    assert len({each.penalty.sum().item() for each in evaluations}) == len(set(drawn))


def test_a_fixed_objective_gives_identical_values_however_often() -> None:
    _, _, of = run(config([{**ADAM, "steps": 3}], conditions="soft", regularisers=KTV_ROW))
    first = of.losses(of.parameters)
    for _ in range(5):
        again = of.losses(of.parameters)
        assert all(torch.equal(first[name], again[name]) for name in first)


def test_lbfgs_drops_its_pairs_at_a_redraw(evaluations: list[Evaluation]) -> None:
    """The first step after a redraw is along the gradient, as that of a fresh start."""
    run(config([{"optimiser": "lbfgs", "steps": 20, "redraw_every": 10}], regularisers=KTV_ROW))
    index = next(i for i, each in enumerate(evaluations) if each.drawn_at == 10)
    start, trial = evaluations[index], evaluations[index + 1]
    _, _, of = run(config([{**ADAM, "steps": 1}], regularisers=KTV_ROW))
    of = of.redraw(10, progress=0, smooth=True)
    at = {name: value.clone().requires_grad_() for name, value in start.parameters.items()}
    gradients = torch.autograd.grad(of.total(of.losses(at)), list(at.values()), materialize_grads=True)
    gradient = torch.cat([g.reshape(-1) for g in gradients])
    moved = torch.cat([(trial.parameters[n] - start.parameters[n]).reshape(-1) for n in at])
    cosine = -(moved @ gradient) / moved.norm() / gradient.norm()
    assert cosine == pytest.approx(1.0, abs=1e-9)


def test_penalties_do_not_change_the_collocation_points(evaluations: list[Evaluation]) -> None:
    points = {"interior": 16, "resample_every": 2, "sampler": "uniform"}
    run(config([{**ADAM, "steps": 6}], points=points, regularisers=KTV_ROW))
    run(config([{**ADAM, "steps": 6}], points=points, regularisers=[{**KTV_ROW[0], "samples": 3, "order": 1}]))
    for one, two in zip(evaluations[:6], evaluations[6:], strict=True):
        assert torch.equal(one.interior, two.interior)
    changes = [not torch.equal(a.interior, b.interior) for a, b in itertools.pairwise(evaluations[:6])]
    assert changes == [False, True, False, True, False]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_weight_follows_its_schedule_over_all_stages(schedule: str) -> None:
    row = [{"kind": "ktv", "samples": 4, "weight": 2.0, "schedule": schedule}]
    stages = [{**ADAM, "steps": 10}, {"optimiser": "sgd", "steps": 10, "learning_rate": 1e-9}]
    _, history, of = run(config(stages, regularisers=row), hooks=Hooks(evaluate_every=5))
    weights = history["ktv_weighted"] / history["ktv"]
    assert list(history["step"]) == [0, 5, 10, 15, 20]
    # the first step of a stage has the share of its start, the last that of its end
    progress = np.array([0, 4 / 9, 1, 1 + 4 / 9, 2]) / 2
    expected = {"constant": 1 + 0 * progress, "linear": 1 - progress, "cosine": (1 + np.cos(pi * progress)) / 2}
    assert weights == pytest.approx(2 * expected[schedule])
    assert of.weights["residual"] == 1.0


def test_weights_are_annealed_in_quasi_newton_stages_too() -> None:
    row = [{"kind": "ktv", "samples": 4, "weight": 2.0, "schedule": "linear"}]
    stages = [{**ADAM, "steps": 5}, {"optimiser": "lbfgs", "steps": 15, "redraw_every": 10}]
    _, history, _ = run(config(stages, regularisers=row), hooks=Hooks(evaluate_every=5))
    weights = history["ktv_weighted"] / history["ktv"]
    # two redraws in the second stage: one with the share of its start, one with that of its end
    assert list(history["step"]) == [0, 5, 10, 15, 20]
    assert weights == pytest.approx([2.0, 1.5, 1.5, 1.5, 0.0])


def test_a_stage_with_one_redraw_keeps_its_weight() -> None:
    row = [{"kind": "ktv", "samples": 4, "weight": 2.0, "schedule": "linear"}]
    _, history, _ = run(config([{"optimiser": "lbfgs", "steps": 20}], regularisers=row))
    assert history["ktv_weighted"][-1] == 2.0 * history["ktv"][-1] > 0


@pytest.mark.serial
def test_weights_are_annealed_by_the_clock_where_a_stage_ends_by_it() -> None:
    row = [{"kind": "ktv", "samples": 4, "weight": 2.0, "schedule": "linear"}]
    _, history, _ = run(config([{**ADAM, "steps": 1_000_000, "max_seconds": 0.5}], regularisers=row))
    # not exactly zero, since nobody knows which step is the last
    assert history["ktv_weighted"][-1] < 0.5 * 2.0 * history["ktv"][-1]


def test_a_timed_checkpoint_never_replaces_the_last_good_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinnreg.training.loop.CHECKPOINT_SECONDS", 0.0)
    calls = iter(range(10_000))
    stop_at_30 = Hooks(interrupted=lambda: 15 if next(calls) == 30 else None)
    stage = {"optimiser": "sgd", "learning_rate": 1e6, "steps": 100}
    with pytest.raises(Interrupted):
        run(config([stage]), tmp_path, hooks=stop_at_30)
    saved = read_checkpoint(tmp_path / "checkpoint.pt", CPU)["parameters"]
    assert all(torch.isfinite(tensor).all() for tensor in saved.values())


def test_penalty_points_of_lbfgs_are_drawn_when_due(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    redraw = Evaluator.redraw

    def spy(self: Evaluator, batch: Batch, parameters: dict[str, Tensor], step: int, **options: Any) -> Batch:
        drawn.append(step)
        return redraw(self, batch, parameters, step, **options)

    monkeypatch.setattr(Evaluator, "redraw", spy)
    run(config([{"optimiser": "lbfgs", "steps": 12, "redraw_every": 4}], regularisers=KTV_ROW))
    assert drawn == [0, 4, 8]


def test_power_one_is_smoothed_in_quasi_newton_stages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, bool]] = []
    redraw = Evaluator.redraw

    def spy(self: Evaluator, *given: Any, progress: float, smooth: bool) -> Batch:
        batch = redraw(self, *given, progress=progress, smooth=smooth)
        assert batch.smooth == smooth
        seen.append((batch.step, smooth))
        return batch

    monkeypatch.setattr(Evaluator, "redraw", spy)
    stages = [{**ADAM, "steps": 2}, {"optimiser": "lbfgs", "steps": 3}, {"optimiser": "sgd", "steps": 1}]
    run(config(stages, regularisers=[{"kind": "ktv", "power": 1, "order": 1, "samples": 4}]))
    assert list(dict.fromkeys(seen)) == [(0, False), (1, False), (2, True), (5, False)]


# resampling, history, hooks


@pytest.mark.parametrize("stage", [{**ADAM, "steps": 25}, {"optimiser": "lbfgs", "steps": 40}])
def test_points_are_resampled_on_time(monkeypatch: pytest.MonkeyPatch, stage: Config) -> None:
    seen: list[int] = []
    resample = Evaluator.resample

    def spy(self: Evaluator, batch: Batch, parameters: dict[str, Tensor], step: int) -> Batch:
        seen.append(step)
        return resample(self, batch, parameters, step)

    monkeypatch.setattr(Evaluator, "resample", spy)
    run(config([stage], points={"interior": 16, "resample_every": 10}))
    assert seen == list(range(10, stage["steps"], 10))


def test_the_history_has_all_columns_and_its_rows_on_time() -> None:
    stages = [{**ADAM, "steps": 60}, {"optimiser": "lbfgs", "steps": 50}]
    given = config(stages, conditions="soft", weights={"initial": 3.0}, regularisers=KTV_ROW)
    outcome, history, of = run(given)
    terms = ["residual", "initial", "dirichlet", "ktv"]
    expected = ["step", "seconds", "sweeps", "loss", *(c for term in terms for c in (term, f"{term}_weighted"))]
    assert list(history) == expected
    assert list(history["step"]) == [0, 50, 60, 100, 110]
    assert np.all(np.diff(history["seconds"]) > 0)
    assert history["initial_weighted"] == pytest.approx(3 * history["initial"])
    assert history["loss"] == pytest.approx(sum(history[f"{term}_weighted"] for term in terms))
    losses = of.losses(outcome.parameters)  # the last row is the state at the end
    assert history["residual"][-1] == losses["residual"].item()
    assert outcome.steps == 110
    assert outcome.stop_reason == "lbfgs: all 50 steps done"


def test_errors_are_evaluated_at_the_start_on_time_and_at_each_end() -> None:
    prepared = prepare(resolve(config([{**ADAM, "steps": 55}, {**ADAM, "steps": 10}])), with_reference=False)
    history = History(prepared.objective.names, ("u",), None)
    lines: list[tuple[int, int]] = []
    hooks = Hooks(
        errors=lambda _: {"u": 0.5}, evaluate_every=20, progress=lambda row: lines.append((row.step, row.steps))
    )
    train(Evaluator(prepared.objective), prepared.resolved.config.train, history, hooks=hooks)
    columns = history.columns()
    evaluated = columns["step"][np.isfinite(columns["error_u"])]
    assert list(evaluated) == [0, 20, 40, 55, 60, 65]
    assert list(columns["step"]) == [0, 20, 40, 50, 55, 60, 65]
    assert lines == [(step, 65) for step in columns["step"]]


def test_a_hook_that_stops_ends_the_training_with_what_there_is() -> None:
    stages = [{**ADAM, "steps": 60}, {**ADAM, "steps": 10}]
    rows: list[Row] = []

    def stop(row: Row) -> str | None:
        rows.append(row)
        return "it was enough" if row.step >= 40 else None

    whole, _, _ = run(config([{**ADAM, "steps": 40}]))
    outcome, history, _ = run(config(stages), hooks=Hooks(evaluate_every=20, stop=stop))
    assert [row.step for row in rows] == [0, 20, 40]
    assert [row.share for row in rows] == pytest.approx([0, 2 / 7, 4 / 7])
    assert history["step"][-1] == outcome.steps == 40
    assert outcome.stop_reason == "adam: it was enough, stopped by a hook"
    assert same(outcome.parameters, whole.parameters)
    # reasons are optional
    outcome, _, _ = run(config(stages), hooks=Hooks(evaluate_every=20, stop=lambda _: True))
    assert (outcome.steps, outcome.stop_reason) == (0, "adam: stopped by a hook")


def test_a_run_that_a_hook_stopped_is_a_whole_one_that_goes_on(tmp_path: Path) -> None:
    given = config([{**ADAM, "steps": 30}])
    stop = Hooks(stop=lambda row: row.errors is not None and row.step > 0)
    cut = pinnreg.solve(given, {"evaluate.every": 10}, out=tmp_path / "run", hooks=stop)
    assert cut.report is not None
    assert cut.report.facts["steps"] == 10
    assert cut.report.facts["converged"] is False
    assert (tmp_path / "run" / "report.json").exists()
    again = pinnreg.solve(given, {"train.0.steps": 31}, out=tmp_path / "run", resume=True)
    more = pinnreg.solve(given, {"train.0.steps": 31}, out=False)
    assert same(again.parameters, more.parameters)


def test_the_share_that_is_done_is_by_the_nearest_limit() -> None:
    rows: list[Row] = []
    stages = [{**ADAM, "steps": 20, "max_sweeps": 10**9}, {**ADAM, "steps": 20, "max_sweeps": 16 * 5 * 2}]
    run(config(stages), hooks=Hooks(evaluate_every=5, progress=rows.append))
    by_steps = [row.step / 40 for row in rows]
    assert [row.share for row in rows if row.step <= 20] == by_steps[: sum(row.step <= 20 for row in rows)]
    assert rows[-1].step < 40
    assert rows[-1].share == 1


def test_the_residual_is_asked_for_where_there_are_no_errors() -> None:
    rows: list[Row] = []
    given, seen = config([{**ADAM, "steps": 15}]), iter(range(99))
    run(given, hooks=Hooks(evaluate_every=10, residual=lambda _: float(next(seen)), progress=rows.append))
    assert [(row.step, row.residual) for row in rows] == [(0, 0), (10, 1), (15, 2)]
    run(given, hooks=Hooks(evaluate_every=10, errors=lambda _: {"u": 1.0}, residual=pytest.fail))


def test_evaluation_does_not_change_the_result() -> None:
    given = config([{**ADAM, "steps": 12}], regularisers=KTV_ROW)
    plain, _, _ = run(given)
    watched, _, _ = run(given, hooks=Hooks(errors=lambda _: {}, evaluate_every=1))
    assert same(plain.parameters, watched.parameters)


# stopping and going on


def after(calls: int) -> Hooks:
    """Hooks that ask to stop when asked for the time number `calls`."""
    counter = itertools.count(1)
    return Hooks(interrupted=lambda: 15 if next(counter) == calls else None)


STAGES: list[Config] = [
    {**ADAM, "steps": 12, "schedule": "cosine"},
    {"optimiser": "lbfgs", "steps": 24, "history": 5, "redraw_every": 8},
    {"optimiser": "sgd", "steps": 8, "momentum": 0.9, "learning_rate": 1e-5},
]


def stopped(resample: str) -> Config:
    row = [{"kind": "ktv", "samples": 8, "weight": 1e-3, "schedule": "linear", "power": 1, "order": 1}]
    points = {"interior": 16, "boundary": 8, "resample_every": 5, "resample": resample}
    return config(STAGES, conditions="soft", points=points, regularisers=row)


@pytest.fixture(scope="module")
def uninterrupted() -> Callable[[str], tuple[Outcome, dict[str, Any]]]:
    """The run that the stopped ones are compared with, made once for each way to draw points."""
    return cache(lambda resample: run(stopped(resample))[:2])


# each kind of points at some moments, and at all in the slow suite
STOPS = list(enumerate([1, 2, 7, 12, 13, 15, 18, 20, 25]))


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("calls", "resample"),
    [
        pytest.param(calls, resample, marks=() if number == 3 * turn else pytest.mark.slow)
        for turn, resample in enumerate(["fresh", "residual", "refine"])
        for number, calls in STOPS
    ],
)
def test_a_stopped_run_goes_on_bit_for_bit(
    tmp_path: Path,
    calls: int,
    resample: str,
    uninterrupted: Callable[[str], tuple[Outcome, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "REFINED", 0.0)  # so that points are added each time
    given = stopped(resample)
    whole, history = uninterrupted(resample)
    with pytest.raises(Interrupted) as caught:
        run(given, tmp_path, hooks=after(calls))
    assert (caught.value.signal, caught.value.checkpoint) == (15, tmp_path / "checkpoint.pt")
    state = read_checkpoint(tmp_path / "checkpoint.pt", CPU)
    assert 0 <= state["position"]["step"] < 44
    resumed, again, _ = run(given, tmp_path, resume=state)
    assert same(whole.parameters, resumed.parameters)
    assert (whole.steps, whole.stop_reason) == (resumed.steps, resumed.stop_reason)
    written = read_history(tmp_path / "history.csv")
    for name in history:
        if name != "seconds":
            assert np.array_equal(history[name], again[name]), name
            assert np.array_equal(history[name], written[name]), name


def test_a_finished_run_can_be_extended(tmp_path: Path) -> None:
    def given(steps: int) -> Config:
        return config([{**ADAM, "steps": 10}, {"optimiser": "sgd", "steps": steps}], regularisers=KTV_ROW)

    run(given(5), tmp_path)
    state = read_checkpoint(tmp_path / "checkpoint.pt", CPU)
    extended, history, _ = run(given(15), tmp_path, resume=state)
    whole, _, _ = run(given(15))
    assert same(extended.parameters, whole.parameters)
    assert extended.steps == 25
    assert history["step"][-1] == 25
    assert np.all(np.diff(history["step"]) > 0)


def test_history_rows_beyond_the_checkpoint_are_made_again(tmp_path: Path) -> None:
    given = config([{**ADAM, "steps": 120}])
    with pytest.raises(Interrupted):
        run(given, tmp_path, hooks=after(60))
    with (tmp_path / "history.csv").open("a") as file:  # as a run that was killed later would leave it
        file.write("100,1.0,1600,2.0,2.0,2.0\n")
    state = read_checkpoint(tmp_path / "checkpoint.pt", CPU)
    run(given, tmp_path, resume=state)
    written = read_history(tmp_path / "history.csv")
    assert list(written["step"]) == [0, 50, 100, 120]
    assert written["loss"][2] != 2.0


@pytest.mark.parametrize("resample", ["fresh", "residual"])
def test_divergence_restores_the_last_good_state(tmp_path: Path, resample: str) -> None:
    points = {"interior": 16, "resample_every": 3, "resample": resample}
    stages = [{"optimiser": "adam", "steps": 20, "learning_rate": 1e-3}]
    stages += [{"optimiser": "sgd", "steps": 200, "learning_rate": 1e9}]
    with pytest.raises(Diverged, match=r"'residual' became NaN or Inf; the last good state, of step 20") as caught:
        run(config(stages, points=points), tmp_path)
    assert str(tmp_path / "checkpoint.pt") in str(caught.value)
    state = read_checkpoint(tmp_path / "checkpoint.pt", CPU)
    assert state["position"]["step"] == 20
    assert all(torch.isfinite(value).all() for value in state["parameters"].values())
    good, _, _ = run(config(stages[:1], points=points))
    assert same(good.parameters, state["parameters"])


def test_divergence_names_the_term_that_began_it() -> None:
    @dataclass(frozen=True)
    class Bounded(Problem):
        """u' = 5 with a term that exists for |u'| < 3 only."""

        domain = Box(x=(0, 1))

        def residual(self, u: Any) -> Any:
            return {"harmless": u.x - 5, "brittle": 1e-3 * torch.sqrt(3 - u.x)}

    network = {"hidden": [5], "scale": 1.0}  # a larger one begins where the second term does not exist
    with pytest.raises(Diverged, match="'brittle' became NaN or Inf"):
        run(config([{**ADAM, "steps": 2000, "learning_rate": 1e-2}], problem=Bounded(), network=network))


def test_a_history_of_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("step,seconds,loss\n0,0.0,1.0\n")
    with pytest.raises(InputError, match="are not those of this run"):
        History(["residual"], (), tmp_path / "history.csv").cut(0)


# joint minimisation: residual, boundary and initial conditions, and k-TV together

JOINT = ["poisson", "heat", "burgers"]
FEW_STEPS: list[Config] = [{"optimiser": "adam", "steps": 2}, {"optimiser": "lbfgs", "steps": 2}]


def minimal(name: str) -> Config:
    ktv = {"kind": "ktv", "axes": "space", "weight": 1e-6}
    return {"problem": {"name": name}, "conditions": "soft", "regularisers": [ktv]}


def as_shipped(name: str) -> Config:
    path = shipped("configs") / f"{name}_joint.yaml"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    return read_yaml(path)


def check_joint(given: Config, device: str) -> None:
    few = {"points": {**given.get("points", {}), "interior": 64, "boundary": 32}}
    joint = {**given, **few, "train": FEW_STEPS, "evaluate": {"grid": 9}, "device": device}
    solution = pinnreg.solve(joint, out=False)
    prepared = prepare(resolve(joint), with_reference=False)
    of = placed(prepared.objective)
    assert {value.device.type for value in of.parameters.values()} == {device}
    names = set(of.names)
    assert "residual" in names
    assert "dirichlet" in names
    assert ("initial" in names) == ("t" in prepared.problem.domain.axes)
    assert any(name.startswith("ktv") for name in names)
    for name in names:
        column = solution.history[name]
        assert len(column) >= 2
        assert (column > 0).all(), name
        assert np.isfinite(column).all()
        assert np.allclose(solution.history[f"{name}_weighted"][0], of.weights[name] * column[0])
    weighted = sum(solution.history[f"{name}_weighted"] for name in names)
    assert np.allclose(solution.history["loss"], weighted)
    columns = [tuple(solution.history[name]) for name in names]
    assert len(set(columns)) == len(columns)  # separate terms, not one shown several times

    values = list(of.parameters.values())

    def gradient(loss: Tensor) -> Tensor:
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, values, materialize_grads=True)])

    separate = {name: gradient(loss) for name, loss in of.losses(of.parameters).items()}
    for name, each in separate.items():
        assert each.norm() > 0, name
        assert of.weights[name] > 0, name
    total = gradient(of.total(of.losses(of.parameters)))
    summed = torch.stack([of.weights[name] * each for name, each in separate.items()]).sum(dim=0)
    assert torch.allclose(total, summed, rtol=1e-6, atol=1e-10 * float(total.norm()))
    # and each is seen: without its share the total would be another
    for name, each in separate.items():
        share = float((of.weights[name] * each).norm() / total.norm())
        rest = torch.stack([of.weights[n] * g for n, g in separate.items() if n != name]).sum(dim=0)
        assert share > 1e-12
        assert float((total - rest - of.weights[name] * each).norm()) < 0.01 * share * float(total.norm())


QUICK = [(JOINT[0], minimal), (JOINT[1], as_shipped)]


@pytest.mark.parametrize(
    ("name", "build"),
    [
        pytest.param(name, build, marks=() if (name, build) in QUICK else pytest.mark.slow)
        for name in JOINT
        for build in (minimal, as_shipped)
    ],
)
def test_joint_minimisation(name: str, build: Callable[[str], Config]) -> None:
    check_joint(build(name), "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("build", [minimal, as_shipped])
@pytest.mark.parametrize("name", JOINT)
def test_joint_minimisation_on_cuda(name: str, build: Callable[[str], Config]) -> None:
    check_joint(build(name), "cuda")


# observing


@pytest.mark.serial
def test_observing_changes_nothing_and_takes_no_time() -> None:
    stages = [{**ADAM, "steps": 7}, {"optimiser": "lbfgs", "steps": 20}]
    seen: list[tuple[int, float]] = []

    def observe(step: int, seconds: float, _: dict[str, Tensor]) -> float:
        seen.append((step, seconds))
        time.sleep(0.02)
        return 0.0

    outcome, history, objective = run(config(stages), hooks=Hooks(observe=observe))
    assert [step for step, _ in seen] == [0, 1, 2, 3, 4, 5, 6, 7, 17, 27]
    assert [seconds for _, seconds in seen] == sorted(seconds for _, seconds in seen)
    started = time.perf_counter()
    expected, _, plain = run(config(stages))
    unobserved = time.perf_counter() - started
    assert same(objective.parameters, plain.parameters)
    assert outcome.steps == expected.steps
    assert outcome.seconds == pytest.approx(history["seconds"][-1], abs=0.1)
    assert outcome.seconds < unobserved + 0.1  # not the 0.2 s that observing took


def test_observations_come_when_due_and_at_the_end_of_each_stage() -> None:
    seen: list[int] = []

    def observe(step: int, *_: Any) -> float:
        seen.append(step)
        return math.inf

    run(config([{**ADAM, "steps": 7}, {**ADAM, "steps": 5}]), hooks=Hooks(observe=observe))
    assert seen == [0, 7, 12]


@pytest.mark.serial
def test_evaluating_the_error_takes_no_time_from_a_stage() -> None:
    def slow(_: object) -> dict[str, float]:
        time.sleep(0.1)
        return {}

    stage = {**ADAM, "steps": 12, "max_seconds": 1.0}
    outcome, history, _ = run(config([stage]), hooks=Hooks(errors=slow, evaluate_every=1))
    assert outcome.stop_reason == "adam: all 12 steps done"
    assert history["seconds"][-1] < 0.6
