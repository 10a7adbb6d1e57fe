"""`pinnreg bench`: measurements of speed, memory and accuracy."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import typer

from pinnreg import benchmarks, report, run
from pinnreg.cli import options, show
from pinnreg.cli.coverage import coverage
from pinnreg.cli.estimates import estimates
from pinnreg.cli.figures import figures
from pinnreg.cli.fits import least_squares
from pinnreg.cli.optimisers import optimisers
from pinnreg.cli.page import Page, PageOption
from pinnreg.cli.peers import peers
from pinnreg.cli.zoo import zoo
from pinnreg.errors import unknown
from pinnreg.networks import ACTIVATION_NAMES

bench = typer.Typer(help="Measure speed, memory and accuracy, side by side in one run.")
bench.command()(coverage)
bench.command()(estimates)
bench.command()(figures)
bench.command()(optimisers)
bench.command()(peers)
bench.command("least_squares")(least_squares)
bench.command()(zoo)

MEBIBYTE = 2**20
HEADER = (
    f"{'':20} {'nested':>10} {'taylor':>10} {'':>7} {'compiled':>10} {'':>7}"
    f"   {'nested':>8} {'taylor':>8} {'compiled':>9}   {'gradient':>8}"
)
UNITS = (
    f"{'':20} {'ms':>10} {'ms':>10} {'faster':>7} {'ms':>10} {'faster':>7}"
    f"   {'MiB':>8} {'MiB':>8} {'MiB':>9}   {'error':>8}"
)

COLUMNS = (
    *("", "nested, ms", "Taylor, ms", "faster", "compiled, ms", "faster"),
    *("nested, MiB", "Taylor, MiB", "compiled, MiB", "gradient error"),
)


@bench.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Measure speed, memory and accuracy, side by side in one run."""
    if context.invoked_subcommand is None:
        show.line(context.get_help())


@bench.command()
def derivatives(
    context: typer.Context,
    points: Annotated[int, typer.Option("--points", min=1, help="Points; a quarter of them for the Laplacian.")] = 2048,
    hidden: Annotated[
        list[int] | None, typer.Option("--hidden", min=1, help="A hidden layer's width; repeatable.")
    ] = None,
    activation: Annotated[str, typer.Option("--activation", help="The network's activation.")] = "tanh",
    order: Annotated[
        list[int] | None, typer.Option("--order", min=1, help="An order; repeatable; else 1 to 6.")
    ] = None,
    single: Annotated[bool, typer.Option("--float32", help="Single precision.")] = False,
    compile_: Annotated[bool, typer.Option("--compile/--no-compile", help="Measure the compiled engine too.")] = True,
    budget: Annotated[float, typer.Option("--budget", min=0, help="Seconds of timing for each row, about.")] = 10.0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="CPU threads; all cores if not given.")
    ] = None,
    json: options.Json = None,
    page: PageOption = None,
) -> None:
    """Taylor mode, plain and compiled, against nested reverse mode: time and peak memory of value and gradient."""
    if activation not in ACTIVATION_NAMES:
        raise unknown("activation", activation, ACTIVATION_NAMES)
    import torch

    written = None if page is None else Page(page, "bench_derivatives")
    if written is not None:
        written.check()
    if threads is not None:
        torch.set_num_threads(threads)
    dtype = torch.float32 if single else torch.float64
    setting = benchmarks.Setting(run.choose_device(device), dtype, points, activation=activation)
    setting = dataclasses.replace(
        setting,
        hidden=tuple(hidden or setting.hidden),
        orders=tuple(order or setting.orders),
        compiled=compile_,
        budget=budget,
    )
    show.line(HEADER)
    show.line(UNITS)
    found = benchmarks.bench_derivatives(setting, lambda row: show.line(_line(row)))
    show.line(
        ", ".join(f"{key} {value}" for key, value in {**found.setting, **found.machine, "date": found.date}.items())
    )
    if json is not None:
        json.write(_data(found))
    if written is not None:
        _write_page(found, written, context.obj)


def _line(row: benchmarks.Row) -> str:
    task, *cells = _cells(row)
    padded = [f"{cell:>{width}}" for cell, width in zip(cells, (10, 10, 7, 10, 7, 8, 8, 9, 8), strict=True)]
    return f"{task:20} {' '.join(padded[:5])}   {' '.join(padded[5:8])}   {padded[8]}"


def _cells(row: benchmarks.Row) -> list[str]:
    times = [f"{1e3 * row.costs['nested'].seconds:.2f}"]
    for engine in ("taylor", "compiled"):
        known = engine in row.costs
        times.append(f"{1e3 * row.costs[engine].seconds:.2f}" if known else "-")
        times.append(f"{row.speedup(engine):.2f}x" if known else "-")
    memory = [
        f"{row.costs[engine].bytes / MEBIBYTE:.1f}" if engine in row.costs else "-"
        for engine in ("nested", "taylor", "compiled")
    ]
    return [row.task, *times, *memory, f"{max(row.errors.values()):.1e}"]


def _write_page(found: benchmarks.Benchmark, page: Page, command: str) -> None:
    body = [
        "Value and gradient of the mean squares of all derivatives up to an order along x, by a chain of "
        "`torch.autograd.grad` (nested) and by truncated Taylor series, as they are and compiled.",
        "",
        *report.markdown_table(COLUMNS, [_cells(row) for row in found.rows]),
        "",
        f"{', '.join(f'{key} {value}' for key, value in found.setting.items())}. "
        "The gradient error is the largest difference from the nested gradient, relative to its largest entry. "
        "Times on a shared machine vary: compare within one run.",
    ]
    page.write("Derivatives: time and memory", command, body, {})


def _data(found: benchmarks.Benchmark) -> dict[str, Any]:
    rows = [
        {
            "task": row.task,
            "engines": {
                engine: {
                    "milliseconds": 1e3 * cost.seconds,
                    "mebibytes": cost.bytes / MEBIBYTE,
                    "faster": row.speedup(engine),
                    "gradient_error": row.errors[engine],
                }
                for engine, cost in row.costs.items()
            },
        }
        for row in found.rows
    ]
    return {"rows": rows, "setting": found.setting, "machine": found.machine, "date": found.date}
