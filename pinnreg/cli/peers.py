"""`pinnreg bench peers`: the options, the tables, the JSON file, the page and its figure."""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from pinnreg import benchmarks, plots, report
from pinnreg.benchmarks import PEER_CASES
from pinnreg.cli import options, show
from pinnreg.cli.measuring import Keep, Outlets, measured
from pinnreg.cli.page import Page, PageOption, image

COLUMNS = ("case", "solver", "precision", "error at the end", "lowest error", "seconds", "peak MiB", "ended")
VERDICTS = (
    *("case", "DeepXDE's lowest error", "pinnreg's", "error ratio", "error that both reach"),
    *("DeepXDE's seconds to it", "pinnreg's", "time ratio", "in words"),
)
IDLE = 0.9
"""Of a core: what runs have on a quiet machine."""
NOTES = """\
error: relative L2 on one grid for all solvers, which no training sees. seconds: of set-up and training, in a process of
one thread of its own that has made two steps of the same before; imports, the reference and the measuring of errors do
not count. error ratio: DeepXDE's lowest error, in its better precision, by pinnreg's. time ratio: DeepXDE's seconds by
pinnreg's, to the larger of these two errors. Ahead is who has the lower error so far; before the first it is 1."""


def peers(
    context: typer.Context,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="NAME", help=f"{', '.join(PEER_CASES)}; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each, with seeds from 0.")] = 1,
    max_seconds: Annotated[float, typer.Option("--max-seconds", help="Of training, for each run.")] = 60.0,
    json: options.Json = None,
    page: PageOption = None,
) -> int:
    """DeepXDE and pinnreg on the same equations, beside SciPy: error against seconds.

    DeepXDE, which `pip install 'pinnreg[peers]'` brings, has the networks, points and steps of its own demos, with the
    PyTorch backend, in single and in double precision; pinnreg has its defaults. One run after the other, each in a
    process of its own with one thread. The JSON file has every run and its trace. If the command is interrupted, the
    cases that it has printed are written all the same.
    """
    if not max_seconds > 0 or math.isinf(max_seconds):
        raise typer.BadParameter(f"{max_seconds:g} is not a positive number", param_hint="--max-seconds")
    cases = tuple(dict.fromkeys(case or PEER_CASES))
    benchmarks.check_peers(cases)  # before torch is imported
    setting = benchmarks.PeerSetting(cases, seeds, max_seconds)
    written = None if page is None else Page(page, "bench_peers")
    if written is not None:
        written.check([written.figure()])

    def make(keep: Keep[benchmarks.PeerBenchmark], interrupted: Callable[[], int | None]) -> benchmarks.PeerBenchmark:
        def on_rows(found: benchmarks.PeerBenchmark, new: int) -> None:
            for line in () if len(found.rows) > new else [_line(list(COLUMNS))]:
                show.line(line)
            for row in found.rows[-new:]:
                show.line(_line(_cells(row)))
            keep(found)

        return benchmarks.bench_peers(setting, on_rows, _print_run, interrupted)

    outlets = Outlets(context.obj, json, written, _setting, _data, _write_page, _last)
    return measured(make, lambda found: len(found.verdicts), f"{len(cases)} cases", outlets)


def _setting(found: benchmarks.PeerBenchmark) -> dict[str, float]:
    return {"seeds": found.setting.seeds, "max_seconds": found.setting.max_seconds}


def _print_run(case: str, solver: str, run: benchmarks.PeerRun) -> None:
    text = f"{case}, {solver}, seed {run.seed}: error {run.error:.1e} after {show.seconds(run.seconds[-1])} s"
    print(f"{text}: {run.ended}", file=sys.stderr, flush=True)


def _line(cells: list[str]) -> str:
    case, solver, precision, *numbers = cells[:-1]
    return " ".join([f"{case:15}", f"{solver:26}", f"{precision:9}", *(f"{each:>16}" for each in numbers[:-1])])


def _cells(row: benchmarks.PeerRow | benchmarks.ScipyRow) -> list[str]:
    """What the table says of a solver: the medians over the seeds, and how the first run ended."""
    if isinstance(row, benchmarks.ScipyRow):
        error = f"{row.error:.1e}"
        return [row.problem, f"SciPy: {row.method}", "float64", error, error, show.seconds(row.seconds), "-", "-"]
    solver, _, precision = row.solver.partition(" ")
    peaks = [run.peak_bytes for run in row.runs if run.peak_bytes is not None]
    return [
        row.case,
        solver,
        precision or "float64",
        f"{row.median(lambda run: run.error):.1e}",
        f"{row.lowest:.1e}",
        show.seconds(row.median(lambda run: run.seconds[-1])),
        f"{max(peaks) / 2**20:.0f}" if peaks else "-",
        row.runs[0].ended,
    ]


def _judged(verdict: benchmarks.Verdict) -> list[str]:
    return [
        verdict.case,
        f"{verdict.peer_error:.1e} ({verdict.peer.partition(' ')[2]})",
        f"{verdict.own_error:.1e}",
        f"{verdict.error_ratio:.2g}",
        f"{verdict.level:.1e}",
        show.seconds(verdict.peer_seconds),
        show.seconds(verdict.own_seconds),
        f"{verdict.time_ratio:.2g}",
        verdict.words,
    ]


def _last(found: benchmarks.PeerBenchmark) -> Iterable[str]:
    yield NOTES
    yield from filter(None, _busy(found))
    yield _imports(found)
    yield from (f"{verdict.case}: {verdict.words}" for verdict in found.verdicts)


def _imports(found: benchmarks.PeerBenchmark) -> str:
    times = ", ".join(f"{name} {show.seconds(seconds)} s" for name, seconds in found.imports.items())
    return f"To import, which is on no clock above, torch included: {times}."


def _write_page(found: benchmarks.PeerBenchmark, page: Page, command: str) -> None:
    setting = found.setting
    many = f", {setting.seeds} seeds from 0, medians over them" if setting.seeds > 1 else ", seed 0"
    body = [
        f"DeepXDE {found.machine['deepxde']} with PyTorch beside pinnreg with its defaults, on the same equations and "
        f"data, at most {setting.max_seconds:g} s of training a run{many}. SciPy is what pinnreg checks itself with.",
        "",
        *_busy(found),
        *report.markdown_table(VERDICTS, [_judged(verdict) for verdict in found.verdicts]),
        "",
        *report.markdown_table(COLUMNS, [_cells(row) for row in found.rows]),
        "",
        *NOTES.splitlines(),
        "",
        image(page.figure(), "Error against seconds of training"),
        "",
        *_recipes(found),
        "",
        _imports(found),
        "",
        *_coefficients(found),
        f"Measured on {found.machine['device']}, {found.date}.",
    ]
    page.write("DeepXDE, pinnreg and SciPy", command, body, {page.figure(): plots.content(_figure(found))})


def _recipes(found: benchmarks.PeerBenchmark) -> list[str]:
    """What DeepXDE was asked to do."""
    lines = [
        f"- {case}: {' '.join((inspect.getdoc(benchmarks.PEER_RECIPES[case]) or '').split())}"
        for case in found.setting.cases
    ]
    return [
        "DeepXDE's runs, by its own demos: Adam with a learning rate of 1e-3 for the demo's steps, or half of the "
        "seconds where these would take longer, then L-BFGS as DeepXDE has it by default, 15 000 steps at most, also "
        "where a demo ends with Adam; to end it in time, DeepXDE looks at its losses every 50 of them, not every 1000, "
        'which takes 2 to 4 % of their time. "No further step" is its own end: float32 leaves L-BFGS no step that '
        "lowers the loss. By case:",
        "",
        *lines,
    ]


def _coefficients(found: benchmarks.PeerBenchmark) -> list[str]:
    rows = [row for row in found.rows if isinstance(row, benchmarks.PeerRow) and row.runs[0].unknown]
    said = [
        f"{row.case}, {row.solver}: {', '.join(f'{name} = {value:.5g}' for name, value in row.runs[0].unknown.items())}"
        for row in rows
    ]
    return [f"Coefficients that were found, seed 0: {'; '.join(said)}.", ""] if said else []


def _busy(found: benchmarks.PeerBenchmark) -> list[str]:
    """What a machine with other work takes from these seconds."""
    shares = [run.share for row in found.rows if isinstance(row, benchmarks.PeerRow) for run in row.runs]
    if not shares or min(shares) > IDLE:
        return []
    said = f"The machine had other work: the runs had from {min(shares):.0%} to {max(shares):.0%} of a core"
    return [f"{said}, so that a quiet one reaches lower errors in these seconds, and rows differ by chance, too.", ""]


def _figure(found: benchmarks.PeerBenchmark) -> Any:
    panels = {}
    for case in found.setting.cases:
        rows = [row for row in found.rows if isinstance(row, benchmarks.PeerRow) and row.case == case]
        curves = {row.solver: [(run.seconds, run.errors) for run in row.runs] for row in rows}
        scipy = next((row for row in found.rows if isinstance(row, benchmarks.ScipyRow) and row.problem == case), None)
        panels[case] = plots.Convergence(curves, {} if scipy is None else {"SciPy": (scipy.seconds, scipy.error)})
    seeds = found.setting.seeds
    thin = f"thin: each of {seeds} seeds, thick: their median; " if seeds > 1 else ""
    note = f"{thin}{found.setting.max_seconds:g} s at most; {found.machine['device']}, 1 thread, {found.date}"
    return plots.convergence(panels, title="Relative L2 error against seconds of set-up and training", note=note)


def _data(found: benchmarks.PeerBenchmark) -> dict[str, Any]:
    rows = [row for row in found.rows if isinstance(row, benchmarks.PeerRow)]
    return {
        "imports": found.imports,
        "rows": [dataclasses.asdict(row) for row in rows],
        "scipy": [dataclasses.asdict(row) for row in found.rows if isinstance(row, benchmarks.ScipyRow)],
        "verdicts": [{**dataclasses.asdict(verdict), "words": verdict.words} for verdict in found.verdicts],
    }
