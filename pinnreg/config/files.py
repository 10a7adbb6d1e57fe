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
from pinnreg.errors import InputError
from pinnreg.files import write_text

# PyYAML follows YAML 1.1, in which 1e-3 without a dot is text
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, numbers such as `1e-3` included.

    Raises:
        InputError: a missing, unreadable or broken file, or one that holds no mapping.
    """
    try:
        data = _loaded(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InputError(f"{path}: not valid YAML: {where}{getattr(error, 'problem', None) or error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys and values, as in `problem: {{name: burgers}}`, got {data!r}")
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
    except yaml.YAMLError:
        raise InputError(f"cannot read the value {text!r}: expected YAML such as 1e-3, [20, 20] or {{a: 1}}") from None


def _loaded(text: str) -> Any:
    """What a YAML text says; unlike PyYAML's `safe_load` it refuses a key that is there twice."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        _check_keys(node, set())
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node | None, seen: set[int]) -> None:
    if node is None or id(node) in seen:  # an alias of what was seen
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark)
            keys.add(str(key.value))
            _check_keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, seen)


def write_config(path: Path, config: Config, provenance: Mapping[str, Any]) -> None:
    """Write the full resolved config with its provenance, atomically."""
    write_text(path, dump_yaml(as_dict(config) | {"provenance": dict(provenance)}))


def dump_yaml(data: Mapping[str, Any]) -> str:
    """`data` as YAML, in its own order."""
    return yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)


def fingerprint(config: Config) -> str:
    """A hash of what makes a run the same run: all but stages' limits, `evaluate` and `device`.

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
    del data["device"]
    for stage in data["train"]:
        del stage["steps"], stage["max_seconds"], stage["max_sweeps"]
    return data


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {prefix.removesuffix("."): value}
    return {key: leaf for name, item in items for key, leaf in _flat(item, f"{prefix}{name}.").items()}
