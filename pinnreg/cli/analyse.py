"""`pinnreg analyse`: what a run is like beside its error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinnreg import run
from pinnreg.cli import options, show
from pinnreg.cli.process import problem_folders, use_threads

if TYPE_CHECKING:
    from pinnreg.analysis import Sharpness

PRINTED = 12
"""Eigenvalues in a row; all are in the JSON file."""


def analyse(
    folder: options.Run,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write, if not into the run's folder.")
    ] = None,
    eigenvalues: Annotated[
        int, typer.Option("--eigenvalues", help="How many of each Hessian; at most 12 are printed.")
    ] = 8,
    format_: Annotated[str, typer.Option("--format", help="Of the figure: png, pdf or svg.")] = "png",
    bootstrap: Annotated[
        int | None,
        typer.Option(
            "--bootstrap",
            metavar="N",
            help="Train N times again on the solution with fresh noise: the spread of unknown coefficients and of u.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Processes for these, each with one CPU thread.")] = 1,
    device: options.Device = None,
    problems: options.Problems = None,
    threads: options.Threads = None,
    json: options.Json = None,
) -> None:
    """A run's sharpness, tangent kernels, drift and variation, also of one that has not ended."""
    if json is not None:
        json.refuse_own(out)
    use_threads(threads)
    with show.notes(quiet=False):
        found = run.analyse(
            folder,
            problem_folders(problems),
            out=out,
            device=device,
            eigenvalues=eigenvalues,
            figure=format_,
            bootstrap=bootstrap,
            jobs=jobs,
        )
    if json is not None:
        json.write(found.summary())
    _print(found)
    assert found.folder is not None
    arrays = ", analysis.npz" if found.bootstrap else ""
    show.line(f"written: {found.folder / 'analysis.json'}{arrays} and analysis.{format_}")


def _print(found: run.Analysis) -> None:
    show.line(f"step {found.step}, {found.parameters} parameters")
    show.line("")
    show.line("Hessian of each loss term by the parameters, unweighted")
    count = min(max(len(each.leading) for each in (*found.hessian.values(), found.total)), PRINTED)
    rows = [_curvature(name, found.weights[name], each, count) for name, each in found.hessian.items()]
    rows.append(_curvature("weighted sum", None, found.total, count))
    _table(["term", "weight", "trace", "+-", "largest", *(str(k) for k in range(2, count + 1))], rows)
    show.line("")
    show.line("tangent kernel J J^T/n of each loss term, unweighted")
    rows = [
        [
            name,
            f"{len(each.matrix)} of {each.rows}",
            _number(each.trace),
            _number(float(each.eigenvalues[0])),
            _number(float(each.eigenvalues.median())),
            str(each.effective_rank),
            _number(each.drift(found.initial[name])),
        ]
        for name, each in found.kernels.items()
    ]
    _table(["term", "rows", "trace", "largest", "median", "effective rank", "change in training"], rows)
    if found.imbalance is not None:
        weighted = "" if found.weighted_imbalance is None else f", {found.weighted_imbalance:.2g} with the weights"
        show.line(f"imbalance: the terms' mean eigenvalues differ by a factor of {found.imbalance:.2g}{weighted}")
    network = found.network
    show.line(
        f"drift in training: parameters {_number(network.parameters)} of their size, "
        f"tangent kernel of the network {_number(network.kernel)} of its own"
    )
    show.line("")
    show.line("total variation of the solution")
    variations = [[str(k), _number(each.value), _number(each.error)] for k, each in found.variations.items()]
    _table(["order", "variation", "its error"], variations)
    if found.bootstrap is not None:
        _print_bootstrap(found.bootstrap)
    for note in found.notes:
        show.line(f"left out: {note}")


def _print_bootstrap(found: run.Bootstrapped) -> None:
    """The intervals and bands of either way side by side."""
    failed = f", {found.failed} more found no minimum" if found.failed else ""
    show.line("")
    show.line(f"noise of the measurements: linearised, and by {found.replicates} replicates{failed}")
    rows = []
    for name, each in found.unknown.items():
        for way, interval in (("linearised", each.linearised), ("bootstrap", each.bootstrap)):
            ends = [f"{end:.6g}" for end in (interval.low, interval.high)]
            rows.append([name, way, f"{each.estimate:.6g}", f"{interval.standard_error:.2g}", *ends])
    if rows:
        _table(["coefficient", "by", "estimate", "standard error", "95 % from", "to"], rows, left=2)
    rows = []
    for name, band in found.bands.items():
        for way, size in (("linearised", band.linearised), ("bootstrap", band.bootstrap)):
            rows.append([name, way, _number(size.rel_l2), _number(size.max_abs)])
    _table(["output", "by", "95 % within, relative", "max"], rows, left=2)


def _curvature(name: str, weight: float | None, found: Sharpness, count: int) -> list[str]:
    leading = [*found.leading[:count], *((count - len(found.leading)) * [math.nan])]
    numbers = [found.trace, found.trace_error, *leading]
    return [name, "" if weight is None else _number(weight), *(_number(each) for each in numbers)]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    show.texts(headings, rows, right=range(left, len(headings)))


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.2e}"
