"""The page that lists the results: those of `outputs/gallery`, which commands have written whole."""

from __future__ import annotations

import re
from pathlib import Path

GROUPS = {"study": "Studies", "bench": "Benchmarks", "reproduce": "Papers made again"}
"""Titles by what the names of pages begin with, which is the command that writes them."""


def index(gallery: Path) -> str:
    """Markdown that links all pages."""
    parts = ["# Results", "", "Each page was written whole by the command at its head."]
    for title, paths in _grouped(gallery).items():
        parts += ["", f"## {title}", "", *(f"- [{_title(path)}](gallery/{path.name})" for path in paths)]
    return "\n".join(parts) + "\n"


def nav(gallery: Path) -> list[dict[str, list[dict[str, str]]]]:
    """The pages by groups, for the navigation."""
    return [
        {title: [{_title(path): f"gallery/{path.name}"} for path in paths]}
        for title, paths in _grouped(gallery).items()
    ]


def _grouped(gallery: Path) -> dict[str, list[Path]]:
    pages = sorted(gallery.glob("*.md"))
    found = {title: [each for each in pages if each.name.startswith(start)] for start, title in GROUPS.items()}
    if rest := [each for each in pages if not each.name.startswith(tuple(GROUPS))]:
        found["More"] = rest
    return found


def _title(page: Path) -> str:
    found = re.search(r"^# (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return page.stem if found is None else found[1]
