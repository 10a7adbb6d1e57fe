"""The settings of a run on a page: those that differ from the defaults first, the others when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pinnreg.config import Config, changes, dump_yaml
from pinnreg.html.elements import Html, element, folded, joined, pairs, text


def settings(config: Config, saved: Mapping[str, Any]) -> Html:
    """What of a config differs from the defaults, and the whole of it folded.

    Args:
        config: of the run.
        saved: the same as its file has it.
    """
    return joined([keys(changes(config)), folded("all settings", element("pre", text(dump_yaml(saved))))])


def keys(values: Mapping[str, Any]) -> Html:
    """Nested values by dotted key; a list is one value unless there are keys in it."""
    return pairs(dict(_leaves(values)))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if _has_keys(value) else None
    if not parts:
        yield key, _said(value)
        return
    for name, part in parts:
        yield from _leaves(part, f"{key}.{name}" if key else str(name))


def _said(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _has_keys(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(part, Mapping) for part in value)
