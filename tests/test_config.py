"""The config: precedence, merging, overrides, round trip, schema."""

from __future__ import annotations

import copy
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import pinnreg
from pinnreg import Box, InputError, Problem
from pinnreg.config import (
    Config,
    as_dict,
    differences,
    fingerprint,
    json_schema,
    parse_overrides,
    read_yaml,
    resolve,
    validate,
    write_config,
)
from pinnreg.networks import ACTIVATIONS

EXAMPLE = """
problem: {name: burgers, nu: 0.01}
network: {kind: mlp, hidden: [20, 20, 20], activation: sin, features: {}}
points: {interior: 2500, boundary: 400, sampler: sobol, resample_every: 100}
conditions: default                 # default | exact | soft
measurements: [{samples: 50, noise: 0.1}]
weights: {residual: 1.0, initial: 10.0}
balance: true
regularisers: [{kind: ktv, order: 2, power: 2, weight: 1e-6, samples: 256, axes: all, schedule: constant}]
train: [{optimiser: adam, steps: 2000, learning_rate: 1e-3, max_seconds: null}]
start: null                         # or the folder of a finished run
evaluate: {grid: [256, 100], every: 100, reference: null}
seed: 0
device: auto                        # auto | cpu | cuda
dtype: float64
compile: false
provenance: {torch: 2.13.0, threads: 1, anything: [else]}
"""

TWO_STAGES = [{"optimiser": "adam"}, {"optimiser": "lbfgs"}]

SECTIONS = set(yaml.safe_load(EXAMPLE)) - {"provenance"} | {"unknown", "figures"}

WITH_DEFAULTS = """
from dataclasses import dataclass
from pinnreg import Box, Problem, dirichlet

@dataclass(frozen=True)
class WithDefaults(Problem):
    '''-uₓₓ = k.'''

    k: float = 1.0
    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = {
        "network": {"activation": "sin", "hidden": [7, 7]},
        "points": {"interior": 70},
        "weights": {"residual": 2.0},
        "train": [{"optimiser": "sgd", "steps": 70}, {"optimiser": "lbfgs", "steps": 71}],
        "seed": 7,
    }

    def residual(self, u):
        return -u.xx - self.k
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the problem `with_defaults`."""
    (tmp_path / "with_defaults.py").write_text(WITH_DEFAULTS)
    return tmp_path


def _yaml(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_precedence(folder: Path) -> None:
    """Global defaults < the problem's < YAML < overrides, each level shown on its own key."""
    text = "{problem: with_defaults, points: {interior: 80}, seed: 8, network: {hidden: [8]}}"
    path = _yaml(folder / "run.yaml", text)
    config = pinnreg.load_config(path, {"seed": 9}, problems=folder)
    assert config.points.boundary == Config(problem={}).points.boundary
    assert config.network.activation == "sin"
    assert config.points.interior == 80
    assert config.network.hidden == (8,)
    assert config.seed == 9


def test_sections_merge_and_lists_are_replaced(folder: Path) -> None:
    given = {
        "problem": "with_defaults",
        "network": {"features": {"fourier": {"count": 3}}},
        "train": [{"optimiser": "adam", "steps": 5}],
    }
    config = pinnreg.load_config(given, {"network.features.fourier.scale": 2.0}, problems=folder)
    assert (config.network.hidden, config.network.activation) == ((7, 7), "sin")
    assert config.network.features.fourier is not None
    assert (config.network.features.fourier.count, config.network.features.fourier.scale) == (3, 2.0)
    assert [stage.optimiser for stage in config.train] == ["adam"]
    assert config.weights == {"residual": 2.0}


def test_null_takes_a_section_away() -> None:
    given = {"problem": "heat", "network": {"features": {"fourier": {"count": 3}}}}
    assert pinnreg.load_config(given, {"network.features.fourier": None}).network.features.fourier is None


@pytest.mark.parametrize("given", ["heat", {"problem": "heat", "train": TWO_STAGES}], ids=["default", "two"])
@pytest.mark.parametrize(("name", "value"), [("steps", 51), ("max_seconds", 2.5)])
def test_overrides_reach_every_stage(given: Any, name: str, value: float) -> None:
    before = as_dict(pinnreg.load_config(given))["train"]
    for number in range(len(before)):
        stages = as_dict(pinnreg.load_config(given, {f"train.{number}.{name}": value}))["train"]
        assert stages[number] == before[number] | {name: value} != before[number]
        assert [*stages[:number], *stages[number + 1 :]] == [*before[:number], *before[number + 1 :]]


def test_overrides_reach_the_stages_of_the_problems_defaults(folder: Path) -> None:
    config = pinnreg.load_config("with_defaults", {"train.1.steps": 5}, problems=folder)
    assert [stage.steps for stage in config.train] == [70, 5]


def test_an_override_replaces_a_whole_list_or_element() -> None:
    given = {"problem": "heat", "regularisers": [{"kind": "ktv"}], "train": TWO_STAGES}
    stage = {"optimiser": "sgd", "steps": 3, "momentum": 0.5}
    config = pinnreg.load_config(given, {"train.1": stage, "regularisers": [], "network.hidden": [4]})
    assert [each.optimiser for each in config.train] == ["adam", "sgd"]
    assert as_dict(config)["train"][1]["momentum"] == 0.5
    assert config.regularisers == ()
    assert config.network.hidden == (4,)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("train.5.steps", "0 to 1"),
        ("train.last.steps", "number of a list element"),
        ("train.-1.steps", "number of a list element"),
        ("seed.x", "has no keys"),
        ("regularisers.0.weight", "regularisers"),
        ("trian.0.steps", "did you mean 'train'"),
        ("train.0.stepz", "did you mean 'steps'"),
    ],
)
def test_wrong_override_keys(key: str, message: str) -> None:
    with pytest.raises(pinnreg.InputError, match=message):
        pinnreg.load_config({"problem": "heat", "seed": 3, "train": TWO_STAGES}, {key: 1})


def test_problem_parameters_are_set_by_overrides() -> None:
    resolved = resolve("heat", {"problem.mode": 3, "problem.alpha": 0.1})
    defaults = resolve("heat").config.problem
    assert resolved.config.problem == defaults | {"alpha": 0.1, "mode": 3}
    assert defaults.items() >= {"name": "heat", "alpha": 0.4, "mode": 1, "overtone": 0.0}.items()
    assert resolved.problem.mode == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["heat", {"name": "heat", "alpha": 0.1}])
def test_the_whole_problem_is_set_by_an_override(value: Any) -> None:
    assert pinnreg.load_config("poisson", {"problem": value}).problem["name"] == "heat"


def test_numbers_in_exponent_notation_are_numbers(tmp_path: Path) -> None:
    path = _yaml(
        tmp_path / "run.yaml",
        "problem: {name: heat, alpha: 4e-1}\ntrain: [{optimiser: adam, learning_rate: 1e-3}]\n"
        "weights: {residual: 1E2}\nregularisers: [{kind: ktv, weight: 1e-6}]",
    )
    config = pinnreg.load_config(path)
    assert config.problem["alpha"] == 0.4
    assert config.weights == {"residual": 100.0}
    assert config.regularisers[0].weight == 1e-6
    assert as_dict(config)["train"][0]["learning_rate"] == 1e-3
    assert parse_overrides(["a.b=1e-3", "c=[1e2, x]", "d={e: 2e0}", "f="]) == {
        "a.b": 1e-3,
        "c": [100.0, "x"],
        "d": {"e": 2.0},
        "f": None,
    }


def test_a_problem_may_be_a_name_or_an_object(tmp_path: Path) -> None:
    by_name = pinnreg.load_config(_yaml(tmp_path / "run.yaml", "problem: burgers"))
    by_object = pinnreg.load_config({"problem": pinnreg.problem("burgers")})
    assert by_name == by_object == pinnreg.load_config("burgers")
    changed = pinnreg.load_config({"problem": pinnreg.problem("burgers", nu=0.5)})
    assert changed.problem == {"name": "burgers", "nu": 0.5, "shift": 0.0}


def test_overrides_of_a_problem_object() -> None:
    given = {"problem": pinnreg.problem("heat", mode=2)}
    changed = pinnreg.load_config(given, {"problem.alpha": 0.5}).problem
    assert changed == resolve("heat").config.problem | {"alpha": 0.5, "mode": 2}
    with pytest.raises(pinnreg.InputError, match="did you mean 'alpha'"):
        pinnreg.load_config(given, {"problem.alpa": 0.5})


def test_provenance_is_ignored(tmp_path: Path) -> None:
    path = _yaml(tmp_path / "run.yaml", "problem: heat\nprovenance: {torch: '1.0', whatever: 3}")
    assert pinnreg.load_config(path) == pinnreg.load_config("heat")
    assert pinnreg.load_config({"problem": "heat", "provenance": {"a": 1}}) == pinnreg.load_config("heat")


def test_the_contracts_example_loads_as_written(tmp_path: Path) -> None:
    config = pinnreg.load_config(_yaml(tmp_path / "run.yaml", EXAMPLE))
    given = read_yaml(tmp_path / "run.yaml")
    full = as_dict(config)
    assert set(full) == SECTIONS
    for section in given.keys() - {"train", "regularisers", "network", "provenance", "measurements"}:
        value, found = given[section], full[section]
        assert (found | value == found) if isinstance(value, dict) else value == found
    assert full["network"] | given["network"] | {"features": 0} == full["network"] | {"features": 0}
    for section in ("train", "regularisers", "measurements"):
        (value,), (found,) = given[section], full[section]
        assert found | value == found


FULL = {
    "problem": {"name": "heat", "mode": 2},
    "network": {"hidden": [5, 6], "activation": "gelu", "features": {"fourier": {"count": 2, "scale": 3.0}}},
    "points": {"interior": 11, "boundary": 12, "sampler": "uniform", "resample_every": 13, "resample": "residual"},
    "conditions": "soft",
    "measurements": [{"samples": 20, "outliers": 0.1, "seed": 4}, {"file": "/data.csv", "name": "probe", "trim": 0.1}],
    "weights": {"initial": 3.0},
    "regularisers": [{"kind": "ktv", "order": 3, "power": 1, "axes": ["x"], "smoothing": 1e-4, "schedule": "linear"}],
    "train": [
        {"optimiser": "adam", "steps": 5, "schedule": "cosine", "final_learning_rate": 1e-9},
        {"optimiser": "sgd", "steps": 6, "momentum": 0.9},
        {"optimiser": "lbfgs", "steps": 7, "history": 8, "redraw_every": 9, "max_seconds": 10.0},
    ],
    "evaluate": {"grid": 20, "every": 3},
    "seed": 4,
    "device": "cpu",
    "dtype": "float32",
}


@pytest.mark.parametrize("given", ["heat", "burgers", "poisson3d", FULL], ids=["heat", "burgers", "poisson3d", "full"])
def test_the_resolved_config_loads_to_itself(tmp_path: Path, given: Any) -> None:
    config = pinnreg.load_config(given)
    path = tmp_path / "config.yaml"
    write_config(path, config, {"torch": "1"})
    again = pinnreg.load_config(path)
    assert again == config
    assert fingerprint(again) == fingerprint(config)
    assert [file.name for file in tmp_path.iterdir()] == ["config.yaml"]


def test_the_resolved_config_with_problem_defaults_loads_to_itself(tmp_path: Path, folder: Path) -> None:
    config = pinnreg.load_config("with_defaults", {"train": [{"optimiser": "adam"}]}, problems=folder)
    write_config(tmp_path / "config.yaml", config, {})
    assert pinnreg.load_config(tmp_path / "config.yaml", problems=folder) == config


def test_dicts_of_the_user_and_of_the_problem_are_not_changed(folder: Path) -> None:
    given = copy.deepcopy(FULL)
    overrides = {"train.0.steps": 99, "network.hidden": [9], "points.interior": 9, "problem.mode": 5}
    kept = dict(overrides)
    pinnreg.load_config(given, overrides)
    assert given == FULL
    assert overrides == kept
    before = pinnreg.load_config("with_defaults", problems=folder)
    resolved = resolve("with_defaults", {"train.0.steps": 99, "network.hidden": [9]}, [folder])
    kept_defaults = copy.deepcopy(dict(resolved.problem.defaults))
    resolve({"problem": resolved.problem}, {"train.0.steps": 98, "weights.residual": 9.0})
    assert dict(resolved.problem.defaults) == kept_defaults
    assert pinnreg.load_config("with_defaults", problems=folder) == before


def test_fingerprint_and_differences() -> None:
    """Steps, seconds, evaluation and device may change in a run that goes on; nothing else."""
    given = {"problem": "heat", "train": TWO_STAGES}
    one = pinnreg.load_config(given)
    same = {
        "train.0.steps": 1,
        "train.1.max_seconds": 3,
        "evaluate.grid": 9,
        "evaluate.every": 7,
        "evaluate.reference": "a.npz",
        "device": "cpu",
    }
    other = pinnreg.load_config(given, same)
    assert other != one
    assert fingerprint(one) == fingerprint(other)
    assert differences(one, other) == []
    changes = {
        "seed": 3,
        "train.0.learning_rate": 0.5,
        "points.interior": 7,
        "problem.alpha": 0.1,
        "balance": False,
        "network.spread": None,
    }
    for key, value in changes.items():
        other = pinnreg.load_config(given, {key: value})
        assert fingerprint(one) != fingerprint(other)
        assert differences(one, other) == [key]
    assert differences(one, pinnreg.load_config(given, changes)) == sorted(changes)


def test_a_stage_more_is_another_run() -> None:
    one = pinnreg.load_config("heat")
    other = pinnreg.load_config({"problem": "heat", "train": [*as_dict(one)["train"], {"optimiser": "lbfgs"}]})
    assert fingerprint(one) != fingerprint(other)
    assert all(key.startswith(f"train.{len(one.train)}") for key in differences(one, other))


def test_schema_names_every_key() -> None:
    schema = json_schema()
    json.dumps(schema)
    assert set(schema["properties"]) >= SECTIONS
    assert schema["required"] == ["problem"]
    assert schema["additionalProperties"] is False
    names = {name for part in schema["$defs"].values() for name in part.get("properties", {})}
    settings = as_dict(pinnreg.load_config(FULL))
    for section in ("network", "points", "evaluate"):
        assert set(settings[section]) <= names
    for stage in [*settings["train"], *settings["regularisers"]]:
        assert set(stage) <= names
    text = json.dumps(schema)
    assert all(f'"{name}"' in text for name in (*ACTIVATIONS, "adam", "sgd", "lbfgs", "ktv", "sobol", "residual"))


def test_the_schema_accepts_what_a_run_writes() -> None:
    """An editor that checks `config.yaml` of a run against the schema finds nothing wrong with `provenance`."""
    assert "provenance" in json_schema()["properties"]


def test_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        pinnreg.load_config("heat").seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        ({"sed": 1}, ["unknown key", "'sed'", "did you mean 'seed'"]),
        ({"network": {"hiden": [3]}}, ["network", "'hiden'", "did you mean 'hidden'"]),
        ({"network": {"features": {"forier": {}}}}, ["network.features", "did you mean 'fourier'"]),
        ({"network": {"features": {"fourier": {"cout": 1}}}}, ["network.features.fourier", "did you mean 'count'"]),
        ({"train": [{"optimiser": "adam", "learning_rat": 1}]}, ["train.0", "did you mean 'learning_rate'"]),
        ({"train": [{"optimiser": "lbfgs", "learning_rate": 1}]}, ["train.0", "unknown key", "history"]),
        ({"train": [{"optimiser": "adm"}]}, ["train.0", "did you mean 'adam'"]),
        ({"train": [{"steps": 3}]}, ["train.0", "optimiser", "adam", "lbfgs"]),
        ({"train": []}, ["train", "at least 1"]),
        ({"train": {"optimiser": "adam"}}, ["train", "expected a list"]),
        ({"train": 3}, ["train", "3"]),
        ({"train": [3]}, ["train.0"]),
        ({"regularisers": [{"kind": "ktw"}]}, ["regularisers.0", "did you mean 'ktv'"]),
        ({"regularisers": [{"kind": "ktv", "order": 0}]}, ["regularisers.0.order", "greater than 0"]),
        ({"regularisers": [{"kind": "ktv", "order": 6}]}, ["regularisers.0.order", "5"]),
        ({"regularisers": [{"kind": "ktv", "order": 1.5}]}, ["regularisers.0.order", "1.5"]),
        ({"regularisers": [{"kind": "ktv", "power": 3}]}, ["regularisers.0.power", "3"]),
        ({"regularisers": [{"kind": "ktv", "weight": -1}]}, ["regularisers.0.weight", "-1"]),
        ({"regularisers": [{"kind": "ktv", "samples": 0}]}, ["regularisers.0.samples"]),
        ({"regularisers": [{"kind": "ktv", "smoothing": 1e-3}]}, ["regularisers.0", "power 1"]),
        ({"weights": {"residual": -1.0}}, ["weights.residual", "-1"]),
        ({"weights": {"residual": "much"}}, ["weights.residual", "'much'"]),
        ({"weights": {"residual": float("nan")}}, ["weights.residual", "finite"]),
        ({"weights": [1.0]}, ["weights", "section"]),
        ({"network": {"activation": "tan"}}, ["network.activation", "did you mean 'tanh'"]),
        ({"network": {"kind": "mpl"}}, ["network: unknown kind", "did you mean 'mlp'"]),
        ({"network": {"hidden": 20}}, ["network.hidden", "expected a list", "20"]),
        ({"network": {"hidden": []}}, ["network.hidden"]),
        ({"network": {"hidden": [20, 0]}}, ["network.hidden.1", "0"]),
        ({"network": {"hidden": [20, 2.5]}}, ["network.hidden.1", "2.5"]),
        ({"network": 3}, ["network", "section"]),
        ({"network": None}, ["network", "section"]),
        ({"points": {"interior": "many"}}, ["points.interior", "'many'"]),
        ({"points": {"interior": True}}, ["points.interior", "true"]),
        ({"points": {"sampler": "sobel"}}, ["points.sampler", "did you mean 'sobol'"]),
        ({"points": {"resample": "residual", "resample_every": None}}, ["points", "resample_every"]),
        ({"points": {"sampler": "grid", "resample": "fresh"}}, ["points", "grid"]),
        ({"conditions": "hard"}, ["conditions", "'hard'", "soft"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"seed": "x"}, ["seed", "'x'"]),
        ({"device": "gpu"}, ["device", "'gpu'", "cuda"]),
        ({"dtype": "float16"}, ["dtype", "float32"]),
        ({"dtype": 64}, ["dtype", "64"]),
        ({"compile": 1}, ["compile", "boolean"]),
        ({"balance": 1}, ["balance", "boolean"]),
        ({"network": {"spread": 0}}, ["network.spread", "0"]),
        ({"compile": True, "points": {"chunk": 5}}, [": compile: true would join the chunks again", "points.chunk"]),
        ({"evaluate": {"grid": 1}}, ["evaluate.grid", "2"]),
        ({"evaluate": {"every": 0}}, ["evaluate.every", "0"]),
        ({"evaluate": {"grid": [3, 3, 3]}}, ["evaluate.grid", "x, t"]),
        ({"train": [{"optimiser": "adam", "final_learning_rate": 1e-4}]}, ["train.0", "no effect"]),
        ({"train": [{"optimiser": "sgd", "momentum": 1.0}]}, ["train.0.momentum"]),
        ({"train": [{"optimiser": "adam", "steps": 1e3}]}, None),
        ({"sed": 1, "device": "gpu"}, ["did you mean 'seed'", "device"]),
    ],
)
def test_messages_name_key_expectation_and_neighbour(data: dict[str, Any], messages: list[str] | None) -> None:
    if messages is None:  # a whole number in exponent notation is one
        assert pinnreg.load_config({"problem": "heat", **data}).train[0].steps == 1000
        return
    with pytest.raises(pinnreg.InputError) as caught:
        pinnreg.load_config({"problem": "heat", **data})
    text = str(caught.value)
    assert all(message in text for message in messages), text
    # pydantic's own words for its types are of no use to the author of a YAML file
    assert "dataclass" not in text
    assert "pydantic" not in text
    assert "discriminator" not in text


def test_broken_defaults_of_a_problem_say_so(tmp_path: Path) -> None:
    (tmp_path / "with_defaults.py").write_text(WITH_DEFAULTS.replace('"seed": 7', '"sed": 7'))
    with pytest.raises(pinnreg.InputError, match=r"defaults of problem 'with_defaults'.*did you mean 'seed'"):
        pinnreg.load_config("with_defaults", problems=tmp_path)
    (tmp_path / "with_defaults.py").write_text(WITH_DEFAULTS.replace('"seed": 7', '"problem": {"k": 7}'))
    with pytest.raises(pinnreg.InputError, match="cannot change the problem"):
        pinnreg.load_config("with_defaults", problems=tmp_path)


def test_validate_says_where() -> None:
    with pytest.raises(pinnreg.InputError, match=r"^here\.yaml: .*\nhere\.yaml: "):
        validate({"problem": {}, "sed": 1, "device": "gpu"}, "here.yaml")


def test_overrides_reach_the_elements_of_every_default_list() -> None:
    assert resolve("heat", {"network.hidden.0": 7}).config.network.hidden == (7, 29)
    assert resolve("burgers", {"network.hidden.2": 7}).config.network.hidden == (20, 20, 7)
    with pytest.raises(InputError, match=r"regularisers\.0\.weight: the list is empty"):
        resolve("heat", {"regularisers.0.weight": 1})


def test_a_name_is_suggested_once() -> None:
    with pytest.raises(InputError) as caught:
        resolve("poison")
    assert str(caught.value).count("'poisson'") == 1


def test_a_parameter_that_no_config_can_hold_is_refused() -> None:
    @dataclass(frozen=True)
    class Held(Problem):
        source: Any = sorted
        domain = Box(x=(0, 1))

        def residual(self, u: Any) -> Any:
            return u.xx

    with pytest.raises(InputError, match="problem Held: source: a parameter must be a number"):
        resolve({"problem": Held()})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train", [], "train: expected a list with at least 1 element"),
        ("train.0", "adam", "train.0: expected a section of keys and values, got 'adam'"),
        ("seed", 2**63, "seed: "),
        ("points.interior", -3, r"^heat: points.interior: input should be greater than 0 or 'auto' or 'data', got -3$"),
        ("points.interior", [1], r"^heat: points.interior: .* valid integer or 'auto' or 'data', got \[1\]$"),
    ],
)
def test_wrong_values_are_named_in_plain_words(key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve("heat", {key: value})
