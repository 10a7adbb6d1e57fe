"""`pinnreg bench accuracy`: the options, the table, the JSON file and the page."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from pinnreg import benchmarks, report
from pinnreg.benchmarks import CASES
from pinnreg.benchmarks.cases import FEW
from pinnreg.cli import options, show
from pinnreg.cli.measuring import Keep, Outlets, measured, seeds_and_jobs
from pinnreg.cli.page import Page, PageOption

COLUMNS = (
    *("problem", "median error", "smallest", "largest", "reference's own error"),
    *("median seconds", "largest seconds", "median steps", "converged", "parameters"),
)
WIDTHS = (8, 8, 8, 10, 8, 8, 6, 10, 10)
NOTES = """\
error: relative L2 on the evaluation grid, which training never sees, the largest over the outputs; median, smallest and
largest over the seeds. reference's own error: its estimate of that, from two resolutions. seconds: of pinnreg.solve,
reference and SciPy check included, imports and figures not. steps: of the runs that did not diverge. converged: how
many of the runs say so in their report, which they judge without the reference. parameters: that are trained.
!: above the problem's limit, which the JSON file has."""


def accuracy(
    context: typer.Context,
    problem: Annotated[
        list[str] | None,
        typer.Option(
            "--problem",
            metavar="NAME",
            help=f"{', '.join(case.label for case in CASES)}, or any config's or problem's name; repeatable.",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", min=1, help=f"Runs of each, with seeds from 0; {FEW} at most of the long ones unless named."
        ),
    ] = 3,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs side by side, each with one CPU thread.")] = 1,
    json: options.Json = None,
    page: PageOption = None,
) -> int:
    """How accurate the defaults of each problem are: error, seconds, and whether the runs say that they converged.

    Each run is what `pinnreg.solve(NAME, {"seed": S})` does, in a process of its own; no clock ends it. The JSON file
    has every run. If the command is interrupted, the rows that it has printed are written all the same.
    """
    cases = benchmarks.cases_named(dict.fromkeys(problem)) if problem else CASES
    written = None if page is None else Page(page, "bench_accuracy")
    if written is not None:
        written.check()
    width = max(len(label) for label in (COLUMNS[0], *(case.label for case in cases)))

    def make(
        keep: Keep[benchmarks.AccuracyBenchmark], interrupted: Callable[[], int | None]
    ) -> benchmarks.AccuracyBenchmark:
        def on_row(found: benchmarks.AccuracyBenchmark) -> None:
            for header in _headers(width) if len(found.rows) == 1 else ():
                show.line(header)
            show.line(_line(_cells(found.rows[-1]), width))
            keep(found)

        return benchmarks.bench_accuracy(cases, seeds, jobs, on_row, _print_run, interrupted)

    outlets = Outlets(context.obj, json, written, seeds_and_jobs, _data, _write_page, lambda _: [NOTES])
    return measured(make, lambda found: len(found.rows), f"{len(cases)} problems", outlets)


def _print_run(label: str, run: benchmarks.AccuracyRun) -> None:
    text = f"{label} seed {run.seed}: error {run.error:.1e} in {show.seconds(run.seconds)} s"
    print(f"{text}: {run.stop_reason}", file=sys.stderr, flush=True)


def _headers(width: int) -> list[str]:
    groups = f"{'relative L2 error':>26} {'reference':>10} {'seconds':>17}"
    columns = ("median", "smallest", "largest", "its error", "median", "largest", "steps", "converged", "parameters")
    return [f"{'':{width}} {groups}", _line(["problem", *columns], width)]


def _line(cells: list[str], width: int) -> str:
    label, *others = cells
    return " ".join([f"{label:{width}}", *(f"{cell:>{each}}" for cell, each in zip(others, WIDTHS, strict=True))])


def _cells(row: benchmarks.AccuracyRow) -> list[str]:
    limit, errors, slowest = row.case.limit, row.errors, max(run.seconds for run in row.runs)
    most = (math.inf, math.inf, math.inf) if limit is None else (limit.median, limit.worst, limit.seconds)
    return [
        row.case.label,
        f"{row.error:.1e}{_mark(row.error, most[0])}",
        f"{errors[0]:.1e}",
        f"{errors[-1]:.1e}{_mark(errors[-1], most[1])}",
        "-" if row.reference_error is None else f"{row.reference_error:.1e}",
        show.seconds(row.seconds),
        f"{show.seconds(slowest)}{_mark(slowest, most[2])}",
        "-" if row.steps is None else f"{row.steps:.0f}",
        f"{row.converged} of {len(row.runs)}",
        str(row.parameters),
    ]


def _mark(value: float, most: float) -> str:
    return "!" if value > most else ""


def _write_page(found: benchmarks.AccuracyBenchmark, page: Page, command: str) -> None:
    changed = [
        f"- {row.case.label}: {row.case.config} with {', '.join(f'{k}={v}' for k, v in row.case.changes.items())}"
        for row in found.rows
        if row.case.changes
    ]
    diverged = [
        f"- {row.case.label}, seed {run.seed}: {run.stop_reason}"
        for row in found.rows
        for run in row.runs
        if run.steps is None
    ]
    body = [
        f'What `pinnreg.solve(NAME, {{"seed": S}})` comes to with seeds from 0, as many as "converged" is of, '
        f"{found.jobs} run{'s' if found.jobs > 1 else ''} at a time, one thread each, ended by no clock.",
        "",
        *report.markdown_table(COLUMNS, [_cells(row) for row in found.rows]),
        "",
        *NOTES.splitlines(),
        *(["", "Changed from the defaults:", "", *changed] if changed else []),
        *(["", "Diverged:", "", *diverged] if diverged else []),
        "",
        f"Measured on {found.machine['device']}, {found.date}.",
    ]
    page.write("Accuracy of the defaults", command, body, {})


def _data(found: benchmarks.AccuracyBenchmark) -> dict[str, Any]:
    rows = [
        {
            "problem": row.case.label,
            "config": row.case.config,
            "changes": dict(row.case.changes),
            "limit": None if row.case.limit is None else dataclasses.asdict(row.case.limit),
            "reference": row.reference,
            "reference_error": row.reference_error,
            "parameters": row.parameters,
            "median": {"error": row.error, "seconds": row.seconds, "steps": row.steps},
            "converged": row.converged,
            "runs": [dataclasses.asdict(run) for run in row.runs],
        }
        for row in found.rows
    ]
    return {"rows": rows}
