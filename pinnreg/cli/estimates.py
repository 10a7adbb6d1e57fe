"""`pinnreg bench estimates`: the options, the two tables, the totals, the JSON file and the page."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pinnreg import benchmarks, plots, report
from pinnreg.benchmarks import ESTIMATED, FAILURES, RIGHT, WRONG
from pinnreg.cli import options, show
from pinnreg.cli.measuring import Keep, Outlets, measured, seeds_and_jobs
from pinnreg.cli.page import Page, PageOption, image

COLUMNS = (
    *("problem", "states", "good", "smallest", "median", "largest"),
    *("poor", "smallest", "median", "largest", "seconds of training's"),
)
WITHIN, BEYOND = f"within a factor of {RIGHT:g}", f"more than {100 * WRONG:g} %"
WIDTHS = (6, 5, 8, 8, 8, 5, 8, 8, 8, 9)
FAILED_COLUMNS = ("run", "error", "converged", "estimate", "called", "by", "notes", "warned by")
FAILED_WIDTHS = (7, 9, 8, 6, 6, 5)
NOTES = """\
state: an output of a training that was stopped when its error had fallen to 1e-2, 1e-3, ..., 1e-10, of all seeds. good:
called so by the estimate itself, which knows no reference. Ratios are of the estimate's size over the evaluation points
to that of the true error: 1 is right, 0.1 says ten times too little. seconds: of the estimates, as a share of the
training until then."""
FAILED_NOTES = f"""\
error, estimate: relative L2, the largest over the outputs. by: the linearised defect, or the difference to a twin,
another run. warned: it says that it has not converged, calls its estimate poor, estimates {BEYOND}, or notes
something. A run that was to end wrong and did not is no failed run."""


def estimates(
    context: typer.Context,
    problem: Annotated[
        list[str] | None,
        typer.Option(
            "--problem",
            metavar="NAME",
            help=f"{', '.join(case.label for case in ESTIMATED)}, or any config's or problem's name; or of a run that "
            f"ends wrong: {', '.join(failure.label for failure in FAILURES)}; repeatable.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each problem, with seeds from 0.")] = 3,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs side by side, each with one CPU thread.")] = 1,
    json: options.Json = None,
    page: PageOption = None,
) -> int:
    """Whether errors that are estimated without a reference are right, and what runs that end wrong say of themselves.

    Each training is stopped at errors from 1e-2 to 1e-10, and the estimate there compared with the error. Runs that end
    wrong are made once each, with seed 0. The JSON file has every state. If the command is interrupted, what it has
    printed is written all the same.
    """
    cases, failures = benchmarks.chosen(dict.fromkeys(problem)) if problem else (ESTIMATED, FAILURES)
    written = None if page is None else Page(page, "bench_estimates")
    if written is not None:
        written.check([written.figure()])
    labels = [each.label for each in (*ESTIMATED, *cases)] + [each.label for each in FAILURES]
    width = max(map(len, labels))

    def make(
        keep: Keep[benchmarks.EstimatesBenchmark], interrupted: Callable[[], int | None]
    ) -> benchmarks.EstimatesBenchmark:
        def on_row(found: benchmarks.EstimatesBenchmark) -> None:
            for header in _headers(width) if len(found.rows) == 1 else ():
                show.line(header)
            show.line(_line(_cells(found.rows[-1]), width, WIDTHS))
            keep(found)

        def on_failed(found: benchmarks.EstimatesBenchmark) -> None:
            if len(found.failed) == 1:
                for line in _said_of(found.totals) if found.rows else ():
                    show.line(line)
                show.line(_line(list(FAILED_COLUMNS), width, FAILED_WIDTHS))
            show.line(_line(_failed_cells(found.failed[-1]), width, FAILED_WIDTHS))
            keep(found)

        return benchmarks.bench_estimates(cases, failures, seeds, jobs, on_row, on_failed, _print_run, interrupted)

    def last(found: benchmarks.EstimatesBenchmark) -> list[str]:
        totals = [_warnings(found)] if found.failed else _said_of(found.totals)
        notes = [*(NOTES.splitlines() if found.rows else ()), *(FAILED_NOTES.splitlines() if failures else ())]
        return [*totals, *notes]

    outlets = Outlets(context.obj, json, written, seeds_and_jobs, _data, _write_page, last)
    return measured(make, lambda found: len(found.rows) + len(found.failed), str(len(cases) + len(failures)), outlets)


def _print_run(label: str, seed: int, said: str) -> None:
    print(f"{label} seed {seed}: {said}", file=sys.stderr, flush=True)


def _headers(width: int) -> list[str]:
    groups = f"{'':>6} {'called good: their ratios':>32} {'called poor: their ratios':>32}"
    columns = ["problem", "states", "count", "smallest", "median", "largest", "count", "smallest", "median", "largest"]
    return [f"{'':{width}} {groups}", _line([*columns, "seconds"], width, WIDTHS)]


def _line(cells: list[str], width: int, widths: tuple[int, ...]) -> str:
    label, *others = cells
    padded = [f"{cell:>{each}}" for cell, each in zip(others, widths, strict=False)]
    return " ".join([f"{label:{width}}", *padded, *others[len(widths) :]])


def _cells(row: benchmarks.EstimatesRow) -> list[str]:
    cells = [row.case.label, str(len(row.states))]
    for trusted in (True, False):
        found = row.ratios(trusted)
        cells += [str(found.count), *map(_number, (found.smallest, found.median, found.largest))]
    return [*cells, _percent(row.share)]


def _failed_cells(run: benchmarks.FailedRun) -> list[str]:
    converged = {True: "yes", False: "no", None: "unknown"}[run.converged]
    estimate = "-" if run.estimate is None else f"{run.estimate:.1e}"
    warned = ", ".join(run.warned) or "NOTHING"
    called = [run.reliability or "-", run.kind or "-", str(len(run.notes))]
    said = warned if run.is_wrong else "(not wrong)"
    return [run.failure.label, f"{run.error:.1e}", converged, estimate, *called, said]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}" if 0.1 <= value < 1000 else f"{value:.1e}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


def _said_of(totals: benchmarks.Totals) -> list[str]:
    """The totals, a sentence each."""
    if not totals.states:
        return ["No training came to an error of 1e-2: nothing was compared."]
    none = f", {totals.none} had no estimate" if totals.none else ""
    said = [f"{totals.good} of {totals.states} states ({_percent(totals.called_good)}) were called good{none}."]
    if totals.good:
        said += [
            f"Of the good ones {_percent(totals.right)} were {WITHIN} of the true error, and "
            f"{_percent(totals.far)} below a tenth of it."
        ]
    if totals.good + totals.none < totals.states:
        said += [f"Of the poor ones {_percent(totals.right_of_poor)} were {WITHIN}."]
    return said


def _warnings(found: benchmarks.EstimatesBenchmark) -> str:
    """How many of the failed runs warned, and which did not."""
    wrong = [run for run in found.failed if run.is_wrong]
    silent = [run.failure.label for run in wrong if not run.warned]
    without = f"; nothing was said by {', '.join(silent)}" if silent else ""
    return f"{len(wrong) - len(silent)} of {len(wrong)} runs that ended wrong, by {BEYOND}, warned{without}."


def _deceived(found: benchmarks.EstimatesBenchmark) -> list[str]:
    """The states whose estimate was called good and is not right, a line each."""
    return [
        f"- {row.case.label}, seed {stop.seed}, step {stop.step}, {state.output}: {state.estimate:.1e} for an error of "
        f"{state.error:.1e}"
        for row in found.rows
        for stop in row.stops
        for state in stop.states
        if state.is_good and not benchmarks.is_right(state.ratio)
    ]


def _write_page(found: benchmarks.EstimatesBenchmark, page: Page, command: str) -> None:
    changed = [
        f"- {row.case.label}: {', '.join(f'{k}={v}' for k, v in row.case.changes.items())}"
        for row in found.rows
        if row.case.changes
    ]
    deceived = _deceived(found)
    compared = [
        *_said_of(found.totals),
        "",
        *report.markdown_table(COLUMNS, [_cells(row) for row in found.rows]),
        "",
        *NOTES.splitlines(),
        "",
        *([f"Called good and not {WITHIN}:", "", *deceived, ""] if deceived else []),
        *(["Changed from the defaults:", "", *changed, ""] if changed else []),
    ]
    drawn = _figure(found, page)
    if drawn:
        compared += [image(page.figure(), "Estimated against true errors"), ""]
    failed = [
        "## Runs that end wrong",
        "",
        _warnings(found),
        "",
        *report.markdown_table(FAILED_COLUMNS, [_failed_cells(run) for run in found.failed]),
        "",
        *FAILED_NOTES.splitlines(),
        "",
        *(f"- {run.failure.label}: {run.failure.why}" for run in found.failed),
        "",
    ]
    body = [
        f"Trainings with the defaults of problems, with {found.seeds} seed{'s' if found.seeds > 1 else ''} from 0, "
        "stopped early at errors from 1e-2 to 1e-10; at each stop the error is estimated without the reference, at the "
        "resolution that a tenth of the training until then pays for, and compared with the true one.",
        "",
        *(compared if found.rows else []),
        *(failed if found.failed else []),
        f"Measured on {found.machine['device']}, {found.date}, {found.jobs} run{'s' if found.jobs > 1 else ''} at a "
        "time, one thread each.",
    ]
    page.write("Estimates of the error", command, body, drawn)


def _figure(found: benchmarks.EstimatesBenchmark, page: Page) -> dict[Path, bytes]:
    """The figure's content, if there is anything to draw."""
    pairs = {
        row.case.label: [(each.error, each.estimate, each.is_good) for each in row.states if each.estimate is not None]
        for row in found.rows
    }
    if not any(pairs.values()):
        return {}
    title = "Errors estimated without a reference against true errors"
    note = "states of trainings that were stopped early, by the linearised defect"
    figure = plots.calibration(pairs, factor=RIGHT, title=title, note=note)
    return {page.figure(): plots.content(figure)}


def _data(found: benchmarks.EstimatesBenchmark) -> dict[str, Any]:
    rows = [
        {
            "problem": row.case.label,
            "config": row.case.config,
            "changes": dict(row.case.changes),
            "good": dataclasses.asdict(row.ratios(trusted=True)),
            "poor": dataclasses.asdict(row.ratios(trusted=False)),
            "seconds_share": row.share,
            "stops": [dataclasses.asdict(stop) for stop in row.stops],
        }
        for row in found.rows
    ]
    totals = {**dataclasses.asdict(found.totals), "called_good": found.totals.called_good}
    failed = [{**dataclasses.asdict(run), "wrong": run.is_wrong, "warned": list(run.warned)} for run in found.failed]
    return {"totals": totals, "rows": rows, "failed": failed}
