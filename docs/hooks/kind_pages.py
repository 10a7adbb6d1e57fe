"""Pages of what a config can name: every regulariser, and the keys of each section, with their defaults."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import yaml
from pydantic_core import to_jsonable_python

from pinnreg import registry
from pinnreg.config import Config, EvaluateSettings, FigureSettings, as_dict
from pinnreg.equations import Unknown
from pinnreg.networks import FeatureSettings, NetworkSettings
from pinnreg.objective import PointSettings
from pinnreg.observations.settings import MeasurementSettings
from pinnreg.optimisers import AnyStage
from pinnreg.regularisers import Shipped

SECTIONS: dict[str, tuple[Any, ...]] = {
    "network": (*get_args(NetworkSettings), FeatureSettings),
    "points": (PointSettings,),
    "measurements": (MeasurementSettings,),
    "unknown": (Unknown,),
    "train": get_args(AnyStage),
    "evaluate": (EvaluateSettings,),
    "figures": (FigureSettings,),
}
"""What the sections of a config hold, but for regularisers, which have pages of their own."""

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
    """Markdown by place on the site: one page for each kind, one with all of them, and one of the config."""
    kinds = {kind.kind: kind for kind in get_args(Shipped)}
    whole = {"kinds/index.md": _index(kinds), "kinds/config.md": _config()}
    return whole | {f"kinds/{name}.md": _page(name, kind) for name, kind in kinds.items()}


def nav() -> list[str]:
    """The pages, for the navigation."""
    return [f"kinds/{kind.kind}.md" for kind in get_args(Shipped)]


def _index(kinds: dict[str, Any]) -> str:
    rows = [f"| [{name}]({name}.md) | {_first_line(kind)} |" for name, kind in kinds.items()]
    text = "Every regulariser that a config can name. When to take which: [regularisers](../regularisers.md)."
    return "\n".join(["# The regularisers", "", text, "", "| kind | |", "| --- | --- |", *rows, ""])


def _page(name: str, kind: type) -> str:
    sections = [f"# {name}", _shown(kind, heading=False), "## In a config", "With all of its keys at their defaults:"]
    sections.append(_yaml({"regularisers": [_defaults(kind)]}))
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


def _config() -> str:
    sections = ["# Config keys", "A config states only what differs from the defaults, which are:"]
    sections.append(_yaml(as_dict(Config(problem={"name": "heat"}))))
    sections.append("A problem's own defaults come before these. `pinnreg schema` says the same on a terminal.")
    sections.append(_shown(Config, heading=False))
    for section, kinds in SECTIONS.items():
        sections.append(f"## {section}")
        for kind in kinds:
            sections += [_shown(kind, heading=True), "The keys that have a default:", _yaml(_defaults(kind))]
    sections += ["## regularisers", "Each has [a page of its own](index.md)."]
    return "\n\n".join(sections) + "\n"


def _shown(kind: type, *, heading: bool) -> str:
    """What mkdocstrings makes of a class of settings, without its methods."""
    shown = str(heading).lower()
    options = f"{{members: false, heading_level: 3, show_root_heading: {shown}, show_root_toc_entry: {shown}}}"
    return f"::: {kind.__module__}.{kind.__name__}\n    options: {options}"


def _defaults(kind: Any) -> dict[str, Any]:
    fields = kind.__pydantic_fields__.items()
    found = {name: each.get_default(call_default_factory=True) for name, each in fields if not each.is_required()}
    plain: dict[str, Any] = to_jsonable_python(found)
    return plain


def _yaml(data: Any) -> str:
    return f"```yaml\n{yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100).strip()}\n```"


def _configs(name: str) -> list[str]:
    found = []
    for config, path in registry.shipped_configs().items():
        penalties = yaml.safe_load(path.read_text(encoding="utf-8")).get("regularisers", [])
        if any(each["kind"] == name for each in penalties):
            found.append(config)
    return found


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("|", r"\|")
