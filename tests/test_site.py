"""The site of the documentation: it builds without a warning, links lead somewhere, and the network is left alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urlsplit

import pytest

import pinnreg
from pinnreg import registry
from pinnreg.config import json_schema
from pinnreg.regularisers import Shipped

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FETCHING = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("source", "srcset")}
"""What a browser fetches by itself, besides style sheets and the like."""
RELATIONS = {"stylesheet", "icon", "preconnect", "preload", "prefetch", "dns-prefetch", "modulepreload", "manifest"}


@pytest.fixture(autouse=True)
def _hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "hooks")


# what the pages are made of


def test_the_reference_has_all_that_is_exported() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "site" / "api").glob("*.md"))
    shown = set(re.findall(r"^::: pinnreg\.(\w+)$", text, re.MULTILINE))
    assert set(pinnreg.__all__) - {"networks", "reference"} == shown & set(pinnreg.__all__)
    whole = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    functions = {name for name in pinnreg.reference.__all__ if callable(getattr(pinnreg.reference, name))}
    helpers = {"Axes", "Solved", "Values", "as_reference", "forget_solves", "remembered"}
    assert {f"pinnreg.reference.{name}" for name in functions - helpers} <= whole


def test_a_problem_has_a_page_with_its_equation_parameters_and_file() -> None:
    from problem_pages import page

    text = page("burgers")
    for part in (
        "# burgers\n\nuₜ + u uₓ = ν uₓₓ on (-1, 1) × (0, 1]",
        "| `nu` | `PositiveFloat` | `0.01 / pi` |",
        "Axes: x from -1 to 1, t from 0 to 1. Outputs: u.",
        "| `dirichlet` | dirichlet, u = 0 on x=min, x=max (exact) |",
        "`burgers_nu001`",
        "By Cole-Hopf quadrature, beside an independent solve by the method of lines.",
        (ROOT / "problems" / "burgers.py").read_text(encoding="utf-8").strip(),
    ):
        assert part in text


def test_a_regulariser_has_a_page_with_all_of_its_keys() -> None:
    from kind_pages import pages

    found = pages()
    assert set(found) == {"kinds/index.md", "kinds/config.md", *(f"kinds/{kind.kind}.md" for kind in get_args(Shipped))}
    assert "- {kind: ridge, weight: 1.0e-06, schedule: constant}" in found["kinds/ridge.md"]
    assert "`poisson_ridge`" in found["kinds/ridge.md"]


def test_all_sections_of_a_config_have_their_keys_on_a_page() -> None:
    from kind_pages import SECTIONS, pages

    nested = {name for name, schema in json_schema()["properties"].items() if "$ref" in str(schema)}
    assert set(SECTIONS) | {"regularisers"} == nested
    page = pages()["kinds/config.md"]
    assert "\npoints: {interior: auto, boundary: 200, sampler: sobol, resample_every: 10," in page
    assert "\nstart:" not in page.partition("## unknown")[2].partition("## train")[0]  # which has to be given


def test_links_lead_to_pages_of_the_site() -> None:
    from links import linked

    places = {"README.md": "index.md", "docs/a.md": "a.md", "outputs/gallery/my b.md": "gallery/my b.md"}
    text = "[a](docs/a.md#x) ![b](outputs/gallery/my%20b.md) [web](https://example.org/docs/a.md) [own](#y) [c](c.md)"
    assert linked(text, "README.md", "index.md", places) == (
        "[a](a.md#x) ![b](gallery/my%20b.md) [web](https://example.org/docs/a.md) [own](#y) [c](c.md)"
    )
    assert linked("[a](../../docs/a.md)", "outputs/gallery/my b.md", "gallery/my b.md", places) == "[a](../a.md)"


# what is built


@dataclass
class Found(HTMLParser):
    """The addresses and anchors of a page."""

    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.fetched += [value for name, value in given.items() if (tag, name) in FETCHING]
        if tag == "link" and RELATIONS & set(given.get("rel", "").split()):
            self.fetched.append(given["href"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "error::SyntaxWarning", "-m", "mkdocs", "build", "--strict"]
    command += ["--config-file", str(DOCS / "mkdocs.yml"), "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Found]:
    found = {path: Found() for path in sorted(site.rglob("*.html"))}
    for path, page in found.items():
        page.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_every_page_is_there(site: Path) -> None:
    names = {*(path.stem for path in DOCS.glob("*.md")), "index", "changelog", "results"}
    names |= {f"problems/{name}" for name in registry.find()} | {f"kinds/{kind.kind}" for kind in get_args(Shipped)}
    names |= {f"gallery/{path.stem}" for path in (ROOT / "outputs" / "gallery").glob("*.md")}
    names |= {f"api/{path.stem}" for path in (DOCS / "site" / "api").glob("*.md")}
    assert [name for name in sorted(names) if not (site / f"{name}.html").is_file()] == []


@pytest.mark.slow
def test_every_link_leads_to_a_page_and_its_section(pages: dict[Path, Found]) -> None:
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":  # which is shown at any address
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].anchors if target in pages else set()
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in known):
                wrong.append(f"{path.name}: {link}")
    assert wrong == []


def outside(site: Path, pages: dict[Path, Found]) -> Iterator[str]:
    """What would be fetched that is no file of the site."""
    for path, page in pages.items():
        for each in page.fetched:
            parts = urlsplit(each)
            if parts.scheme == "data":
                continue
            inside = not parts.scheme and not parts.netloc
            file = site / parts.path.lstrip("/") if path.name == "404.html" else path.parent / unquote(parts.path)
            if not inside or not file.is_file():
                yield f"{path.name}: {each}"
    for path in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import\s*)[\"']?((?:https?:)?//[^\"')]+)", path.read_text(encoding="utf-8"))
        yield from (f"{path.name}: {each}" for each in found)


@pytest.mark.slow
def test_no_page_fetches_anything_from_elsewhere(site: Path, pages: dict[Path, Found]) -> None:
    assert len(pages) > 100
    assert list(outside(site, pages)) == []


def test_what_is_fetched_from_elsewhere_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    page = Found()
    page.feed(
        '<link rel="stylesheet" href="https://a/b.css"><link rel="canonical" href="https://c/"><script src="//d/e.js">'
        '</script><img src="lost.png"><img src="data:image/png;base64,AA=="><a href="https://f/">f</a>'
    )
    (tmp_path / "fonts.css").write_text("@font-face { src: url('https://g/h.woff2') }", encoding="utf-8")
    assert list(outside(tmp_path, {path: page})) == [
        "page.html: https://a/b.css",
        "page.html: //d/e.js",
        "page.html: lost.png",
        "fonts.css: https://g/h.woff2",
    ]
