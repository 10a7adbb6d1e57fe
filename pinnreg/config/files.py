"""Reading and writing config files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pinnreg.config.model import Config, as_dict
from pinnreg.errors import InputError, shortened
from pinnreg.files import write_text

MOST_BYTES = 10_000_000
MOST_NODES = 10_000  # that aliases may stand for
UNSPACED = re.compile(r"(\w+):(\S+)")
"""A key and its value as YAML does not read them, but as a key without a value."""
DEEPEST = 50
TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge"))

# PyYAML follows YAML 1.1, in which 1e-3 without a dot is text
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, numbers such as `1e-3` included.

    Raises:
        InputError: a missing, unreadable or broken file, or one that holds no mapping.
    """
    try:
        size = path.stat().st_size
        data = None if size > MOST_BYTES else _loaded(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid YAML: it is not UTF-8: {error.reason} at byte {error.start}") from None
    except _NoYaml as error:
        raise InputError(f"{path}: not valid YAML: {error}") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{str(path)!r}: cannot be read: {error}") from None
    if size > MOST_BYTES:
        raise InputError(f"{path}: {size} bytes are no config, which has at most {MOST_BYTES}")
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys and values, as in `problem: {{name: burgers}}`, got {shortened(data)}")
    return {str(key): numbers(value) for key, value in data.items()}


def numbers(value: Any) -> Any:
    """`value` with texts that are numbers in exponent notation turned into floats, at every depth."""
    if isinstance(value, dict):
        return {str(key): numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return value


def parse_value(text: str) -> Any:
    """A command line's value, read as YAML.

    Raises:
        InputError: broken YAML.
    """
    try:
        return numbers(_loaded(text))
    except _NoYaml as error:
        raise InputError(
            f"cannot read the value {shortened(text)}: {error}; expected YAML such as 1e-3, [20, 20] or {{a: 1}}"
        ) from None


class _NoYaml(Exception):
    """Why a text is no YAML that a config can have."""


def _loaded(text: str) -> Any:
    """What a YAML text says.

    Raises:
        _NoYaml: broken YAML; a key that is there twice, of which PyYAML's `safe_load` would drop one; aliases that go
            round in a circle or stand for very much; a text that cannot be written down again.
    """
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _sizes(node, {}, 0)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise _NoYaml(f"{where}{reason}") from None
    except RecursionError:
        raise _NoYaml("it is nested too deeply") from None
    except Exception as error:
        # PyYAML's constructors let through what those of Python raise
        raise _NoYaml(f"a value cannot be read: {error}") from None


def _sizes(node: yaml.Node | None, known: dict[int, int | None], depth: int) -> int:
    """How many nodes one stands for, aliases written out; checks them on the way."""
    if node is None:
        return 0
    if (key := id(node)) in known:
        if (size := known[key]) is None:
            raise _marked("an alias of what it is a part of", node)
        return size
    known[key] = None
    if depth > DEEPEST:
        raise _marked("it is nested too deeply", node)
    if node.tag not in TAGS:
        name = node.tag.rpartition(":")[2]
        raise _marked(f"a {name} is none of the values that there are here; in quotes it is a text", node)
    size, parts = 1, []
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        parts = node.value
    else:
        _check_text(node)
    aliased = False
    for part in parts:
        aliased = aliased or id(part) in known
        size += _sizes(part, known, depth + 1)
    if aliased and size > MOST_NODES:
        raise _marked(f"its aliases stand for more than {MOST_NODES} values", node)
    known[key] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    keys: set[str] = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if isinstance(value, yaml.ScalarNode) and not value.value and (parts := UNSPACED.fullmatch(key.value)):
                raise _marked(
                    f"{key.value!r} is one word: a space follows the colon, as in {parts[1]}: {parts[2]}", key
                )
            if key.value in keys:
                raise _marked(f"the key {key.value!r} is there twice", key)
            keys.add(str(key.value))


def _check_text(node: yaml.Node) -> None:
    try:
        str(node.value).encode()
    except UnicodeEncodeError:
        raise _marked("half of a surrogate pair, which is no character", node) from None


def _marked(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def write_config(path: Path, config: Config, provenance: Mapping[str, Any]) -> None:
    """Write the full resolved config with its provenance, atomically."""
    write_text(path, dump_yaml(as_dict(config) | {"provenance": dict(provenance)}))


def dump_yaml(data: Mapping[str, Any]) -> str:
    """`data` as YAML, in its own order."""
    return yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)


def fingerprint(config: Config) -> str:
    """A hash of what makes a run the same run: all but stages' limits, `evaluate`, `figures` and `device`.

    The reference in `evaluate` does count where measurements are drawn from it.
    """
    return hashlib.sha256(json.dumps(_identity(config), sort_keys=True).encode()).hexdigest()


def differences(one: Config, other: Config) -> list[str]:
    """The dotted keys in which two configs are not the same run."""
    flat = [_flat(_identity(config)) for config in (one, other)]
    return sorted(key for key in flat[0].keys() | flat[1].keys() if flat[0].get(key) != flat[1].get(key))


def _identity(config: Config) -> dict[str, Any]:
    data = as_dict(config)
    reference = data.pop("evaluate")["reference"]
    if reference is not None and any(each["samples"] for each in data["measurements"]):
        data["evaluate"] = {"reference": reference}
    del data["device"], data["figures"]
    if data["start"] is None:
        del data["start"]  # which runs from before it was a key do not have
    for stage in data["train"]:
        del stage["steps"], stage["max_seconds"], stage["max_sweeps"]
    return data


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {prefix.removesuffix("."): value}
    return {key: leaf for name, item in items for key, leaf in _flat(item, f"{prefix}{name}.").items()}
