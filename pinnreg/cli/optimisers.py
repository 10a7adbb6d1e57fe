"""`pinnreg bench optimisers`: the options, the table, the JSON file and the figure."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pinnreg import __version__, benchmarks, plots, report
from pinnreg.benchmarks import PROBLEMS, RECIPES
from pinnreg.cli import options, show
from pinnreg.cli.page import Page, PageOption, image
from pinnreg.cli.process import use_threads
from pinnreg.cli.target import check_file
from pinnreg.errors import InputError

PRINTED = (2, 4, 6, 8, 10)  # of the decades
METHODS = {"gauss_newton": "Gauss-Newton", "ssbroyden": "Adam, SSBroyden", "lbfgs": "Adam, L-BFGS", "adam": "Adam"}
NOTES = """\
error: relative L2 on the evaluation grid, which training never sees. seconds: until the error was first so small, of
set-up and training; the reference and the measuring of errors do not count. total: seconds of the whole of
pinnreg.solve, reference, SciPy check and figures included. All are medians over the seeds, without imports. scipy: the
solve that pinnreg checks itself with, at all the resolutions by which it knows its own error; median of three."""


def optimisers(
    context: typer.Context,
    problem: Annotated[
        list[str] | None,
        typer.Option("--problem", metavar="NAME", help=f"{', '.join(PROBLEMS)}, or any config's or problem's name."),
    ] = None,
    optimiser: Annotated[
        list[str] | None, typer.Option("--optimiser", metavar="NAME", help=f"{', '.join(RECIPES)}; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each, with seeds from 0.")] = 3,
    max_seconds: Annotated[float, typer.Option("--max-seconds", help="Of training, for each run.")] = 60.0,
    threads: options.Threads = None,
    figure: Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="Draw error against seconds.")] = None,
    json: options.Json = None,
    page: PageOption = None,
) -> None:
    """Seconds to errors of 1e-2, 1e-4, ... for each problem and optimiser, beside SciPy's own solve.

    One run after the other, the optimisers in turn for each seed. All settings but the optimiser's are the problem's
    defaults. The JSON file has every decade, seed and trace. If the command is interrupted, the rows that it has
    printed are written and drawn all the same.
    """
    if not max_seconds > 0 or math.isinf(max_seconds):
        raise typer.BadParameter(f"{max_seconds:g} is not a positive number", param_hint="--max-seconds")
    setting = benchmarks.OptimiserSetting(
        tuple(dict.fromkeys(problem or PROBLEMS)), tuple(dict.fromkeys(optimiser or RECIPES)), seeds, max_seconds
    )
    check_file("--figure", figure)
    if figure is not None and json is not None and figure.resolve() == json.path.resolve():
        raise InputError(f"--figure {figure}: the same file as --json; give them two names")
    if figure is not None:
        plots.check_format(figure)
    written = None if page is None else Page(page, "bench_optimisers")
    if written is not None:
        written.check([written.figure()])
    use_threads(threads)
    width = max(map(len, setting.problems))
    done: list[benchmarks.OptimiserBenchmark] = []

    def on_row(found: benchmarks.OptimiserBenchmark) -> None:
        for header in () if done else _headers(width):
            show.line(header)
        show.line(_line(found.rows[-1], width))
        sys.stdout.flush()
        done[:] = [found]

    try:
        with show.notes(quiet=False):
            benchmarks.bench_optimisers(setting, on_row, _print_run)
    finally:  # an hour's rows are kept when the next one fails or is interrupted
        if done and json is not None:
            json.write(_data(done[0], context.obj))
        if done and figure is not None:
            figure.parent.mkdir(parents=True, exist_ok=True)
            plots.save(_figure(done[0]), figure)
    if written is not None:  # once all rows are there: a page is whole
        _write_page(done[0], written, context.obj)
    show.line(NOTES)
    facts = {"seeds": seeds, "max_seconds": f"{max_seconds:g}", **done[0].machine, "date": done[0].date}
    show.line(", ".join(f"{key} {value}" for key, value in facts.items()))


def _print_run(problem: str, optimiser: str, run: benchmarks.OptimiserRun) -> None:
    text = f"{problem} {optimiser} seed {run.seed}: error {run.error:.1e} after {show.seconds(run.seconds[-1])} s"
    print(f"{text}: {run.stop_reason}", file=sys.stderr, flush=True)


def _headers(width: int) -> list[str]:
    decades = " ".join(f"{f'1e-{decade}':>6}" for decade in PRINTED)
    wide = 7 * len(PRINTED) - 1
    return [
        f"{'':{width}} {'':12} {'relative L2 error':>25}  {'seconds to an error of':>{wide}}  {'':>7} {'total':>7}",
        f"{'problem':{width}} {'optimiser':12} {'median':>7} {'min to max over seeds':>19}"
        f"  {decades}  {'steps':>7} {'seconds':>7}",
    ]


def _line(row: benchmarks.AnyRow, width: int) -> str:
    problem, method, error, spread, *times, steps, total = _cells(row)
    reached = " ".join(f"{seconds:>6}" for seconds in times)
    return f"{problem:{width}} {method:12} {error:>7} {spread:>21}  {reached}  {steps:>7} {total:>7}"


def _cells(row: benchmarks.AnyRow) -> list[str]:
    """Problem, method, error, its spread, seconds to each of the printed decades, steps, and seconds of all."""
    if isinstance(row, benchmarks.ScipyRow):
        name, error, spread, steps, total = "scipy", row.error, "", "-", row.seconds
        reached = [row.seconds if row.error <= 10.0**-decade else math.inf for decade in PRINTED]
    else:
        name, error, errors = row.optimiser, row.median(_error), sorted(run.error for run in row.runs)
        spread = f"{errors[0]:.1e} to {errors[-1]:.1e}" if len(errors) > 1 else ""
        steps, total = f"{row.median(_steps):.0f}", row.median(_total)
        reached = [row.median(_reaching(decade)) for decade in PRINTED]
    return [row.problem, name, f"{error:.1e}", spread, *map(show.seconds, reached), steps, show.seconds(total)]


def _error(run: benchmarks.OptimiserRun) -> float:
    return run.error


def _steps(run: benchmarks.OptimiserRun) -> float:
    return run.steps


def _total(run: benchmarks.OptimiserRun) -> float:
    return run.total_seconds


def _reaching(decade: int) -> Callable[[benchmarks.OptimiserRun], float]:
    return lambda run: run.seconds_to(decade)


def _write_page(found: benchmarks.OptimiserBenchmark, page: Page, command: str) -> None:
    columns = ["problem", "optimiser", "median error", "min to max", *(f"s to 1e-{decade}" for decade in PRINTED)]
    columns += ["steps", "s in all"]
    setting = found.setting
    body = [
        f"Each problem with the network, points and conditions of its defaults, at most {setting.max_seconds:g} s of "
        f"training a run, {setting.seeds} seed{'s' if setting.seeds > 1 else ''} from 0.",
        "",
        *report.markdown_table(columns, [_cells(row) for row in found.rows]),
        "",
        *NOTES.splitlines(),
        "",
        image(page.figure(), "Error against seconds of training"),
    ]
    page.write("Optimisers: seconds to an error", command, body, {page.figure(): plots.content(_figure(found))})


def _figure(found: benchmarks.OptimiserBenchmark) -> Any:
    seeds, threads = found.setting.seeds, found.machine["threads"]
    thin = f"thin: each of {seeds} seeds, thick: their median; " if seeds > 1 else ""
    where = f"{found.machine['device']}, {threads} thread{'s' if threads != 1 else ''}, {found.date}"
    title = "Relative L2 error against seconds of set-up and training"
    return plots.convergence(_panels(found.rows), title=title, note=thin + where)


def _panels(rows: Sequence[benchmarks.AnyRow]) -> dict[str, plots.Convergence]:
    panels = {}
    for problem in dict.fromkeys(row.problem for row in rows):
        own = [row for row in rows if row.problem == problem]
        curves = {
            METHODS[row.optimiser]: [(run.seconds, run.errors) for run in row.runs]
            for row in own
            if isinstance(row, benchmarks.OptimiserRow)
        }
        scipy = next((row for row in own if isinstance(row, benchmarks.ScipyRow)), None)
        panels[problem] = plots.Convergence(curves, {} if scipy is None else {"SciPy": (scipy.seconds, scipy.error)})
    return panels


def _data(found: benchmarks.OptimiserBenchmark, command: str | None) -> dict[str, Any]:
    data: dict[str, Any] = report.finite(
        {
            "command": command,
            "version": __version__,
            "date": found.date,
            "machine": found.machine,
            "setting": {**dataclasses.asdict(found.setting), "configs": found.configs},
            "rows": [_row_data(row) for row in found.rows if isinstance(row, benchmarks.OptimiserRow)],
            "scipy": [dataclasses.asdict(row) for row in found.rows if isinstance(row, benchmarks.ScipyRow)],
        }
    )
    return data


def _row_data(row: benchmarks.OptimiserRow) -> dict[str, Any]:
    medians = {
        "error": row.median(_error),
        "seconds_to": {f"1e-{decade}": row.median(_reaching(decade)) for decade in benchmarks.DECADES},
        "steps": row.median(_steps),
        "total_seconds": row.median(_total),
    }
    runs = [
        {
            "seed": run.seed,
            "error": run.error,
            "seconds_to": {f"1e-{decade}": run.seconds_to(decade) for decade in benchmarks.DECADES},
            "steps": run.steps,
            "parameters": run.parameters,
            "stop_reason": run.stop_reason,
            "total_seconds": run.total_seconds,
            "train": run.train,
            "trace": {"seconds": run.seconds, "error": run.errors},
        }
        for run in row.runs
    ]
    return {"problem": row.problem, "optimiser": row.optimiser, "median": medians, "runs": runs}
