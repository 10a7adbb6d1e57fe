"""The typed config and its validation."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.config.figures import FigureSettings
from pinnreg.config.messages import explain, keys_in
from pinnreg.equations import ConditionMode, Unknown
from pinnreg.errors import InputError, unknown
from pinnreg.networks import MLPSettings, NetworkSettings, mlp_if_not_said
from pinnreg.objective import PointSettings
from pinnreg.observations.settings import MeasurementSettings
from pinnreg.optimisers import AnyStage, GaussNewton
from pinnreg.regularisers import Shipped
from pinnreg.settings import OWN, STRICT, Count, NonNegative, Seed

MOST_LINES = 30
EXPECTED = "Input should be "  # as pydantic says it
Mistake = dict[str, Any]
"""One of the errors that pydantic finds."""


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, int) else value


def _text_of_path(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value


@dataclass(frozen=True, config=STRICT)
class EvaluateSettings:
    """The `evaluate` section: the grid that errors are measured on, how often, a reference from a file, an estimate.

    Attributes:
        grid: points along each axis, or one number for all; null chooses by dimension.
        every: training steps between evaluations; null: 100, or 10 of Gauss-Newton.
        reference: an .npz file with one array an axis and one an output, used instead of the problem's own reference.
        estimate: how the error is estimated, with a reference and without: `defect` solves the linearised equations for
            it; `twin` is the difference to a second run with another seed and half the steps; `auto` is `defect`, as
            fine as a tenth of the training pays for, and `twin` where that is uncertain and training was short;
            `none` estimates nothing, no intervals of coefficients either.
    """

    grid: Annotated[tuple[Annotated[Count, Field(ge=2)], ...] | None, BeforeValidator(_one_or_many)] = None
    every: Count | None = None
    reference: str | None = None
    estimate: Literal["auto", "defect", "twin", "none"] = "auto"


@dataclass(frozen=True, config=STRICT)
class Config:
    """A whole run. Values not given come from the problem's `defaults`, then from here.

    Attributes:
        problem: its `name`, and its parameters: `pinnreg describe NAME` has them.
        network: what the solution is made of.
        points: where the equation and soft conditions are asked for.
        conditions: `default` builds what is good into the network, and asks for the rest at points (soft); `exact` and
            `soft` say so of all.
        measurements: values that the solution is fitted to, from files or drawn from the reference.
        unknown: coefficients that are found with the solution, by name.
        weights: of loss terms, by their names in `history.csv`; 1 if not given.
        balance: whether soft conditions and equations are brought to one size before their weights count.
        regularisers: penalties and noise, each with a weight of its own.
        train: the stages of training, one after the other.
        start: the folder of a finished run from whose network training starts.
        evaluate: the grid that errors are measured on, and the estimate of the error.
        figures: what figures show, and how large they are.
        seed: of all draws; the same seed repeats the bits of a run.
        device: where it is computed; `auto` is a GPU where there is one.
        dtype: the precision.
        compile: whether gradients of first-order and quasi-Newton stages are compiled.
    """

    problem: dict[str, Any]
    network: Annotated[
        Annotated[NetworkSettings, Field(discriminator="kind")], BeforeValidator(mlp_if_not_said), *OWN
    ] = MLPSettings()
    points: PointSettings = PointSettings()
    conditions: ConditionMode = "default"
    measurements: tuple[MeasurementSettings, ...] = ()
    unknown: dict[str, Unknown] = Field(default_factory=dict)
    weights: dict[str, NonNegative] = Field(default_factory=dict)
    balance: StrictBool = True
    regularisers: tuple[Annotated[Annotated[Shipped, Field(discriminator="kind")], *OWN], ...] = ()
    train: Annotated[tuple[Annotated[AnyStage, Field(discriminator="optimiser")], ...], Field(min_length=1)] = (
        GaussNewton(),
    )
    start: Annotated[str | None, BeforeValidator(_text_of_path)] = None
    evaluate: EvaluateSettings = EvaluateSettings()
    figures: FigureSettings = FigureSettings()
    seed: Seed = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "float64"] = "float64"
    compile: StrictBool = False

    @model_validator(mode="after")
    def _chunks_are_not_compiled(self) -> Config:
        if self.compile and self.points.chunk is not None:
            raise ValueError("compile: true would join the chunks again and undo points.chunk; leave one of them out")
        return self


_ADAPTER: TypeAdapter[Config] = TypeAdapter(Config)


def as_dict(config: Config) -> dict[str, Any]:
    """The config as plain dicts, lists, numbers and strings."""
    plain: dict[str, Any] = _ADAPTER.dump_python(config, mode="json")
    return plain


def json_schema() -> dict[str, Any]:
    """The JSON schema of a config file."""
    return copy.deepcopy(_schema())


def changes(config: Config) -> dict[str, Any]:
    """What of the config differs from the defaults, but the kind of network, regulariser or optimiser whose it is."""
    less: dict[str, Any] = _ADAPTER.dump_python(config, mode="json", exclude_defaults=True)
    tagged: dict[str, Any] = _tagged(less, as_dict(config))
    return tagged


def _tagged(less: Any, whole: Any) -> Any:
    if isinstance(less, list):
        return [_tagged(each, other) for each, other in zip(less, whole, strict=True)]
    if not isinstance(less, dict):
        return less
    tags = {key: whole[key] for key in ("kind", "optimiser") if key in whole}
    return {**tags, **{key: _tagged(each, whole[key]) for key, each in less.items()}}


@cache
def _schema() -> dict[str, Any]:
    schema = _ADAPTER.json_schema()
    # what a run writes into its config.yaml is ignored on loading, and so is allowed
    schema["properties"]["provenance"] = {"type": "object", "title": "Provenance", "additionalProperties": True}
    return schema


def section_schema(name: str) -> dict[str, Any]:
    """The JSON schema of one section of a config, with all that it refers to.

    Raises:
        InputError: no such section.
    """
    whole = _schema()
    if name not in whole["properties"]:
        raise unknown("section of a config:", name, whole["properties"])
    section = whole["properties"][name]
    definitions: dict[str, Any] = {}
    parts = [section]
    while parts:
        for referred in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(parts.pop())):
            if referred not in definitions:
                definitions[referred] = whole["$defs"][referred]
                parts.append(definitions[referred])
    return copy.deepcopy({**section, "$defs": definitions} if definitions else section)


def validate(data: Mapping[str, Any], where: str) -> Config:
    """The config that `data` describes.

    Raises:
        InputError: one line for each thing that is wrong, with the key, what was expected and what is near.
    """
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        raise refusal(_each(error), data, where) from None


def mistakes(data: Mapping[str, Any]) -> list[Mistake]:
    """What is wrong with `data`, as pydantic describes it; nothing if it is a config."""
    try:
        _ADAPTER.validate_python(data)
    except ValidationError as error:
        return _each(error)
    return []


def refusal(found: Sequence[Mistake], data: Mapping[str, Any], where: str) -> InputError:
    """What to raise for mistakes in `data`."""
    schema, joined = _schema(), _joined(found, data)
    lines = [f"{where}: {each}" for each in dict.fromkeys(explain(each, data, schema) for each in joined[:MOST_LINES])]
    more = len(joined) - MOST_LINES
    return InputError("\n".join([*lines, *([f"{where}: and {more} more"] if more > 0 else [])]))


def _joined(found: Sequence[Mistake], data: Mapping[str, Any]) -> list[Mistake]:
    """The mistakes, with those in one for which a value is none of several things that it could be."""
    joined: dict[tuple[Any, ...], Mistake] = {}
    for number, mistake in enumerate(found):
        # names have near ones and are explained by them
        alternative = mistake["msg"].startswith(EXPECTED) and not isinstance(mistake["input"], str)
        key = tuple(keys_in(mistake["loc"], data)) if alternative else (number,)
        if (known := joined.get(key)) is None:
            joined[key] = mistake
        else:
            joined[key] = {**known, "msg": f"{known['msg']} or {mistake['msg'].removeprefix(EXPECTED)}"}
    return list(joined.values())


def _each(error: ValidationError) -> list[Mistake]:
    found: list[Mistake] = [dict(mistake) for mistake in error.errors()]
    # a list whose only element is wrong is called too short as well
    outer = {other["loc"][:depth] for other in found for depth in range(len(other["loc"]))}
    return [mistake for mistake in found if mistake["loc"] not in outer]
