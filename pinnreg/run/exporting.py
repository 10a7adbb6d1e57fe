"""`export`: a run for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pinnreg.config import Problems
from pinnreg.errors import InputError, unknown
from pinnreg.exports import Sampled, write_csv, write_netcdf, write_npz, write_vtk
from pinnreg.exports.vtk import paths_of
from pinnreg.run.line import evaluate, load
from pinnreg.run.program import check_new, save_program
from pinnreg.run.sampling import at_points, on_grid, read_points, scattered
from pinnreg.run.solution import Solution

Format = Literal["vtk", "netcdf", "csv", "npz", "program"]
SUFFIXES: Mapping[str, str] = {"vtu": "vtk", "pvd": "vtk", "nc": "netcdf", "csv": "csv", "npz": "npz", "pt2": "program"}
"""Of files, and the format that each of them says."""
WRITERS: Mapping[str, Callable[[Sampled, Path], list[Path]]] = {
    "vtk": write_vtk,
    "netcdf": write_netcdf,
    "csv": write_csv,
    "npz": write_npz,
}


def export(
    run: str | Path | Solution,
    to: Format | None = None,
    out: str | Path | None = None,
    *,
    grid: Sequence[int] | None = None,
    points: int | str | Path | None = None,
    derivatives: Iterable[str] = (),
    units: Mapping[str, str] | None = None,
    problems: Problems = None,
) -> list[Path]:
    """Write a solution for another program: outputs, reference, error and estimate, and derivatives.

    Args:
        run: a run's folder, or a solution.
        to: "vtk" for ParaView (`.vtu`, and a `.pvd` collection of times), "netcdf", "csv" or "npz"; "program" for
            PyTorch (`solution.save_network`), which needs no grid or points; None for what the suffix of `out` says.
        out: the file; None for the run's name in the working folder. None that exists is replaced.
        grid: points along each axis, or one number for all; None for the grid of the run's report. On another grid a
            run's folder is compared anew with the reference.
        points: scattered points in the place of a grid: their number, uniform inside of the domain, or a file that has
            them, `.csv` or `.npz` with the axes as columns.
        derivatives: names such as "x" or "xt", of every output.
        units: of axes and outputs, by name.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.

    Returns:
        What was written, the file to open first.

    Raises:
        InputError: no such run, format, axis or derivative, a file that exists or cannot be written, a grid and points
            together, or a package that is not installed.
    """
    if grid is not None and points is not None:
        raise InputError("export: a grid, or points: choose one")
    solution = _solution(run, grid, problems)
    timed = "t" in solution.trial.axes
    kind, path = _target(to, out, solution, timed=timed)
    check_new(path)
    if kind == "program":
        if grid is not None or points is not None or list(derivatives) or units:
            raise InputError("export: a program takes any points: no grid, points, derivatives or units")
        return save_program(solution, path)
    if points is None:
        sampled = on_grid(solution, grid if solution.report is None else None, derivatives, units)
    else:
        at = scattered(solution, points) if isinstance(points, int) else read_points(solution, points)
        sampled = at_points(solution, at, derivatives, units)
    if kind == "vtk":
        sampled = _in_space(sampled)
        for each in paths_of(path, len(set(sampled.axes["t"]))) if "t" in sampled.axes else [path]:
            check_new(each)
    path.parent.mkdir(parents=True, exist_ok=True)
    return WRITERS[kind](sampled, path)


def _solution(run: str | Path | Solution, grid: Sequence[int] | None, problems: Problems) -> Solution:
    if isinstance(run, Solution):
        return run if grid is None else replace(run, report=None)
    if grid is None:
        return load(run, problems)
    return replace(evaluate(run, grid=grid, problems=problems, estimate="none"), folder=Path(run))


def _target(to: str | None, out: str | Path | None, solution: Solution, *, timed: bool) -> tuple[str, Path]:
    """The format, and the file."""
    if to is not None and to not in get_args(Format):
        raise unknown("format to export to:", to, get_args(Format))
    if out is None:
        if to is None:
            raise InputError(f"export: say to what: {', '.join(get_args(Format))}, or a file with the suffix of one")
        stem = (
            solution.folder.resolve().name if solution.folder is not None else type(solution.problem).__name__.lower()
        )
        suffix = (
            ("pvd" if timed else "vtu") if to == "vtk" else next(key for key, each in SUFFIXES.items() if each == to)
        )
        return to, Path(f"{stem}.{suffix}")
    path = Path(out)
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in SUFFIXES:
        raise unknown(f"suffix of {str(path)!r}:", suffix, SUFFIXES)
    if to is not None and SUFFIXES[suffix] != to:
        raise InputError(f"export: {path}: .{suffix} is not a file of {to}")
    return SUFFIXES[suffix], path.with_suffix(".pvd" if timed else ".vtu") if SUFFIXES[suffix] == "vtk" else path


def _in_space(sampled: Sampled) -> Sampled:
    """The fields in space and time: of parameters the value in the middle."""
    rest = [name for name in sampled.axes if name not in (*sampled.space, "t")]
    if not rest or not sampled.is_grid:
        return sampled
    axes, fields, fixed = dict(sampled.axes), dict(sampled.fields), dict(sampled.fixed)
    for name in rest:
        place, middle = list(axes).index(name), axes[name].size // 2
        fixed[name] = float(axes.pop(name)[middle])
        fields = {key: np.take(values, middle, axis=place) for key, values in fields.items()}
    return replace(sampled, axes=axes, fields=fields, fixed=fixed)
