"""`pinnreg bench coverage`: the options, the table, the JSON file and the page."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from pinnreg import benchmarks, report
from pinnreg.benchmarks import COVERED, FEWER
from pinnreg.cli import options, show
from pinnreg.cli.measuring import Keep, Outlets, measured
from pinnreg.cli.page import Page, PageOption
from pinnreg.errors import InputError

COLUMNS = (
    *("case", "quantity", "sets", "linearised", "width", "of sets", "bootstrap", "its width"),
    *("bias", "spread", "seconds"),
)
RIGHT = range(2, len(COLUMNS))
NOTES = """\
linearised, bootstrap: the share of the data sets whose 95 % interval contains the truth, with its binomial standard
error; u is the band at points inside, those of a data set together. width: the mean of half the width, of 1.96 times
the standard deviation of the estimates over the data sets: 1 is right. bias: how far the mean of the estimates is from
the truth, in standard deviations of one estimate; of u the root of the mean square over the points. spread: that
standard deviation, of the truth. seconds: a training with its linearised intervals."""
SHARES, WIDTHS = (0.90, 0.98), (0.85, 1.15)
"""Within which intervals are right."""
ASSUMED = """\
Intervals take for granted that the noise is Gaussian, independent and of one size, and that training ended at a minimum
of a least-squares problem that is nearly linear over the width of the noise. The two last are what fails first. A
training that is cut is not where its Jacobian says that noise takes it: estimates are biased, and spread more. And a
penalty that matters and is far from linear in the parameters, as the third total variation of a cubic whose third
derivative is 55, leaves JᵀJ no Hessian: it takes u for stiffer than it is, and the linearised band for narrower. The
bootstrap does not linearise, and is the one to ask there."""


def coverage(
    context: typer.Context,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", metavar="NAME", help=f"{', '.join(each.label for each in COVERED)}; repeatable."),
    ] = None,
    sets: Annotated[int, typer.Option("--sets", help="Data sets of a case; of comparisons a quarter.")] = 200,
    replicates: Annotated[
        int, typer.Option("--replicates", help="Of the bootstrap of one in four data sets; 0 for none.")
    ] = 40,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Trainings side by side, each with one CPU thread.")] = 1,
    json: options.Json = None,
    page: PageOption = None,
) -> int:
    """Whether 95 % intervals and bands contain the truth in 95 % of many noisy data sets, linearised and by bootstrap.

    Each training is a small one, of about a second. The JSON file has the rows. If the command is interrupted, what it
    has printed is written all the same.
    """
    if sets < 2:
        raise InputError(f"--sets: expected at least 2 data sets, whose spread is looked at, got {sets}")
    if replicates < 0 or replicates == 1:
        raise InputError(f"--replicates: expected 0 or at least 2, got {replicates}")
    cases = benchmarks.covered(dict.fromkeys(case)) if case else COVERED
    written = None if page is None else Page(page, "bench_coverage")
    if written is not None:
        written.check()

    def make(
        keep: Keep[benchmarks.CoverageBenchmark], interrupted: Callable[[], int | None]
    ) -> benchmarks.CoverageBenchmark:
        def on_rows(found: benchmarks.CoverageBenchmark, rows: Sequence[benchmarks.CoverageRow]) -> None:
            for row in rows:
                said = ", ".join(f"{name} {cell}" for name, cell in zip(COLUMNS, _cells(row), strict=True))
                print(said, file=sys.stderr, flush=True)
            keep(found)

        return benchmarks.bench_coverage(cases, sets, replicates, jobs, on_rows, interrupted)

    def last(found: benchmarks.CoverageBenchmark) -> list[str]:
        show.texts(COLUMNS, [_cells(row) for row in found.rows], right=RIGHT)
        return [*NOTES.splitlines(), _said(found)]

    outlets = Outlets(context.obj, json, written, _setting, _data, _write_page, last)
    return measured(make, lambda found: len({row.case.label for row in found.rows}), f"{len(cases)} cases", outlets)


def _setting(found: benchmarks.CoverageBenchmark) -> dict[str, int]:
    return {"sets": found.sets, "replicates": found.replicates, "jobs": found.jobs}


def _cells(row: benchmarks.CoverageRow) -> list[str]:
    cells = [row.case.label, row.quantity, str(row.linearised.sets), *_shares(row.linearised)]
    share, width = _shares(row.bootstrap)
    cells += [str(row.bootstrap.sets), share, width]
    return [*cells, f"{row.bias:+.2f}", f"{row.spread:.2%}", f"{row.seconds:.1f}"]


def _shares(found: benchmarks.Coverage) -> tuple[str, str]:
    if not found.sets:
        return "-", "-"
    return f"{found.share:.1%} ± {found.standard_error:.1%}", "-" if math.isnan(found.width) else f"{found.width:.2f}"


def _outside(found: benchmarks.CoverageBenchmark) -> list[str]:
    """The intervals that are not right, a line each."""
    said = []
    for row in found.rows:
        for kind, each in (("linearised", row.linearised), ("bootstrap", row.bootstrap)):
            right = SHARES[0] <= each.share <= SHARES[1] and WIDTHS[0] <= each.width <= WIDTHS[1]
            if each.sets and not right:
                share, width = _shares(each)
                said.append(f"- {row.case.label}, {row.quantity}, {kind}: {share} of {each.sets}, width {width}")
    return said


def _said(found: benchmarks.CoverageBenchmark) -> str:
    lost = {row.case.label: row.lost for row in found.rows if row.lost}
    without = "".join(f"; {count} data sets of {label} had no intervals" for label, count in lost.items())
    failed = f"; {found.failed} replicates found no minimum" if found.failed else ""
    return (
        f"{found.sets} data sets, {found.replicates} replicates of one in {FEWER}, {found.jobs} at a time: "
        f"{found.seconds / 60:.1f} minutes{without}{failed}"
    )


def _write_page(found: benchmarks.CoverageBenchmark, page: Page, command: str) -> None:
    outside = _outside(found)
    labels = {row.case.label: row.case.what for row in found.rows}
    body = [
        "Each training is repeated on data sets that differ in their noise and in where was measured. Of each the 95 % "
        "intervals of the unknown coefficients and the band of u at points inside are looked at: from the Jacobian at "
        "the end of the training (linearised), and from training again on the solution with fresh noise "
        f"({found.replicates} replicates of one in {FEWER} data sets).",
        "",
        *report.markdown_table(COLUMNS, [_cells(row) for row in found.rows]),
        "",
        *NOTES.splitlines(),
        "",
        *(f"- {label}: {what}" for label, what in labels.items()),
        "",
        *(["Not within 90 to 98 %, or of a width that is off by more than 15 %:", "", *outside, ""] if outside else []),
        *ASSUMED.splitlines(),
        "",
        f"{_said(found)}.",
        "",
        f"Measured on {found.machine['device']}, {found.date}, one thread each.",
    ]
    page.write("Coverage of intervals", command, body, {})


def _data(found: benchmarks.CoverageBenchmark) -> dict[str, Any]:
    rows = [
        {
            "case": row.case.label,
            "quantity": row.quantity,
            "linearised": {**dataclasses.asdict(row.linearised), "standard_error": row.linearised.standard_error},
            "bootstrap": {**dataclasses.asdict(row.bootstrap), "standard_error": row.bootstrap.standard_error},
            "bias": row.bias,
            "spread": row.spread,
            "lost": row.lost,
            "seconds": row.seconds,
        }
        for row in found.rows
    ]
    return {"seconds": found.seconds, "failed": found.failed, "rows": rows}
