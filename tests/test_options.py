"""Every key of the config changes what it should: a key of the schema without a case here fails."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from options.cases import CASES, KEYS, Case, Config, all_values, case, config, first, same, solved

import pinnreg
from pinnreg import InputError, registry
from pinnreg.run import Solution


def test_the_walk_finds_keys_at_every_depth() -> None:
    assert {"seed", "network.hidden", "network.features.fourier.count", "regularisers.ktv.order"} <= set(KEYS)
    assert {"train.adam.steps", "train.sgd.momentum", "train.lbfgs.history", "points.resample"} <= set(KEYS)
    assert all_values("network.activation") == ["tanh", "sin", "gelu", "softplus", "swish"]


def test_every_key_of_the_config_has_a_case() -> None:
    assert sorted(CASES) == sorted(KEYS)


@pytest.mark.parametrize("kind", ["ktv", "jacobian", "gpinn", "noise_stability", "weight_noise"])
def test_a_run_repeats_so_that_a_difference_is_the_keys(kind: str) -> None:
    base = config(regularisers=[{"kind": kind}], points={"interior": 16, "boundary": 8, "resample_every": 2})
    assert same(solved(base), solved(base))


LONG = (
    *("advection", "allen_cahn", "cavity", "ginzburg_landau", "heat_family", "heat_multiscale", "inverse_diffusivity"),
    *("cavity_parabolic", "gray_scott", "heat_pulsed", "inverse_heat", "inverse_source", "kdv", "poisson_boltzmann"),
    *("poisson_holes", "schroedinger", "taylor_green", "wave_2d", "wave_driven", "robertson", "schnakenberg", "fibre"),
    *("kuramoto_sivashinsky", "stacked_plates", "kovasznay", "bloch", "cahn_hilliard", "plate_hole", "sine_gordon"),
    *("composite_rod", "stefan", "burgers", "heat_nd", "blasius", "black_scholes", "elasticity", "poisson_nd", "bratu"),
    *("klein_gordon", "heat_ball", "heat_annulus", "integro_differential", "reaction", "helmholtz", "fisher_kpp"),
    *("quantum_well", "fokker_planck", "fitzhugh_nagumo", "van_der_pol", "lorenz", "plate", "poisson_sines", "darcy"),
    *("heat_circles",),
)
"""Problems of which a run or the reference takes half a second or more, with any settings."""


def grid_of(name: str, size: int) -> dict[str, Any]:
    """A small evaluation grid, where a problem has few enough axes to have one."""
    return {"grid": size} if len(pinnreg.problem(name).domain.axes) <= 4 else {}


@case("problem")
def problem(_: Path) -> None:
    names = sorted(registry.find().keys() - LONG)
    begun = [first(config(problem={"name": name}, evaluate=grid_of(name, 5), regularisers=[])) for name in names]
    losses = [sum(float(loss.detach()) for loss in each.losses(each.parameters).values()) for each in begun]
    assert len(names) >= 3
    assert len(set(losses)) == len(names)


def parameters_of_problems() -> list[Any]:
    problems = {name: pinnreg.problem(name) for name in sorted(registry.find())}
    return [
        pytest.param(name, field.name, marks=pytest.mark.slow if name in LONG else ())
        for name, each in problems.items()
        for field in dataclasses.fields(each)  # type: ignore[arg-type]
        if field.name not in each.defaults.get("unknown", {})  # which training finds
    ]


LARGE = 1e3


def other_value(name: str, parameter: str) -> Any:
    """A valid value of a problem's parameter other than its default."""
    problem = pinnreg.problem(name)
    default = getattr(problem, parameter)
    choices = [choice for choice in get_args(get_type_hints(type(problem))[parameter]) if choice != default]
    # to a large number one more or less is nothing
    near = () if choices else (2 * default,) if abs(default) > LARGE else (default + 1, default - 1, 1.2 * default)
    for value in choices or near:
        try:
            pinnreg.problem(name, **{parameter: value})
        except InputError:
            continue
        return value
    raise AssertionError(f"no other value for {name}.{parameter}")


EASY: dict[tuple[str, str], dict[str, float]] = {
    ("burgers", "shift"): {"nu": 0.05},
    **{("heat_multiscale", each): {"mode": 13} for each in ("along", "across")},
}
"""Other parameters, with which the reference needs a coarser grid, or does not vanish on the one here."""

ADDED_TO_ALL = {("heat", "base")}
"""Parameters that move solution and exact conditions alike, which the loss of a linear equation cannot tell."""

MANUFACTURED = {
    *(("helmholtz", "k"), ("integro_differential", "feed"), ("heat_ball", "dimension")),
    *(("anisotropic_diffusion", each) for each in ("ratio", "angle")),
}
"""Parameters that the source follows, so that the solution is always the same."""


@cache
def begun(name: str, mode: str, /, **parameters: float) -> tuple[Config, Solution]:
    """A run of one step, the same for all parameters that have no easier one, and its config."""
    # no zeros of short waves
    sections = {"problem": {"name": name, **parameters}, "conditions": mode, "evaluate": grid_of(name, 6)}
    sections["regularisers"] = []  # of which the weight of some is found by Gauss-Newton only
    base = config({"optimiser": "adam", "steps": 1}, **sections)
    return base, solved(base)


@pytest.mark.parametrize(("name", "parameter"), parameters_of_problems())
def test_every_parameter_of_every_problem_changes_problem_and_reference(name: str, parameter: str) -> None:
    mode = "soft" if (name, parameter) in ADDED_TO_ALL else "default"
    base, one = begun(name, mode, **EASY.get((name, parameter), {}))
    two = solved(base, **{f"problem__{parameter}": other_value(name, parameter)})
    assert one.history["loss"][0] != two.history["loss"][0]
    assert one.report is not None
    assert two.report is not None
    before, after = one.report.fields, two.report.fields
    changed = any(
        values.shape != after[key].shape or not np.allclose(values, after[key], rtol=1e-7, equal_nan=True)
        for key, values in before.items()
        if key.endswith("_reference")
    )
    assert changed != ((name, parameter) in MANUFACTURED)


LONG_KEYS = (
    *("unknown", "network.features.corner", "problem", "regularisers.gpinn.axes", "regularisers.gpinn.samples"),
    *("train.lbfgs.redraw_every", "train.ssbroyden.redraw_every", "regularisers.jacobian.centre"),
    *("regularisers.jacobian.axes", "train.sgd.final_learning_rate", "train.gauss_newton.windows"),
    *("train.gauss_newton.sketch", "points.resample_every"),
)
"""Cases that take half a second and more, and have others like them."""
FIRST_KEYS = {function: key for key, function in reversed(CASES.items())}  # one case may be that of several keys


def keys_of_cases() -> list[Any]:
    """All cases; of those that one function makes for several sections, all but the first are slow."""
    marks = {"evaluate.estimate": pytest.mark.estimates, **dict.fromkeys(LONG_KEYS, pytest.mark.slow)}
    families: dict[str, list[Case]] = {}
    for function in FIRST_KEYS:
        families.setdefault(function.__qualname__, []).append(function)
    slow = [each for alike in families.values() for each in alike[1:]]
    return [
        pytest.param(function, id=key, marks=pytest.mark.slow if function in slow else marks.get(key, ()))
        for function, key in FIRST_KEYS.items()
    ]


@pytest.mark.parametrize("function", keys_of_cases())
def test_the_key_changes_what_it_should(function: Case, tmp_path: Path) -> None:
    function(tmp_path)
