"""Gathers the pages of the site from where they are in the repository, and those that are made when it is built.

A page's links are to files of the repository, as they work where it lies; each becomes one to the page that the file is
on the site. Nothing is written beside the sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kind_pages
import links
import problem_pages
import result_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
GALLERY = "outputs/gallery"


@cache
def origins() -> dict[str, str]:
    """Where a page or a picture of the site lies in the repository, by its place on the site."""
    found = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
    found |= {path.name: f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))}
    found |= {f"figures/{path.name}": f"docs/figures/{path.name}" for path in sorted((ROOT / "docs/figures").iterdir())}
    found |= {f"gallery/{path.name}": f"{GALLERY}/{path.name}" for path in sorted((ROOT / GALLERY).iterdir())}
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and list those of the problems and results in the navigation."""
    for place, origin in origins().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / origin)))
    made = {**problem_pages.pages(), **kind_pages.pages(), "results.md": result_pages.index(ROOT / GALLERY)}
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    below: dict[str, list[Any]] = {
        "problems/index.md": problem_pages.nav(),
        "kinds/index.md": kind_pages.nav(),
        "results.md": result_pages.nav(ROOT / GALLERY),
    }
    config.nav = listed(config.nav, below)
    return files


def listed(nav: Any, below: Mapping[str, list[Any]]) -> Any:
    """The navigation of the config, where an index of pages that are made here has these below it."""
    if isinstance(nav, list):
        return [listed(each, below) for each in nav]
    if isinstance(nav, dict):
        return {title: listed(entry, below) for title, entry in nav.items()}
    return [nav, *below[nav]] if nav in below else nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead a page's links to pages of the site, and write bars in the code of tables as Python-Markdown wants them."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    places = origins()
    origin = places.get(page.file.src_uri)
    blocks = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    for number in range(0, len(blocks), 2):
        if origin is not None:
            blocks[number] = links.linked(blocks[number], origin, page.file.src_uri, {o: p for p, o in places.items()})
        blocks[number] = re.sub(r"`[^`\n]*`", lambda code: code[0].replace(r"\|", "|"), blocks[number])
    return "".join(blocks)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark short cells of tables, mostly numbers, which are not to be broken at the sign of an exponent."""
    return re.sub(r"<td((?: style=\"[^\"]*\")?)>(?=[^<]{1,24}</td>)", r'<td class="short"\1>', html)
