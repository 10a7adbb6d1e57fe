"""The reproduction of the Jacobian penalty on wide networks: its setting, its measures, and the whole of it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from objectives import placed

from pinnreg.analysis import stacked
from pinnreg.objective import regression
from pinnreg.regularisers import Jacobian
from pinnreg.reproductions import EXPERIMENTS, Claim, reproduce
from pinnreg.reproductions.jacobian import _start_claims, _trained_claims
from pinnreg.reproductions.wide import (
    COUNT,
    OPERATORS,
    STRENGTHS,
    TESTED,
    Begun,
    Start,
    Trained,
    at_start,
    circle,
    falls,
    importance,
    limit,
    network,
    rate,
    slope,
    targets,
    trained,
)

WIDTHS = (64, 256, 1024)


def silent(*_: object) -> None:
    """No progress."""


def begun(seed: int = 0, width: int = 64) -> Begun:
    net = network(width, seed)
    start, initial = (stacked(net, circle(count), OPERATORS).detach() for count in (COUNT, TESTED))
    return Begun(targets(seed), start, initial)


def run(deviation: float, drift: float) -> Trained:
    empty = torch.zeros(0)
    state = Begun(empty, empty, empty)
    return Trained(0, 0.1, np.zeros(0), empty, deviation, 0.0, 0.0, drift, state, empty, deviation, deviation)


def test_the_experiment_is_known() -> None:
    assert "jacobian" in EXPERIMENTS


def test_what_is_trained_is_the_loss_of_the_linear_prediction() -> None:
    """mean (f - y)² + λ mean |J|² = Σ D (u - t)², at the start."""
    net, points, wanted, strength = network(16, 3), circle(COUNT), targets(3), 0.3
    objective = regression(
        net, points.numpy(), wanted[:COUNT].numpy(), [(-1, 1)] * 2, regularisers=[Jacobian(weight=strength)]
    )
    u = stacked(net, points, OPERATORS).detach()
    expected = importance(limit(points).ntk, strength) @ (u - wanted).square()
    of = placed(objective)
    assert float(of.total(of.losses(of.parameters)).detach()) == pytest.approx(float(expected), rel=1e-12)


def test_the_rate_is_stable_for_every_strength() -> None:
    """The limit of infinitely many steps exists, and does not with twice the share."""
    kernel = limit(circle(COUNT)).ntk.matrix
    for strength in STRENGTHS:
        decay = importance(limit(circle(COUNT)).ntk, strength)[:, None] * kernel
        largest = float(torch.linalg.eigvals(decay).real.max())
        assert 0.3 < rate() * largest < 0.5 + 1e-9  # of 1, beyond which it explodes


def test_the_linear_prediction_begins_at_the_start_and_ends_at_the_targets() -> None:
    state = begun()
    steps = np.array([0.0, math.inf])
    for strength in STRENGTHS:
        u, f = state.in_the_limit(strength, steps)
        assert torch.allclose(u[0], state.start, rtol=1e-12)
        assert torch.allclose(f[0], state.initial[:TESTED], rtol=1e-12)
        assert torch.allclose(u[1], state.targets, atol=1e-9)
        # every twentieth point of the circle is one of the data
        assert torch.allclose(f[1, :: TESTED // COUNT], state.targets[:COUNT], atol=1e-9)


@pytest.fixture(scope="module")
def narrow() -> list[Trained]:
    return trained(32, [(0, 0.1), (1, 1.0)], silent, steps=40)


@pytest.mark.slow
def test_wider_networks_follow_the_prediction_more_closely(narrow: list[Trained]) -> None:
    wide = trained(512, [(0, 0.1), (1, 1.0)], silent, steps=40)
    for little, much in zip(wide, narrow, strict=True):
        assert little.steps.tolist() == much.steps.tolist() == [0.0, 40.0]
        assert torch.allclose(little.values[0], begun(little.seed, 512).start, rtol=1e-12)
        way = float((little.values[-1] - little.values[0]).abs().max())
        assert little.deviation < 0.25 * way
        for measure in ("deviation", "relative", "absolute", "own", "infinite"):
            assert 0 < getattr(little, measure) < getattr(much, measure), measure
        assert little.final <= little.deviation
        assert torch.allclose(little.predicted[:: TESTED // COUNT], little.values[-1, :COUNT], rtol=1e-9)
        assert little.slopes[-1] == pytest.approx(float((little.values[-1, COUNT:] ** 2).sum() / COUNT) ** 0.5)


def test_replicas_are_trained_as_each_alone(narrow: list[Trained]) -> None:
    alone = trained(32, [(1, 1.0)], silent, steps=40)
    assert torch.allclose(narrow[1].values, alone[0].values, rtol=1e-9, atol=1e-12)
    assert (narrow[0].seed, narrow[1].strength) == (0, 1.0)


def test_kernels_at_the_start() -> None:
    """They approach the limit, and are definite as soon as there are as many parameters as rows."""
    found = at_start(WIDTHS, 4, silent)
    for values in (found.tangent, found.covariance):
        assert slope(values) == pytest.approx(-0.5, abs=0.2)
        assert [len(each) for each in values.values()] == [4, 4, 4]
    assert all(value > 0 for values in found.smallest.values() for value in values)
    assert all(claim.holds for claim in _start_claims(found))
    assert float(limit(circle(COUNT)).ntk.eigenvalues[-1]) == pytest.approx(2.76e-3, rel=0.01)


def test_measures_of_a_fall() -> None:
    power = {width: [width**-0.5, width**-0.5] for width in WIDTHS}
    assert slope(power) == pytest.approx(-0.5)
    assert falls(power) == pytest.approx((0.5, 0.25))
    assert falls({64: [4.0], 256: [5.0], 1024: [1.0]}) == pytest.approx((1.25, 0.25))


@pytest.mark.parametrize(
    ("power", "held"),
    [(-0.5, True), (-0.1, False), (-1.0, False), (0.5, False)],
    ids=["1/√m", "slow", "fast", "rising"],
)
def test_claims_about_the_start_fail_where_the_numbers_do(power: float, held: bool) -> None:
    def values(times: float) -> Mapping[int, Sequence[float]]:
        return {width: [times * width**power] for width in WIDTHS}

    claims = _start_claims(Start(values(1.0), values(0.3), values(1.0)))
    assert all(claim.holds for claim in claims) == held


def test_claims_about_training_fail_where_the_numbers_rise() -> None:
    def claims(deviations: Sequence[float], drifts: Sequence[float]) -> list[Claim]:
        runs = zip(WIDTHS, deviations, drifts, strict=True)
        return _trained_claims({width: [run(deviation, drift)] for width, deviation, drift in runs})

    assert all(claim.holds for claim in claims([1.0, 0.7, 0.4], [20, 9, 2]))
    assert not all(claim.holds for claim in claims([1.0, 1.1, 0.4], [20, 9, 2]))
    assert not all(claim.holds for claim in claims([1.0, 0.7, 0.4], [20, 21, 4]))
    assert not all(claim.holds for claim in claims([1.0, 0.7, math.nan], [20, 9, 2]))


@pytest.mark.slow
def test_the_whole_experiment(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    progress: Callable[[str, int, int], None] = lambda *call: calls.append(call)  # noqa: E731
    found = reproduce("jacobian", tmp_path, progress)
    assert [claim.text for claim in found.claims if not claim.holds] == []
    assert found.reproduced
    assert len(found.panels) == 6
    assert {what for what, _, _ in calls} >= {"kernels at the start", "training, width 64", "training, width 4096"}
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["steps"] == 2000 * 18
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    rows = {row[0]: row for row in found.tables[1].rows}
    assert dataclasses.asdict(found.tables[1])["columns"][1:3] == ["max |u - linear|", "reference"]
    for width, row in rows.items():  # of the size of the earlier run, whose constants are not known
        assert isinstance(row[1], float)
        assert isinstance(row[2], float)
        assert 0.5 < row[1] / row[2] < 2, width
