"""Weights of penalties that the training finds: the score, how they move, what they come to, what is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from objectives import placed

import pinnreg
from pinnreg import Box, Problem, dirichlet, measurements
from pinnreg.config import resolve
from pinnreg.errors import InputError
from pinnreg.objective import linearise, redraw, tuning
from pinnreg.objective.batch import Tuned
from pinnreg.plots.loss_history import history as drawn
from pinnreg.run.prepare import prepare
from pinnreg.training import Hooks
from pinnreg.training.history import read_history

AUTO = {"kind": "ktv", "order": 2, "weight": "auto", "samples": 64}


def values(count: int = 40, noise: float = 0.1, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    draws = np.random.default_rng(seed)
    x = np.sort(draws.uniform(0, 1, count))
    return x[:, None], np.sin(2 * np.pi * x) + noise * draws.standard_normal(count)


@dataclass(frozen=True)
class Curve(Problem):
    """Noisy values of a sine and no equation."""

    noise: float = 0.1
    seed: int = 0
    known: float | None = None
    domain = Box(x=(0, 1))
    residual = None

    @property
    def conditions(self) -> Any:
        return (measurements(*values(noise=self.noise, seed=self.seed), noise=self.known),)

    def reference(self) -> Any:
        return lambda x: np.sin(2 * np.pi * x)


@dataclass(frozen=True)
class Unmeasured(Problem):
    """The interval, and nothing said about it."""

    domain = Box(x=(0, 1))
    residual = None


def of_sets(*sets: Any) -> Problem:
    """Sets of measurements and no equation."""

    @dataclass(frozen=True)
    class Sets(Problem):
        domain = Box(x=(0, 1))
        residual = None
        conditions = sets

    return Sets()


@dataclass(frozen=True)
class Clean(Problem):
    """An equation and nothing that is not known, but for values of noise if these are asked for."""

    noisy: bool = False
    domain = Box(x=(0, 1))

    @property
    def conditions(self) -> Any:
        return (dirichlet(0.0), *((measurements(*values()),) if self.noisy else ()))

    def residual(self, u: Any, x: Any) -> Any:
        return u.xx + np.pi**2 * torch.sin(np.pi * x)

    def reference(self) -> Any:
        return lambda x: np.sin(np.pi * x)


SHORT = [{"optimiser": "gauss_newton", "steps": 20}]


def config(problem: Problem | None = None, **sections: Any) -> dict[str, Any]:
    return {
        "problem": Curve() if problem is None else problem,
        "network": {"hidden": [12]},
        "points": {"interior": 20, "resample_every": None},
        "regularisers": [AUTO],
        "train": [{"optimiser": "gauss_newton", "steps": 40}],
        "evaluate": {"estimate": "none"},
        **sections,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pinnreg.Solution:
    """A run on the noisy curve, in a folder."""
    return pinnreg.solve(config(), out=tmp_path_factory.mktemp("tuning") / "run", figures=False)


def error(found: pinnreg.Solution) -> float:
    assert found.report is not None
    return float(found.report.errors["u"].rel_l2)


def linear(problem: Problem | None = None, weight: float = 1e-3, **sections: Any) -> Any:
    """The linear problem at the start, with a weight, and the rows that it is made of."""
    of = placed(prepare(resolve(config(problem, **sections)), with_reference=False).objective)
    placement = replace(of.batch.placement, tuned={name: Tuned(weight) for name in of.objective.to_tune})
    batch = redraw(of.objective, placement, of.parameters, 0, progress=0.0, smooth=False)
    at = linearise(of.objective, batch, of.parameters)
    return tuning._linear(of.objective, batch, at), at


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_the_score_is_that_of_leaving_out_each_row(factor: float) -> None:
    problem, at = linear(regularisers=[AUTO, {"kind": "ridge", "weight": 1e-4}])
    jacobian, residuals, rows = at.jacobian, at.residuals, at.rows
    scale = torch.ones(len(residuals), dtype=torch.float64)
    scale[rows["ktv"]] = factor**0.5
    left_out = []
    for row in range(rows["measurements"].start, rows["measurements"].stop):
        others = [each for each in range(len(residuals)) if each != row]
        j, r = (scale[:, None] * jacobian)[others], (scale * residuals)[others]
        step = torch.linalg.lstsq(j, -r[:, None], driver="gelsd").solution[:, 0]
        left_out.append(float(residuals[row] + jacobian[row] @ step) ** 2)
    assert problem.left_out({"ktv": factor}).tolist() == pytest.approx(left_out, rel=1e-2)


def test_known_noise_takes_the_place_of_leaving_out() -> None:
    # the noise that is known says how large the residuals should be: the more of it, the smoother the best
    def best(known: float) -> float:
        problem, _ = linear(Curve(known=known))
        factors = 10.0 ** np.arange(-6, 7)
        return float(factors[np.argmin([float(problem.left_out({"ktv": each}).mean()) for each in factors])])

    problem, _ = linear(Curve(known=0.2))
    assert problem.noise.tolist() == pytest.approx(40 * [0.2**2 / 40])
    assert best(1.0) > best(1e-3)


def test_known_noise_of_one_of_two_sets_is_used_for_it_alone() -> None:
    (x, u), (y, v) = values(8), values(6, seed=1)
    sets = (measurements(x, u, name="one", noise=0.3), measurements(y, v, name="two"))
    problem, _ = linear(of_sets(*sets), regularisers=[AUTO, {"kind": "ridge", "weight": 1e-4}])
    both, _ = linear(
        of_sets(replace(sets[0], noise=None), sets[1]), regularisers=[AUTO, {"kind": "ridge", "weight": 1e-4}]
    )
    known, unknown = problem.left_out({}), both.left_out({})
    assert problem.noise.isnan().tolist() == [False] * 8 + [True] * 6
    assert not torch.isclose(known[:8], unknown[:8]).any()
    assert torch.equal(known[8:], unknown[8:])


def test_the_noise_of_rows_that_count_more_for_others_that_are_left_out_is_larger() -> None:
    x, u = values(8)
    problem, _ = linear(of_sets(measurements(x, u, noise=0.2, trim=0.5)))
    assert sorted(problem.noise.tolist()) == pytest.approx(4 * [0.0] + 4 * [2 * 0.2**2 / 8])


@pytest.mark.slow
def test_measurements_that_do_not_count_leave_nothing_out() -> None:
    found = pinnreg.solve(config(Clean(noisy=True), weights={"measurements": 0.0}, points={"interior": 30}), out=False)
    assert found.report is not None
    assert found.report.facts["weights"]["ktv"] < 1e-12  # as without any


NEAR = torch.tensor([1.0, 2.0, 3.0, 2.0])
WORSE = NEAR + torch.tensor([0.5, 0.6, 0.5, 0.6])
UNCLEAR = NEAR + torch.tensor([1.0, -1.0, 1.2, -1.0])
BROKEN = torch.full((4,), torch.inf)


@pytest.mark.parametrize(
    ("scores", "least", "largest"),
    [
        ({-1.0: WORSE, 0.0: NEAR, 1.0: WORSE}, 0.0, 0.0),
        ({-1.0: WORSE, 0.0: NEAR, 1.0: UNCLEAR}, 0.0, 1.0),
        ({-1.0: UNCLEAR, 0.0: NEAR, 1.0: WORSE}, 0.0, 0.0),
        ({-1.0: NEAR, 0.0: NEAR, 1.0: NEAR}, -1.0, 0.0),
        ({-1.0: NEAR, 0.0: UNCLEAR, 1.0: WORSE}, -1.0, 0.0),
        ({-1.0: BROKEN, 0.0: BROKEN, 1.0: BROKEN}, 0.0, 0.0),
        ({-1.0: BROKEN, 0.0: WORSE, 1.0: NEAR}, 1.0, 1.0),
        ({-1.0: WORSE[:1], 0.0: NEAR[:1], 1.0: UNCLEAR[:1]}, 0.0, 0.0),
    ],
)
def test_of_weights_that_are_as_good_the_smallest_without_noise_and_the_largest_with(
    scores: dict[float, torch.Tensor], least: float, largest: float
) -> None:
    assert tuning.least(scores) == least
    assert tuning.largest(scores) == largest


def test_a_run_goes_on_until_weights_have_settled() -> None:
    of = placed(prepare(resolve(config()), with_reference=False).objective)
    assert of.evaluator.at(of.batch).annealing
    for found, on in ((Tuned(1.0, reach=tuning.NEAREST), False), (Tuned(0.0), False), (Tuned(1.0, reach=0.5), True)):
        batch = replace(of.batch, progress=1.0, placement=replace(of.batch.placement, tuned={"ktv": found}))
        assert of.evaluator.at(batch).annealing == on


def test_a_penalty_that_the_solution_makes_zero_begins_as_one_more_equation() -> None:
    regularisers = [{"kind": "gpinn", "weight": "auto"}, {"kind": "jacobian", "weight": "auto"}]
    of = placed(prepare(resolve(config(Clean(), regularisers=regularisers)), with_reference=False).objective)
    at = of.linearise(of.parameters)
    squares = {name: float(at.jacobian[rows].square().sum()) for name, rows in at.rows.items()}
    others = sum(value for name, value in squares.items() if name not in ("gpinn", "jacobian"))
    assert squares["gpinn"] / others == pytest.approx(1.0)
    assert squares["jacobian"] / others == pytest.approx(tuning.FIRST_WITHOUT)


@pytest.mark.parametrize(
    ("part", "before", "after"),
    [
        (1.0, Tuned(1.0, 0, 0.5, 1), Tuned(10**0.5, 2, 1.0, 1)),
        (-0.5, Tuned(1.0, 0, 0.5, -1), Tuned(10**-0.25, 2, 0.5, -1)),
        (0.0, Tuned(1.0, 0, 0.5, -1), Tuned(1.0, 2, 0.25, 0)),
        (-1.0, Tuned(1.0, 0, 1.0, 1), Tuned(0.1, 2, 0.5, -1)),
        (0.0, Tuned(1.0, 0, 0.1, 0), Tuned(1.0, 2, 0.1, 0)),
        (-1.0, Tuned(1.0, 0, 1.0, 0), Tuned(0.1, 2, 1.0, -1)),
    ],
)
def test_a_weight_moves_on_while_it_gains_and_less_where_it_turns(part: float, before: Tuned, after: Tuned) -> None:
    assert tuning._moved(before, part, 2, 1.0) == after


def test_a_weight_below_rounding_is_zero_for_good() -> None:
    gone = tuning._moved(Tuned(1e-12), -1.0, 2, 1e-16)
    assert gone == Tuned(0.0, 2, tuning.NEAREST)
    assert tuning._moved(gone, 1.0, 4, 0.0).weight == 0


@pytest.mark.slow
def test_of_a_noisy_curve_the_weight_is_better_than_none_and_than_too_much(whole: pinnreg.Solution) -> None:
    found = error(whole)
    for weight in (1e-10, 1e-2):
        assert found < error(pinnreg.solve(config(regularisers=[{**AUTO, "weight": weight}]), out=False)), weight


@pytest.mark.slow
def test_of_noisy_curves_the_weight_is_about_the_best_in_hindsight() -> None:
    ratios, weights = [], 10.0 ** np.arange(-8, -1)
    for seed in range(6):
        found = pinnreg.solve(config(Curve(seed=seed)), out=False)
        tried = [
            error(pinnreg.solve(config(Curve(seed=seed), regularisers=[{**AUTO, "weight": float(weight)}]), out=False))
            for weight in weights
        ]
        ratios.append(error(found) / min(tried))
    assert np.median(ratios) < 1.3, ratios


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regulariser", "reached"),
    # what a ridge did to the neurons at first is not all undone
    [
        (AUTO, 1e-9),
        ({"kind": "ridge"}, 1e-8),
        ({"kind": "gpinn"}, 1e-9),
        ({"kind": "jacobian"}, 1e-9),
    ],
)
def test_without_noise_no_bias_is_left(regulariser: dict[str, Any], reached: float) -> None:
    sections = {"train": [{"optimiser": "gauss_newton", "steps": 80}], "points": {"interior": 60}}
    found = pinnreg.solve(config(Clean(), **sections, regularisers=[{**regulariser, "weight": "auto"}]), out=False)
    assert error(found) < reached


def test_the_weight_is_in_history_report_and_figure(whole: pinnreg.Solution) -> None:
    assert whole.report is not None
    assert whole.folder is not None
    columns = read_history(whole.folder / "history.csv")
    weights = whole.report.facts["weights"]
    assert columns["ktv_weight"][-1] == weights["ktv"] > 0
    assert np.allclose(columns["ktv_weight"] * columns["ktv"], columns["ktv_weighted"], rtol=1e-12)
    assert len(set(columns["ktv_weight"])) > 1
    assert whole.report.facts["regularisers"][0]["weight"] == "auto"
    titles = [ax.get_title() for ax in drawn(columns, title="").axes]
    assert "weights found" in titles


@pytest.mark.slow
def test_several_weights_are_found_at_once() -> None:
    found = pinnreg.solve(
        config(regularisers=[AUTO, {**AUTO, "order": 3}, {"kind": "ridge", "weight": 1e-9}], train=SHORT), out=False
    )
    assert found.report is not None
    assert set(found.report.facts["weights"]) == {"ktv", "ktv_2"}
    for name in ("ktv_weight", "ktv_2_weight"):
        assert len(set(found.history[name])) > 1


def test_a_resumed_run_finds_the_same_weights(whole: pinnreg.Solution, tmp_path: Path) -> None:
    stop = iter([None] * 15 + ["SIGINT"])
    with pytest.raises(pinnreg.errors.Interrupted):
        pinnreg.solve(config(), out=tmp_path / "cut", hooks=Hooks(interrupted=lambda: next(stop)))
    resumed = pinnreg.solve(config(), out=tmp_path / "cut", resume=True)
    assert len(set(whole.history["ktv_weight"])) > 3
    for name, each in whole.history.items():
        if name != "seconds":
            assert np.array_equal(each, resumed.history[name], equal_nan=True), name


def test_whose_the_setting_is_that_does_not_fit() -> None:
    adam = {"train": [{"optimiser": "adam", "steps": 3}]}
    with pytest.raises(InputError, match=r"has none: give one; regularisers: is a default of Darcy$"):
        pinnreg.solve({"problem": "darcy", **adam}, out=False)
    with pytest.raises(InputError, match=r"has none: give one$"):  # another than that of the problem
        pinnreg.solve({"problem": "darcy", **adam, "regularisers": [{**AUTO, "order": 1}]}, out=False)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"train": [{"optimiser": "adam", "steps": 3}]}, "weight: auto runs with gauss_newton only"),
        ({"train": [{"optimiser": "gauss_newton", "steps": 3}, {"optimiser": "lbfgs", "steps": 3}]}, "and lbfgs has"),
        ({"regularisers": [{**AUTO, "schedule": "linear"}]}, "leave out schedule: linear"),
        ({"regularisers": [{"kind": "noise_stability"}, AUTO]}, "regularisers.1.weight: auto does not go with noise"),
        ({"regularisers": [{**AUTO, "weight": "atuo"}]}, "expected a number or auto, got 'atuo'; did you mean 'auto'?"),
        ({"regularisers": [{**AUTO, "weight": True}]}, "regularisers.0.weight: expected a number, got true"),
        ({"regularisers": [{**AUTO, "weight": -1.0}]}, "regularisers.0.weight"),
        ({"regularisers": [{"kind": "orthogonality", "weight": "auto"}]}, "regularisers.0.weight"),
        ({"network": {"hidden": [60, 60]}}, "weight: auto takes dense matrices"),
    ],
)
def test_what_cannot_be_is_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        pinnreg.solve(config(**sections), out=False)


@pytest.mark.slow
def test_noise_that_a_file_is_said_to_have_is_known(tmp_path: Path) -> None:
    x, u = values()
    np.savetxt(tmp_path / "data.csv", np.column_stack([x, u]), delimiter=",", header="x,u", comments="")
    weights = {}
    for noise in (0.0, 0.05, 0.5):
        measured = [{"file": str(tmp_path / "data.csv"), "noise": noise}]
        found = pinnreg.solve(config(Unmeasured(), measurements=measured, train=SHORT), out=False)
        assert found.report is not None
        weights[noise] = found.report.facts["weights"]["ktv"]
    assert len(set(weights.values())) == 3
    assert weights[0.5] > weights[0.05]


def test_a_penalty_that_has_gone_keeps_no_run_from_ending() -> None:
    of = placed(prepare(resolve(config()), with_reference=False).objective)
    assert of.evaluator.at(of.batch).stochastic
    placement = replace(of.batch.placement, tuned={"ktv": Tuned(0.0)})
    gone = redraw(of.objective, placement, of.parameters, 0, progress=1.0, smooth=False)
    assert not of.evaluator.at(gone).stochastic


@pytest.mark.parametrize(("problem", "direction"), [(Curve(), 1), (Clean(), -1), (Clean(noisy=True), 1)])
def test_the_largest_weight_is_for_measurements_only(
    problem: Problem, direction: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "largest", lambda _: 1.0)
    monkeypatch.setattr(tuning, "least", lambda _: -1.0)
    of = placed(prepare(resolve(config(problem)), with_reference=False).objective)
    found = tuning.tuned(of.objective, of.batch, of.parameters, 2)
    assert found["ktv"].direction == direction
