"""`pinnreg reproduce`: the options, the progress, the tables and the verdict."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pinnreg import report, reproductions
from pinnreg.cli import bar, options, show
from pinnreg.cli.process import check_json, signals, use_threads
from pinnreg.errors import Interrupted, unknown
from pinnreg.reproductions import EXPERIMENTS

EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(EXPERIMENTS) + ".")],
    full: Annotated[bool, typer.Option("--full", help="More seeds, steps, sizes; up to hours.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder; outputs/reproduce_<name> if not given.")
    ] = None,
    threads: options.Threads = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> int:
    """Make a paper's own experiment again: tables, a figure, and a verdict.

    The verdict is computed from the numbers printed; the exit code is 1 if a claim fails.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    use_threads(threads)
    check_json(json)
    folder = out or reproductions.folder_of(name, full=full)
    started = time.monotonic()
    with _progress(quiet) as progress, signals() as interrupted, show.notes(quiet):

        def moved(what: str, done: int, total: int) -> None:
            if (signal := interrupted()) is not None:
                raise Interrupted(signal, None)
            progress(what, done, total)

        found = reproductions.reproduce(name, folder, moved, full=full)
    if not quiet:
        _print(found, time.monotonic() - started)
        show.line(f"figure: {folder / 'figure.png'}, numbers in result.json")
    if json is not None:
        report.write_json(json, found.data())
    return 0 if found.reproduced else 1


def _print(found: reproductions.Reproduction, seconds: float) -> None:
    show.line(f"{found.title} ({found.paper})")
    for table in found.tables:
        show.line(f"\n{table.title}")
        show.table(table.columns, table.rows)
    show.line("\nclaims")
    rows = [
        (
            "holds" if claim.holds else "FAILS" if claim.decisive else "differs",
            claim.text,
            f"{show.cell(claim.value)} {claim.relation} {show.cell(claim.bound)}",
            claim.expected,
        )
        for claim in found.claims
    ]
    show.table(("", "", "measured, bound", "to reproduce"), rows)
    for note in found.notes:
        show.line(f"note: {note}")
    seeds = ", ".join(map(str, found.seeds))
    show.line(f"\nseeds {seeds}; {found.steps:,} optimiser steps of all replicas together; {seconds:.0f} s")
    failed = sum(not claim.holds and claim.decisive for claim in found.claims)
    differs = sum(not claim.holds and not claim.decisive for claim in found.claims)
    count = len(found.claims)
    verdict = f"{failed} of {count} claims fail" if failed else f"{count - differs} of {count} claims hold"
    verdict += f", {differs} differs as noted" if differs else ""
    show.line(f"verdict: {'reproduced' if found.reproduced else 'NOT reproduced'}, {verdict}")


def _progress(quiet: bool) -> contextlib.AbstractContextManager[reproductions.Progress]:
    """A function to call along the way; where there is no terminal it prints a line now and then."""
    last = time.monotonic()

    def printed(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)

    return bar.progress(quiet, lambda what, done, total: (what, total, done), printed)
