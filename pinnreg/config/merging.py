"""Settings above settings: sections merged, and values set by dotted keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pinnreg.errors import InputError, shortened
from pinnreg.settings import Own


def kind_of_network(data: Mapping[str, Any]) -> Any:
    """What `data` says under network.kind; None if nothing."""
    section = data.get("network")
    if isinstance(section, Own):
        return section.plain()["kind"]
    return section.get("kind") if isinstance(section, Mapping) else None


def for_kind(below: Mapping[str, Any], kind: Any) -> Mapping[str, Any]:
    """`below`, without its settings of the network if they are those of another kind than the one that is wanted."""
    return below if kind in (None, kind_of_network(below)) else {**below, "network": {"kind": kind}}


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above`; sections are merged key by key, lists replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def set_key(data: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; sections that are not there are made, list elements must exist."""
    value = _copied(value)  # a later key that reaches into it must not change the giver's own
    *parents, last = key.split(".")
    inside: Any = data
    for number, part in enumerate(parents):
        if isinstance(inside, list | tuple):
            inside = _element(inside, part, key, parents[:number], [*parents[number + 1 :], last], value)
            _check_no_object(inside, key)
            continue
        nested = inside.get(part)
        _check_no_object(nested, key)
        if nested is None or isinstance(nested, dict | list | tuple):
            inside[part] = list(nested) if isinstance(nested, tuple) else ({} if nested is None else nested)
            inside = inside[part]
        else:
            raise InputError(f"{key}: {'.'.join(parents[: number + 1])} is {shortened(nested)} and has no keys")
    if isinstance(inside, list):
        _element(inside, last, key, parents, [], value)
        inside[int(last)] = value
    else:
        inside[last] = value


def _copied(value: Any) -> Any:
    """The same sections, lists and values in new sections and lists."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _check_no_object(inside: Any, key: str) -> None:
    if isinstance(inside, Own):
        raise InputError(f"{key}: this is a setting of an object of Python, which overrides do not reach into")


def _element(inside: Sequence[Any], part: str, key: str, above: Sequence[str], below: Sequence[str], value: Any) -> Any:
    """The element of a list that a part of a key means; `above` leads to the list, `below` on to the value."""
    if not inside:
        whole = value if isinstance(value, str) else json.dumps(value, default=str)
        for name in reversed(below):
            whole = f"{{{name}: {whole}}}"
        raise InputError(f"{key}: the list is empty; set it whole, as in {'.'.join(above)}=[{shortened(whole)[1:-1]}]")
    # `²` is a digit to Python, and five thousand of them are no number to it
    if not (part.isascii() and part.isdigit() and len(part) < 10) or int(part) >= len(inside):
        known = "0" if len(inside) == 1 else f"0 to {len(inside) - 1}"
        raise InputError(f"{key}: expected the number of a list element, {known}, got {shortened(part)}")
    return inside[int(part)]
