"""Trimmed measurements: the largest residuals do not count, and which they are is fixed within a step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, placed

import pinnreg
from pinnreg import Box, Problem, measurements
from pinnreg.config import resolve
from pinnreg.errors import Interrupted
from pinnreg.run.prepare import prepare
from pinnreg.training import Hooks

POINTS = np.linspace(0, 1, 40)[:, None]
OUTLIERS = [3, 11, 12, 30]


def values() -> list[float]:
    found = 1 + 2 * POINTS[:, 0]
    found[OUTLIERS] += [9.0, -7.0, 8.0, 6.0]
    return [float(each) for each in found]


@dataclass(frozen=True)
class Line(Problem):
    """Values of a line, four of which are far off it."""

    share: float = 0.1
    domain = Box(x=(0, 1))
    residual = None
    conditions = property(lambda self: (measurements(POINTS, values(), trim=self.share),))

    def reference(self) -> Any:
        return lambda x: 1 + 2 * x


def config(share: float = 0.1, **sections: Any) -> dict[str, Any]:
    return {
        "problem": Line(share),
        "network": {"hidden": [6]},
        "points": {"interior": 4},
        "train": [{"optimiser": "gauss_newton", "steps": 40}],
        **sections,
    }


def objective(share: float = 0.1) -> Placed:
    return placed(prepare(resolve(config(share)), with_reference=False).objective)


def importance(of: Placed) -> torch.Tensor:
    found = of.points["measurements"].importance
    assert found is not None
    return found


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_value_is_the_mean_of_the_squares_that_are_kept(share: float) -> None:
    of = objective(share)
    residuals = of.rows(of.parameters)["measurements"].values.detach()
    kept = len(residuals) - round(share * len(residuals))
    expected = residuals.square().sort().values[:kept].mean()
    torch.testing.assert_close(of.losses(of.parameters)["measurements"].detach(), expected)
    assert int((importance(of) == 0).sum()) == len(residuals) - kept


def test_what_is_left_out_changes_between_steps_only() -> None:
    of = objective()
    before = importance(of).clone()
    moved = {name: each.detach() + 0.5 for name, each in of.parameters.items()}
    of.losses(moved)
    of.residuals(moved)
    of.linearise(moved)
    assert torch.equal(importance(of), before)
    drawn = of.redraw(1, progress=0.0, parameters=moved)
    assert torch.equal(importance(of), before)
    residuals = drawn.rows(moved)["measurements"].values.detach().abs()
    left_out = importance(drawn) == 0
    assert residuals[left_out].min() >= residuals[~left_out].max()


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimiser",
    ["gauss_newton", pytest.param("lbfgs", marks=pytest.mark.slow), pytest.param("ssbroyden", marks=pytest.mark.slow)],
)
def test_outliers_do_not_count(optimiser: str) -> None:
    stage = {"optimiser": optimiser, "steps": 30 if optimiser == "gauss_newton" else 60}
    stage |= {} if optimiser == "gauss_newton" else {"redraw_every": 15}
    # a smooth fit first, from which the outliers stand out
    smooth = [{"kind": "ktv", "order": 2, "weight": 1e-3}]
    plain, trimmed = (
        pinnreg.solve(config(share, train=[stage], regularisers=smooth), out=False) for share in (0.0, 0.1)
    )
    errors = [each.report.errors["u"].rel_l2 for each in (plain, trimmed) if each.report]
    assert errors[1] < 1e-2
    assert errors[0] > 0.1


@pytest.mark.parametrize(
    "optimiser", ["gauss_newton", *(pytest.param(name, marks=pytest.mark.slow) for name in ("adam", "lbfgs"))]
)
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path, optimiser: str) -> None:
    stage = {"optimiser": optimiser, "steps": 30} | ({"redraw_every": 20} if optimiser == "lbfgs" else {})
    given = config(train=[stage])
    whole = pinnreg.solve(given, out=False)
    calls = iter(range(100))
    hooks = Hooks(interrupted=lambda: 15 if next(calls) == 2 else None)
    with pytest.raises(Interrupted):
        pinnreg.solve(given, out=tmp_path / "run", hooks=hooks)
    resumed = pinnreg.solve(given, out=tmp_path / "run", resume=True)
    for name, each in whole.parameters.items():
        assert torch.equal(each, resumed.parameters[name]), name
