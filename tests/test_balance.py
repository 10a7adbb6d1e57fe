"""Balanced weights: the formula, what is left alone, when they are computed, what is saved."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, placed
from torch import Tensor
from torch.func import functional_call, grad, jacrev, vmap

import pinnreg
from pinnreg import Box, Problem, dirichlet, initial, measurements, neumann, periodic
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep
from pinnreg.objective import Model, balance, compiled, drawing
from pinnreg.run.prepare import prepare
from pinnreg.training import Hooks

F64 = torch.float64
Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation with conditions of four kinds, its size and theirs to be chosen."""

    size: float = 1.0
    data: float = 1.0
    source: float = 0.0
    domain = Box(x=(0, 2), t=(0, 1))

    @property
    def conditions(self) -> Any:
        return (
            initial(lambda x: self.data * torch.sin(pi * x)),
            dirichlet(0.0, on="x=min"),
            neumann(self.data, on="x=max"),
            measurements([[0.5, 0.25], [1.0, 0.5]], [self.data, 0.0]),
        )

    def residual(self, u: Any) -> Any:
        return self.size * (u.t - u.xx - self.source)


@dataclass(frozen=True)
class System(Problem):
    """Two equations for two outputs on a ring."""

    domain = Box(x=(0, 2), t=(0, 1))
    outputs = ("u", "v")
    conditions = (initial(1.0, of="u"), initial(0.0, of="v"), periodic("x"))

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.t - v.x * u, "second": v.t - 10 * u.xx}


def config(problem: Problem, **sections: Any) -> dict[str, Any]:
    return {
        "problem": problem,
        "network": {"hidden": [5]},
        "conditions": "soft",
        **sections,
        "points": {"interior": 24, "boundary": 12, "resample": "fresh", **sections.get("points", {})},
    }


def built(problem: Problem, **sections: Any) -> Placed:
    resolved = resolve(config(problem, **sections))
    return placed(prepare(resolved, with_reference=False).objective, compile=resolved.config.compile)


def moved(of: Placed) -> Parameters:
    return {name: (value + 0.3).detach() for name, value in of.parameters.items()}


def strengths(of: Placed, parameters: Parameters) -> dict[str, float]:
    """The mean of |∂row/∂θ|² over the rows of each term, by torch.func."""

    def rows(parameters: Parameters) -> dict[str, Tensor]:
        return {name: each.values for name, each in of.rows(parameters).items()}

    found = jacrev(rows)({name: value.detach() for name, value in parameters.items()})
    return {
        name: sum(each.square().sum().item() for each in table.values()) / len(next(iter(table.values())))
        for name, table in found.items()
    }


# the formula


def test_the_weights_of_a_heat_equation_by_hand() -> None:
    of = built(Decay(), weights={"residual": 3.0})

    def u(theta: Parameters, point: Tensor) -> Tensor:
        return functional_call(of.model.network, theta, (point[None],)).sum()

    def along(axis: int, function: Any) -> Any:
        return lambda theta, point: grad(function, argnums=1)(theta, point)[axis]

    rows = {
        "": lambda theta, point: along(1, u)(theta, point) - along(0, along(0, u))(theta, point),
        "initial": u,
        "dirichlet": u,
        "neumann": along(0, u),
    }
    strength = {}
    for name, row in rows.items():
        points = of.points[name].x
        table = vmap(jacrev(row), in_dims=(None, 0))({k: v.detach() for k, v in of.parameters.items()}, points)
        strength[name] = sum(each.square().sum().item() for each in table.values()) / len(points)
    for name in ("initial", "dirichlet", "neumann"):
        assert of.weights[name] == pytest.approx(strength[""] / strength[name], rel=1e-10), name


def test_the_weight_of_the_equation_is_not_undone() -> None:
    one, other = built(Decay(), weights={"residual": 1.0}), built(Decay(), weights={"residual": 100.0})
    assert other.weights == one.weights | {"residual": 100.0}


NAMES = ("", "initial", "dirichlet", "neumann")


def test_very_many_parameters_are_looked_at_in_few_rows() -> None:
    of = built(Decay(), points={"interior": 300, "boundary": 12})
    few = balance.looked_at(of.batch, {"w": torch.empty(1000, 1000)}, NAMES)
    many = balance.looked_at(of.batch, {"w": torch.empty(1000)}, NAMES)
    assert list(few) == list(many) == list(NAMES)
    assert [len(each) for each in few.values()] == [10] * 4
    assert [len(each) for each in many.values()] == [balance.ROWS, 12, 12, 12]


def test_several_equations_count_by_their_mean_and_pairs_of_points_as_rows() -> None:
    of = built(System(), weights={"first": 2.0, "second": 0.5})
    strength = strengths(of, of.parameters)
    target = (strength["first"] + strength["second"]) / 2
    assert set(of.names) - {"first", "second"} == {"initial_u", "initial_v", "periodic"}
    for name in ("initial_u", "initial_v", "periodic"):
        assert of.weights[name] == pytest.approx(target / strength[name], rel=1e-10)
    assert (of.weights["first"], of.weights["second"]) == (2.0, 0.5)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_the_units_of_an_equation_do_not_matter(size: float) -> None:
    one, other = built(Decay(size=1.0)).weights, built(Decay(size=size)).weights
    for name in ("initial", "dirichlet", "neumann"):
        assert other[name] == pytest.approx(size**2 * one[name], rel=1e-9)


def test_several_equations_are_balanced_too() -> None:
    of = built(System(), weights={})
    strength = strengths(of, of.parameters)
    weighted = [of.weights[name] * strength[name] for name in of.names]
    assert weighted == pytest.approx([weighted[0]] * len(weighted), rel=1e-9)


def test_an_equation_without_the_network_leaves_the_weights_at_one() -> None:
    assert set(built(Decay(size=0.0)).weights.values()) == {1.0}


@pytest.mark.parametrize("changed", [{"data": 1e6}, {"source": -1e4}, {"data": 0.0}])
def test_the_size_of_the_residuals_does_not_matter(changed: dict[str, float]) -> None:
    one, other = built(Decay()), built(Decay(**changed))
    losses = [of.total(of.losses(of.parameters)).item() for of in (one, other)]
    assert abs(losses[1] / losses[0] - 1) > 0.01
    assert other.weights == pytest.approx(one.weights, rel=1e-12)


@pytest.mark.parametrize("sampler", ["sobol", "latin_hypercube", "uniform", "grid"])
def test_some_of_many_points_suffice(monkeypatch: pytest.MonkeyPatch, sampler: str) -> None:
    points = {"interior": 3200, "boundary": 800, "sampler": sampler, "resample_every": None}
    seen: list[Tensor] = []
    sweep = Model.sweep

    def noted(self: Model, parameters: Any, points: Points, *given: Any, **options: Any) -> Sweep:
        if torch.is_grad_enabled() and len(points) > 2:  # at two it is asked whether there is a gradient
            seen.append(points.x)
        return sweep(self, parameters, points, *given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Model, "sweep", noted)
        some = built(Decay(), points=points)
    assert max(map(len, seen)) == balance.ROWS == 200
    # all over the domain: every k-th of a Sobol sequence would lie in one part of it
    inside = seen[0] / torch.tensor([2.0, 1.0], dtype=F64)
    assert ((4 * inside).long() @ torch.tensor([4, 1])).bincount(minlength=16).min() >= 4
    monkeypatch.setattr(balance, "ROWS", 4000)
    every = built(Decay(), points=points)
    assert some.weights != every.weights
    assert some.weights == pytest.approx(every.weights, rel=0.1)


# what is left alone


def test_weights_that_are_given_win() -> None:
    plain = built(Decay())
    given = built(Decay(), weights={"initial": 7.0, "dirichlet": 0.0})
    assert (given.weights["initial"], given.weights["dirichlet"]) == (7.0, 0.0)
    assert given.weights["neumann"] == pytest.approx(plain.weights["neumann"], rel=1e-12)
    plain, given = (of.resample(moved(of), 10) for of in (plain, given))
    assert (given.weights["initial"], given.weights["dirichlet"]) == (7.0, 0.0)
    assert given.weights["neumann"] == pytest.approx(plain.weights["neumann"], rel=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_measurements_regularisers_and_equations_keep_their_weights(
    power: int, caplog: pytest.LogCaptureFixture
) -> None:
    ktv = [{"kind": "ktv", "weight": 1e3, "power": power, "schedule": "linear"}]
    of = built(Decay(), regularisers=ktv, train=[{"optimiser": "adam"}])
    for progress in (0.0, 0.75):
        of = of.redraw(0, progress=progress, smooth=True).resample(of.parameters, 10)
        assert (of.weights["residual"], of.weights["measurements"]) == (1.0, 1.0)
        assert of.weights["ktv"] == pytest.approx(1e3 * (1 - progress))
        without = built(Decay())
        without = without.resample(without.parameters, 10)
        assert of.weights == pytest.approx(without.weights | {"ktv": of.weights["ktv"]}, rel=1e-12)
    assert not [record for record in caplog.records if record.name == "pinnreg"]


def test_weights_of_measurements_act_as_given() -> None:
    of = built(Decay(), weights={"measurements": 50.0})
    assert of.weights["measurements"] == 50.0
    assert of.weights == pytest.approx(built(Decay()).weights | {"measurements": 50.0})


def test_off_leaves_all_weights_at_one() -> None:
    of = built(Decay(), balance=False)
    assert set(of.weights.values()) == {1.0}
    of = of.resample(moved(of), 10)
    assert set(of.weights.values()) == {1.0}
    assert of.state()["balanced"] == {}


def test_exact_conditions_leave_nothing_to_weigh(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Exact(Problem):
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0), measurements([[0.5]], [1.0]))

        def residual(self, u: Any) -> Any:
            return u.xx + 1

    calls: list[int] = []
    monkeypatch.setattr(drawing, "balanced", lambda *_: (calls.append(1), {})[1])
    of = built(Exact(), conditions="default")
    of = of.resample(of.parameters, 10)
    assert of.weights == {"residual": 1.0, "measurements": 1.0}
    assert not calls
    of = built(Exact())
    of.resample(of.parameters, 10)
    assert len(calls) == 2


def test_nothing_is_compiled_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled run that is only evaluated is built too."""
    monkeypatch.setattr(compiled, "compiled", lambda *_: pytest.fail("compiled"))
    of = built(Decay(), compile=True, train=[{"optimiser": "adam"}])
    assert of.weights == built(Decay()).weights


def test_a_run_may_be_prepared_without_gradients() -> None:
    with torch.no_grad():
        of = built(Decay())
    assert of.weights == built(Decay()).weights


def test_single_precision() -> None:
    of = built(Decay(), dtype="float32")
    strength = strengths(of, of.parameters)
    for name in ("initial", "dirichlet", "neumann"):
        assert of.weights[name] == pytest.approx(strength["residual"] / strength[name], rel=1e-4)


# when it is done, and what is saved


def test_weights_are_new_at_each_resampling_and_forget_the_old_ones() -> None:
    of = built(Decay())
    start = dict(of.weights)
    before, of = of, of.redraw(5, progress=0.1)
    assert of.weights == start
    of = of.resample(moved(of), 10)
    assert before.weights == start
    strength = strengths(of, moved(of))
    for name in ("initial", "dirichlet", "neumann"):
        assert of.weights[name] != pytest.approx(start[name], rel=0.01)
        assert of.weights[name] == pytest.approx(strength["residual"] / strength[name], rel=1e-10)


def test_a_saved_state_holds_the_weights() -> None:
    one, other = built(Decay()), built(Decay())
    one = one.resample(moved(one), 10)
    saved = one.state()
    assert other.weights != one.weights
    other = other.with_state(saved)
    assert other.weights == one.weights
    assert torch.equal(other.total(other.losses(other.parameters)), one.total(one.losses(one.parameters)))
    one = one.resample(one.parameters, 20)
    assert saved == {**saved, "balanced": other.state()["balanced"]}  # a copy
    assert one.weights != other.weights


STAGES = {
    "gauss_newton": [{"optimiser": "gauss_newton", "steps": 10}],
    "adam": [{"optimiser": "adam", "steps": 14}],
}


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("optimiser", "resample"),
    [
        ("gauss_newton", "residual"),
        ("adam", "fresh"),
        pytest.param("gauss_newton", "fresh", marks=pytest.mark.slow),
        pytest.param("adam", "residual", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_stopped_and_goes_on_repeats_the_weights(tmp_path: Path, optimiser: str, resample: str) -> None:
    points = {"interior": 24, "boundary": 12, "resample_every": 4, "resample": resample}
    given = config(Decay(), points=points, train=STAGES[optimiser], evaluate={"grid": 5, "every": 1})
    whole = pinnreg.solve(given, out=False)
    weights = whole.history["initial_weighted"] / whole.history["initial"]
    assert len(np.unique(np.round(weights, 9))) == (STAGES[optimiser][0]["steps"] - 1) // 4 + 1
    folder = tmp_path / "run"
    calls = iter(range(1000))
    # within an interval between two resamplings, and just before one
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, out=folder, hooks=Hooks(interrupted=lambda: 15 if next(calls) == 6 else None))
    with pytest.raises(pinnreg.Interrupted):
        pinnreg.solve(given, out=folder, resume=True, hooks=Hooks(interrupted=lambda: 15 if next(calls) == 9 else None))
    resumed = pinnreg.solve(given, out=folder, resume=True)
    for name, values in whole.parameters.items():
        assert torch.equal(resumed.parameters[name], values)
    for name in set(whole.history) - {"seconds"}:
        np.testing.assert_array_equal(resumed.history[name], whole.history[name])
