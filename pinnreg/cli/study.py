"""`pinnreg study`: the options, the progress, the table."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pinnreg import bar, studies
from pinnreg.cli import options, show
from pinnreg.cli.page import Page, PageOption, image
from pinnreg.cli.process import problem_folders, signals
from pinnreg.errors import InputError, Interrupted

PLANNING = "planning"
EVERY = 1000
"""So many runs are planned between two lines, where there is no terminal."""


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
    part: Annotated[
        list[str] | None, typer.Option("--part", metavar="NAME", help="A part of the study, and no other; repeatable.")
    ] = None,
    repeat: Annotated[
        int, typer.Option("--repeat", min=0, metavar="N", help="Make N finished runs again, and compare every bit.")
    ] = 0,
    repeat_seed: Annotated[
        int | None, typer.Option("--repeat-seed", min=0, help="Which: they are drawn at random; 0 if not given.")
    ] = None,
    problems: options.Problems = None,
    json: options.Json = None,
    page: PageOption = None,
    quiet: options.Quiet = False,
) -> int:
    """Compare many runs: regularisers, other settings, seeds, side by side.

    Finished runs are kept in the study's folder and never made twice: the same command goes on with a study that was
    stopped, and one whose file was changed makes what is new.
    """
    asked, name, _, _ = studies.read_study(given)  # a wrong file is refused before torch is imported
    asked.only(part or [])
    if repeat_seed is not None and not repeat:
        raise InputError("--repeat-seed: says which runs are made again, and without --repeat N none is")
    if json is not None:
        json.refuse_own(studies.folder_of(name) if out is None else out)
    written = None if page is None else Page(page, Path(given).stem)
    if written is not None:
        written.check()
    found = made(
        context.obj,
        given,
        quiet,
        out=out,
        jobs=jobs,
        scheduler=scheduler,
        problems=problem_folders(problems),
        parts=part or [],
    )
    if isinstance(found, int):
        return found
    if json is not None:
        json.write(found.data())
    if written is not None:
        _write_page(found, written, context.obj)
    if not quiet:
        _print(found)
    code = exit_code(found.runs)
    return code if code or not repeat else _repeated(found, repeat, repeat_seed or 0, jobs)


def made(command: str, given: str | Mapping[str, Any], quiet: bool, **options: Any) -> studies.StudyResult | int:
    """Make a study's runs, and show them as they end; the exit code where a signal stopped it.

    Args:
        command: that goes on with it.
        given: the study.
        quiet: whether to show nothing.
        options: of `studies.study`.
    """
    counts = [0, 0]
    with bar.progress(quiet, _shown, _print_run) as on_run, signals(deferred=True) as interrupted, show.notes(quiet):

        def count(done: int, total: int, run: studies.Run | None) -> None:
            counts[:] = [done, total]
            on_run(done, total, run)

        try:
            return studies.study(
                given,
                interrupted=interrupted,
                progress=count,
                planning=lambda done, total: on_run(done, total, PLANNING),
                **options,
            )
        except Interrupted as stopped:
            kept = f"{counts[0]} of {counts[1]} runs are kept"
            print(f"{stopped}: {kept}; go on with the same command: {command}", file=sys.stderr, flush=True)
            return 128 + stopped.signal


def exit_code(runs: Sequence[studies.Run]) -> int:
    """1, and a line for each, if some runs failed."""
    failed = [run for run in runs if run.status.startswith("failed")]
    for run in failed:
        print(f"error: {run.plan.title}: {run.status}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(runs)} runs failed; the same command tries them again", file=sys.stderr)
    return 1 if failed else 0


def _repeated(found: studies.StudyResult, count: int, seed: int, jobs: int | None) -> int:
    """1 if a run that is made again is not the same."""
    different = 0
    with signals(deferred=True) as interrupted:
        try:
            for each in studies.again(found, count, seed, jobs, interrupted):
                different += bool(each.differs)
                show.line(f"again: {each.run.plan.title}: {', '.join(each.differs) or 'every bit the same'}")
        except Interrupted as stopped:
            print(f"{stopped}: not all {count} runs were made again", file=sys.stderr, flush=True)
            return 128 + stopped.signal
    return 1 if different else 0


def _print(found: studies.StudyResult) -> None:
    show.texts(*studies.table(found.study, found.entries))
    for line in studies.verdicts(found.study, found.entries):
        show.line(line)
    show.line(f"report: {found.folder / 'summary.md'}, with study.csv, summary.csv and the figures beside it")


def _write_page(found: studies.StudyResult, page: Page, command: str) -> None:
    """The study's report with its figures, and what its runs were made with."""
    sources = {page.figure(path.stem): path for path in studies.figure_files(found.folder)}
    shown = [image(path, f"{found.name}: {source.stem}") for path, source in sources.items()]
    body = studies.body(
        found.study, found.text, found.runs, found.entries, found.score, [line for each in shown for line in (each, "")]
    )
    body += ["Its runs were made with:", ""]
    body += [f"- {origin} ({count} runs)" for origin, count in studies.origins(found.folder, found.runs).items()]
    figures = {path: source.read_bytes() for path, source in sources.items()}
    page.write(studies.heading(found.name), command, body, figures)


def _shown(done: int, total: int, run: studies.Run | str | None) -> tuple[str, int, int]:
    return run if isinstance(run, str) else "runs" if run is None else _outcome(run), total, done


def _print_run(done: int, total: int, run: studies.Run | str | None) -> None:
    if isinstance(run, str):
        if done and done % EVERY == 0:
            print(f"{run} {done}/{total}", file=sys.stderr, flush=True)
    elif run is not None:
        print(f"{done}/{total}  {run.plan.title}: {_outcome(run)}", file=sys.stderr, flush=True)
    elif done:
        print(f"{done}/{total}  runs were done before", file=sys.stderr, flush=True)


def _outcome(run: studies.Run) -> str:
    if not run.done:
        return run.status
    error, seconds = run.measures["rel_l2"], run.measures["seconds"]
    name = "error or RMSE" if run.measures.get(studies.ZERO_REFERENCES) else "error"
    return f"{'no reference' if error is None else f'{name} {error:.2e}'}, {seconds:.1f} s"
