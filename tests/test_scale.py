"""The sizes of outputs: a problem in other units is the same problem."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import pinnreg
from pinnreg import Ball, Box, InputError, Problem, condition, dirichlet, initial, integral, neumann
from pinnreg.config import resolve
from pinnreg.equations import Trial
from pinnreg.run.prepare import prepare


@dataclass(frozen=True)
class Rod(Problem):
    """Heat conduction with units of length, time, temperature and of the equation, and a zero of temperature."""

    length: float = 1.0
    time: float = 1.0
    size: float = 1.0
    zero: float = 0.0
    factor: float = 1.0

    domain = property(lambda self: Box(x=(0, self.length), t=(0, self.time)))

    @property
    def conditions(self) -> Any:
        return (
            initial(lambda x: self.size * (self.zero + torch.sin(pi * x / self.length))),
            dirichlet(self.size * self.zero, on="x"),
        )

    def residual(self, u: Any) -> Any:
        return self.factor * (u.t - 0.1 * self.length**2 / self.time * u.xx)

    def reference(self) -> Any:
        decay = lambda t: np.exp(-0.1 * pi**2 * t / self.time)  # noqa: E731
        return lambda x, t: self.size * (self.zero + decay(t) * np.sin(pi * x / self.length))


@dataclass(frozen=True)
class Growth(Problem):
    """Data that are one constant, far from what u comes to."""

    time: float = 1.0
    size: float = 1.0

    domain = property(lambda self: Box(t=(0, 6 * self.time)))
    conditions = property(lambda self: (initial(0.05 * self.size),))

    def residual(self, u: Any) -> Any:
        return self.time * u.t - u * (1 - u / self.size)

    def reference(self) -> Any:
        return lambda t: self.size / (1 + 19 * np.exp(-t / self.time))


@dataclass(frozen=True)
class Chain(Problem):
    """Two outputs of different units, the second known by a slope and a source only."""

    size: float = 1.0
    other: float = 1.0

    domain = Box(x=(0, 1))
    outputs = ("u", "v")
    conditions = property(
        lambda self: (dirichlet(0.0, of="u"), dirichlet(0.0, of="v", on="x=min"), neumann(0.0, of="v", on="x=max"))
    )

    def residual(self, u: Any, v: Any, x: Any) -> Any:
        return {"u": u.xx / self.size + torch.sin(pi * x), "v": v.xx / self.other + u / self.size}

    def reference(self) -> Any:
        u = lambda x: self.size * np.sin(pi * x) / pi**2  # noqa: E731
        return {"u": u, "v": lambda x: self.other * (np.sin(pi * x) / pi**4 + x / pi**3)}


def error(problem: Problem, steps: int = 14) -> float:
    config = {
        "problem": problem,
        "network": {"hidden": [7, 7]},
        "points": {"interior": 50, "boundary": 20},
        "train": [{"optimiser": "gauss_newton", "steps": steps}],
        "device": "cpu",
        "evaluate": {"grid": 21},
    }
    report = pinnreg.solve(config, out=False, figures=False).report
    assert report is not None
    return max(each.rmse / float(np.std(report.fields[f"{name}_reference"])) for name, each in report.errors.items())


FACTORS = st.sampled_from([1e-6, 1e-3, 0.04, 60.0, 1e3, 1e6])
AS_IT_IS: dict[type[Problem], float] = {}


def as_it_is(problem: type[Problem]) -> float:
    return AS_IT_IS.setdefault(problem, error(problem()))


def check(problem: type[Problem], *units: float, most: float) -> None:
    assert 0.1 < error(problem(*units)) / as_it_is(problem) < 10
    assert as_it_is(problem) < most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "units", "most"),
    [
        (Rod, (0.04, 10.0, 700.0, 0.0, 4e6), 1e-2),
        (Growth, (1e-6, 1e6), 1e-2),
        (Chain, (1e6, 1e-6), 1e-3),
    ],
)
def test_other_units(problem: type[Problem], units: tuple[float, ...], most: float) -> None:
    check(problem, *units, most=most)


@pytest.mark.slow
@settings(max_examples=20)
@given(FACTORS, FACTORS, FACTORS, FACTORS)
def test_a_rod_in_any_units(length: float, time: float, size: float, factor: float) -> None:
    check(Rod, length, time, size, 0.0, factor, most=1e-2)


@pytest.mark.slow
@settings(max_examples=10)
@given(FACTORS, FACTORS)
def test_growth_in_any_units(time: float, size: float) -> None:
    check(Growth, time, size, most=1e-2)


@pytest.mark.slow
@settings(max_examples=10)
@given(FACTORS, FACTORS)
def test_outputs_of_any_units(size: float, other: float) -> None:
    check(Chain, size, other, most=1e-3)


@pytest.mark.slow
def test_a_zero_of_temperature_costs_rounding_only() -> None:
    assert error(Rod(size=700.0, zero=0.4)) < 10 * as_it_is(Rod)


def trial(problem: Problem, **sections: Any) -> Trial:
    return prepare(resolve({"problem": problem, **sections}), with_reference=False).split.trial


@pytest.mark.parametrize("mode", ["default", "soft"])
def test_what_is_found_is_of_the_size_of_the_solution(mode: str) -> None:
    found = trial(Rod(size=700.0, zero=0.4), conditions=mode)
    assert found.offsets == ((0.0,) if mode == "default" else pytest.approx((700 * 0.9,), rel=1e-3))
    assert 100 < found.sizes[0] < 3000


def test_a_given_size_is_taken(tmp_path: Path) -> None:
    assert trial(Rod(), network={"scale": 3.0}).sizes == (3.0,)
    with pytest.raises(InputError, match=r"network\.scale"):
        trial(Rod(), network={"scale": -1.0})
    run = pinnreg.solve({"problem": "heat"}, {"network.scale": 3.0, "train.0.steps": 1}, out=tmp_path / "run")
    assert pinnreg.load(tmp_path / "run").trial == run.trial
    assert run.trial.sizes == (3.0,)


def test_the_network_s_part_is_multiplied() -> None:
    points = torch.rand(5, 2, dtype=torch.float64)
    bare = Trial(("x", "t"), ("u",), ((),))
    sized = replace(bare, sizes=(3.0,), offsets=(2.0,))
    network = lambda x: torch.sin(x[:, :1])  # noqa: E731
    assert bare.bare
    assert not sized.bare
    assert torch.equal(sized(network, points), 2 + 3 * network(points))


def own_network(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)).double()


def test_a_run_keeps_its_sizes_whatever_network_it_is_given_again(tmp_path: Path) -> None:
    """They depend on the parameters that a network begins with."""
    config = {"problem": Growth(), "points": {"interior": 20}, "train": [{"optimiser": "gauss_newton", "steps": 5}]}
    run = pinnreg.solve({**config, "network": own_network(0)}, out=tmp_path / "run", figures=False)
    assert run.trial.sizes != trial(Growth(), network=own_network(1)).sizes
    loaded = pinnreg.load(tmp_path / "run", problem=Growth(), network=own_network(1))
    assert loaded.trial == run.trial
    again = pinnreg.solve({**config, "network": own_network(2)}, out=tmp_path / "run", resume=True, figures=False)
    assert again.trial == run.trial
    np.testing.assert_array_equal(again([[3.0]]), run([[3.0]]))


@pytest.mark.parametrize("odd", [3, {}, {"sizes": [1.0]}, {"sizes": [-1.0], "offsets": [0.0]}])
def test_sizes_that_pinnreg_cannot_have_written_are_refused(tmp_path: Path, odd: Any) -> None:
    small = {"train.0.steps": 1, "network.hidden": [4], "points.interior": 20, "evaluate.grid": 5}
    pinnreg.solve("heat", small, out=tmp_path, figures=False)
    data = yaml.safe_load((tmp_path / "config.yaml").read_text())
    data["provenance"]["scale"] = odd
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(InputError, match=r"provenance\.scale"):
        pinnreg.load(tmp_path)


@pytest.mark.parametrize("norm", [1e-8, 1.0, 1e10])
def test_a_norm_says_how_large_an_eigenfunction_is(norm: float) -> None:
    @dataclass(frozen=True)
    class Level(Problem):
        energy: float = 10.0
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0, on="x"), integral(lambda u: u**2, over="x", equals=norm))

        def residual(self, u: Any) -> Any:
            return u.xx + self.energy * u

    prepared = prepare(resolve({"problem": Level(), "unknown": {"energy": {}}}), with_reference=False)
    (size,) = prepared.split.trial.sizes
    assert 0.1 < size / sqrt(norm) < 100


SLOPE = condition(lambda u: u.x - 1, on="x=min", name="slope")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "exact"),
    [
        (condition(lambda u: u, on="x=max", name="end"), lambda x: x - 1),
        pytest.param(dirichlet(1.0, on="x=max"), lambda x: x, marks=pytest.mark.slow),
    ],
    ids=["homogeneous", "value"],
)
@pytest.mark.parametrize("seed", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in (1, 2))])
def test_homogeneous_conditions_say_nothing_of_the_size(end: Any, exact: Any, seed: int) -> None:
    body = {"domain": Box(x=(0, 1)), "conditions": (SLOPE, end), "residual": lambda self, u: u.xx}
    body |= {"reference": lambda self: exact, "__annotations__": {}}
    made = dataclass(frozen=True)(type("Line", (Problem,), body))()
    config = {"problem": made, "network": {"hidden": [8]}, "points": {"interior": 30}, "seed": seed}
    config["train"] = [{"optimiser": "gauss_newton", "steps": 20}]
    solution = pinnreg.solve(config, out=False)
    assert solution.report.errors["u"].rel_l2 < 1e-5
    assert solution.report.facts["converged"]


@pytest.mark.first(3)
@pytest.mark.parametrize("data", [lambda x, y: 1e3 * (1 - x**2 - y**2), lambda x, y: torch.hypot(x, y) - 1, 0.0])
@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_data_that_are_zero_but_for_rounding_say_nothing_of_the_size(data: Any, unit: float) -> None:
    @dataclass(frozen=True)
    class Cut(Problem):
        domain = Ball(x=0, y=0, radius=1) - Box(x=(0, 2), y=(-2, 2))
        conditions = (dirichlet(data, on="boundary"), neumann(0.0, on="x=min"))

        def residual(self, u):
            return u.laplacian + unit

    train = [{"optimiser": "gauss_newton", "steps": 1}]
    solution = pinnreg.solve({"problem": Cut(), "network": {"hidden": [4]}, "train": train}, out=False, figures=False)
    (size,) = solution.trial.sizes
    assert 1e-2 * unit < size < 1e2 * unit
