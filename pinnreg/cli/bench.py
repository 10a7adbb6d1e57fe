"""`pinnreg bench`: measurements of speed, memory and accuracy."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from pinnreg.benchmarks import Benchmark, Row, Setting, bench_derivatives
from pinnreg.cli import show
from pinnreg.cli.accuracy import accuracy
from pinnreg.cli.fits import least_squares
from pinnreg.cli.process import check_json
from pinnreg.errors import unknown
from pinnreg.networks import ACTIVATIONS
from pinnreg.report import write_json
from pinnreg.run import choose_device

bench = typer.Typer(help="Measure speed, memory and accuracy, side by side in one run.")
bench.command()(accuracy)
bench.command("least_squares")(least_squares)

MEBIBYTE = 2**20
HEADER = (
    f"{'':20} {'nested':>10} {'taylor':>10} {'':>7} {'compiled':>10} {'':>7}"
    f"   {'nested':>8} {'taylor':>8} {'compiled':>9}   {'gradient':>8}"
)
UNITS = (
    f"{'':20} {'ms':>10} {'ms':>10} {'faster':>7} {'ms':>10} {'faster':>7}"
    f"   {'MiB':>8} {'MiB':>8} {'MiB':>9}   {'error':>8}"
)


@bench.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Measure speed, memory and accuracy, side by side in one run."""
    if context.invoked_subcommand is None:
        show.line(context.get_help())


@bench.command()
def derivatives(
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
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON, too.")] = None,
) -> None:
    """Taylor mode, plain and compiled, against nested reverse mode: time and peak memory of value and gradient."""
    if activation not in ACTIVATIONS:
        raise unknown("activation", activation, ACTIVATIONS)
    check_json(json)
    if threads is not None:
        torch.set_num_threads(threads)
    setting = Setting(choose_device(device), torch.float32 if single else torch.float64, points, activation=activation)
    setting = dataclasses.replace(
        setting,
        hidden=tuple(hidden or setting.hidden),
        orders=tuple(order or setting.orders),
        compiled=compile_,
        budget=budget,
    )
    show.line(HEADER)
    show.line(UNITS)
    found = bench_derivatives(setting, lambda row: show.line(_line(row)))
    show.line(
        ", ".join(f"{key} {value}" for key, value in {**found.setting, **found.machine, "date": found.date}.items())
    )
    if json is not None:
        write_json(json, _data(found))


def _line(row: Row) -> str:
    times = [f"{row.task:20}", f"{1e3 * row.costs['nested'].seconds:10.2f}"]
    for engine in ("taylor", "compiled"):
        known = engine in row.costs
        times.append(f"{1e3 * row.costs[engine].seconds:10.2f}" if known else f"{'-':>10}")
        times.append(f"{row.speedup(engine):6.2f}x" if known else f"{'-':>7}")
    memory = [
        f"{row.costs[engine].bytes / MEBIBYTE:{width}.1f}" if engine in row.costs else f"{'-':>{width}}"
        for engine, width in (("nested", 8), ("taylor", 8), ("compiled", 9))
    ]
    return f"{' '.join(times)}   {' '.join(memory)}   {max(row.errors.values()):8.1e}"


def _data(found: Benchmark) -> dict[str, Any]:
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
