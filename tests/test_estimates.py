"""Estimates of the error without a reference: right where they are called good, and what becomes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import pinnreg
from pinnreg import Ball, Box, InputError, Problem, dirichlet, initial, neumann, periodic
from pinnreg.cli import main
from pinnreg.config import resolve
from pinnreg.equations import Points
from pinnreg.estimates import COLUMNS, Estimate, by_defect, correction
from pinnreg.estimates.estimate import _differences
from pinnreg.networks import bound, widened
from pinnreg.report import read_report
from pinnreg.run import estimating
from pinnreg.run.prepare import prepare

pytestmark = pytest.mark.estimates

FEW = {"evaluate.estimate": "none", "evaluate.every": 1000}


def poorly_trained(name: Any, steps: int, **changes: Any) -> pinnreg.Solution:
    return pinnreg.solve(name, {"train.0.steps": steps, **FEW, **changes}, out=False, figures=False)


def true_error(solution: pinnreg.Solution, points: np.ndarray) -> dict[str, np.ndarray]:
    problem = solution.problem
    known = pinnreg.equations.reference_of(problem).at(dict(zip(problem.domain.axes, points.T, strict=True)))
    return {name: column - known[name] for name, column in zip(problem.outputs, solution(points).T, strict=True)}


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        pytest.param("poisson", 6, marks=pytest.mark.slow),
        pytest.param("heat", 12, marks=pytest.mark.slow),
        pytest.param("helmholtz", 12, marks=pytest.mark.slow),
        pytest.param("beam", 8, marks=pytest.mark.slow),
        ("plate", 6),
        pytest.param("poisson_disc", 6, marks=pytest.mark.slow),
        pytest.param("quantum_well", 10, marks=pytest.mark.slow),
        pytest.param("robin_radiation", 10, marks=pytest.mark.slow),
        pytest.param("klein_gordon", 15, marks=pytest.mark.slow),
        pytest.param("bloch", 10, marks=pytest.mark.slow),
    ],
)
def test_a_good_estimate_is_the_error(name: str, steps: int) -> None:
    solution = poorly_trained(name, steps, **{"points.interior": 200, "network.hidden": [12, 12]})
    points = solution.problem.domain.sample(1000, "sobol", 5).numpy()
    estimate, truth = solution.estimate(), true_error(solution, points)
    assert estimate is not None
    assert set(estimate.reliability.values()) == {"good"}, estimate.reason
    for output, error in estimate.at(points).items():
        size = np.linalg.norm(truth[output])
        assert size > 1e-9 * np.linalg.norm(solution(points))  # there is something to find
        assert np.linalg.norm(error - truth[output]) < 0.3 * size
        assert estimate.errors(points)[output].max_abs == pytest.approx(np.abs(truth[output]).max(), rel=0.3)


def test_what_cannot_be_found_is_not_called_good() -> None:
    # a front that so few functions do not resolve
    solution = poorly_trained("burgers", 5, **{"points.interior": 100, "network.hidden": [8]})
    estimate = solution.estimate(most=0)
    assert estimate is not None
    assert estimate.reliability == {"u": "poor"}
    assert "two resolutions differ by" in estimate.reason


@dataclass(frozen=True)
class Kept(Problem):
    """uₜ = uₓₓ in a ring of period 2π, from sin x."""

    domain = Box(x=(0, 2 * np.pi), t=(0, 1))
    conditions = (periodic("x"), initial(lambda x: x.sin()))

    def residual(self, u):
        return u.t - u.xx

    def reference(self):
        return lambda x, t: np.exp(-t) * np.sin(x)


@dataclass(frozen=True)
class Odd(Problem):
    """-Δu = sin πx sin πy on a square, odd in x."""

    domain = Box(x=(-1, 1), y=(-1, 1))
    conditions = (dirichlet(0.0),)
    symmetry = pinnreg.odd("x")

    def residual(self, u, x, y):
        return u.laplacian + torch.sin(np.pi * x) * torch.sin(np.pi * y)

    def reference(self):
        return lambda x, y: np.sin(np.pi * x) * np.sin(np.pi * y) / (2 * np.pi**2)


@dataclass(frozen=True)
class Insulated(Problem):
    """-Δu = 1 in a disc of radius 1 with u = 0 on it, by soft conditions: two of them."""

    domain = Ball(x=0, y=0, radius=1) - Box(x=(0, 2), y=(-2, 2))
    conditions = (dirichlet(lambda x, y: (1 - x**2 - y**2) / 4, on="boundary"), neumann(0.0, on="x=min"))

    def residual(self, u):
        return u.laplacian + 1

    def reference(self):
        return lambda x, y: (1 - x**2 - y**2) / 4


SMALL: dict[str, Any] = {
    "network": {"hidden": [10]},
    "points": {"interior": 120, "boundary": 40},
    "evaluate": {"estimate": "none", "grid": 20},
}


@pytest.mark.parametrize("problem", [Kept(), Odd(), Insulated()])
def test_the_correction_has_the_conditions_periods_and_symmetries_of_the_network(problem: Problem) -> None:
    train = [{"optimiser": "gauss_newton", "steps": 5}]
    solution = pinnreg.solve({"problem": problem, **SMALL, "train": train}, out=False, figures=False)
    points = problem.domain.sample(500, "sobol", 5).numpy()
    estimate, truth = solution.estimate(), true_error(solution, points)["u"]
    assert estimate is not None
    assert estimate.reliability == {"u": "good"}, estimate.reason
    assert np.linalg.norm(estimate.at(points)["u"] - truth) < 0.3 * np.linalg.norm(truth)
    if isinstance(problem, Kept):
        ends = (np.array([[end, 0.3]]) for end in problem.domain.bounds["x"])
        one, other = (estimate.at(each)["u"] for each in ends)
        assert one == pytest.approx(other, rel=1e-9, abs=1e-15)
    if isinstance(problem, Odd):
        assert estimate.at(np.array([[0.0, 0.3], [0.5, 1.0]]))["u"] == pytest.approx([0, 0], abs=1e-14)


@dataclass(frozen=True)
class Cubic(Problem):
    """U' = -5 u³ from 1."""

    domain = Box(t=(0, 1))
    conditions = (dirichlet(1.0, on="t=min"),)

    def residual(self, u):
        return u.t + 5 * u**3

    def reference(self):
        return lambda t: 1 / np.sqrt(1 + 10 * t)


def test_where_the_residual_bends_a_second_step_comes_nearer() -> None:
    config = {"problem": Cubic(), **SMALL, "train": [{"optimiser": "gauss_newton", "steps": 2}]}
    solution = pinnreg.solve(config, out=False, figures=False)
    objective, parameters = solution.trained or pytest.fail("it was trained")
    points = np.linspace(0, 1, 200)[:, None]
    truth = true_error(solution, points)["u"]
    assert np.linalg.norm(truth) > 0.01 * np.linalg.norm(solution(points))
    found = correction(objective, dict(parameters), 100, seed=0)
    assert not found.linear
    at = Points(torch.from_numpy(points))
    once, twice = (found.model.sweep(each, at)((0,)).detach().numpy()[:, 0] for each in (found.first, found.parameters))
    known = 1 / np.sqrt(1 + 10 * points[:, 0])
    assert np.linalg.norm(twice - known) < 0.3 * np.linalg.norm(once - known)


def test_a_linear_residual_takes_one_step() -> None:
    config = {"problem": Odd(), **SMALL, "train": [{"optimiser": "gauss_newton", "steps": 2}]}
    objective, parameters = pinnreg.solve(config, out=False, figures=False).trained or pytest.fail("it was trained")
    assert correction(objective, dict(parameters), 100, seed=0).linear


def test_a_widened_network_is_the_same_function_until_its_coefficients_are_found() -> None:
    solution = poorly_trained("heat", 2, **{"points.interior": 50, "network.hidden": [6]})
    inside = solution.problem.domain.sample(64)
    wide = widened(solution.network, solution.parameters, 30, inside, seed=3)
    before = {name: each.clone() for name, each in solution.network.named_parameters()}
    assert torch.equal(wide(inside), bound(solution.network, solution.parameters)(inside))
    found = {name: each for name, each in wide.named_parameters() if each.requires_grad}
    assert sum(each.numel() for each in found.values()) == 31
    with torch.no_grad():
        for each in found.values():
            each.add_(1.0)
    assert not torch.allclose(wide(inside), bound(solution.network, solution.parameters)(inside))
    # the network itself is left as it was
    assert all(torch.equal(each, before[name]) for name, each in solution.network.named_parameters())


def test_a_zero_output_has_no_relative_error() -> None:
    @dataclass(frozen=True)
    class Half(Problem):
        domain = Box(x=(0, 1))
        outputs = ("u", "v")
        conditions = (dirichlet(0.0, of="u"), dirichlet(0.0, of="v", name="v"))

        def residual(self, u, v):
            return {"a": u.xx + 1, "b": v.xx - v}

    config = {"problem": Half(), **SMALL, "train": [{"optimiser": "gauss_newton", "steps": 15}]}
    solution = pinnreg.solve(config, {"points.interior": 30}, out=False, figures=False)
    found = solution.estimate().errors(np.linspace(0, 1, 50)[:, None])
    assert found["u"].rel_l2 < 1e-3
    assert np.isnan(found["v"].rel_l2)
    assert found["v"].max_abs < 1e-3


def test_a_regression_has_no_estimate() -> None:
    solution = poorly_trained("regression", 2)
    assert solution.estimate() is None


def test_a_solution_of_another_origin_has_none() -> None:
    solution = poorly_trained("poisson", 1, **{"points.interior": 30, "network.hidden": [4]})
    with pytest.raises(InputError, match="estimate: it needs what was minimised"):
        replace(solution, trained=None).estimate()


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "float32"},
        pytest.param({"network.activation": "gelu"}, marks=pytest.mark.slow),
        pytest.param({"network.features": {"fourier": {"count": 5, "scale": 1.0}}}, marks=pytest.mark.slow),
        {"network": {"kind": "quadratic", "hidden": [6]}},
        {"regularisers": [{"kind": "ktv", "order": 2, "weight": 1e-9, "samples": 20}]},
        pytest.param({"train": [{"optimiser": "adam", "steps": 60}]}, marks=pytest.mark.slow),
        {"conditions": "soft"},
    ],
)
def test_every_way_of_training_has_an_estimate(changes: dict[str, Any]) -> None:
    config = {"problem": {"name": "poisson"}, "network": {"hidden": [8]}, "points": {"interior": 80}, **changes}
    given = {key: value for key, value in config.items() if "." not in key}
    dotted = {key: value for key, value in config.items() if "." in key}
    given.setdefault("train", [{"optimiser": "gauss_newton", "steps": 4}])
    solution = pinnreg.solve({**given, "evaluate": SMALL["evaluate"]}, dotted, out=False, figures=False)
    points = solution.problem.domain.sample(500, "sobol", 5).numpy()
    estimate, truth = solution.estimate(), true_error(solution, points)["u"]
    assert estimate is not None
    assert estimate.reliability == {"u": "good"}
    assert np.linalg.norm(estimate.at(points)["u"] - truth) < 0.3 * np.linalg.norm(truth)


class Own(nn.Module):
    """A network that Taylor mode does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.two(torch.erf(self.one(x)))
        return found


def test_a_network_of_ones_own_has_an_estimate() -> None:
    train = [{"optimiser": "gauss_newton", "steps": 3}]
    config = {"problem": Odd(), **SMALL, "network": Own().double(), "train": train}
    solution = pinnreg.solve(config, {"points.interior": 60}, out=False, figures=False)
    estimate = solution.estimate(most=0)
    points = solution.problem.domain.sample(300, "sobol", 5).numpy()
    truth = true_error(solution, points)["u"]
    assert estimate is not None
    assert np.linalg.norm(estimate.at(points)["u"] - truth) < 0.3 * np.linalg.norm(truth)


def test_a_residual_without_derivatives_a_little_away_has_none() -> None:
    solution = poorly_trained("poisson", 1, **{"points.interior": 30, "network.hidden": [4]})
    objective, parameters = solution.trained or pytest.fail("it was trained")

    class Broken(type(objective.model.problem)):  # type: ignore[misc]
        def residual(self, u, x, y):
            raise RuntimeError("no more")

    broken = replace(objective, model=replace(objective.model, problem=Broken()))
    assert by_defect(broken, parameters, seed=0) is None


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("how", ["raises", "NaN"])
def test_what_a_resolution_does_not_tell_is_left_out(failing: int, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solution = poorly_trained("poisson", 1, **{"points.interior": 30, "network.hidden": [4]})
    calls: list[int] = []

    def corrected(*given: Any, **options: Any) -> Any:
        calls.append(len(calls))
        if len(calls) <= failing:
            return correction(*given, **options)
        if how == "raises":
            raise RuntimeError("no more")
        found = correction(*given, **options)
        lost = {name: torch.full_like(each, torch.nan) for name, each in found.parameters.items()}
        return replace(found, parameters=lost)

    monkeypatch.setattr("pinnreg.estimates.estimate.correction", corrected)
    monkeypatch.setattr("pinnreg.estimates.estimate.SETTLED", (0.0, 0.0))  # so that one after the other is tried
    estimate = solution.estimate()
    # one alone cannot be judged, and of two the last that was found is kept
    assert (estimate is None) == (failing < 2)
    if estimate is not None:
        assert np.isfinite(estimate.at([[0.2, 0.3]])["u"]).all()
        assert "inf" not in estimate.reason


# in runs


class Unknown(Odd):
    """The same without a reference."""

    reference: ClassVar[Any] = Problem.reference


def run(folder: Path, problem: Any = None, steps: int = 4, **evaluate: Any) -> pinnreg.Solution:
    train = [{"optimiser": "gauss_newton", "steps": steps}]
    config = {**SMALL, "evaluate": {"grid": 20, **evaluate}, "train": train}
    return pinnreg.solve({"problem": problem or {"name": "poisson"}, **config}, out=folder)


def test_a_run_says_how_wrong_it_is_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    solution = run(folder)
    facts = json.loads((folder / "report.json").read_text())
    found = facts["estimated_errors"]["u"]
    assert found["reliability"] == "good"
    assert found["kind"] == "defect"
    assert found["rel_l2"] == pytest.approx(facts["errors"]["u"]["rel_l2"], rel=0.1)
    assert found["max_abs"] == pytest.approx(facts["errors"]["u"]["max_abs"], rel=0.1)
    with np.load(folder / "fields.npz") as fields:
        error, estimate = fields["u_error"], fields["u_estimate"]
    assert np.linalg.norm(error - estimate) < 0.1 * np.linalg.norm(error)
    assert read_report(folder).estimates == solution.report.estimates
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(folder), "--json", str(tmp_path / "evaluated.json")])
    assert ended.value.code == 0
    again = json.loads((tmp_path / "evaluated.json").read_text())
    assert again["estimated_errors"] == facts["estimated_errors"]
    assert "estimated error of u: relative L2" in capsys.readouterr().out


def test_without_a_reference_the_figure_shows_the_estimate(tmp_path: Path) -> None:
    solution = run(tmp_path / "run", Unknown())
    assert solution.report is not None
    assert solution.report.errors == {}
    assert set(solution.report.fields) == {"u", "residual", "u_estimate"}
    figure = pinnreg.plots.draw(solution.report, {})["error_field"]
    titles = [ax.get_title() for ax in figure.axes]
    assert any("|estimated error|" in title for title in titles)
    assert not any("|residual|" in title for title in titles)


def test_an_estimate_changes_nothing_of_the_run(tmp_path: Path) -> None:
    one, other = (run(tmp_path / how, Odd(), estimate=how) for how in ("none", "defect"))
    assert one.report.estimates == {}
    assert "u_estimate" not in one.report.fields
    for name, each in one.parameters.items():
        assert torch.equal(each, other.parameters[name])
    assert np.array_equal(one.report.fields["u"], other.report.fields["u"])


@pytest.mark.slow
def test_a_twin_is_the_difference_to_another_run_and_repeats_itself(tmp_path: Path) -> None:
    one, other = (run(tmp_path / str(number), Odd(), steps=8, estimate="twin") for number in range(2))
    assert one.report.estimates["u"].kind == "twin"
    assert one.report.estimates == other.report.estimates
    error = np.linalg.norm(one.report.fields["u_error"])
    # that of the twin, which is made with fewer steps, is in it
    assert np.linalg.norm(one.report.fields["u_estimate"]) > 0.5 * error


def test_a_way_to_estimate_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluate\.estimate.*foo"):
        run(tmp_path / "run", estimate="foo")


def test_beyond_four_axes_the_estimate_is_taken_at_scattered_points() -> None:
    config = {"problem": {"name": "poisson_nd", "dimension": 6}, "network": {"hidden": [8]}, "evaluate": {}}
    train = [{"optimiser": "gauss_newton", "steps": 3}]
    points = {"interior": 100, "boundary": 40}
    solution = pinnreg.solve({**config, "train": train, "points": points}, out=False, figures=False)
    assert solution.report is not None
    assert solution.report.fields["u_estimate"].shape == solution.report.fields["u"].shape
    assert solution.report.estimates["u"].rel_l2 > 0


def test_with_measurements_it_is_said_that_their_noise_is_not_in_the_estimate() -> None:
    measured = {"measurements": [{"samples": 30, "noise": 0.05}], "unknown": {"alpha": {"start": 1.0}}}
    train = [{"optimiser": "gauss_newton", "steps": 3}]
    config = {"problem": {"name": "heat", "alpha": 0.4}, **SMALL, **measured, "train": train}
    estimate = pinnreg.solve(config, out=False, figures=False).estimate(most=0)
    assert estimate is not None
    assert estimate.reliability == {"u": "poor"}
    assert "noise in the measurements" in estimate.reason


def test_resolutions_that_do_not_agree_are_not_called_good(monkeypatch: pytest.MonkeyPatch) -> None:
    solution = poorly_trained("poisson", 4, **{"points.interior": 80, "network.hidden": [8]})
    assert solution.estimate(most=0).reliability == {"u": "good"}
    monkeypatch.setattr("pinnreg.estimates.estimate.COLUMNS", (2, 360))
    monkeypatch.setattr("pinnreg.estimates.estimate.AGREE", 0.7)  # these find a fifth of it
    estimate = solution.estimate(most=0)
    assert estimate.reliability == {"u": "poor"}
    assert "two resolutions differ by" in estimate.reason


def test_a_longer_training_pays_for_a_finer_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(pinnreg.Solution, "estimate", lambda _, *, seed, most: asked.append(most))
    prepared = prepare(resolve({"problem": Odd(), **SMALL}, {}, []))
    solution = prepared.solution(prepared.objective.model.initial(), {})
    for steps in (1, 100, 10**4, 10**8, None):
        estimating.by_defect(solution, prepared, steps)
    assert asked == sorted(asked)
    assert asked[0] == 0
    assert asked[-2:] == [max(COLUMNS)] * 2


def test_all_resolutions_together_take_a_tenth_of_the_work_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(resolve({"problem": Odd(), **SMALL}, {}, []))
    solution = prepared.solution(prepared.objective.model.initial(), {})
    work = dict.fromkeys(COLUMNS, 0.0)
    for columns in COLUMNS:
        work[columns] = estimating._work_of_resolution(prepared, columns)
    assert list(work.values()) == sorted(work.values())
    together = sum(estimating._work_of_resolution(prepared, each) for each in COLUMNS)
    steps = int(together / estimating.SHARE / estimating._work(prepared, 1))
    asked: list[int] = []
    monkeypatch.setattr(pinnreg.Solution, "estimate", lambda _, *, seed, most: asked.append(most))
    for each in (steps - 1, steps + 2):
        estimating.by_defect(solution, prepared, each)
    assert asked == sorted(set(COLUMNS))[-2:]


def test_gradients_alone_pay_for_less_than_a_jacobian() -> None:
    one, other = (
        prepare(resolve({"problem": Odd(), **SMALL, "train": [{"optimiser": name, "steps": 10}]}, {}, []))
        for name in ("gauss_newton", "adam")
    )
    assert 0 < estimating._work(other, 10) < 0.1 * estimating._work(one, 10)


@pytest.mark.parametrize(
    ("one", "two", "reliability"),
    [
        (1e-2, 1e-5, "good"),  # the twin has solved it, the run has not
        (1e-2, 2e-4, "poor"),
        (5e-5, 1e-5, "poor"),  # both have
        (1e-1, 1e-1, "poor"),  # they may be stuck alike
        (None, None, "poor"),
    ],
)
def test_a_twin_tells_where_it_has_solved_what_the_run_has_not(
    one: float | None, two: float | None, reliability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = [{"optimiser": "gauss_newton", "steps": 4}]
    prepared = prepare(resolve({"problem": Odd(), **SMALL, "train": train}, {}, []))
    solution = prepared.solution(prepared.objective.model.initial(), {})
    sizes = iter([one, two])
    monkeypatch.setattr(estimating, "wrong", lambda *_: next(sizes))
    estimate = estimating.by_twin(solution, prepared, 4)
    assert estimate is not None
    assert estimate.reliability == {"u": reliability}
    assert "second run" in estimate.reason


@pytest.mark.parametrize(
    ("size", "twin", "kind"),
    [
        (1e-2, "good", "twin"),
        (1e-2, "poor", "defect"),  # of two that do not tell that for which nothing was trained
        (5e-4, "never", "defect"),
        (None, "never", "defect"),
    ],
)
def test_a_second_run_is_trained_unasked_where_it_could_tell_and_believed_where_it_does(
    size: float | None, twin: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(resolve({"problem": Odd(), **SMALL}, {}, []))
    solution = prepared.solution(prepared.objective.model.initial(), {})
    own = solution.trained
    assert own is not None

    def made(how: Any, called: Any) -> Estimate:
        return Estimate(how, {"u": called}, "", (own[0].model, own[1]), (own[0].model, own[1]))

    def by_twin(*_: object) -> Estimate:
        assert twin != "never"
        return made("twin", twin)

    monkeypatch.setattr(estimating, "wrong", lambda *_: size)
    monkeypatch.setattr(estimating, "by_defect", lambda *_: made("defect", "poor"))
    monkeypatch.setattr(estimating, "by_twin", by_twin)
    found = estimating.estimated(solution, prepared, "auto", 40)
    assert found is not None
    assert found.kind == kind


def test_a_run_is_looked_at_again_without_a_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "run", Odd(), steps=4, estimate="twin")
    again = pinnreg.run.evaluate(tmp_path / "run", problem=Odd())
    assert again.report.estimates["u"].kind == "defect"
    asked = pinnreg.run.evaluate(tmp_path / "run", problem=Odd(), estimate="twin")
    assert asked.report.estimates["u"].kind == "twin"
    assert pinnreg.run.evaluate(tmp_path / "run", problem=Odd(), estimate="none").report.estimates == {}


@pytest.mark.slow
def test_a_twin_goes_on_from_where_the_run_did(tmp_path: Path) -> None:
    run(tmp_path / "first", Odd(), steps=10, estimate="none")
    config = {**SMALL, "problem": Odd(), "start": str(tmp_path / "first")}
    train = [{"optimiser": "gauss_newton", "steps": 2}]
    solution = pinnreg.solve({**config, "train": train, "evaluate": {"estimate": "twin"}}, out=False, figures=False)
    # one step from a network of its own would be off by all of u
    assert solution.report.estimates["u"].rel_l2 < 1e-3


def test_points_are_asked_for_as_of_a_solution() -> None:
    solution = poorly_trained("poisson", 2, **{"points.interior": 30, "network.hidden": [4]})
    estimate, at = solution.estimate(most=0), [[0.5, 0.1], [0.2, 0.7]]
    one = estimate.at(at)["u"]
    for points in (np.array(at), torch.tensor(at), torch.tensor(at, dtype=torch.float64)):
        assert estimate.at(points)["u"] == pytest.approx(one, rel=1e-5)
    for wrong in ([[0.5]], [0.5, 0.1], "here", [[0.5, 0.1j]]):
        with pytest.raises(InputError, match=r"estimate: expected points \(n, 2\), in rows of x, y"):
            estimate.at(wrong)
    assert len(repr(estimate)) < 300


@pytest.mark.parametrize(
    ("before", "now", "apart"),
    [([1.0, 2.0], [1.0, 2.0], 0.0), ([0.0, 0.0], [0.0, 0.0], 0.0), ([3.0, 0.0], [0.0, 4.0], 1.25)],
)
def test_how_far_two_estimates_are_apart(before: list[float], now: list[float], apart: float) -> None:
    found = _differences(("u",), np.array(before)[:, None], np.array(now)[:, None])
    assert found == pytest.approx({"u": apart})


def test_what_is_no_number_or_nothing_is_not_called_good() -> None:
    nothing = _differences(("u",), np.full((2, 1), np.nan), np.full((2, 1), np.nan))
    assert np.isnan(nothing["u"])
    huge = poorly_trained("logistic", 2, **{"network.scale": 1e60})
    estimate = huge.estimate(most=0)
    assert estimate is None or estimate.reliability == {"u": "poor"}
