"""What the keys of points, conditions and weights change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from options.cases import Held, all_values, case, config, differ, first, same, solved
from pinnreg import Box, InputError, Problem, initial, neumann
from pinnreg.objective import drawing
from pinnreg.objective.settings import TIMES


@dataclass(frozen=True)
class Flux(Problem):
    """A problem with a condition that cannot be exact."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(0.0), neumann(1.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@case("points.interior")
def points_interior(_: Path) -> None:
    differ(config(), "points__interior", 8, 16, 32)
    of = first(config(), points__interior=13)
    assert len(of.rows(of.parameters)["residual"].values) == 13
    data = config(measurements=[{"samples": 7}])
    differ(data, "points__interior", 7, "data")
    with pytest.raises(InputError, match=r"points\.interior: data takes the points of the measurements, and there are"):
        solved(config(), points__interior="data")
    with pytest.raises(InputError, match="with interior: data they are the measured ones"):
        solved(data, points__interior="data", points__resample="residual", points__resample_every=2)


@case("points.boundary")
def points_boundary(_: Path) -> None:
    differ(config(problem=Held(), conditions="soft"), "points__boundary", 4, 8)
    of = first(config(problem=Held(), conditions="soft"), points__boundary=10)
    rows = of.rows(of.parameters)
    assert len(rows["initial"].values) == len(rows["dirichlet"].values) == 10


@case("points.chunk")
def points_chunk(_: Path) -> None:
    seen: list[int] = []
    of = first(config(problem=Held(), conditions="soft"), points__chunk=7)
    of.model.network[-1].register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    with torch.no_grad():
        chunked = of.losses(of.parameters)
        assert max(seen) == 7
        whole = first(config(problem=Held(), conditions="soft"))
        for name, value in whole.losses(whole.parameters).items():
            assert float(chunked[name]) == pytest.approx(float(value), rel=1e-12)


@case("points.sampler")
def points_sampler(_: Path) -> None:
    differ(config(), "points__sampler", *all_values("points.sampler"))
    differ(config(conditions="soft"), "points__sampler", *all_values("points.sampler"))


@case("points.resample_every")
def points_resample_every(_: Path) -> None:
    fresh = {"interior": 16, "resample": "fresh"}
    differ(config(points=fresh), "points__resample_every", None, 1, 2, 3)
    differ(config({"optimiser": "lbfgs", "steps": 8}, points=fresh), "points__resample_every", None, 3, 6)


@case("points.resample")
def points_resample(_: Path) -> None:
    base = config(points={"interior": 16, "resample_every": 2})
    differ(base, "points__resample", *all_values("points.resample"))


@case("points.most")
def points_most(_: Path) -> None:
    """What it does is in test_refinement; here, that points are added up to it."""
    base = config({"optimiser": "adam", "steps": 10}, points={"interior": 16, "resample_every": 2})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "REFINED", 0.0)  # as if the residual were larger between the points each time
        default, *_others = differ(base, "points__most", None, 16, 17, 18)
        assert same(default, solved(base, points__most=TIMES * 16))
    with pytest.raises(InputError, match="most limits resample: refine; without that"):
        solved(base, points__most=20, points__resample="fresh")


@case("points.importance")
def points_importance(_: Path) -> None:
    base = config(points={"interior": 16, "resample_every": 2, "resample": "residual"})
    _, without = differ(base, "points__importance", True, False)
    assert same(without, solved(base))  # the default


@case("conditions")
def conditions(_: Path) -> None:
    soft, default, exact = (solved(config(problem=Held()), conditions=mode) for mode in ("soft", "default", "exact"))
    assert {"initial", "dirichlet"} <= set(soft.history)
    assert not {"initial", "dirichlet"} & set(default.history)
    assert same(default, exact)  # here all conditions can be exact
    assert not same(default, soft)
    assert "initial" in solved(config(problem=Flux())).history  # nobody asks for it to be exact
    edge = [[0.0, 0.5], [1.0, 0.2]]
    assert np.abs(default(edge)).max() < 1e-15 < np.abs(soft(edge)).max()
    assert "neumann" in solved(config(problem=Flux())).history
    with pytest.raises(InputError, match="exact is impossible: neumann"):
        solved(config(problem=Flux()), conditions="exact")
    assert sorted(all_values("conditions")) == ["default", "exact", "soft"]


@case("weights")
def weights(_: Path) -> None:
    one, two = differ(config(conditions="soft"), "weights", {"initial": 1.0}, {"initial": 50.0})
    assert two.history["initial"][0] == one.history["initial"][0]
    assert two.history["initial_weighted"][0] == pytest.approx(50 * one.history["initial_weighted"][0])
    differ(config({"optimiser": "sgd", "steps": 2}), "weights", {"residual": 1.0}, {"residual": 2.0})


@case("balance")
def balance(_: Path) -> None:
    on, off = differ(config(problem=Held(), conditions="soft"), "balance", True, False)
    for name in ("initial", "dirichlet"):
        assert off.history[f"{name}_weighted"][0] == off.history[name][0] == on.history[name][0]
        assert on.history[f"{name}_weighted"][0] != on.history[name][0]
    ones = {"initial": 1.0, "dirichlet": 1.0}
    assert same(off, solved(config(problem=Held(), conditions="soft"), weights=ones))  # these leave nothing to balance
    exact = config(problem=Held(), conditions="exact")
    assert same(solved(exact, balance=True), solved(exact, balance=False))  # neither do exact conditions
