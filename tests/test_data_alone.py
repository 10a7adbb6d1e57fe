"""Problems of data alone; and that training with an unknown coefficient never sees the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import PositiveFloat

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, initial

TRAIN = [{"optimiser": "gauss_newton", "steps": 25}]


@dataclass(frozen=True)
class Values(Problem):
    """Data and nothing else."""

    domain = Box(x=(0, 1))
    residual = None


@dataclass(frozen=True)
class Places(Problem):
    """Data in two dimensions and nothing else."""

    domain = Box(x=(0, 1), t=(0, 2))
    residual = None


def written(path: Path, *axes: str, count: int = 30) -> str:
    draws = np.random.default_rng(0)
    points = draws.uniform(0, 1, (count, len(axes)))
    table = np.column_stack([points, np.sin(points.sum(axis=1))])
    np.savetxt(path, table, delimiter=",", header=",".join([*axes, "u"]), comments="")
    return str(path)


def config(problem: Problem, **sections: Any) -> dict[str, Any]:
    return {"problem": problem, "network": {"hidden": [5]}, "train": TRAIN, "evaluate": {"grid": 9}, **sections}


@pytest.mark.figures
@pytest.mark.parametrize(
    ("problem", "axes"), [pytest.param(Values(), "x", marks=pytest.mark.slow), (Places(), "xt")], ids=["line", "plane"]
)
def test_a_file_of_values_is_enough(tmp_path: Path, problem: Problem, axes: str) -> None:
    data = [{"file": written(tmp_path / "data.csv", *axes), "held_out": 0.2}]
    solution = pinnreg.solve(config(problem, measurements=data), out=tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"error_field.png", "history.png", "report.json"}
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["errors"] == {}
    assert report["validation"]["measurements"]["rmse"] < 1e-2
    assert solution(np.full((1, len(axes)), 0.5))[0, 0] == pytest.approx(np.sin(0.5 * len(axes)), abs=2e-2)


def test_without_data_there_is_nothing_to_minimise() -> None:
    with pytest.raises(InputError, match="nothing to minimise: Values has no residual, and there are no data"):
        pinnreg.solve(config(Values()), out=False)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"points": {"resample": "residual", "resample_every": 5}}, "Values has no residual to draw points by"),
        ({"regularisers": [{"kind": "gpinn"}]}, "gpinn penalises the gradient of the residual, and the problem has no"),
    ],
)
def test_what_needs_an_equation_is_refused(tmp_path: Path, sections: dict[str, Any], message: str) -> None:
    data = [{"file": written(tmp_path / "data.csv", "x")}]
    with pytest.raises(InputError, match=message):
        pinnreg.solve(config(Values(), measurements=data, **sections), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("trim", "message"), [(0.99, "leaves none to train on"), (0.001, "of 30 values is none")])
def test_a_share_to_trim_that_comes_to_all_or_none_is_refused(tmp_path: Path, trim: float, message: str) -> None:
    data = [{"file": written(tmp_path / "data.csv", "x"), "trim": trim}]
    with pytest.raises(InputError, match=rf"measurements\.0\.trim: .*{message}"):
        pinnreg.solve(config(Values(), measurements=data), out=False)


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    given = config(Values(), measurements=[{"file": written(tmp_path / "data.csv", "x")}])
    pinnreg.solve(given, out=tmp_path / "run")
    written(tmp_path / "data.csv", "x", count=20)
    with pytest.raises(InputError, match=r"data\.csv: the measurements have changed"):
        pinnreg.solve(given, {"train.0.steps": 30}, out=tmp_path / "run", resume=True)


# unknown coefficients


@dataclass(frozen=True)
class Cached(Problem):
    """u′ = -k u, with a rate that is computed from k once."""

    k: float = 0.7
    domain = Box(x=(0, 1))
    conditions = (dirichlet(1.0, on="x=min"),)

    @cached_property
    def rate(self) -> float:
        return 1.0 * self.k

    def residual(self, u: Any) -> Any:
        return u.x + self.rate * u

    def reference(self) -> Any:
        rate = self.rate  # kept from now on
        return lambda x: np.exp(-rate * x)


def test_what_a_problem_has_kept_is_not_trained_with() -> None:
    given = config(Cached(), unknown={"k": {"start": 0.3}}, measurements=[{"samples": 20}])
    assert pinnreg.solve(given, out=False).unknown["k"] == pytest.approx(0.7, abs=1e-6)


@dataclass(frozen=True)
class Front(Problem):
    """Data that compare with the coefficient, which NaN would not show."""

    a: float = 0.4
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = property(lambda self: (initial(lambda x: torch.where(x < self.a, 1.0, 0.0)),))

    def residual(self, u: Any) -> Any:
        return u.t + self.a * u.x


@dataclass(frozen=True)
class Prepared(Problem):
    """Defaults that depend on the coefficient."""

    a: float = 0.4
    domain = Box(x=(0, 1))
    defaults = property(lambda self: {"points": {"interior": 50 if self.a > 0.35 else 60}})

    def residual(self, u: Any) -> Any:
        return u.x - self.a


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (Front(), r"unknown\.a: the data of 'initial' depend on a, but have no derivative by it"),
        (Prepared(), r"unknown\.a: the domain, the symmetry or the defaults of Prepared depend on a"),
    ],
    ids=["condition", "defaults"],
)
def test_a_coefficient_that_training_does_not_see_is_refused(problem: Problem, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pinnreg.solve(config(problem, unknown={"a": {"start": 0.3}}), out=False)


@dataclass(frozen=True)
class Positive(Problem):
    """u′ = a, which the data say is negative."""

    a: PositiveFloat = 1.0
    domain = Box(x=(0, 1))

    def residual(self, u: Any) -> Any:
        return u.x - self.a


def test_an_estimate_that_the_problem_would_refuse_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.savetxt(tmp_path / "data.csv", [[0, 0], [0.5, -1], [1, -2]], delimiter=",", header="x,u", comments="")
    data = [{"file": str(tmp_path / "data.csv")}]
    with caplog.at_level("WARNING", logger="pinnreg"):
        found = pinnreg.solve(config(Positive(), unknown={"a": {}}, measurements=data), out=tmp_path / "run").unknown
    assert found["a"] == pytest.approx(-2, abs=1e-6)
    assert any("the estimate is no value that the problem allows" in record.message for record in caplog.records)


def test_unknown_coefficients_without_measurements_are_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="pinnreg"):
        pinnreg.solve(config(Cached(), unknown={"k": {}}, train=[{"optimiser": "adam", "steps": 1}]), out=False)
    assert any("there are no measurements" in record.message for record in caplog.records)
