"""A page of every shipped regulariser: what it is by its docstring, its keys, and which configs use it."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, get_args

import yaml

from pinnreg import registry
from pinnreg.regularisers import Shipped

PICTURES = {
    "ktv": (
        "reproduce_ktv",
        "Three curves fitted through noisy values, without and with total variation of each order",
    ),
    "jacobian": ("reproduce_jacobian", "Wide networks with a Jacobian penalty, and their limit of infinite width"),
    "noise_stability": ("reproduce_noise_stability", "What noise on the weights does to flatness and error"),
    "weight_noise": ("reproduce_noise_injection", "The variance of noise on the weights by the width of the network"),
    "orthogonality": ("reproduce_quadratic", "How many starts of a quadratic network reach the global minimum"),
}
"""Of the results, what shows a regulariser at work."""


def pages() -> dict[str, str]:
    """Markdown by place on the site: one page for each kind, and one with all of them."""
    kinds = {kind.kind: kind for kind in get_args(Shipped)}
    return {"kinds/index.md": _index(kinds)} | {f"kinds/{name}.md": _page(name, kind) for name, kind in kinds.items()}


def nav() -> list[str]:
    """The pages, for the navigation."""
    return [f"kinds/{kind.kind}.md" for kind in get_args(Shipped)]


def _index(kinds: dict[str, Any]) -> str:
    rows = [f"| [{name}]({name}.md) | {_first_line(kind)} |" for name, kind in kinds.items()]
    text = "Every regulariser that a config can name. When to take which: [regularisers](../regularisers.md)."
    return "\n".join(["# The regularisers", "", text, "", "| kind | |", "| --- | --- |", *rows, ""])


def _page(name: str, kind: type) -> str:
    settings = {each.name: each.default for each in dataclasses.fields(kind)}
    written = yaml.safe_dump({"regularisers": [settings]}, sort_keys=False, default_flow_style=None, width=100).strip()
    sections = [f"# {name}", f"::: pinnreg.regularisers.{kind.__name__}"]
    sections[1] += (
        "\n    options:\n      members: false\n      show_root_heading: false\n      show_root_toc_entry: false"
    )
    sections += ["## In a config", "With all of its keys at their defaults:", f"```yaml\n{written}\n```"]
    if used := _configs(name):
        sections.append(f"Configs that have it: {', '.join(f'`{each}`' for each in used)}.")
    if name in PICTURES:
        page, says = PICTURES[name]
        sections += [
            "## At work",
            f"{says}: [what was measured](../gallery/{page}.md).",
            f"![{says}](../gallery/{page}.png)",
        ]
    return "\n\n".join(sections) + "\n"


def _configs(name: str) -> list[str]:
    found = []
    for config, path in registry.shipped_configs().items():
        penalties = yaml.safe_load(path.read_text(encoding="utf-8")).get("regularisers", [])
        if any(each["kind"] == name for each in penalties):
            found.append(config)
    return found


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("|", r"\|")
