"""`report`: a run as one page of HTML, from its files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinnreg import html, plots, registry
from pinnreg.config import Problems, problem_folders
from pinnreg.errors import InputError
from pinnreg.files import is_file, write_text
from pinnreg.html import Html
from pinnreg.report import read_report, summary
from pinnreg.run.folder import REPORT_PAGE, RunFolder
from pinnreg.run.places import place
from pinnreg.run.resuming import Begun
from pinnreg.training import is_lost, read_history

SUFFIXES = (".html", ".htm")
CAPTIONS = {
    "error_field": "The solution and its error, on a grid that training has not seen.",
    "history": "The course of training.",
    "analysis": "Tangent kernels, curvature and variation of the solution.",
}


def report_page(run: str | Path, out: str | Path | None = None, problems: Problems = None) -> Path:
    """Write a run as one page of HTML that needs nothing else; of one that has not ended as much as there is.

    Args:
        run: the run's folder.
        out: the file; None for `report.html` in the run's folder.
        problems: a folder, or several, of problem files, of which only the docstring is read; None: `./problems`, if
            there is one.

    Returns:
        Where it is.

    Raises:
        InputError: a folder without a run, files in it that cannot be read, or a place that cannot be written or has a
            file that is no such page.
    """
    begun = Begun.read(run)
    if out is not None and Path(out).suffix.lower() not in SUFFIXES:
        raise InputError(f"--out {out}: expected a name that ends in {' or '.join(SUFFIXES)}")
    target = place(begun.folder, out, REPORT_PAGE, html.MARK)
    text = page_of(begun, problem_folders(problems))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
    return target


def page_of(begun: Begun, folders: list[Path]) -> str:
    """The page of a run."""
    folder, title = begun.folder, str(begun.config.problem["name"])
    ended = is_file(folder.report)
    report = read_report(folder.path) if ended else None
    history = {} if is_lost(folder.history) else read_history(folder.history)
    facts = None if report is None else summary(report)
    figures = {} if report is None else plots.draw(report, history, figures=begun.config.figures)
    if report is None and len(history.get("step", ())):
        figures["history"] = plots.history(history, title=plots.title_of(begun.config.problem))
    pictures = {name: plots.content(each) for name, each in figures.items()} | _analysis(folder)
    sections = {
        "Figures": html.joined(html.image(each, CAPTIONS[name]) for name, each in pictures.items()),
        "Errors": Html("") if facts is None else html.joined([html.errors(facts), html.estimates(facts)]),
        "Coefficients": Html("") if facts is None else html.found(facts),
        "Notes": Html("") if facts is None else html.notes(facts),
        "Settings": html.settings(begun.config, begun.saved),
        "Provenance": html.folded("versions, files and hashes", html.keys(begun.provenance)),
    }
    head = [
        html.element("h1", html.text(title)),
        html.element("p", html.text(said), class_="equation") if (said := _equation(begun, folders)) else Html(""),
        html.element("p", html.status(facts)),
        html.course(history) if facts is None else html.summary(facts),
    ]
    body = [html.joined([html.element("h2", html.text(name)), part]) for name, part in sections.items() if part]
    return html.page(f"{title}: report", html.joined([*head, *body]))


def _equation(begun: Begun, folders: list[Path]) -> str:
    """The first line of the docstring of a run's problem; "" where its file is not found, or cannot be read."""
    name, sha256 = str(begun.config.problem["name"]), begun.provenance.get("problem_sha256")
    if begun.provenance.get("problem_file") is None:
        return ""
    try:
        file = registry.find_one(name, folders)
        said = "" if file is None else registry.summary(file)
    except InputError:
        return ""
    changed = file is not None and registry.file_hash(file) != sha256
    return f"{said} (by the problem's file, which has changed since)" if said and changed else said


def _analysis(folder: RunFolder) -> dict[str, bytes]:
    """The picture of the analysis that is in a run's folder, by name; none without one."""
    path = folder.path / "analysis.json"
    if not is_file(path):
        return {}
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {"analysis": plots.content(plots.draw_analysis(found))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a readable analysis: {error}") from None
