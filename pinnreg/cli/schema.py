"""`pinnreg schema`: the keys of a config, in words, or as the JSON schema that editors read."""

from __future__ import annotations

import json as json_module
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from pinnreg import config
from pinnreg.cli import options, show

Schema = Mapping[str, Any]

WIDTH = 100
BOUNDS = {"exclusiveMinimum": "> ", "minimum": ">= ", "exclusiveMaximum": "< ", "maximum": "<= "}
HUGE = 2**60
"""A bound that only a machine has."""
LONGEST = 60
"""Letters of a default that are shown."""


def schema(
    section: Annotated[
        str | None,
        typer.Argument(metavar="SECTION", help="One section, such as points; the list of them if not given."),
    ] = None,
    json: options.Json = None,
) -> None:
    """The keys of a config, with types, defaults and meanings; with --json the JSON schema."""
    found = config.json_schema() if section is None else config.section_schema(section)
    if section is None:
        _keys("", found)
        show.line("\npinnreg schema SECTION explains the keys of one; --json - prints the JSON schema of all")
    else:
        _section(section, found)
    if json is not None:
        json.write(found)


def _section(name: str, found: Schema) -> None:
    """A section: its type, its default, and a block for each group of keys that it may have."""
    own = config.json_schema()
    meaning = _meanings(own).get(name, "")
    show.line(f"{name}: {_type(found, found)}{_default(found)}")
    for line in textwrap.wrap(meaning, WIDTH):
        show.line(line)
    for definition in found.get("$defs", {}).values():
        if "properties" in definition:
            show.line("")
            summary = " ".join(definition.get("description", "").partition("\n\n")[0].split())
            for line in textwrap.wrap(f"{_name(definition)}: {summary}" if summary else _name(definition), WIDTH):
                show.line(line)
            _keys("  ", {**definition, "$defs": found["$defs"]})


def _keys(indent: str, found: Schema) -> None:
    """A line for each key, and below it what it means."""
    meanings, required = _meanings(found), found.get("required", ())
    for key, value in found["properties"].items():
        if key == "provenance" or "const" in value:
            continue  # which runs write, and nobody else; what the heading says
        needed = " (needed)" if key in required else ""
        show.line(f"{indent}{key}: {_type(value, found)}{_default(value)}{needed}")
        for line in textwrap.wrap(meanings.get(key, ""), WIDTH - 6):
            show.line(f"{indent}    {line}")


def _meanings(found: Schema) -> dict[str, str]:
    """What the docstring of a class says of its attributes."""
    listed = found.get("description", "").partition("Attributes:\n")[2].partition("\n\n")[0]
    parts = re.split(r"^ {4}(\w+): ", listed, flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _type(value: Schema, whole: Schema) -> str:
    """The values that a key may have, in words."""
    return " | ".join(dict.fromkeys(_types(value, whole)))


def _types(value: Schema, whole: Schema) -> Iterator[str]:
    if "$ref" in value:
        yield _reference(value["$ref"], whole)
    elif alternatives := value.get("anyOf") or value.get("oneOf"):
        for each in alternatives:
            yield from _types(each, whole)
    elif "enum" in value:
        yield from map(str, value["enum"])
    elif "const" in value:
        yield str(value["const"])
    elif value.get("type") == "array":
        yield f"list of {_type(value.get('items', {}), whole)}"
    elif value.get("type") == "object":
        inner = value.get("additionalProperties")
        yield f"names with {_type(inner, whole)}" if isinstance(inner, dict) else "keys with values"
    else:
        bounds = [f"{sign}{value[key]:g}" for key, sign in BOUNDS.items() if key in value and value[key] < HUGE]
        yield " ".join([str(value.get("type", "any value")), *bounds])


def _reference(reference: str, whole: Schema) -> str:
    definition = whole.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return f"{{{_name(definition)}}}" if "properties" in definition else _type(definition, whole)


def _name(definition: Schema) -> str:
    """How a config says which group of keys it means, or what the group is called."""
    for key in ("kind", "optimiser"):
        if "const" in (chosen := definition["properties"].get(key, {})):
            return f"{key}: {chosen['const']}"
    words = re.findall(r"[A-Z]+[a-z]*", str(definition.get("title", "keys")).removesuffix("Settings"))
    return " ".join(words).lower() or "keys"


def _default(value: Schema) -> str:
    if "default" not in value:
        return ""
    text = value["default"] if isinstance(value["default"], str) else json_module.dumps(value["default"])
    return f" = {text if len(text) <= LONGEST else text[: LONGEST - 3] + '...'}"
