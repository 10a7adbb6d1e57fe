"""The typed config and its validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pinnreg.equations import ConditionMode
from pinnreg.errors import InputError, unknown
from pinnreg.networks import NetworkSettings
from pinnreg.objective import PointSettings
from pinnreg.optimisers import LBFGS, Adam, Stage
from pinnreg.regularisers import Regulariser
from pinnreg.settings import STRICT, Count, NonNegative, no_boolean


def _not_yet(value: Any) -> Any:
    if value is True:
        raise ValueError("compiling the training step is not supported by this version; leave it false")
    return value


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, int) else value


@dataclass(frozen=True, config=STRICT)
class EvaluateSettings:
    """The `evaluate` section: the grid that errors are measured on, how often, and a reference from a file.

    Attributes:
        grid: points along each axis, or one number for all; null chooses by dimension.
        every: training steps between evaluations.
        reference: an .npz file with one array an axis and one an output, used instead of the problem's own reference.
    """

    grid: Annotated[tuple[Annotated[Count, Field(ge=2)], ...] | None, BeforeValidator(_one_or_many)] = None
    every: Count = 100
    reference: str | None = None


@dataclass(frozen=True, config=STRICT)
class Config:
    """A whole run. Values not given come from the problem's `defaults`, then from here."""

    problem: dict[str, Any]
    network: NetworkSettings = NetworkSettings()
    points: PointSettings = PointSettings()
    conditions: ConditionMode = "default"
    weights: dict[str, NonNegative] = Field(default_factory=dict)
    regularisers: tuple[Regulariser, ...] = ()
    train: Annotated[tuple[Annotated[Stage, Field(discriminator="optimiser")], ...], Field(min_length=1)] = (
        Adam(steps=300, learning_rate=1e-2, schedule="exponential", final_learning_rate=1e-4),
        LBFGS(steps=1500),
    )
    evaluate: EvaluateSettings = EvaluateSettings()
    seed: Annotated[int, Field(ge=0), BeforeValidator(no_boolean)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "float64"] = "float64"
    compile: Annotated[Literal[False], BeforeValidator(_not_yet)] = False


_ADAPTER: TypeAdapter[Config] = TypeAdapter(Config)


def as_dict(config: Config) -> dict[str, Any]:
    """The config as plain dicts, lists, numbers and strings."""
    plain: dict[str, Any] = _ADAPTER.dump_python(config, mode="json")
    return plain


def json_schema() -> dict[str, Any]:
    """The JSON schema of a config file."""
    schema = _ADAPTER.json_schema()
    # what a run writes into its config.yaml is ignored on loading, and so is allowed
    schema["properties"]["provenance"] = {"type": "object", "title": "Provenance", "additionalProperties": True}
    return schema


def validate(data: Mapping[str, Any], where: str) -> Config:
    """The config that `data` describes.

    Raises:
        InputError: one line for each thing that is wrong, with the key, what was expected and what is near.
    """
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
        # a list whose only element is wrong is called too short as well
        outer = {other["loc"][:depth] for other in problems for depth in range(len(other["loc"]))}
        lines = dict.fromkeys(_line(problem, data) for problem in problems if problem["loc"] not in outer)
        raise InputError("\n".join(f"{where}: {line}" for line in lines)) from None


def _line(problem: dict[str, Any], data: Mapping[str, Any]) -> str:
    """One message for one of pydantic's errors."""
    node, keys = json_schema(), []
    schema, inside = node, data
    for part in problem["loc"]:
        schema = _descend(schema, part, node)
        # the location also holds tags of unions, such as `adam` in train.0.adam.steps, which are no keys
        is_key = (isinstance(inside, Mapping) and part in inside) or (isinstance(inside, list | tuple) and part != "")
        if is_key and not (isinstance(inside, list | tuple) and not isinstance(part, int)):
            inside = inside[part]
            keys.append(str(part))
    path, given = ".".join(keys), problem["input"]
    context = problem.get("ctx", {})
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            known = _properties(_walk(node, problem["loc"][:-1]), node)
            section = ".".join(keys[:-1]) or "the config"
            return str(unknown(f"key in {section}:", keys[-1], known))
        case "union_tag_invalid":
            key = context["discriminator"].strip("'")
            return f"{path}: {unknown(key, str(context['tag']), _quoted(context['expected_tags']))}"
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            return f"{path}: needs the key {key!r} (known: {', '.join(_tags(schema, node))})"
        case "literal_error" if isinstance(given, str):
            return f"{path}: {unknown('value', given, _quoted(context['expected']))}"
        case "missing_argument" | "missing":
            return f"missing key {problem['loc'][-1]!r}"
        case "value_error":
            return f"{path}: {context['error']}"
        case "tuple_type":
            return f"{path}: expected a list, got {given!r}"
        case "dataclass_type" | "dict_type":
            return f"{path}: expected a section of keys and values, got {given!r}"
        case _:
            return f"{path}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {given!r}"


def _quoted(text: str) -> list[str]:
    """The names in pydantic's enumeration, such as "'a', 'b' or 'c'"."""
    return text.split("'")[1::2]


def _walk(root: dict[str, Any], location: tuple[Any, ...]) -> dict[str, Any]:
    schema = root
    for part in location:
        schema = _descend(schema, part, root)
    return schema


def _descend(schema: dict[str, Any], part: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema one step further along the location of an error; {} if it leads nowhere."""
    for choice in _choices(schema, root):
        if part in choice.get("properties", {}):
            return dict(choice["properties"][part])
        if isinstance(part, int) and "items" in choice:
            return dict(choice["items"])
        mapping = choice.get("discriminator", {}).get("mapping", {})
        if part in mapping:
            return {"$ref": mapping[part]}
    return schema if isinstance(part, str) else {}


def _choices(schema: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return [schema] + [leaf for part in schema.get("anyOf", []) for leaf in _choices(part, root)]


def _properties(schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    return [name for choice in _choices(schema, root) for name in choice.get("properties", {})]


def _tags(schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    return [tag for choice in _choices(schema, root) for tag in choice.get("discriminator", {}).get("mapping", {})]
