"""What the cases of the config's keys share: small runs, the schema's keys, the register of cases."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from objectives import Placed, placed

import pinnreg
from pinnreg import Box, Problem, dirichlet, initial
from pinnreg.config import json_schema, resolve
from pinnreg.run import Solution
from pinnreg.run.prepare import Prepared, prepare

Config = dict[str, Any]
Case = Callable[[Path], None]


@dataclass(frozen=True)
class Decay(Problem):
    """A heat equation with a closed form, and one condition only, which makes the many runs cheap."""

    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: torch.sin(pi * x), exact=True),)

    def residual(self, u: Any) -> Any:
        return u.t - 0.1 * u.xx

    def reference(self) -> Any:
        return lambda x, t: np.exp(-0.1 * pi**2 * t) * np.sin(pi * x)


@dataclass(frozen=True)
class Held(Decay):
    """With its ends held too."""

    conditions = (*Decay.conditions, dirichlet(0.0, on="x"))


@dataclass(frozen=True)
class Slope(Problem):
    """Exact data that are no constant, so that their interpolation has a slope."""

    alpha: float = 0.3
    domain = Box(x=(0, 1), t=(0, 1))
    conditions = (initial(lambda x: x, exact=True),)

    def residual(self, u: Any) -> Any:
        return u.t - self.alpha * u.xx - 1


def config(*stages: Config, **sections: Any) -> Config:
    return {
        "problem": Decay(),
        "network": {"hidden": [4], "scale": 1.0},
        "points": {"interior": 16, "boundary": 8},
        "train": list(stages) or [{"optimiser": "adam", "steps": 4}],
        "evaluate": {"grid": 5},
        **sections,
    }


def with_ktv(*stages: Config, **settings: Any) -> Config:
    ktv = {"kind": "ktv", "samples": 8, "weight": 1.0, **settings}
    return config(*(stages or [{"optimiser": "sgd", "steps": 4, "learning_rate": 1e-4}]), regularisers=[ktv])


def solved(base: Config, **overrides: Any) -> Solution:
    """A tiny run; overrides are written with `__` for the dots."""
    return pinnreg.solve(base, {key.replace("__", "."): value for key, value in overrides.items()}, out=False)


def prepared(base: Config, **overrides: Any) -> Prepared:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return prepare(resolve(base, changes), with_reference=False)


def first(base: Config, **overrides: Any) -> Placed:
    """The objective of a run with its first batch."""
    return placed(prepared(base, **overrides).objective)


def same(one: Solution, two: Solution) -> bool:
    """Whether two runs ended with the same weights."""
    a, b = one.parameters, two.parameters
    return all(a[name].shape == b[name].shape and torch.equal(a[name], b[name].to(a[name].dtype)) for name in a)


def differ(base: Config, key: str, *values: Any) -> list[Solution]:
    """Runs that differ in one key; fails unless all end with different weights."""
    runs = [solved(base, **{key: value}) for value in values]
    for (i, one), (j, two) in itertools.combinations(enumerate(runs), 2):
        assert not same(one, two), f"{key}: {values[i]!r} and {values[j]!r} train the same network"
    return runs


def followed(schema: Config, root: Config) -> Config:
    return root["$defs"][schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def alternatives(schema: Config, root: Config) -> list[Config]:
    schema = followed(schema, root)
    choices = [each for kind in ("anyOf", "oneOf") for each in schema.get(kind, [])]
    return [leaf for each in choices for leaf in alternatives(each, root)] or [schema]


def tag_of(schema: Config) -> str:
    """What the elements of a list of sections are told apart by: `optimiser` or `kind`; "" if all are of one kind."""
    return next((str(each["const"]) for each in schema["properties"].values() if "const" in each), "")


def leaves(schema: Config, root: Config, path: str = "") -> Iterator[tuple[str, list[Config]]]:
    """All keys without keys of their own, with their schemas; `train.adam.steps` for a key of a list's element."""
    choices = alternatives(schema, root)
    nested = []
    for choice in choices:
        if "properties" in choice:
            nested += [(f"{path}.{key}", each) for key, each in choice["properties"].items()]
        for item in alternatives(choice["items"], root) if "items" in choice else []:
            if "properties" in item:
                section = ".".join(filter(None, (path, tag_of(item))))
                nested += [(f"{section}.{key}", each) for key, each in item["properties"].items()]
    if not nested:
        yield path.removeprefix("."), choices
    for key, each in nested:
        yield from leaves(each, root, key)


SCHEMA = json_schema()
KEYS = dict(leaves(SCHEMA, SCHEMA))
CASES: dict[str, Case] = {}


def case(*keys: str) -> Callable[[Case], Case]:
    """Register a case for keys of the config."""

    def register(function: Case) -> Case:
        for key in keys:
            assert key not in CASES
            CASES[key] = function
        return function

    return register


def all_values(key: str) -> list[str]:
    """The values that the schema lists for a key."""
    return [value for schema in KEYS[key] for value in schema.get("enum", [])]
