"""`pinnreg reproduce`: the options, the progress, the tables and the verdict."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pinnreg import bar, report, reproductions
from pinnreg.cli import options, show
from pinnreg.cli.page import Page, PageOption, image
from pinnreg.cli.process import signals, use_threads
from pinnreg.errors import Interrupted, unknown
from pinnreg.reproductions import EXPERIMENTS

EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""
CLAIM_COLUMNS = ("", "", "measured, bound", "to reproduce")


def reproduce(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help=f"{', '.join(EXPERIMENTS)}; a list of them if not given.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="More seeds, steps, sizes; up to hours.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder; outputs/reproduce_<name> if not given.")
    ] = None,
    threads: options.Threads = None,
    json: options.Json = None,
    page: PageOption = None,
    quiet: options.Quiet = False,
) -> int:
    """Make a paper's own experiment again: tables, a figure, and a verdict.

    The verdict is computed from the numbers printed; the exit code is 1 if a claim fails.
    """
    if name is None:
        show.texts(("experiment", "what"), [[each, reproductions.summary(each)] for each in EXPERIMENTS])
        return 0
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    use_threads(threads)
    default = reproductions.folder_of(name, full=full)
    folder = out or default
    if json is not None:
        json.refuse_own(folder)
    written = None if page is None else Page(page, default.name)
    if written is not None:
        written.check([written.figure()])
    started = time.monotonic()
    with _progress(quiet) as progress, signals(deferred=True) as interrupted, show.notes(quiet):

        def moved(what: str, done: int, total: int) -> None:
            if (signal := interrupted()) is not None:
                raise Interrupted(signal, None)
            progress(what, done, total)

        found = reproductions.reproduce(name, folder, moved, full=full)
    seconds = time.monotonic() - started
    if written is not None:
        _write_page(found, seconds, written, context.obj, folder / "figure.png")
    if not quiet:
        _print(found, seconds)
        show.line(f"figure: {folder / 'figure.png'}, numbers in result.json")
    if json is not None:
        json.write(found.data())
    return 0 if found.reproduced else 1


def _print(found: reproductions.Reproduction, seconds: float) -> None:
    show.line(f"{found.title} ({found.paper})")
    for table in found.tables:
        show.line(f"\n{table.title}")
        show.table(table.columns, table.rows)
    show.line("\nclaims")
    show.table(CLAIM_COLUMNS, _claims(found))
    for note in found.notes:
        show.line(f"note: {note}")
    show.line(f"\n{_effort(found, seconds)}")
    show.line(f"verdict: {_verdict(found)}")


def _write_page(found: reproductions.Reproduction, seconds: float, page: Page, command: str, figure: Path) -> None:
    body = [f"{found.paper}.", "", f"Verdict: {_verdict(found)}.", ""]
    body += [*report.markdown_table(CLAIM_COLUMNS, _claims(found)), "", image(page.figure(), found.title), ""]
    for table in found.tables:
        body += [f"## {table.title}", ""]
        body += [*report.markdown_table(table.columns, [list(map(show.cell, row)) for row in table.rows]), ""]
    if found.notes:
        body += ["## Notes", "", *(f"- {note}" for note in found.notes), ""]
    page.write(found.title, command, [*body, f"{_effort(found, seconds)}."], {page.figure(): figure.read_bytes()})


def _claims(found: reproductions.Reproduction) -> list[tuple[str, str, str, str]]:
    """A row for each claim."""
    return [
        (
            "holds" if claim.holds else "FAILS" if claim.decisive else "differs",
            claim.text,
            f"{show.cell(claim.value)} {claim.relation} {show.cell(claim.bound)}",
            claim.expected,
        )
        for claim in found.claims
    ]


def _effort(found: reproductions.Reproduction, seconds: float) -> str:
    seeds = ", ".join(map(str, found.seeds))
    return f"seeds {seeds}; {found.steps:,} optimiser steps of all replicas together; {seconds:.0f} s"


def _verdict(found: reproductions.Reproduction) -> str:
    failed = sum(not claim.holds and claim.decisive for claim in found.claims)
    differs = sum(not claim.holds and not claim.decisive for claim in found.claims)
    count = len(found.claims)
    verdict = f"{failed} of {count} claims fail" if failed else f"{count - differs} of {count} claims hold"
    verdict += f", {differs} differs as noted" if differs else ""
    return f"{'reproduced' if found.reproduced else 'NOT reproduced'}, {verdict}"


def _progress(quiet: bool) -> contextlib.AbstractContextManager[reproductions.Progress]:
    """A function to call along the way; where there is no terminal it prints a line now and then."""
    last = time.monotonic()

    def printed(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)

    return bar.progress(quiet, lambda what, done, total: (what, total, done), printed)
