"""Network sweeps times points: how they are counted, and stages that are bounded by them."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import placed
from quick import only

import pinnreg
from pinnreg import Box, Problem, dirichlet, initial, periodic
from pinnreg.config import resolve
from pinnreg.objective import Batch, Evaluator, drawing
from pinnreg.optimisers import Adam, learning_rate
from pinnreg.run import Solution
from pinnreg.run.prepare import prepare
from pinnreg.training import Hooks, read_history

ALL = ("adam", "sgd", "lbfgs", "ssbroyden", "gauss_newton")
PENALTIES: dict[str, dict[str, Any]] = {
    "jacobian": {"kind": "jacobian", "samples": 7},
    "at the collocation points": {"kind": "gpinn"},
    "ridge": {"kind": "ridge"},
}
NOISE: dict[str, Any] = {"kind": "noise_stability", "sigma": 1e-3}


@dataclass(frozen=True)
class Ring(Problem):
    """Advection on a ring: a soft periodic condition has pairs of points."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (periodic("x", order=0), initial(lambda x: torch.sin(torch.pi * x)))

    def residual(self, u: Any) -> Any:
        return u.t + u.x


@dataclass(frozen=True)
class Decay(Problem):
    """Heat, with exact conditions."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: x * (1 - x)), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx


def config(*stages: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {
        "problem": Decay(),
        "network": {"hidden": [4]},
        "conditions": "exact",
        "train": list(stages),
        "evaluate": {"grid": 4, "every": 1},
        **sections,
        "points": {"interior": 16, "resample_every": None, **sections.get("points", {})},
    }


def solved(given: dict[str, Any]) -> Solution:
    return pinnreg.solve(given, out=False)


def sweeps_of(given: dict[str, Any]) -> int:
    return int(solved(given).history["sweeps"][-1])


# the count


REGULARISED: list[tuple[list[dict[str, Any]], int, int]] = [
    ([], 0, 1),
    ([PENALTIES["jacobian"]], 7, 1),
    ([PENALTIES["at the collocation points"]], 16, 1),
    ([PENALTIES["ridge"]], 0, 1),
    ([NOISE], 0, 2),
    ([{**NOISE, "samples": 3, "unperturbed": 0.5}], 0, 7),
    ([{**NOISE, "sides": "one"}], 0, 2),
    ([{"kind": "weight_noise"}], 0, 1),
    ([NOISE, *PENALTIES.values()], 23, 2),
]


# each with one optimiser or the other, and all with both in the slow suite
@pytest.mark.parametrize(
    ("regularisers", "extra", "copies", "optimiser"),
    [
        pytest.param(*case, optimiser, marks=() if number % 2 == turn else pytest.mark.slow)
        for turn, optimiser in enumerate(["adam", "sgd"])
        for number, case in enumerate(REGULARISED)
    ],
)
def test_a_first_order_step_is_a_sweep_over_all_points(
    regularisers: list[dict[str, Any]], extra: int, copies: int, optimiser: str
) -> None:
    stage = {"optimiser": optimiser, "steps": 3, "learning_rate": 1e-4}
    assert sweeps_of(config(stage, regularisers=regularisers)) == 3 * copies * (16 + extra)


def test_points_of_soft_conditions_count_and_pairs_twice() -> None:
    stage, points = {"optimiser": "adam", "steps": 3}, {"interior": 16, "boundary": 5}
    given = config(stage, problem=Ring(), points=points, conditions="soft")
    assert sweeps_of(given) == 3 * (16 + 2 * 5 + 5)
    assert sweeps_of({**given, "regularisers": [NOISE]}) == 2 * 3 * (16 + 2 * 5 + 5)
    assert sweeps_of({**given, "conditions": "exact"}) == 3 * 16


@pytest.mark.slow
def test_chunks_and_evaluations_do_not_count() -> None:
    stage = {"optimiser": "adam", "steps": 10}
    plain = sweeps_of(config(stage))
    assert plain == 160
    assert sweeps_of(config(stage, points={"interior": 16, "chunk": 8})) == plain
    assert sweeps_of(config(stage, evaluate={"grid": 50, "every": 100})) == plain


def test_an_adaptive_resample_counts_its_candidates() -> None:
    points = {"interior": 16, "resample_every": 4, "resample": "residual"}
    given = config({"optimiser": "adam", "steps": 10}, points=points)
    assert sweeps_of(given) == 10 * 16 + 2 * 5 * 16  # before the steps 4 and 8, five candidates a point


def test_a_look_between_the_points_counts_candidates_and_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the steps 4 and 8: candidates for each of the points that would be added, and those that are there."""
    given = config({"optimiser": "adam", "steps": 10}, points={"interior": 16, "resample_every": 4})
    would_be = -(-16 // drawing.ADDED)
    for refined, added in ((math.inf, 0), (0.0, would_be)):
        monkeypatch.setattr(drawing, "REFINED", refined)
        steps = 4 * 16 + 4 * (16 + added) + 2 * (16 + 2 * added)
        assert sweeps_of(given) == steps + 2 * drawing.CANDIDATES_PER_ADDED * would_be + 16 + (16 + added)


@pytest.mark.parametrize("copies", [pytest.param(1, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("optimiser", ["lbfgs", "ssbroyden", "gauss_newton"])
def test_every_look_of_a_second_order_optimiser_counts(
    optimiser: str, copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [0]

    def counted(name: str) -> None:
        original = getattr(Evaluator, name)

        def look(self: Evaluator, batch: Batch, parameters: Any) -> Any:
            looks[0] += 1
            return original(self, batch, parameters)

        monkeypatch.setattr(Evaluator, name, look)

    for name in ("gradient", "residuals", "linearise"):
        counted(name)
    given = config({"optimiser": optimiser, "steps": 4}, regularisers=[NOISE] if copies == 2 else [])
    assert sweeps_of(given) == looks[0] * copies * 16
    assert looks[0] > 4


@pytest.mark.slow
def test_the_column_begins_at_zero_rises_and_goes_on_through_the_stages(tmp_path: Path) -> None:
    stages = [{"optimiser": "adam", "steps": 20}, {"optimiser": "lbfgs", "steps": 20}, {"optimiser": "gauss_newton"}]
    stages[-1]["steps"] = 3
    whole = pinnreg.solve(config(*stages), out=tmp_path / "run")
    sweeps = whole.history["sweeps"]
    assert sweeps[0] == 0
    assert (np.diff(sweeps) > 0).all()
    assert sweeps[whole.history["step"] == 20] == 20 * 16
    written = read_history(tmp_path / "run" / "history.csv")
    np.testing.assert_array_equal(written["sweeps"], sweeps)
    text = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert text[0].startswith("step,seconds,sweeps,loss")
    assert text[1].split(",")[2] == "0"  # a whole number


# max_sweeps


@pytest.mark.first(1)
@pytest.mark.parametrize("optimiser", only(ALL, "adam", "lbfgs", "gauss_newton"))
def test_max_sweeps_ends_a_stage_at_the_first_advance_beyond(optimiser: str) -> None:
    base = {"optimiser": optimiser, "steps": 18}
    free = solved(config(base)).history
    short = solved(config({**base, "max_sweeps": 250})).history
    sweeps = short["sweeps"]
    assert sweeps[-1] >= 250 > sweeps[-2]
    # the same run as without, as far as it goes
    count = len(sweeps)
    np.testing.assert_array_equal(sweeps[:-1], free["sweeps"][: count - 1])
    np.testing.assert_array_equal(short["loss"][:-1], free["loss"][: count - 1])
    if optimiser in ("adam", "sgd"):
        assert short["step"][-1] == 16  # 250 / 16, rounded up


def test_each_stage_has_its_own_and_the_next_one_begins(tmp_path: Path) -> None:
    adam = {"optimiser": "adam", "steps": 1000, "max_sweeps": 160}
    run = pinnreg.solve(config(adam, adam, {**adam, "max_sweeps": 320}), out=tmp_path / "run")
    assert run.history["step"][-1] == 10 + 10 + 20
    assert run.history["sweeps"][-1] == 640
    text = (tmp_path / "run" / "report.json").read_text()
    assert '"stop_reason": "adam: max_sweeps 320 reached"' in text
    assert '"sweeps": 640' in text


def after(calls: int) -> Hooks:
    counter = iter(range(100_000))
    return Hooks(interrupted=lambda: signal.SIGTERM if next(counter) == calls else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimiser",
    ["adam", pytest.param("lbfgs", marks=pytest.mark.slow), pytest.param("gauss_newton", marks=pytest.mark.slow)],
)
def test_a_resumed_run_stops_where_the_other_does(tmp_path: Path, optimiser: str) -> None:
    stage = {"optimiser": optimiser, "steps": 500, "max_sweeps": 900}
    if optimiser == "adam":
        stage["schedule"] = "cosine"
    penalty = {"kind": "jacobian", "samples": 9, "schedule": "cosine", "weight": 1e-2}
    points = {"interior": 16, "resample_every": 8, "resample": "residual"}
    given = config(stage, {"optimiser": "adam", "steps": 3}, regularisers=[penalty, NOISE], points=points)
    whole, folder = solved(given), tmp_path / "run"
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, out=folder, hooks=after(1))
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, out=folder, resume=True, hooks=after(1))
    resumed = pinnreg.solve(given, out=folder, resume=True)
    for name in set(whole.history) - {"seconds"}:
        np.testing.assert_array_equal(resumed.history[name], whole.history[name], err_msg=name)
    for name, values in whole.parameters.items():
        assert torch.equal(resumed.parameters[name], values)


@pytest.mark.slow
def test_a_finished_stage_goes_on_for_more_sweeps_and_only_for_more(tmp_path: Path) -> None:
    given = config({"optimiser": "adam", "steps": 1000, "max_sweeps": 160})
    folder = tmp_path / "run"
    pinnreg.solve(given, out=folder)
    again = pinnreg.solve(given, out=folder, resume=True)
    assert again.history["step"][-1] == 10
    longer = {"train.0.max_sweeps": 400}
    further = pinnreg.solve(given, longer, out=folder, resume=True)
    whole = pinnreg.solve(given, longer, out=False)
    assert further.history["step"][-1] == whole.history["step"][-1] == 25
    for name, values in whole.parameters.items():
        assert torch.equal(further.parameters[name], values)


# what follows them


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("optimiser", "budget", "schedule"),
    [
        pytest.param(optimiser, budget, schedule, marks=() if quick and number < 2 else pytest.mark.slow)
        for number, (optimiser, budget) in enumerate(
            [("adam", 800), ("lbfgs", 2000), ("gauss_newton", 4000), ("ssbroyden", 1500)]
        )
        for schedule, quick in (("linear", number % 2 == 0), ("cosine", number % 2 == 1))
    ],
)
def test_weights_are_annealed_to_nothing_by_the_end_of_the_sweeps(optimiser: str, budget: int, schedule: str) -> None:
    stage = {"optimiser": optimiser, "steps": 100_000, "max_sweeps": budget}
    if optimiser in ("lbfgs", "ssbroyden"):
        stage["redraw_every"] = 3
    penalty = {"kind": "jacobian", "samples": 4, "weight": 0.5, "schedule": schedule}
    history = solved(config(stage, regularisers=[penalty])).history
    assert history["sweeps"][-1] >= budget
    assert history["step"][-1] < 5000
    weights = history["jacobian_weighted"] / history["jacobian"]
    assert weights[0] == pytest.approx(0.5)
    assert (np.diff(weights) <= 1e-15).all()
    # which redraw is the last is foreseen, exactly where steps cost the same
    assert weights[-1] <= (1e-12 if optimiser == "adam" else 0.05) * 0.5


def test_the_learning_rate_follows_the_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def noted(stage: Any, share: float) -> float:
        seen.append(share)
        return learning_rate(stage, share)

    monkeypatch.setattr("pinnreg.optimisers.settings.learning_rate", noted)
    stage = {"optimiser": "adam", "steps": 1000, "max_sweeps": 160, "schedule": "cosine"}
    solved(config(stage))
    assert seen == pytest.approx([step / 10 for step in range(10)])
    rates = [learning_rate(Adam(schedule="cosine"), share) for share in seen]
    assert rates[0] == 1e-3
    assert rates[-1] < 0.05 * rates[0]
    seen.clear()
    solved(config({**stage, "steps": 5}))  # whichever ends first
    assert seen == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


def test_counting_changes_nothing_and_a_new_objective_begins_at_zero() -> None:
    of = placed(prepare(resolve(config({"optimiser": "adam"})), with_reference=False).objective)
    assert of.evaluator.sweeps == 0
    of.losses(of.parameters)  # a look that no optimiser asked for
    assert of.evaluator.sweeps == 0
    for expected in (16, 32):
        of.gradient(of.parameters)
        assert of.evaluator.sweeps == expected
    of.residuals(of.parameters)
    of.linearise(of.parameters)
    assert of.evaluator.sweeps == 64
