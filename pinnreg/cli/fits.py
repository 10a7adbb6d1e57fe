"""`pinnreg bench least_squares`: the table and the JSON file."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer

from pinnreg import __version__, benchmarks, report
from pinnreg.cli import options, show
from pinnreg.cli.page import Page, PageOption

METHODS = {"pinnreg": "pinnreg.least_squares", "trf": "SciPy, trf (default)", "lm": "SciPy, lm (MINPACK)"}
WIDTH = 20
NOTES = """\
loss: the sum of squares at the end; marked ~ where it is a known local minimum, ! where it is none that is known.
r, J: evaluations of the residuals and of their Jacobian, which all three are given exactly. SciPy's tolerances are
1e-15, pinnreg's its defaults; all start from the standard start."""


def least_squares(
    context: typer.Context,
    function: Annotated[
        list[str] | None, typer.Option("--function", metavar="NAME", help="A test function; repeatable; else all.")
    ] = None,
    json: options.Json = None,
    page: PageOption = None,
) -> None:
    """Evaluations to the minima of the functions of Moré, Garbow & Hillstrom, beside SciPy's least squares."""
    written = None if page is None else Page(page, "bench_least_squares")
    if written is not None:
        written.check()
    names = tuple(function or ())
    done: list[benchmarks.FitRow] = []

    def on_row(row: benchmarks.FitRow) -> None:
        for header in () if done else _headers():
            show.line(header)
        show.line(_line(f"{row.function:{WIDTH + 3}} {row.parameters:2} {row.residuals:3}", row.fits))
        sys.stdout.flush()
        done.append(row)

    found = benchmarks.bench_least_squares(names, on_row)
    totals = {method: found.total(method) for method in METHODS}
    reached = {method: sum(row.fits[method].minimum for row in found.rows) for method in METHODS}
    show.line(_totals(totals, reached, len(found.rows)))
    show.line(NOTES)
    show.line(", ".join(f"{key} {value}" for key, value in {**found.machine, "date": found.date}.items()))
    if json is not None:
        json.write(_data(found, context.obj))
    if written is not None:
        _write_page(found, written, context.obj)


def _headers() -> list[str]:
    methods = "".join(f"  {title:>{WIDTH + 2}}" for title in METHODS.values())
    columns = "".join(f"  {'loss':>12} {'r':>5} {'J':>3}" for _ in METHODS)
    return [f"{'':{WIDTH + 10}}{methods}", f"{'function':{WIDTH + 3}} {'n':>2} {'m':>3}{columns}"]


def _line(label: str, fits: dict[str, benchmarks.Fit]) -> str:
    return label + "".join(
        f"  {fit.loss:11.5e}{_mark(fit)} {fit.residuals:5} {fit.jacobians:3}" for fit in fits.values()
    )


def _mark(fit: benchmarks.Fit) -> str:
    return " " if fit.least else "~" if fit.minimum else "!"


def _totals(totals: dict[str, benchmarks.Fit], reached: dict[str, int], count: int) -> str:
    ends = "".join(
        f"  {f'{reached[method]} of {count}':>12} {fit.residuals:5} {fit.jacobians:3}" for method, fit in totals.items()
    )
    return f"{'minima, evaluations':{WIDTH + 10}}{ends}"


def _data(found: benchmarks.LeastSquaresBenchmark, command: str | None) -> dict[str, Any]:
    rows = [dataclasses.asdict(row) for row in found.rows]
    return {"command": command, "version": __version__, "date": found.date, "machine": found.machine, "rows": rows}


def _write_page(found: benchmarks.LeastSquaresBenchmark, page: Page, command: str) -> None:
    columns = ["function", "n", "m"]
    for title in METHODS.values():
        columns += [f"{title}: loss", "r", "J"]
    rows = []
    for row in found.rows:
        cells = [row.function, str(row.parameters), str(row.residuals)]
        for method in METHODS:
            fit = row.fits[method]
            cells += [f"{fit.loss:.5e}{_mark(fit).strip()}", str(fit.residuals), str(fit.jacobians)]
        rows.append(cells)
    last = ["minima, evaluations", "", ""]
    for method in METHODS:
        reached, total = sum(row.fits[method].minimum for row in found.rows), found.total(method)
        last += [f"{reached} of {len(rows)}", str(total.residuals), str(total.jacobians)]
    body = [
        "The test functions of Moré, Garbow & Hillstrom (1981, doi:10.1145/355934.355936) that are sums of squares.",
        "",
        *report.markdown_table(columns, [*rows, last]),
        "",
        *NOTES.splitlines(),
    ]
    page.write("Least squares: evaluations to a minimum", command, body, {})
