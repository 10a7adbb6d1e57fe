"""`pinnreg export`: a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pinnreg import run
from pinnreg.cli import options, show
from pinnreg.cli.process import problem_folders
from pinnreg.errors import InputError


def export(
    folder: options.Run,
    to: Annotated[
        Literal["vtk", "netcdf", "csv", "npz", "program"] | None,
        typer.Option("--to", help="For ParaView, xarray, tables, NumPy, PyTorch; what --out says if not given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file; the run's name if not given.")
    ] = None,
    grid: options.Grid = None,
    points: Annotated[
        str | None,
        typer.Option("--points", metavar="N|FILE", help="So many scattered points, or those of a CSV or NPZ file."),
    ] = None,
    derivative: Annotated[
        list[str] | None, typer.Option("--derivative", metavar="NAME", help="Such as x or xt, too; repeatable.")
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option("--unit", metavar="NAME=UNIT", help="Of an axis or output; repeatable.")
    ] = None,
    problems: options.Problems = None,
) -> None:
    """Write a solution for ParaView, xarray, tables, NumPy, or as a program for PyTorch.

    Outputs, reference, error and estimate are those of the run's report, unless --grid or --points say where else. A
    file that exists is never replaced.
    """
    units = dict(map(_unit, unit or ()))
    where = int(points) if points is not None and points.isdecimal() else points
    if where == 0:
        raise InputError("--points 0: expected at least one point")
    with show.notes(quiet=False):
        written = run.export(
            folder,
            to,
            out,
            grid=options.counts("--grid", grid, 2),
            points=where,
            derivatives=derivative or (),
            units=units,
            problems=problem_folders(problems),
        )
    others = len(written) - 1
    more = f" and {others} file{'s' if others > 1 else ''} beside it" if others else ""
    show.line(f"{written[0]}{more}")


def _unit(text: str) -> tuple[str, str]:
    name, sign, unit = text.partition("=")
    if not (name and sign and unit):
        raise InputError(f"--unit {text}: expected a name and its unit, as in --unit u=K")
    return name, unit
