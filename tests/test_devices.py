"""Short solves on an emulated device: nothing mixes devices, and how often a step waits for the device is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
import pytest
import torch
from emulated_device import DEVICE, Event, OtherDeviceError, Record, emulated_device

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, initial, measurements, neumann, periodic, robin

DRAWS = np.random.default_rng(0)
PLACES = DRAWS.uniform(size=(12, 2)) * [1.0, 0.5]
VALUES = np.sin(pi * PLACES[:, 0])

CONDITIONS = {
    "dirichlet": (dirichlet(lambda x, t: torch.cos(x) * t),),
    "dirichlet_number": (dirichlet(1.0, on="x=min"),),
    "neumann": (neumann(lambda t: torch.sin(t), on="x"),),
    "robin": (robin(lambda t: 1 + t, 0.5, lambda t: t**2, on="x=max"),),
    "periodic": (periodic("x", order=2),),
    "initial": (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0)),
    "initial_slope": (initial(lambda x: torch.sin(pi * x)), initial(lambda x: x * (1 - x), order=1), dirichlet(0.0)),
    "measurements": (measurements(PLACES, VALUES),),
    "batch": (measurements(PLACES, VALUES, batch=5),),
    "trim": (measurements(PLACES, VALUES, trim=0.25),),
}
REGULARISERS: dict[str, dict[str, Any]] = {
    "ktv_1": {"kind": "ktv", "order": 1, "samples": 10},
    "ktv_2": {"kind": "ktv", "order": 2, "samples": 10, "schedule": "cosine"},
    "ktv_3_full": {"kind": "ktv", "order": 3, "samples": 10, "mixed": "full"},
    "ktv_5": {"kind": "ktv", "order": 5, "samples": 10, "axes": "space"},
    "ktv_2_absolute": {"kind": "ktv", "order": 2, "power": 1, "samples": 10},
    "jacobian": {"kind": "jacobian"},
    "jacobian_samples": {"kind": "jacobian", "samples": 10, "centre": {"x": 0.5}},
    "jacobian_projections": {"kind": "jacobian", "samples": 10, "projections": 2},
    "jacobian_data": {"kind": "jacobian", "samples": 10, "centre": "data"},
    "gpinn": {"kind": "gpinn"},
    "gpinn_samples": {"kind": "gpinn", "samples": 10, "axes": "space"},
    "ridge": {"kind": "ridge", "schedule": "exponential"},
    "noise_stability": {"kind": "noise_stability", "unperturbed": 0.5},
    "noise_stability_one": {"kind": "noise_stability", "sides": "one"},
    "weight_noise": {"kind": "weight_noise"},
    "weight_noise_all": {"kind": "weight_noise", "scheme": "all", "schedule": "linear"},
}
FIRST_ORDER = {"ktv_2_absolute", "noise_stability_one", "weight_noise", "weight_noise_all"}
"""Those that Gauss-Newton refuses."""
OPTIMISERS: dict[str, dict[str, Any]] = {
    "gauss_newton": {"optimiser": "gauss_newton"},
    "gauss_newton_sketch": {"optimiser": "gauss_newton", "sketch": 12},
    "gauss_newton_plain": {"optimiser": "gauss_newton", "acceleration": False, "corrections": 0},
    "gauss_newton_mixed": {"optimiser": "gauss_newton", "mixed_precision": True},
    "ssbroyden": {"optimiser": "ssbroyden"},
    "lbfgs": {"optimiser": "lbfgs"},
    "adam": {"optimiser": "adam", "schedule": "cosine"},
    "sgd": {"optimiser": "sgd", "momentum": 0.5},
}
WAYS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "fourier": {"network": {"hidden": [5], "features": {"fourier": {"count": 3}}}},
    "chunk": {"points": {"chunk": 7}},
    "resampled": {"points": {"resample_every": 2}},
    "resampled_by_residual": {"points": {"resample": "residual", "resample_every": 2}},
    "importance": {"points": {"resample": "residual", "resample_every": 2, "importance": True}},
    "unbalanced": {"balance": False},
}


@dataclass(frozen=True)
class Wave(Problem):
    """u_tt = c u_xx + x u on a rectangle, with the conditions of a name."""

    speed: float = 2.0
    given: str = "initial"
    domain = Box(x=(0, 1), t=(0, 0.5))
    conditions = property(lambda self: CONDITIONS[self.given])

    def residual(self, u: Any, x: torch.Tensor) -> torch.Tensor:
        return u.tt - self.speed * u.xx - x * u


@dataclass(frozen=True)
class Pair(Problem):
    """u' = v and v' = -u."""

    domain = Box(t=(0, 1))
    outputs = ("u", "v")
    conditions = (initial(0.0, of="u"), initial(1.0, of="v", name="speed"))

    def residual(self, u: Any, v: Any) -> dict[str, torch.Tensor]:
        return {"first": u.t - v, "second": v.t + u}


def run(steps: int = 2, **changes: Any) -> pinnreg.Solution:
    """A short solve with the usual settings changed, wherever runs are now."""
    config: dict[str, Any] = {
        "problem": Wave(),
        "network": {"hidden": [4, 4]},
        "points": {"interior": 16, "boundary": 8} | changes.pop("points", {}),
        "evaluate": {"grid": 2},
        "train": [changes.pop("stage", OPTIMISERS["gauss_newton_plain"]) | {"steps": steps}],
    }
    return pinnreg.solve(config | changes, out=False)


def on_device(steps: int = 2, **changes: Any) -> tuple[pinnreg.Solution, Record]:
    """The same on the emulated device."""
    with emulated_device() as record:
        solution = run(steps, **changes)
    assert record.of("copy"), "the run was not on the emulated device"
    return solution, record


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimiser(name: str) -> None:
    found, _ = on_device(4, stage=OPTIMISERS[name])
    expected = run(4, stage=OPTIMISERS[name])
    # factorisations are other ones there
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-6)


@pytest.mark.parametrize("name", REGULARISERS)
def test_regulariser(name: str) -> None:
    stage = OPTIMISERS["adam" if name in FIRST_ORDER else "gauss_newton_plain"]
    problem = Pair() if name == "jacobian_projections" else Wave()
    on_device(stage=stage, problem=problem, regularisers=[REGULARISERS[name]])


def test_orthogonality() -> None:
    on_device(network={"kind": "quadratic", "hidden": [4, 4]}, regularisers=[{"kind": "orthogonality"}])


@pytest.mark.parametrize("stage", ["ssbroyden", "lbfgs"])
def test_absolute_values_are_smoothed(stage: str) -> None:
    on_device(stage=OPTIMISERS[stage], regularisers=[REGULARISERS["ktv_2_absolute"]])


@pytest.mark.parametrize("mode", ["default", "soft"])
@pytest.mark.parametrize("name", CONDITIONS)
def test_condition(name: str, mode: str) -> None:
    stage = OPTIMISERS["adam" if name == "batch" else "gauss_newton_plain"]
    on_device(stage=stage, problem=Wave(given=name), conditions=mode)


@pytest.mark.parametrize("name", WAYS)
def test_way_of_running(name: str) -> None:
    on_device(3, **WAYS[name])


@pytest.mark.parametrize("stage", ["gauss_newton_plain", "adam"])
def test_unknown_coefficient(stage: str) -> None:
    on_device(
        stage=OPTIMISERS[stage],
        problem=Wave(given="measurements"),
        unknown={"speed": {"start": 1.0, "positive": True}},
        points={"interior": "data"},
    )
