"""The experiment on k-TV: what it is made of, and that its claims hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from objectives import placed, untrained

import pinnreg
from pinnreg.optimisers import Adam
from pinnreg.regularisers import KTV
from pinnreg.reproductions import ktv, outliers
from pinnreg.reproductions.fit import fit


def quiet(what: str, done: int, total: int) -> None:
    """Says nothing."""


def test_data_and_network_are_as_published() -> None:
    objectives = [placed(ktv._objective(ktv.SETTINGS["none"], "f1", seed)) for seed in range(40)]
    points = torch.cat([each.x for each in objectives])
    assert points.abs().max() < 0.5
    values = torch.stack([each.residuals(each.parameters)[:1] for each in objectives])
    assert values.isfinite().all()
    parameters = objectives[0].parameters
    sd = float(objectives[0].x.std(correction=0))
    assert {name: tuple(each.shape) for name, each in parameters.items()} == {
        **{"layers.0.weight": (200, 1), "layers.0.bias": (200,)},
        **{"layers.1.weight": (1, 200), "layers.1.bias": (1,)},
    }
    assert float(parameters["layers.0.weight"].detach().std()) == pytest.approx(1 / sd, rel=0.2)
    assert float(parameters["layers.1.weight"].detach().std()) == pytest.approx(1, rel=0.2)
    assert not parameters["layers.1.bias"].detach().any()


def test_settings_of_a_seed_see_the_same_data_and_start() -> None:
    one, two = (placed(ktv._objective(ktv.SETTINGS[name], "f3", 1)) for name in ("none", "3-TV 1e-5"))
    assert torch.equal(one.x, two.x)
    assert all(torch.equal(one.parameters[name], two.parameters[name]) for name in one.parameters)
    assert isinstance(ktv.SETTINGS["3-TV 1e-5"].regulariser, KTV)


def test_a_perfect_fit_has_correlation_one_and_the_third_variation_of_the_cubic() -> None:
    class Cubic(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.tensor(64 / 7, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a * (x + 3 / 8) * x * (x - 3 / 8)

    x = np.linspace(-0.4, 0.4, 9)
    trained = pinnreg.objective.regression(Cubic(), x[:, None], ktv.CURVES["f3"](x), ktv.BOUNDS)
    found = ktv._result(untrained(trained), "f3")
    assert found.correlation == pytest.approx(1)
    assert found.error == pytest.approx(0, abs=1e-12)
    assert found.third == pytest.approx((6 * 64 / 7) ** 2)


def test_outliers_are_there_and_trimmed() -> None:
    robust, plain = (placed(outliers._objective(0, each)) for each in (True, False))
    values = robust.points["data"].values
    assert values is not None
    assert int((values == outliers.OUTLIER).sum()) == 7
    importance = robust.points["data"].importance
    assert importance is not None
    assert int((importance == 0).sum()) == 11
    assert bool((importance[values == outliers.OUTLIER] == 0).all())
    assert plain.points["data"].importance is None


@pytest.mark.slow
def test_a_few_steps_of_the_robust_fit_lower_its_error() -> None:
    start = outliers._error(untrained(outliers._objective(0, True)))
    fitted = fit([outliers._objective(0, True)], [Adam(steps=60, learning_rate=1e-2)], quiet, "")
    assert outliers._error(fitted.each[0]) < 0.7 * start
    assert fitted.steps == 60


@pytest.mark.slow
def test_the_claims_hold(tmp_path: Path) -> None:
    found = pinnreg.reproduce("ktv", tmp_path)
    assert [claim.text for claim in found.claims if claim.decisive and not claim.holds] == []
