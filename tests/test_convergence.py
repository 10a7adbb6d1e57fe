"""What a run says of itself: converged, or not and why."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_studies import Cli

import pinnreg
from pinnreg import Box, Problem, condition, dirichlet, neumann, robin
from pinnreg.config import resolve
from pinnreg.equations import Points, View
from pinnreg.run import convergence
from pinnreg.run.convergence import left
from pinnreg.run.prepare import prepare
from pinnreg.run.torn import torn
from pinnreg.training import is_limit

SMALL: dict[str, Any] = {"network": {"hidden": [10, 10]}, "device": "cpu", "evaluate": {"grid": 15}}


def facts(problem: Any, **sections: Any) -> dict[str, Any]:
    report = pinnreg.solve({**SMALL, "problem": problem, **sections}, out=False, figures=False).report
    assert report is not None
    return dict(report.facts)


def steps(count: int, **settings: Any) -> list[dict[str, Any]]:
    return [{"optimiser": "gauss_newton", "steps": count, **settings}]


@pytest.mark.parametrize("mode", ["default", pytest.param("soft", marks=pytest.mark.slow)])
def test_a_good_run_has_converged(mode: str) -> None:
    found = facts("heat", points={"interior": 100}, train=steps(25), conditions=mode)
    assert found["converged"] is True
    assert found["relative_residual"] < 1e-4


def test_a_report_says_first_what_one_looks_for() -> None:
    report = pinnreg.solve({**SMALL, "problem": "heat", "train": steps(3)}, out=False).report
    assert report is not None
    assert (report.converged, report.stop_reason) == (False, "gauss_newton: all 3 steps done")
    assert report.convergence == report.facts["convergence"]
    assert report.seconds == report.facts["wall_seconds"] > 0
    assert report.notes == tuple(report.facts["notes"])
    blank = replace(report, facts={})
    assert (blank.converged, blank.convergence, blank.stop_reason, blank.notes) == (None, "", "", ())
    assert np.isnan(blank.seconds)


@pytest.mark.parametrize(
    ("problem", "changes", "said"),
    [
        ("wave", {"network": {"activation": "tanh"}}, "if waves travel in it, network.activation: sin may help"),
        ("wave", {}, None),  # whose own default it is
        ("burgers", {}, None),  # a front, and no wave
    ],
)
def test_advice_has_a_reason(problem: str, changes: dict[str, Any], said: str | None) -> None:
    few = {"train": [{"optimiser": "adam", "steps": 2}], "evaluate": {"grid": 9}, "points": {"interior": 50}}
    report = pinnreg.solve({"problem": problem, **few, **changes}, out=False).report
    assert report is not None
    assert (said in report.convergence) if said else "network." not in report.convergence


def test_a_run_that_was_cut_says_how_fast_it_was() -> None:
    found = facts("heat", points={"interior": 300}, train=steps(4))
    assert found["converged"] is False
    assert "all 4 steps done, and the loss fell by" in found["convergence"]


@pytest.mark.slow
def test_too_few_points_are_named() -> None:
    found = facts("heat", points={"interior": 20, "resample_every": None}, train=steps(40))
    assert found["converged"] is False
    assert "points.interior" in found["convergence"]


def test_a_condition_that_is_missed_counts() -> None:
    found = facts("heat", points={"interior": 60}, train=steps(12), weights={"initial": 1e-14})
    assert found["converged"] is False
    assert "'initial'" in found["convergence"]


@pytest.mark.slow
@pytest.mark.parametrize("windows", [1, "auto"])
def test_a_plateau_is_no_convergence(windows: Any) -> None:
    # a tiny network cannot do more, and comes to rest
    train = steps(150, windows=windows)
    found = facts("van_der_pol", network={"hidden": [2]}, points={"interior": 60}, train=train)
    assert found["converged"] is False
    assert found["stop_reason"] in found["convergence"]
    # time windows, which are tried then, do not help
    assert found["stop_reason"].startswith("stuck at step ") == (windows == "auto")
    assert windows == "auto" or not is_limit(found["stop_reason"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [
        {"measurements": [{"samples": 30, "noise": 0.1}]},
        pytest.param(
            {"regularisers": [{"kind": "ktv", "order": 2, "weight": 1e-6, "samples": 30}]}, marks=pytest.mark.slow
        ),
    ],
)
def test_where_a_loss_stays_it_has_to_come_to_rest(extra: dict[str, Any]) -> None:
    # early on the penalty is not felt, and the residual tells
    why = "was falling" if "measurements" in extra else "and the loss fell by"
    assert facts("heat", points={"interior": 60}, train=steps(40), **extra)["converged"] is True
    cut = facts("heat", points={"interior": 100}, train=steps(2), **extra)
    assert cut["converged"] is False
    assert why in cut["convergence"]


@pytest.mark.parametrize(
    "penalty", [{"weight": 1e-30}, pytest.param({"weight": 1e-8, "schedule": "linear"}, marks=pytest.mark.slow)]
)
def test_a_penalty_that_is_not_felt_is_no_excuse(penalty: dict[str, Any]) -> None:
    few = {"network": {"hidden": [4], "activation": "tanh", "spread": None}, "points": {"interior": 30}}
    penalties = [{"kind": "ktv", "order": 2, "samples": 8, **penalty}]
    problem = {"name": "poisson", "dimension": 1, "frequency": 3}
    found = facts(problem, train=steps(40, corrections=0), regularisers=penalties, **few)
    assert found["relative_residual"] > 1e-4
    assert found["converged"] is False


@pytest.mark.parametrize(("schedule", "stays"), [("constant", True), ("linear", False)])
def test_noise_leaves_a_loss_unless_it_is_annealed_itself(schedule: str, stays: bool) -> None:
    noise = {"kind": "noise_stability", "sigma": 1e-3, "schedule": schedule}
    gone = {"kind": "ktv", "schedule": "linear", "samples": 30}
    config = {**SMALL, "problem": "heat", "points": {"interior": 60}, "regularisers": [noise, gone]}
    prepared = prepare(resolve(config), with_reference=False)
    assert convergence._has_rest(prepared, {"loss": np.ones(1), "ktv_weighted": np.zeros(1)}) is stays


@pytest.mark.slow
def test_a_penalty_that_bends_the_solution_is_no_convergence_though_the_loss_rests() -> None:
    bent = [{"kind": "ktv", "order": 2, "weight": 1e-3, "samples": 30}]
    found = facts("heat", points={"interior": 60}, train=steps(25), regularisers=bent)
    assert found["converged"] is False
    assert found["relative_residual"] > 1e-2
    assert "has come to rest, and 'residual' is" in found["convergence"]


@pytest.mark.slow
def test_a_penalty_that_has_gone_leaves_the_residual_to_tell() -> None:
    """Though the loss falls to the last step, with the weight."""
    gone = [{"kind": "ktv", "order": 2, "weight": 1e-4, "schedule": "linear", "samples": 30}]
    found = facts({"name": "poisson", "dimension": 1}, points={"interior": 60}, train=steps(30), regularisers=gone)
    assert found["relative_residual"] < 1e-4
    assert found["converged"] is True
    noisy = {"measurements": [{"samples": 30, "noise": 0.1}], "unknown": {"alpha": {"start": 1.0}}}
    cut = facts("heat", points={"interior": 60}, train=steps(2), regularisers=gone, **noisy)
    assert cut["converged"] is False


def test_the_command_says_so(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("solve", "heat", "--set", "train.0.steps=2", "--out", tmp_path / "run")
    assert code == 0
    assert "NOT CONVERGED" in out
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["converged"] is False
    # the same after a resume that has nothing to do
    assert cli("solve", "--resume", tmp_path / "run")[0] == 0
    again = json.loads((tmp_path / "run" / "report.json").read_text())
    assert {key: again[key] for key in ("converged", "convergence")} == {
        key: report[key] for key in ("converged", "convergence")
    }


@pytest.mark.parametrize("length", [0.01, 100.0])
def test_a_normal_derivative_of_higher_order_is_beside_those_of_its_order(length: float) -> None:
    @dataclass(frozen=True)
    class Bent(Problem):
        domain = Box(x=(0, length))
        conditions = (dirichlet(0.0), neumann(0.0, on="x", order=2))

        def residual(self, u: Any) -> Any:
            return length**4 * u.d("x", 4) - 1

    prepared = prepare(resolve({**SMALL, "problem": Bent()}), with_reference=False)
    solution = prepared.solution(prepared.objective.model.initial(), {})
    at = Points(torch.linspace(0.01, 0.99, 64, dtype=torch.float64)[:, None] * length)
    condition = next(each for each in prepared.split.soft if each.name == "neumann")
    bend = condition.sample(Bent.domain, 2, "sobol", 0)
    found = convergence._of_condition(condition, Bent(), solution.sweep(at), solution.sweep(bend))
    ends = View(solution.sweep(bend)).fields()["u"].xx.detach()
    inside = View(solution.sweep(at)).fields()["u"].xx.detach()
    assert found == pytest.approx(float((ends.square().mean() / inside.square().mean()).sqrt()), rel=1e-6)


@dataclass(frozen=True)
class Cooled(Problem):
    """u'' = -1 on (0, 1), u(0) = 0, h u + u' = 0 at the end, and v = 0."""

    h: float = 1.0
    outputs = ("u", "v")
    domain = Box(x=(0, 1))
    defaults = property(lambda self: {"network": {"hidden": [8]}, "points": {"interior": 25}, "train": steps(60)})

    @property
    def conditions(self) -> Any:
        still = condition(lambda v: v.n, on="x=max", name="still")
        return dirichlet(0.0, on="x=min", of="u"), robin(self.h, 1.0, 0.0, on="x=max", of="u"), still

    def residual(self, u: Any, v: Any) -> dict[str, Any]:
        return {"u": u.xx + 1, "v": v.xx + v.x}


@pytest.mark.slow
def test_conditions_are_judged_with_the_coefficient_that_was_found_and_outputs_that_are_zero(tmp_path: Path) -> None:
    h, x = 2.0, np.linspace(0.1, 0.9, 9)
    slope = (h / 2 + 1) / (h + 1)
    np.savetxt(tmp_path / "m.csv", np.column_stack([x, slope * x - x**2 / 2]), delimiter=",", header="x,u", comments="")
    config = {"problem": Cooled(), "unknown": {"h": {"start": 0.5}}}
    config |= {"measurements": [{"file": str(tmp_path / "m.csv"), "of": "u"}]}
    solution = pinnreg.solve(config, out=False)
    assert solution.unknown["h"] == pytest.approx(h, abs=1e-4)
    assert solution.report.facts["converged"], solution.report.facts["convergence"]
    assert solution.report.facts["relative_residual"] < 1e-3


@pytest.mark.parametrize(("width", "is_one"), [(1e-7, True), (1e-5, True), (2e-3, False), (0.2, False)])
def test_a_step_that_no_point_sees_is_no_solution(width: float, is_one: bool) -> None:
    solution = pinnreg.solve({**SMALL, "problem": "heat", "network": {"hidden": [1]}, "train": steps(1)}, out=False)
    # u = tanh((x - 0.3) / width), of which the equation sees nothing but in the layer
    weights = dict(solution.parameters)
    for name, each in weights.items():
        weights[name] = torch.zeros_like(each)
    first, *_ = (name for name, each in weights.items() if each.shape[-1:] == (2,))
    last = next(name for name, each in reversed(weights.items()) if each.ndim == 2)
    bias = next(name for name, each in weights.items() if each.shape == (1,))
    weights[first][0, 0], weights[bias][0], weights[last][0, 0] = 0.5 / width, 0.2 / width, 1.0
    steep = replace(solution, parameters=weights, trial=replace(solution.trial, data=((),), sizes=(), offsets=()))
    found = torn(steep)
    assert (found is not None) == is_one
    if found is not None:
        assert re.search(r"'u' is a step along x at x=0\.(3|2999),", found)


@pytest.mark.slow
def test_a_run_that_ends_in_steps_has_not_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convergence, "torn", lambda _: "'u' is a step")
    found = facts("heat", points={"interior": 60}, train=steps(25))
    assert found["converged"] is False
    assert "'u' is a step" in found["convergence"]


@pytest.mark.parametrize(
    ("loss", "left_of_it"),
    [
        (lambda k: 0.5**k, 0.5**4),
        (lambda k: 0.99**k, 0.99**4),
        (lambda k: 1e-3 * (1 + 0.1 * np.sin(7 * k + k**2)), 1.0),  # a penalty at other points each time
        (lambda k: 1e-3 * 0.5**k * (1 + 0.1 * np.sin(7 * k + k**2)), 0.5**4),
        (lambda k: np.maximum(0.5**k, 1e-6), 1.0),
        (lambda k: 1e-6 + 0.5**k, 1.0),
        (lambda k: 0 * k, 1.0),
    ],
)
def test_what_the_last_steps_have_left_of_the_loss(loss: Any, left_of_it: float) -> None:
    steps = np.arange(41.0)
    assert left({"step": steps, "loss": loss(steps)}) == pytest.approx(left_of_it, rel=0.3)
