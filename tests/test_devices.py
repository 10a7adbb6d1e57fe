"""Short solves on an emulated device: nothing mixes devices, and how often a step waits for the device is known."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import pi
from typing import Any

import numpy as np
import pytest
import torch
from emulated_device import DEVICE, OtherDeviceError, Record, emulated_device, of_kind
from quick import only

import pinnreg
from pinnreg import Box, InputError, Problem, dirichlet, measurements, neumann, periodic, robin
from pinnreg.training import Hooks

initial = partial(pinnreg.initial, exact=True)
DRAWS = np.random.default_rng(0)
PLACES = DRAWS.uniform(size=(12, 2)) * [1.0, 0.5]
VALUES = np.sin(pi * PLACES[:, 0])

CONDITIONS = {
    "dirichlet": (dirichlet(lambda x, t: torch.cos(x) * t),),
    "dirichlet_number": (dirichlet(1.0, on="x=min"),),
    "neumann": (neumann(lambda t: 1 + t, on="x"),),
    "robin": (robin(lambda t: 1 + t, 0.5, lambda t: t**2, on="x=max"),),
    "periodic": (periodic("x", order=2),),
    "initial": (initial(lambda x: torch.sin(pi * x)), dirichlet(0.0)),
    "initial_slope": (initial(lambda x: torch.sin(pi * x)), initial(lambda x: x * (1 - x), order=1), dirichlet(0.0)),
    "measurements": (measurements(PLACES, VALUES),),
    "batch": (measurements(PLACES, VALUES, batch=5),),
    "trim": (measurements(PLACES, VALUES, trim=0.25),),
}


def together(*names: str) -> tuple[Any, ...]:
    """All these conditions, by names that differ; values on parts, as on whole sides they would contradict others."""
    return tuple(
        dataclasses.replace(partly(each), name=f"{name}_{number}")
        for name in names
        for number, each in enumerate(CONDITIONS[name])
    )


def partly(condition: Any) -> Any:
    if condition.kind not in ("dirichlet", "initial"):
        return condition
    part = dataclasses.replace(condition.part, where=lambda points: points[:, 0] < 2)
    return dataclasses.replace(condition, part=part)


CONDITIONS |= {
    "many": together(*CONDITIONS),
    "rows": together(*(name for name in CONDITIONS if name != "batch")),
    "never_exact": together("neumann", "robin", "measurements", "trim"),
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
GROUPS = {
    # no two at the same points, where one would use the derivatives of the other
    "gpinn": ("gpinn", "jacobian_samples", "ktv_1", "ktv_5"),
    "jacobian": ("jacobian", "gpinn_samples", "ktv_2", "ridge"),
    "noise_stability": ("noise_stability", "jacobian_data", "ktv_3_full"),
    "jacobian_projections": ("jacobian_projections",),
    "noise_stability_one": ("noise_stability_one", "ktv_2_absolute"),
    "weight_noise": ("weight_noise",),
    "weight_noise_all": ("weight_noise_all",),
}
assert sorted(name for names in GROUPS.values() for name in names) == sorted(REGULARISERS)
FIRST_ORDER = {"ktv_2_absolute", "noise_stability_one", "weight_noise", "weight_noise_all"}
"""Those that Gauss-Newton refuses."""
PLAIN = {"optimiser": "gauss_newton", "acceleration": False, "corrections": 0, "ratio": 0.9}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "gauss_newton": {"optimiser": "gauss_newton"},
    "gauss_newton_sketch": {**PLAIN, "sketch": 12},
    "gauss_newton_plain": PLAIN,
    "gauss_newton_mixed": {**PLAIN, "mixed_precision": True},
    "ssbroyden": {"optimiser": "ssbroyden"},
    "lbfgs": {"optimiser": "lbfgs"},
    "adam": {"optimiser": "adam", "schedule": "cosine"},
    "sgd": {"optimiser": "sgd", "momentum": 0.5},
}
MOST = {
    "gauss_newton": (3, 0, 59),
    "gauss_newton_sketch": (3, 2, 18),
    "gauss_newton_plain": (3, 0, 13),
    "gauss_newton_mixed": (3, 0, 13),
    "ssbroyden": (21, 0, 81),
    "lbfgs": (21, 0, 361),
    "adam": (3, 0, 0),
    "sgd": (3, 0, 0),
}
"""How many steps, and in the second at most how many copies and waits. Quasi-Newton methods take ten at a time."""
WAYS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "fourier": {"network": {"hidden": [5], "features": {"fourier": {"count": 3}}}},
    "chunk": {"points": {"chunk": 7}},
    "refined": {"points": {"resample": "refine", "resample_every": 2}},
    "resampled": {"points": {"resample": "fresh", "resample_every": 2}},
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


@dataclass(frozen=True)
class Faulty(Problem):
    """u' = x with something in the residual that works on the CPU only, or waits."""

    fault: str
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, x: torch.Tensor) -> torch.Tensor:
        return u.x - x + FAULTS[self.fault](u.x)


FAULTS: dict[str, Callable[[torch.Tensor], Any]] = {
    "none": lambda values: 0.0,
    # refused
    "cpu": lambda values: values.cpu(),
    "zeros": lambda values: torch.zeros(len(values), dtype=values.dtype),
    "numpy": lambda values: 0 * float(values.detach().numpy().max()),
    "array": lambda values: 0 * float(np.asarray(values.detach()).max()),
    # slow
    "cpu_and_back": lambda values: values.cpu().to(values.device),
    "tensor": lambda values: torch.tensor([1.0], dtype=values.dtype, device=values.device),
    "index": lambda values: 0 * values[[0]],
    "list": lambda values: 0 * values.detach().tolist()[0],
    "float": lambda values: 0 * float(values.detach().max()),
    "branch": lambda values: 0 if (values > 1e9).any() else 1,
    "mask": lambda values: values[values > 1e9].sum(),
}
REFUSED = ("cpu", "zeros", "numpy", "array")
SLOW = {"cpu_and_back": "copy", "tensor": "copy", "index": "copy", "list": "copy"} | dict.fromkeys(
    ("float", "branch", "mask"), "wait"
)


def run(steps: int = 3, hooks: Hooks | None = None, **changes: Any) -> pinnreg.Solution:
    """A short solve with the usual settings changed, wherever runs are now."""
    config: dict[str, Any] = {
        "problem": Wave(),
        "network": {"hidden": [3], "scale": 1.0},
        "points": {"interior": 16, "boundary": 8, "resample_every": None} | changes.pop("points", {}),
        "evaluate": {"grid": 2, "estimate": "none"},
        "train": [changes.pop("stage", PLAIN) | {"steps": steps}],
    }
    return pinnreg.solve(config | changes, out=False, hooks=hooks)


def on_device(steps: int = 3, *, copies: int | None = 0, waits: int | None = None, **changes: Any) -> pinnreg.Solution:
    """The same on the emulated device; at most so many copies and waits in its second step, None for any number."""
    solution, record = recorded(steps, **changes)
    assert_few(record, copies=copies, waits=waits)
    return solution


def recorded(steps: int = 3, **changes: Any) -> tuple[pinnreg.Solution, Record]:
    """A run on the emulated device, and what happened there."""
    with emulated_device() as record:
        solution = run(steps, Hooks(interrupted=record.start_step), **changes)
    assert record.events, "the run was not on the emulated device"
    return solution, record


def assert_few(record: Record, *, copies: int | None, waits: int | None) -> None:
    for kind, most in (("copy", copies), ("wait", waits)):
        if most is not None:
            step = record.second_step()
            assert sum(event.kind == kind for event in step) <= most, of_kind(kind, step)


@pytest.mark.first(2)
@pytest.mark.parametrize("name", only(OPTIMISERS, "gauss_newton", "ssbroyden", "lbfgs", "adam"))
def test_optimiser(name: str) -> None:
    steps, copies, waits = MOST[name]
    changes = {"stage": OPTIMISERS[name]}
    found = on_device(steps, copies=copies, waits=waits, **changes)
    expected = run(steps, **changes)
    # factorisations are other ones there
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-6)


@pytest.mark.first(1)
@pytest.mark.parametrize("group", only(GROUPS, "jacobian", "weight_noise"))
def test_regularisers(group: str) -> None:
    problem = Pair() if group == "jacobian_projections" else Wave()
    stage = OPTIMISERS["adam"] if FIRST_ORDER.intersection(GROUPS[group]) else PLAIN
    on_device(stage=stage, problem=problem, regularisers=[REGULARISERS[name] for name in GROUPS[group]])


def test_adam_with_many_terms() -> None:
    kinds = ("ktv_2_absolute", "ktv_3_full", "jacobian_projections", "gpinn", "noise_stability")
    regularisers = [REGULARISERS[name] for name in kinds] + [{"kind": "ridge"}]
    on_device(stage=OPTIMISERS["adam"], problem=Pair(), regularisers=regularisers, waits=0)


@pytest.mark.parametrize("name", [pytest.param("ridge", marks=pytest.mark.slow), "ktv_2"])
def test_adam_with_a_weight_that_falls(name: str) -> None:
    # the weights of the terms
    on_device(stage=OPTIMISERS["adam"], regularisers=[REGULARISERS[name]], copies=1, waits=0)


@pytest.mark.slow
def test_orthogonality() -> None:
    on_device(network={"kind": "quadratic", "hidden": [4, 4]}, regularisers=[{"kind": "orthogonality"}])


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["ssbroyden", "lbfgs"])
def test_absolute_values_are_smoothed(stage: str) -> None:
    on_device(copies=None, stage=OPTIMISERS[stage], regularisers=[REGULARISERS["ktv_2_absolute"]])


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "name",
    only(
        ["dirichlet", "dirichlet_number", "periodic", "initial", "initial_slope", "never_exact", "batch"],
        "periodic",
        "initial_slope",
    ),
)
def test_condition(name: str) -> None:
    stage = OPTIMISERS["adam"] if name == "batch" else PLAIN
    on_device(stage=stage, problem=Wave(given=name), network={"hidden": [3]})  # whose sizes are estimated


@pytest.mark.slow
def test_soft_conditions() -> None:
    on_device(problem=Wave(given="rows"), conditions="soft")


def test_adam_with_many_conditions() -> None:
    on_device(stage=OPTIMISERS["adam"], problem=Wave(given="many"), conditions="soft", waits=0)


@pytest.mark.parametrize("name", only(WAYS, "importance"))
def test_way_of_running(name: str) -> None:
    on_device(3, **WAYS[name])  # the third is the first after a resample


def test_an_estimate() -> None:
    on_device(evaluate={"grid": 2}, network={"hidden": [2]}, points={"interior": 4, "boundary": 2}, copies=None)


@pytest.mark.parametrize("stage", ["gauss_newton_plain", pytest.param("adam", marks=pytest.mark.slow)])
def test_unknown_coefficient(stage: str) -> None:
    on_device(
        stage=OPTIMISERS[stage],
        problem=Wave(given="measurements"),
        unknown={"speed": {"start": 1.0, "positive": True}},
        points={"interior": "data"},
    )


@pytest.mark.parametrize("stage", [pytest.param("gauss_newton_plain", marks=pytest.mark.slow), "adam"])
@pytest.mark.parametrize("fault", REFUSED)
def test_a_residual_for_the_cpu_only_is_refused(fault: str, stage: str) -> None:
    run(1, problem=Faulty(fault), stage=OPTIMISERS[stage])
    with pytest.raises((InputError, OtherDeviceError)):
        on_device(problem=Faulty(fault), stage=OPTIMISERS[stage])


@pytest.mark.parametrize("fault", only(SLOW, "cpu_and_back", "index", "float", "mask"))
def test_a_residual_that_waits_is_seen(fault: str) -> None:
    _, record = recorded(problem=Faulty(fault), stage=OPTIMISERS["adam"])
    with pytest.raises(AssertionError, match=r"tests/test_devices.py:\d+ "):
        assert_few(record, copies=0, waits=0)
    # and for what it is
    copies = SLOW[fault] == "copy"
    assert_few(record, copies=99 if copies else 0, waits=None if copies else 99)


def test_a_residual_that_does_not_wait_is_seen_as_such() -> None:
    on_device(problem=Faulty("none"), stage=OPTIMISERS["adam"], waits=0)


MIXED: dict[str, Callable[[torch.Tensor], Any]] = {
    "sum": lambda there: there + torch.ones(3),
    "in place": lambda there: there.add_(torch.ones(3)),
    "out": lambda there: torch.mul(there, 2, out=torch.empty(3)),
    "product": lambda there: there @ torch.ones(3),
    "cat": lambda there: torch.cat([there, torch.ones(1)]),
    "stack of numbers": lambda there: torch.stack([there.sum(), torch.tensor(1.0)]),
    "index of the device": lambda there: torch.ones(3)[there.argsort()],
    "generator of the cpu": lambda there: torch.rand(3, device=DEVICE, generator=torch.Generator()),
    "generator of the device": lambda there: torch.rand(3, generator=torch.Generator(DEVICE)),
    "numpy": lambda there: there.numpy(),
    "array": np.asarray,
    "gradient": lambda there: torch.autograd.grad((there.requires_grad_() ** 2).sum(), there)[0] + torch.ones(3),
    "vmap": torch.func.vmap(lambda row: row * torch.ones(1)),
    "jvp": lambda there: torch.func.jvp(lambda x: x * torch.ones(3), (there,), (there,)),
}


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_devices_is_refused(name: str) -> None:
    with emulated_device() as record:
        there = torch.arange(3.0).to(DEVICE)
        with pytest.raises(OtherDeviceError):
            MIXED[name](there)
        assert len(of_kind("refused", record.events)) == 1
        record.events.clear()


ALLOWED: dict[str, tuple[Callable[[torch.Tensor], Any], int, int]] = {
    "number": (lambda x: x * 2 + 1, 0, 0),
    "number of the cpu": (lambda x: x * torch.tensor(2.0), 0, 0),
    "where": (lambda x: torch.where(x > 1, x, 0.0), 0, 0),
    "in place": (lambda x: x.clone().mul_(3).add_(x), 0, 0),
    "part in place": (lambda x: x.clone()[1:].fill_(7.0), 0, 0),
    "out": (lambda x: torch.mul(x, 2, out=torch.empty_like(x)), 0, 0),
    "index of the device": (lambda x: x[x.argsort()], 0, 0),
    "generator": (lambda x: torch.rand(3, device=x.device, generator=_seeded(x.device)), 0, 0),
    "gradient": (torch.func.grad(lambda y: (y**2).sum()), 0, 0),
    "vmap": (torch.func.vmap(lambda row: row.sin() * row), 0, 0),
    "jvp": (lambda x: torch.func.jvp(torch.sin, (x,), (x,))[1], 0, 0),
    "list as index": (lambda x: x[[2, 0]], 1, 0),
    "index of the cpu": (lambda x: x[torch.tensor([2, 0])], 1, 0),
    "new tensor": (lambda x: x.new_tensor([1.0, 2.0]), 1, 0),
    "tensor": (lambda x: torch.tensor([1.0, 2.0], device=x.device), 1, 0),
    "cpu": (lambda x: x.cpu(), 1, 0),
    "to": (lambda x: x.to("cpu"), 1, 0),
    "list": (lambda x: x.tolist(), 1, 0),
    "item": (lambda x: x[1].item(), 0, 1),
    "float": (lambda x: float(x.sum()), 0, 1),
    "bool": (lambda x: bool((x > 1).any()), 0, 1),
    "equal": (lambda x: torch.equal(x, x + 1), 0, 1),
    "nonzero": (lambda x: x.nonzero(), 0, 1),
    "mask": (lambda x: x[x > 0], 0, 1),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_has_the_same_result_and_is_counted(name: str) -> None:
    function, copies, waits = ALLOWED[name]
    expected = function(torch.arange(3.0))
    with emulated_device() as record:
        there = torch.arange(3.0).to(DEVICE)
        assert there.device == DEVICE
        record.events.clear()
        found = function(there)
        kinds = [event.kind for event in record.events]
        assert (kinds.count("copy"), kinds.count("wait")) == (copies, waits)
        if isinstance(found, torch.Tensor):
            assert found.device == (torch.device("cpu") if name in ("cpu", "to") else DEVICE)
            found = found.cpu()
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_refusal_that_is_caught_is_raised_in_the_end() -> None:
    caught = r"caught by the program:\n1 x tests/test_devices.py:\d+ add: "
    with pytest.raises(OtherDeviceError, match=caught), emulated_device(), contextlib.suppress(RuntimeError):
        torch.ones(2, device=DEVICE) + torch.ones(2)


def _seeded(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(0)
