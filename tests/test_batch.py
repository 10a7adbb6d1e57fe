"""Batches and points are values: drawing anew changes none, slices add up, nothing is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import pi
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor

from pinnreg import Box, Problem, dirichlet, initial, measurements, periodic
from pinnreg.config import resolve
from pinnreg.equations import Points
from pinnreg.objective import INTERIOR, Batch, Linearised, drawing, gradient, linearise, linearise_rows
from pinnreg.run.prepare import prepare
from pinnreg.taylor import Algebra

PLACES = [[0.1 * i, 0.07 * i] for i in range(1, 13)]
PENALTIES: list[dict[str, Any]] = [
    {"kind": "ktv", "samples": 6, "order": 1, "weight": 0.3, "schedule": "linear"},
    {"kind": "ktv", "samples": 4, "power": 1, "weight": 0.1},
    {"kind": "jacobian", "weight": 0.2},
]
NOISE: dict[str, Any] = {"kind": "weight_noise", "sigma": 0.1, "scheme": "all"}
RIDGE: dict[str, Any] = {"kind": "ridge", "weight": 0.4}


@dataclass(frozen=True)
class Ring(Problem):
    """Conditions of pairs of points and of single ones, and measurements that are drawn and trimmed."""

    domain = Box(x=(0, 2), t=(0, 1))
    conditions = (
        periodic("x"),
        initial(lambda x: torch.sin(pi * x)),
        measurements(PLACES, [float(i % 5) for i in range(12)], batch=8),
        measurements(PLACES, [float(i % 7) for i in range(12)], trim=0.25, name="trimmed"),
    )

    def residual(self, u: Any) -> Any:
        return {"first": u.t - u.xx, "second": u.x - u}


def objective(problem: Problem | None = None, **sections: Any) -> Placed:
    config = {
        "problem": problem or Ring(),
        "network": {"hidden": [4, 3]},
        "conditions": "soft",
        "train": [{"optimiser": "adam"}],
        **sections,
        "points": {"interior": 12, "boundary": 8, **sections.get("points", {})},
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def moved(of: Placed) -> dict[str, Tensor]:
    return {name: (each.detach() + 0.3).requires_grad_() for name, each in of.parameters.items()}


# nothing changes


def tensors_of(batch: Batch) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a batch, by where they are."""
    yield "weights", batch.weight_vector
    for purpose, points in (("seen", batch.points), ("placed", batch.placement.points)):
        for name, each in points.items():
            yield from ((f"{purpose} {name} {i}", t) for i, t in enumerate(each.tensors()) if t is not None)
    for number, shift in enumerate(batch.shifts):
        yield from ((f"shift {number} {name}", each) for name, each in (shift.offset or {}).items())


def contents(batch: Batch) -> tuple[dict[str, Tensor], list[object]]:
    """A copy of all that a batch holds."""
    placement = batch.placement
    numbers = [dict(batch.weights), dict(batch.counts), batch.smooth, batch.step, batch.progress, batch.cost]
    return {name: each.clone() for name, each in tensors_of(batch)}, [
        *numbers,
        (placement.step, placement.drawn, placement.settled, placement.window),
        dict(placement.balanced),
    ]


def changed(batch: Batch, before: tuple[dict[str, Tensor], list[object]]) -> set[str]:
    """Which tensors are not what they were; and "numbers"."""
    tensors, numbers = contents(batch)
    names = {name for name in tensors | before[0] if not _same(tensors.get(name), before[0].get(name))}
    return names | ({"numbers"} if numbers != before[1] else set())


def _same(one: Tensor | None, two: Tensor | None) -> bool:
    return one is not None and two is not None and torch.equal(one, two)


DRAWS: dict[str, tuple[Callable[[Placed], Placed], set[str]]] = {
    "redraw": (
        lambda of: of.redraw(7, progress=0.5, smooth=True),
        {"numbers", "weights", "seen ktv 0", "seen measurements 0", "seen measurements 2", "shift 0 1.layers.0.bias"},
    ),
    "trim": (lambda of: of.redraw(0, progress=0.0, parameters=moved(of)), {"seen trimmed 3"}),
    "resample": (
        lambda of: of.resample(moved(of), 10),
        {"numbers", "weights", "seen  0", "placed  0", "seen  3", "placed  3", "seen jacobian 0", "seen periodic 0"},
    ),
    "all measurements": (lambda of: of.whole(), {"numbers", "seen measurements 0", "seen measurements 2"}),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_what_is_drawn_anew_is_another_batch(draw: str) -> None:
    points = {"resample": "residual", "resample_every": 5, "importance": True}
    first = objective(points=points, regularisers=[*PENALTIES, RIDGE, NOISE])
    of = first.resample(first.parameters, 5).redraw(0, progress=0.0)
    before, parameters = contents(of.batch), {name: each.detach().clone() for name, each in of.parameters.items()}
    function, expected = DRAWS[draw]
    other = function(of)
    assert changed(other.batch, before) >= expected
    assert not changed(of.batch, before)
    assert all(torch.equal(each, parameters[name]) for name, each in of.parameters.items())


@pytest.mark.parametrize("resample", ["refine", "residual"])
def test_a_state_brings_a_batch_back_and_leaves_the_one_that_it_is_given(
    resample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "REFINED", 0.0)  # as if the residual were larger between the points each time
    points = {"resample": resample, "resample_every": 5, "importance": resample == "residual"}
    of, other = (objective(points=points, regularisers=[*PENALTIES, RIDGE, NOISE]) for _ in range(2))
    of = of.resample(moved(of), 10).redraw(12, progress=0.5, smooth=True, parameters=moved(of))
    before = contents(other.batch)
    back = other.with_state(of.state())
    assert not changed(replace(back.batch, cost=of.batch.cost), contents(of.batch))
    assert not changed(other.batch, before)
    # and what comes next is the same
    again, on = (each.resample(moved(of), 15) for each in (back, of))
    assert not changed(again.batch, contents(on.batch))


@dataclass(frozen=True)
class Line(Problem):
    """Exact data, so that points have g and φ."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.exp(2 * x)), dirichlet(lambda t: torch.cos(2 * t), on="x=min"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


def test_points_that_are_cut_moved_or_lifted_are_others() -> None:
    of = objective(Line(), conditions="default")
    points = of.points[INTERIOR]
    tensors, lifts = [each for each in points.tensors() if each is not None], dict(points.lifts)
    copies = [each.clone() for each in tensors]
    assert len(tensors) == 1 + 2  # points, g and φ
    others = [
        points.part(slice(2, 5)),
        points.thinned(4),
        points.on(torch.empty(0, dtype=torch.float32)),
        points.lifted(of.trial, Algebra.of([(3, 0)], 2)),
        points.replaced(tuple(None if each is None else 2 * each for each in points.tensors())),
    ]
    assert [len(each) for each in others] == [3, 4, 12, 12, 12]
    assert [len(each.lifts) for each in others] == [1, 1, 0, 2, 1]
    after = [each for each in points.tensors() if each is not None]
    assert all(torch.equal(one, two) for one, two in zip(after, copies, strict=True))
    assert points.lifts == lifts


# slices of a batch


def halves(batch: Batch) -> list[Batch]:
    """A batch in two parts of other sizes, each with the counts of the whole."""

    def part(points: Points, number: int) -> Points:
        cut = points.rows // 3
        return points.part(slice(0, cut) if number == 0 else slice(cut, points.rows))

    return [replace(batch, points={name: part(each, i) for name, each in batch.points.items()}) for i in range(2)]


def test_slices_join_to_the_whole() -> None:
    of = objective(points={"resample": "residual", "resample_every": 5, "importance": True})
    batch = of.resample(of.parameters, 5).batch
    one, two = halves(batch)
    assert {each.points_per_row for each in batch.points.values()} == {1, 2}
    for name, whole in batch.points.items():
        joined = one.points[name].joined(two.points[name])
        assert (joined.rows, joined.lifts) == (whole.rows, {})
        for found, expected in zip(joined.tensors(), replace(whole, lifts={}).tensors(), strict=True):
            assert (found is expected is None) or torch.equal(found, expected)
        # what is known of one part only is not known of both
        bare = replace(two.points[name], normals=None, values=None)
        assert one.points[name].joined(bare).tensors()[1:3] == (None, None)


@pytest.mark.parametrize("smooth", [False, True])
def test_losses_and_gradients_of_slices_add_up_to_those_of_the_whole(smooth: bool) -> None:
    points = {"resample": "residual", "resample_every": 5, "importance": True}
    of = objective(points=points, regularisers=PENALTIES)
    of = of.resample(of.parameters, 5).redraw(5, progress=0.25, smooth=smooth)
    at = moved(of)
    parts = [gradient(of.objective, each, at) for each in halves(of.batch)]
    for number, whole in enumerate(gradient(of.objective, of.batch, at)):
        for name, value in whole.items():
            torch.testing.assert_close(parts[0][number][name] + parts[1][number][name], value, rtol=1e-12, atol=1e-12)
            assert not number or bool((parts[0][number][name] != value).any())
    assert set(parts[0][0]) == set(of.names) > {"periodic", "measurements", "trimmed", "ktv", "ktv_2", "jacobian"}


# what is asked for only sometimes


@dataclass(frozen=True)
class Sometimes(Problem):
    """A further derivative, or the value inside of a torch function, where the list says so."""

    value: bool
    rate: float = 0.5
    asked: list[bool] = field(default_factory=lambda: [False])
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.exp(2 * x)),)

    def residual(self, u: Any) -> Any:
        if not self.asked[0]:
            return self.rate * u.t
        return self.rate * u.t - torch.sin(u) if self.value else self.rate * (u.t + u.xx * u.x)


def assert_close(found: Linearised, expected: Linearised) -> None:
    assert found.rows == expected.rows
    torch.testing.assert_close(found.residuals, expected.residuals, rtol=1e-12, atol=1e-13)
    scale = float(expected.jacobian.abs().max())
    torch.testing.assert_close(found.jacobian, expected.jacobian, rtol=0, atol=1e-12 * scale)


@pytest.mark.first(4)
@pytest.mark.parametrize("by_layer", [True, False, None])
@pytest.mark.parametrize("conditions", ["default", "soft"])
@pytest.mark.parametrize("value", [True, False])
def test_an_operator_that_is_asked_for_only_sometimes(value: bool, conditions: str, by_layer: bool | None) -> None:
    problem = Sometimes(value)
    sections = {"conditions": conditions, "balance": False, "unknown": {"rate": {"start": 0.8}}}
    of, always = objective(problem, **sections), objective(Sometimes(value, asked=[True]), **sections)
    shapes = of.objective.shapes
    assert shapes[INTERIOR].operators == {(0, 1)} < always.objective.shapes[INTERIOR].operators
    at = moved(of)
    without = linearise(of.objective, of.batch, at, by_layer=by_layer)
    problem.asked[0] = True
    for name, rows in always.rows(at).items():
        torch.testing.assert_close(of.rows(at)[name].values, rows.values, rtol=1e-12, atol=1e-13)
    found = linearise(of.objective, of.batch, at, by_layer=by_layer)
    assert_close(found, always.linearise(at))
    slope = torch.cat([each.reshape(-1) for each in always.gradient(at)[1].values()])
    torch.testing.assert_close(2 * found.jacobian.T @ found.residuals, slope, rtol=1e-10, atol=1e-11)
    assert not torch.allclose(found.jacobian, without.jacobian, rtol=1e-3)
    problem.asked[0] = False
    assert_close(linearise(of.objective, of.batch, at, by_layer=by_layer), without)
    assert of.objective.shapes == shapes


# with and without the penalties on the parameters


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_linearisation_has_the_penalties_on_the_parameters_whatever_was_asked_before(rows_first: bool) -> None:
    network = {"kind": "quadratic", "hidden": [4, 3]}
    regularisers = [PENALTIES[2], RIDGE, {"kind": "orthogonality", "weight": 0.5}]
    of = objective(network=network, regularisers=regularisers, train=[{"optimiser": "gauss_newton"}])
    at = moved(of)

    def rows_alone() -> Linearised:
        return linearise_rows(of.objective, of.points, at)

    alone, whole = (rows_alone(), of.linearise(at)) if rows_first else (of.linearise(at), rows_alone())[::-1]
    on_parameters = ["ridge", "orthogonality"]
    assert [*alone.rows, *on_parameters] == list(whole.rows) == list(of.names)
    assert len(alone.residuals) == sum(of.batch.counts[name] for name in alone.rows)
    assert len(whole.residuals) == sum(of.batch.counts.values())
    for name, part in alone.rows.items():
        scale = (of.weights[name] / of.batch.counts[name]) ** 0.5
        torch.testing.assert_close(whole.residuals[whole.rows[name]], scale * alone.residuals[part])
        torch.testing.assert_close(whole.jacobian[whole.rows[name]], scale * alone.jacobian[part])
    torch.testing.assert_close(whole.residuals, of.residuals(at), rtol=1e-12, atol=1e-13)
    slope = torch.cat([each.reshape(-1) for each in of.gradient(at)[1].values()])
    torch.testing.assert_close(2 * whole.jacobian.T @ whole.residuals, slope, rtol=1e-9, atol=1e-10)
    parameters = sum(each.numel() for each in at.values())
    expected = RIDGE["weight"] ** 0.5 * torch.eye(parameters, dtype=slope.dtype)
    torch.testing.assert_close(whole.jacobian[whole.rows["ridge"]], expected)
