"""One line for one of pydantic's validation errors: the key, what was expected, what is near it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinnreg.errors import shortened, unknown

Schema = dict[str, Any]
OWN_SECTIONS = ("network", "regularisers")


def explain(problem: Mapping[str, Any], data: Mapping[str, Any], schema: Schema, whole: str = "the config") -> str:
    """The message for `problem`, one of `ValidationError.errors()`.

    Args:
        problem: pydantic's description of what is wrong.
        data: what was validated.
        schema: the JSON schema of the whole, which knows the keys that each section has.
        whole: what the whole is called.
    """
    keys = keys_in(problem["loc"], data)
    path, given = ".".join(keys), problem["input"]
    context = problem.get("ctx", {})
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            known = [key for key in _properties(_descend(schema, problem["loc"][:-1]), schema) if key != "provenance"]
            section = ".".join(keys[:-1]) or whole
            return str(unknown(f"key in {section}:", keys[-1], known))
        case "union_tag_invalid":
            key = context["discriminator"].strip("'")
            tag = str(context["tag"])
            hint = own_hint(tag) if key == "kind" and keys[0] in OWN_SECTIONS else ""
            return f"{path}: {unknown(key, tag, _quoted(context['expected_tags']))}{hint}"
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            return (
                f"{path}: needs the key {key!r} (known: {', '.join(_tags(_descend(schema, problem['loc']), schema))})"
            )
        case "literal_error" if isinstance(given, str):
            return f"{path}: {unknown('value', given, _quoted(context['expected']))}"
        case "missing_argument" | "missing":
            return f"missing key {problem['loc'][-1]!r}"
        case "value_error":
            # without a path where two sections of the config do not go together
            return f"{path}: {context['error']}" if path else str(context["error"])
        case "tuple_type":
            return f"{path}: expected a list, got {shortened(given)}"
        case "too_short":
            return f"{path}: expected a list with at least {context['min_length']} element(s), got {shortened(given)}"
        case "dataclass_type" | "dict_type" | "model_attributes_type":
            return f"{path}: expected a section of keys and values, got {shortened(given)}"
        case _:
            return f"{path}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {shortened(given)}"


def own_hint(name: str) -> str:
    """What to add where a name is not found that one of the user's own files could have; "" where none could."""
    usual = name.isidentifier() and len(name) < 100
    return f"; one of your own is a file {name}.py in ./problems or --problems DIR" if usual else ""


def keys_in(location: tuple[str | int, ...], data: Any) -> list[str]:
    """The keys in an error's location, which holds tags of unions too, such as `adam` in train.0.adam.steps."""
    keys: list[str] = []
    for part in location:
        is_key = isinstance(data, Mapping) and part in data
        is_number = isinstance(data, list | tuple) and isinstance(part, int)
        if is_key or is_number:
            data = data[part]
            keys.append(str(part))
    return keys


def _quoted(text: str) -> list[str]:
    """The names in pydantic's enumeration, such as "'a', 'b' or 'c'"."""
    return text.split("'")[1::2]


def _descend(schema: Schema, location: tuple[str | int, ...]) -> Schema:
    """The part of a JSON schema that an error's location leads to."""
    part = schema
    for step in location:
        part = _step(part, step, schema)
    return part


def _step(schema: Schema, step: str | int, root: Schema) -> Schema:
    for choice in _choices(schema, root):
        if step in choice.get("properties", {}):
            return dict(choice["properties"][step])
        if isinstance(step, str) and isinstance(choice.get("additionalProperties"), dict):
            return dict(choice["additionalProperties"])  # a section whose keys the user chooses, as `unknown`
        if isinstance(step, int) and "items" in choice:
            return dict(choice["items"])
        tags = choice.get("discriminator", {}).get("mapping", {})
        if step in tags:
            return {"$ref": tags[step]}
    return schema if isinstance(step, str) else {}


def _choices(schema: Schema, root: Schema) -> list[Schema]:
    """The schema itself, its reference resolved, and the alternatives in it."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return [schema] + [leaf for part in schema.get("anyOf", []) for leaf in _choices(part, root)]


def _properties(schema: Schema, root: Schema) -> list[str]:
    return [name for choice in _choices(schema, root) for name in choice.get("properties", {})]


def _tags(schema: Schema, root: Schema) -> list[str]:
    return [tag for choice in _choices(schema, root) for tag in choice.get("discriminator", {}).get("mapping", {})]
