"""What is refused before a problem's file is run, and what is left to its defaults."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pinnreg import InputError
from pinnreg.config import check, resolve

PROBLEM = """
from dataclasses import dataclass

from pinnreg import Box, Problem, dirichlet


@dataclass(frozen=True)
class Rod(Problem):
    '''k u'' = 0.'''

    k: float = 1.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = DEFAULTS

    def residual(self, u):
        return self.k * u.xx
"""

DEFAULTS: dict[str, Any] = {
    "network": {"kind": "quadratic", "hidden": [5, 5, 5, 5], "width": 3},
    "points": {"resample_every": 10},
    "measurements": [{"samples": 5}],
    "regularisers": [{"kind": "ktv", "weight": 1e-6}],
    "train": [{"optimiser": "adam", "schedule": "cosine"}, {"optimiser": "lbfgs"}],
    "unknown": {"k": {"positive": True}},
}


def write(folder: Path, defaults: dict[str, Any], *, broken: bool = False) -> Path:
    text = PROBLEM.replace("DEFAULTS", repr(defaults))
    (folder / "rod.py").write_text(f"raise RuntimeError('was run')\n{text}" if broken else text)
    return folder


WRONG: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"pionts": {"interior": 5}}, {}),
    ({"pionts": 1, "seeed": 2}, {}),
    ({"points": {"interor": 5}}, {}),
    ({"points": {"interior": -5, "sampler": "sobl"}}, {}),
    ({"points": {"interior": True}}, {}),
    ({"points": 5}, {}),
    ({"network": {"hiden": [3]}}, {}),
    ({"network": {"kind": "mpl"}}, {}),
    ({"network": {"kind": "quadratic", "activation": "sin"}}, {}),
    ({"network": {"kind": "quadratic", "hidden": [3], "width": 0}}, {}),
    ({"network": {"hidden": []}}, {}),
    ({"network": {"hidden": [5, "many"]}}, {}),
    ({"regularisers": [{"kind": "ktw", "weight": 1e-3}]}, {}),
    ({"regularisers": [{"kind": "ktv", "ordr": 2}]}, {}),
    ({"regularisers": [{"weight": 1e-3}]}, {}),
    ({"regularisers": {"kind": "ktv"}}, {}),
    ({"train": [{"optimiser": "adm"}]}, {}),
    ({"train": [{"optimiser": "adam", "stepss": 3}]}, {}),
    ({"train": [{"optimiser": "adam", "schedule": "constant", "final_learning_rate": 1e-3}]}, {}),
    ({"train": []}, {}),
    ({"measurements": [{"samples": 5, "file": "data.csv"}]}, {}),
    ({"unknown": {"k": {"strat": 1.0}}}, {}),
    ({"weights": {"residual": -1.0}}, {}),
    ({"evaluate": {"grid": 1}}, {}),
    ({"seed": -1, "device": "tpu", "dtype": "float16", "compile": 1}, {}),
    ({}, {"seeed": 1}),
    ({}, {"points.interor": 5}),
    ({}, {"points.interior": "many"}),
    ({}, {"network.hiden": [3]}),
    ({}, {"network.kind": "mpl"}),
    ({}, {"network.kind": "mlp", "network.width": 3}),
    ({}, {"train.0.optimiser": "adm"}),
    ({}, {"train.0.stepss": 5}),
    ({"train": [{"optimiser": "sgd"}]}, {"train.0.history": 5}),
    ({"regularisers": [{"kind": "ktv", "weight": 1}]}, {"regularisers.0.kind": "kvt"}),
    ({"points": {"interior": 5}}, {"points.interior": 0, "seed": 0.5}),
]


@pytest.mark.parametrize(("data", "changes"), WRONG, ids=str)
def test_what_is_wrong_with_any_problem_is_refused_without_running_one(
    data: dict[str, Any], changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folders = {"problem": "rod", **data}, [write(tmp_path, {}, broken=True)]
    with pytest.raises(InputError) as early:
        check(given, changes, folders)
    with pytest.raises(InputError) as resolved:
        resolve(given, changes, folders)
    assert str(early.value) == str(resolved.value)
    # the message is that of the whole config
    monkeypatch.setattr(import_module("pinnreg.config.resolve"), "check_sections", lambda *_: None)
    with pytest.raises(InputError) as late:
        resolve(given, changes, [write(tmp_path, {})])
    assert str(early.value) == str(late.value)


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        ({}, {}),
        ({"network": {"width": 2}}, {}),
        ({"network": {"kind": "quadratic", "width": 2}}, {}),
        ({"network": {"kind": "mlp", "activation": "sin"}}, {}),
        ({}, {"network.width": 2}),
        ({}, {"network.hidden.3": 2}),
        ({"network": {"kind": "quadratic"}}, {"network.hidden.3": 2}),
        ({"points": {"resample": "residual"}}, {}),
        ({}, {"points.resample": "residual"}),
        ({}, {"measurements.0.noise": 0.1}),
        ({}, {"regularisers.0.order": 3}),
        ({}, {"train.0.final_learning_rate": 1e-4}),
        ({}, {"train.1.history": 5}),
        ({}, {"unknown.k.start": 2.0}),
        ({"train": [{"optimiser": "sgd"}]}, {"train.0.momentum": 0.5}),
    ],
    ids=str,
)
def test_what_the_defaults_of_a_problem_put_right_is_not_refused(
    data: dict[str, Any], changes: dict[str, Any], tmp_path: Path
) -> None:
    given, folders = {"problem": "rod", **data}, [write(tmp_path, DEFAULTS)]
    check(given, changes, folders)
    resolve(given, changes, folders)


@pytest.mark.parametrize(
    ("data", "changes", "message"),
    [
        ({}, {"train.5.steps": 3}, "expected the number of a list element, 0 to 1, got '5'"),
        ({}, {"seed.a": 3}, "seed.a: seed is 0 and has no keys"),
        ({}, {"network.activation": "sin"}, "unknown key in network: 'activation'"),
        ({}, {"train.1.learning_rate": 1.0}, "unknown key in train.1: 'learning_rate'"),
        ({"points": {"resample": "fresh", "importance": True}}, {}, "with resample: fresh it has no effect"),
        ({"unknown": {"k": {"start": -1.0}}}, {}, "start must be positive"),
    ],
    ids=str,
)
def test_what_depends_on_the_defaults_is_refused_with_them(
    data: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given, folders = {"problem": "rod", **data}, [write(tmp_path, DEFAULTS)]
    check(given, changes, folders)
    with pytest.raises(InputError, match=message):
        resolve(given, changes, folders)


@pytest.mark.parametrize("given", [{}, {"problem": None}, {"problem": {"k": 1.0}}, {"problem": 3}], ids=str)
def test_a_problem_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"config: problem: expected a name and parameters, as in \{name: burgers\}"):
        check(given)


def test_an_unknown_problem_is_refused_before_it_is_looked_into(tmp_path: Path) -> None:
    folders = [write(tmp_path, {}, broken=True)]
    for given, changes in (("rods", {}), ({"problem": "rods"}, {}), ({"problem": "rod"}, {"problem.name": "rods"})):
        with pytest.raises(InputError, match=r"unknown .*problem 'rods'; did you mean 'rod'"):
            check(given, changes, folders)


def test_the_user_s_own_data_are_not_changed(tmp_path: Path) -> None:
    given, changes = {"problem": "rod", "train": [{"optimiser": "adam"}]}, {"train.0.steps": 3, "problem.k": 2.0}
    check(given, changes, [write(tmp_path, {}, broken=True)])
    assert given == {"problem": "rod", "train": [{"optimiser": "adam"}]}
    assert changes == {"train.0.steps": 3, "problem.k": 2.0}
