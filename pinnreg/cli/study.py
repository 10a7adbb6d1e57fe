"""`pinnreg study`: the options, the progress, the table."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pinnreg import report, studies
from pinnreg.cli import show
from pinnreg.cli.bar import bar
from pinnreg.cli.process import check_json, problem_folders, signals
from pinnreg.errors import Interrupted

OnRun = Callable[[int, int, "studies.Run | None"], None]


def study(
    context: typer.Context,
    given: Annotated[str, typer.Argument(metavar="CONFIG", help="A study file, or a shipped study.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The study's folder; outputs/<study> if not given.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes at a time; one for each core if not given.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers make the runs."),
    ] = None,
    problems: Annotated[
        list[Path] | None, typer.Option("--problems", metavar="DIR", help="A folder of problem files; repeatable.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON, too.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Compare many runs: regularisers, other settings, seeds, side by side.

    Finished runs are kept in the study's folder and never made twice: the same command goes on with a study that was
    stopped, and one whose file was changed makes what is new.
    """
    check_json(json)
    studies.read_study(given)  # a wrong file is refused before torch is imported
    counts = [0, 0]
    with _progress(quiet) as on_run, signals() as interrupted, show.notes(quiet):

        def count(done: int, total: int, run: studies.Run | None) -> None:
            counts[:] = [done, total]
            on_run(done, total, run)

        try:
            found = studies.study(
                given,
                out,
                jobs,
                scheduler,
                problem_folders(problems),
                interrupted=interrupted,
                progress=count,
            )
        except Interrupted as stopped:
            kept = f"{counts[0]} of {counts[1]} runs are kept"
            print(f"{stopped}: {kept}; go on with the same command: {context.obj}", file=sys.stderr, flush=True)
            return 128 + stopped.signal
    if json is not None:
        report.write_json(json, found.data())
    if not quiet:
        _print(found)
    return _exit_code(found.runs)


def _exit_code(runs: Sequence[studies.Run]) -> int:
    failed = [run for run in runs if run.status.startswith("failed")]
    for run in failed:
        print(f"error: {run.plan.title}: {run.status}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(runs)} runs failed; the same command tries them again", file=sys.stderr)
    return 1 if failed else 0


def _print(found: studies.StudyResult) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    baseline = studies.baseline_of(found.study)
    headings = studies.columns(found.entries, baseline)
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for entry in found.entries:
        table.add_row(*(Text(cell) for cell in studies.cells(entry, headings)))
    # wide enough for the table whatever the terminal is: a wrapped number is no number
    Console(file=sys.stdout, width=300).print(table)
    for entry in found.entries:
        show.line(f"{entry.name}: {studies.verdict(entry, baseline)}")
    show.line(f"report: {found.folder / 'summary.md'}, with study.csv, summary.csv and the figures beside it")


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[OnRun]:
    """A function to call as runs end: moves a bar on a terminal, prints lines elsewhere."""
    if quiet:
        yield lambda *_: None
        return
    with bar() as move:

        def on_run(done: int, total: int, run: studies.Run | None) -> None:
            if move is None:
                _print_run(done, total, run)
            else:
                move("runs" if run is None else _outcome(run), total, done)

        yield on_run


def _print_run(done: int, total: int, run: studies.Run | None) -> None:
    if run is not None:
        print(f"{done}/{total}  {run.plan.title}: {_outcome(run)}", file=sys.stderr, flush=True)
    elif done:
        print(f"{done}/{total}  runs were done before", file=sys.stderr, flush=True)


def _outcome(run: studies.Run) -> str:
    if not run.done:
        return run.status
    error, seconds = run.measures["rel_l2"], run.measures["seconds"]
    return f"{'no reference' if error is None else f'error {error:.2e}'}, {seconds:.1f} s"
