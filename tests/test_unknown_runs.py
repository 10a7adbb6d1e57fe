"""Unknown coefficients in a run: a truth that is not given, the run's files, resuming, loading, evaluating."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import pinnreg
from pinnreg import InputError
from pinnreg.config import resolve
from pinnreg.run.prepare import prepare
from pinnreg.training import Hooks, read_history

DIFFUSION = '''
from dataclasses import dataclass
from math import exp, pi, sin

import numpy as np
import torch
from pydantic import PositiveFloat

from pinnreg import Box, Problem, dirichlet, initial, measurements

AT = [(0.25, 0.2), (0.5, 0.5), (0.75, 0.4), (0.4, 0.8)]


@dataclass(frozen=True)
class Diffusion(Problem):
    """Measured as for alpha = 0.07."""

    alpha: PositiveFloat = 0.07
    drift: float = 0.0
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (
        initial(lambda x: torch.sin(pi * x)),
        dirichlet(0.0, on="x"),
        measurements(AT, [exp(-0.07 * pi**2 * t) * sin(pi * x) for x, t in AT]),
    )

    def residual(self, u):
        return u.t - self.alpha * u.xx + self.drift * u.x

    def reference(self):
        return lambda x, t: np.exp(-self.alpha * pi**2 * t) * np.sin(pi * x)
'''


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """A folder with the problem `diffusion`."""
    folder = tmp_path / "problems"
    folder.mkdir()
    (folder / "diffusion.py").write_text(DIFFUSION)
    return folder


def config(**sections: Any) -> dict[str, Any]:
    return {
        "problem": {"name": "diffusion"},
        "unknown": {"alpha": {"start": 0.2}},
        "network": {"hidden": [6]},
        "points": {"interior": 20},
        "train": [{"optimiser": "gauss_newton", "steps": 6}],
        "evaluate": {"grid": 6, "every": 2},
        "device": "cpu",
        **sections,
    }


HIDDEN = {"name": "diffusion", "alpha": None}


def report_of(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return facts


# a truth that is not given


def test_null_says_that_the_truth_is_not_known(problems: Path) -> None:
    found = resolve(config(problem=HIDDEN), folders=[problems])
    assert found.hidden == ("alpha",)
    assert found.config.problem == {"name": "diffusion", "alpha": None, "drift": 0.0}
    assert found.problem.alpha == 0.2  # type: ignore[attr-defined]
    prepared = prepare(found)
    assert prepared.reference is None
    assert prepared.compared_outputs == ()
    known = resolve(config(), folders=[problems])
    assert known.hidden == ()
    assert known.problem.alpha == 0.07  # type: ignore[attr-defined]
    assert prepare(known).reference is not None


@pytest.mark.parametrize(
    ("given", "overrides", "start"),
    [
        (config(problem=HIDDEN), {"unknown.alpha.start": 0.9}, 0.9),
        (config(), {"problem.alpha": None}, 0.2),
        (config(problem=HIDDEN, unknown={"alpha": {}}), {}, 1.0),
        (config(unknown={}), {"problem.alpha": None, "unknown.alpha": {"positive": True}}, 1.0),
    ],
)
def test_null_and_start_can_be_given_as_overrides(
    given: dict[str, Any], overrides: dict[str, Any], start: float, problems: Path
) -> None:
    found = resolve(given, overrides, folders=[problems])
    assert found.hidden == ("alpha",)
    assert found.config.unknown["alpha"].start == found.problem.alpha == start  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("unknown", "overrides", "start"),
    [({}, {}, 0.4), ({"alpha": {"positive": True}}, {}, 0.4), ({}, {"unknown.alpha.start": 0.3}, 0.3)],
)
@pytest.mark.parametrize("given", [True, False])
def test_null_is_for_what_the_defaults_of_the_problem_leave_to_be_found(
    given: bool, unknown: dict[str, Any], overrides: dict[str, Any], start: float, problems: Path
) -> None:
    text = DIFFUSION.replace("    domain =", '    defaults = {"unknown": {"alpha": {"start": 0.4}}}\n    domain =', 1)
    assert text != DIFFUSION
    (problems / "diffusion.py").write_text(text)
    changes = overrides if given else {**overrides, "problem.alpha": None}
    found = resolve(config(problem=HIDDEN if given else "diffusion", unknown=unknown), changes, folders=[problems])
    assert found.hidden == ("alpha",)
    assert found.config.unknown["alpha"].start == found.problem.alpha == start  # type: ignore[attr-defined]
    known = resolve(config(unknown=unknown), overrides, folders=[problems])
    assert (known.hidden, known.problem.alpha) == ((), 0.07)  # type: ignore[attr-defined]


def test_a_parameter_that_is_not_trained_cannot_be_null(problems: Path) -> None:
    for problem in ({**HIDDEN, "drift": None}, {"name": "diffusion", "drift": None}):
        with pytest.raises(InputError, match=r"drift: .* valid number, got None"):
            resolve(config(problem=problem), folders=[problems])


def test_a_run_without_a_truth_is_compared_with_nothing(problems: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    solution = pinnreg.solve(config(problem=HIDDEN), out=folder, problems=problems)
    assert solution.report is not None
    assert solution.report.reference is None
    assert "residual" in solution.report.fields
    assert not [name for name in solution.history if name.startswith("error_")]
    facts = report_of(folder)
    assert facts["reference"] is None
    assert facts["errors"] == {}
    estimate = solution.unknown["alpha"]
    expected = {"estimate": estimate, "start": 0.2, "truth": None, "relative_error": None}
    assert facts["unknown"] == {"alpha": expected}
    assert facts["problem"]["alpha"] is None
    written = yaml.safe_load((folder / "config.yaml").read_text())
    assert written["problem"]["alpha"] is None
    assert written["unknown"] == {"alpha": {"start": 0.2, "positive": False}}
    assert pinnreg.load(folder, problems).unknown == {"alpha": estimate}
    assert pinnreg.evaluate(folder, problems=problems).report.reference is None  # type: ignore[union-attr]
    # and it trains as it does where the truth is known: nothing of the truth is in it
    known = pinnreg.solve(config(), out=False, problems=problems)
    assert known.unknown == solution.unknown


def test_a_reference_from_a_file_is_used_all_the_same(problems: Path, tmp_path: Path) -> None:
    x, t = np.linspace(0, 1, 11), np.linspace(0, 1, 11)
    values = np.exp(-0.07 * pi**2 * t) * np.sin(pi * x)[:, None]
    np.savez(tmp_path / "truth.npz", x=x, t=t, u=values)
    given = config(problem=HIDDEN, evaluate={"grid": 6, "reference": str(tmp_path / "truth.npz")})
    found = pinnreg.solve(given, out=False, problems=problems)
    assert found.report is not None
    assert found.report.errors["u"].rel_l2 < 0.05


# what a run writes


def test_the_report_compares_with_the_truth(problems: Path, tmp_path: Path) -> None:
    given = config(unknown={"alpha": {"start": 0.2}, "drift": {"start": 0.1}})
    solution = pinnreg.solve(given, out=tmp_path / "run", problems=problems)
    found = report_of(tmp_path / "run")["unknown"]
    alpha, drift = solution.unknown["alpha"], solution.unknown["drift"]
    assert alpha == pytest.approx(0.07, rel=0.2)
    error = abs(alpha - 0.07) / 0.07
    assert found["alpha"] == {"estimate": alpha, "start": 0.2, "truth": 0.07, "relative_error": pytest.approx(error)}
    # relative to zero there is no error
    assert found["drift"] == {"estimate": drift, "start": 0.1, "truth": 0.0, "relative_error": None}
    assert solution.problem.alpha == 0.07  # type: ignore[attr-defined]


def test_the_history_has_a_column_for_each(problems: Path, tmp_path: Path) -> None:
    given = config(unknown={"alpha": {"start": 0.2, "positive": True}, "drift": {"start": 0.1}})
    solution = pinnreg.solve(given, out=tmp_path / "run", problems=problems)
    columns = read_history(tmp_path / "run" / "history.csv")
    for name, start in (("alpha", 0.2), ("drift", 0.1)):
        column = columns[f"unknown_{name}"]
        assert column[0] == pytest.approx(start, rel=1e-15)
        assert column[-1] == solution.unknown[name]
        assert len(set(column.tolist())) == len(column) > 2
        np.testing.assert_array_equal(column, solution.history[f"unknown_{name}"])


def test_load_and_evaluate_have_the_estimates(problems: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    solution = pinnreg.solve(config(), out=folder, problems=problems)
    loaded, evaluated = pinnreg.load(folder, problems), pinnreg.evaluate(folder, problems=problems)
    assert solution.unknown == loaded.unknown == evaluated.unknown
    assert not [name for name in loaded.parameters if name.startswith("unknown")]
    assert loaded.unknown.keys() == {"alpha"}
    assert pinnreg.solve(config(unknown={}), out=False, problems=problems).unknown == {}


@pytest.mark.first(1)
@pytest.mark.parametrize("out", [False, True], ids=["solved", "loaded"])
def test_the_residual_is_that_of_the_estimate(problems: Path, tmp_path: Path, out: bool) -> None:
    solution = pinnreg.solve(config(problem=HIDDEN), out=tmp_path / "run", problems=problems)
    assert solution.report is not None
    shown = solution.report.fields["residual"]
    if out:
        solution = pinnreg.load(tmp_path / "run", problems)
    axes = {"x": np.linspace(0, 1, 6), "t": np.linspace(0, 1, 6)}
    points = np.stack([each.reshape(-1) for each in np.meshgrid(*axes.values(), indexing="ij")], axis=1)
    alpha = solution.unknown["alpha"]
    assert abs(alpha - 0.2) > 0.05
    expected = (solution.derivative(points, "t") - alpha * solution.derivative(points, "xx")).reshape(6, 6)
    np.testing.assert_allclose(solution.residual_on_grid(axes)["residual"], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(shown, np.abs(expected), rtol=1e-10, atol=1e-12)


# resuming


def after(calls: int) -> Callable[[], int | None]:
    counter = iter(range(100_000))
    return lambda: signal.SIGTERM if next(counter) == calls else None


STAGES = {
    "adam": [{"optimiser": "adam", "steps": 12, "learning_rate": 1e-2}],
    "lbfgs": [{"optimiser": "lbfgs", "steps": 40}],
    "gauss_newton": [{"optimiser": "gauss_newton", "steps": 6, "acceleration": False, "corrections": 0}],
    "one after the other": [{"optimiser": "adam", "steps": 3}, {"optimiser": "gauss_newton", "steps": 4}],
}


KNOWN = {"name": "diffusion"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        pytest.param("gauss_newton", HIDDEN, id="hidden"),
        *(
            pytest.param(name, KNOWN, id=name, marks=pytest.mark.slow)
            for name in ("adam", "lbfgs", "gauss_newton", "one after the other")
        ),
    ],
)
def test_a_resumed_run_is_the_same_bit_for_bit(
    problems: Path, tmp_path: Path, stages: str, problem: dict[str, Any]
) -> None:
    unknown = {"alpha": {"start": 0.2, "positive": True}, "drift": {"start": 0.1}}
    given = config(problem=problem, unknown=unknown, train=STAGES[stages], regularisers=[{"kind": "gpinn"}])
    whole, folder = pinnreg.solve(given, out=False, problems=problems), tmp_path / "run"
    for number in range(2):
        with pytest.raises(pinnreg.Interrupted):
            pinnreg.solve(
                None if number else given,
                out=folder,
                resume=number > 0,
                problems=problems,
                hooks=Hooks(interrupted=after(1 + number)),
            )
        assert pinnreg.load(folder, problems).unknown.keys() == unknown.keys()  # unfinished as it is
    resumed = pinnreg.solve(out=folder, resume=True, problems=problems)
    assert resumed.unknown == whole.unknown
    for name, values in whole.parameters.items():
        assert torch.equal(resumed.parameters[name], values)
    for name in set(whole.history) - {"seconds"}:
        np.testing.assert_array_equal(resumed.history[name], whole.history[name], err_msg=name)


def test_a_run_goes_on_with_the_same_coefficients_only(problems: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pinnreg.solve(config(), out=folder, problems=problems)
    for changes in ({"unknown.alpha.start": 0.3}, {"unknown.drift": {"start": 1.0}}, {"problem.alpha": None}):
        with pytest.raises(InputError, match=r"differs in (unknown|problem)"):
            pinnreg.solve(config(), changes, out=folder, resume=True, problems=problems)
