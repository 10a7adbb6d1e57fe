"""`pinnreg bench zoo`: the options, the table, the JSON file and the page with its pictures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from pinnreg import plots, report, studies
from pinnreg.cli import options, show
from pinnreg.cli.page import Page, PageOption, image
from pinnreg.cli.process import problem_folders
from pinnreg.cli.study import exit_code, made
from pinnreg.config import FigureSettings

NAME = "bench_zoo"
SHOWN = FigureSettings(size="double-column", titles=False, panels=("solution", "error"))
"""In each problem's picture."""
COLUMNS = (
    *("problem", "error", "largest", "estimated", "called good", "reference's own error"),
    *("CPU seconds", "steps", "parameters", "converged"),
)
NOTES = """\
error: relative L2 on the evaluation grid, which training never sees, the largest over the outputs; the median and the
largest over the seeds. estimated: what the runs take it for without the reference, the median, and how many call that
good. reference's own error: its estimate of that, from two resolutions. CPU seconds: of a run on one thread, its
estimate included, and the reference where no run before has solved it. converged: how many of the runs say so, which
they judge without the reference.
!: the median is above {solved:g}, and where measurements are noisy above what their noise leaves (two standard errors).
!!: a run with an error above {wrong:g}, and above that, says that it has converged."""


def zoo(
    context: typer.Context,
    problem: Annotated[
        list[str] | None, typer.Option("--problem", metavar="NAME", help="Any config or problem; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each, with seeds from 0.")] = 3,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help=f"The folder of the runs; outputs/{NAME} if not given.")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Runs side by side; one for each core.")] = None,
    problems: options.Problems = None,
    json: options.Json = None,
    page: PageOption = None,
    quiet: options.Quiet = False,
) -> int:
    """Every problem with its defaults: error, the run's own estimate of it, seconds, whether it says that it converged.

    A study whose cases are the problems: runs are kept in its folder, and the same command goes on where it stopped.
    """
    folders = problem_folders(problems)
    asked = studies.zoo_study(problem or (), seeds, folders)
    folder = studies.folder_of(NAME) if out is None else out
    if json is not None:
        json.refuse_own(folder)
    written = None if page is None else Page(page, NAME)
    if written is not None:
        written.check()
    found = made(context.obj, asked, quiet, out=folder, jobs=jobs, problems=folders)
    if isinstance(found, int):
        return found
    rows = studies.zoo_rows(found)
    if json is not None:
        json.write({"rows": [_data(row) for row in rows]})
    if written is not None:
        _write_page(rows, found, written, context.obj)
    if not quiet:
        show.texts(COLUMNS, [_cells(row) for row in rows])
        for line in _verdicts(rows):
            show.line(line)
    return exit_code(found.runs)


def _cells(row: studies.ZooRow) -> list[str]:
    marks = "!!" if any(run.is_deceptive for run in row.runs) else "" if row.is_solved else "!"
    return [
        row.name,
        f"{_number(row.error)}{marks}",
        _number(max(run.error for run in row.runs)),
        _number(row.estimated),
        _of(run.trusted for run in row.runs),
        "-" if row.reference_error is None else f"{row.reference_error:.1e}",
        show.seconds(row.seconds),
        f"{max(run.steps for run in row.runs)}",
        str(row.parameters),
        _of(run.converged is True for run in row.runs),
    ]


def _linked(cells: list[str], picture: Path | None) -> list[str]:
    """The problem's name leads to its picture."""
    name, *others = cells
    return cells if picture is None else [f"[{name}]({quote(picture.name)})", *others]


def _number(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else "-"


def _of(flags: Any) -> str:
    known = list(flags)
    return f"{sum(known)} of {len(known)}"


def _verdicts(rows: Sequence[studies.ZooRow]) -> list[str]:
    """What all of it comes to, in sentences."""
    solved = sum(row.is_solved for row in rows)
    deceptive = [f"{row.name} (seed {run.seed})" for row in rows for run in row.runs if run.is_deceptive]
    good = [run for row in rows for run in row.runs if run.trusted and math.isfinite(run.error)]
    right = sum(1 / 3 <= run.estimated / run.error <= 3 for run in good if run.error > 0)
    lost = [f"{row.name} (seed {run.seed}): {run.status}" for row in rows for run in row.runs if run.status != "ok"]
    return [
        f"{solved} of {len(rows)} problems end below {studies.SOLVED:g}, or where noise of measurements lets them.",
        f"{len(deceptive) or 'No'} run{'' if len(deceptive) == 1 else 's'} with an error above {studies.WRONG:g} "
        f"{'says' if len(deceptive) == 1 else 'say'} that it has converged{': ' if deceptive else '.'}"
        + ", ".join(deceptive),
        f"{right} of {len(good)} estimates that were called good are within a factor of 3 of the error.",
        *lost,
    ]


def _write_page(rows: Sequence[studies.ZooRow], found: studies.StudyResult, page: Page, command: str) -> None:
    pictures = [row.picture for row in rows if row.picture is not None]
    drawn = plots.thumbnails(pictures, title="Error fields of all problems") if pictures else None
    figures = {} if drawn is None else {page.figure(): plots.content(drawn)}
    single = {row.name: page.figure(row.name) for row in rows if row.report is not None}
    for row in rows:
        if row.report is not None:
            field = plots.draw(row.report, {}, figures=SHOWN)["error_field"]
            figures[single[row.name]] = plots.small(field)
    body = [
        "Each problem as `pinnreg.solve(NAME)` solves it, for several seeds, a thread for each run, ended by no clock.",
        "",
        *report.markdown_table(COLUMNS, [_linked(_cells(row), single.get(row.name)) for row in rows]),
        "",
        *NOTES.format(solved=studies.SOLVED, wrong=studies.WRONG).splitlines(),
        "",
        *_verdicts(rows),
        "",
        *([] if drawn is None else [image(page.figure(), "the error field of each problem"), ""]),
        *_published(rows),
        "Runs were made with:",
        "",
        *(f"- {origin} ({count} runs)" for origin, count in studies.origins(found.folder, found.runs).items()),
    ]
    page.write("The zoo", command, body, figures)


def _published(rows: Sequence[studies.ZooRow]) -> list[str]:
    """A table of the errors that others have published."""
    known = [(row, row.published) for row in rows if row.published is not None]
    if not known:
        return []
    table = [
        [row.name, each.name, _number(row.error), f"{each.error:.1e}", each.method, each.source, each.but]
        for row, each in known
    ]
    headings = ["problem", "there", "error", "published", "by", "source", "but"]
    lines = ["## Beside published errors", "", "The median here, and the smallest error that was found published:", ""]
    return [*lines, *report.markdown_table(headings, table), ""]


def _data(row: studies.ZooRow) -> dict[str, Any]:
    plain = {key: value for key, value in vars(row).items() if key not in ("runs", "report", "published")}
    runs = [dataclasses.asdict(run) for run in row.runs]
    published = None if row.published is None else dataclasses.asdict(row.published)
    data: dict[str, Any] = report.finite({**plain, "error": row.error, "runs": runs, "published": published})
    return data
