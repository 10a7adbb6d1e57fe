"""`pinnreg evaluate RUN --at x=.5,t=.1`: values of a solution, and of its derivatives, at points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pinnreg import exports, report, run
from pinnreg.cli import show
from pinnreg.cli.process import problem_folders
from pinnreg.cli.target import JsonFile
from pinnreg.errors import InputError, unknown

if TYPE_CHECKING:
    from pinnreg.run import Solution

MOST = 40
"""Points that are printed; more are for a file."""


def print_values(
    folder: Path, at: Sequence[str], derivatives: Sequence[str], problems: list[Path] | None, json: JsonFile | None
) -> None:
    """Print the outputs at points, a line each; NaN outside of the domain.

    Args:
        folder: the run's.
        at: points as `x=.5,t=.1`, or one file that has them.
        derivatives: names such as "xx", too.
        problems: folders of problem files.
        json: where the numbers go, too.

    Raises:
        InputError: no such run, axis or derivative, or text that is no point.
    """
    from pinnreg.run import sampling

    solution = run.load(folder, problem_folders(problems))
    sampled = sampling.at_points(solution, _points(solution, at), derivatives)
    found = exports.columns(sampled)
    rows = list(zip(*(values.tolist() for values in found.values()), strict=True))
    show.texts(tuple(found), [[f"{value:.10g}" for value in row] for row in rows[:MOST]], right=range(len(found)))
    if len(rows) > MOST:
        show.line(f"... {len(rows) - MOST} more: --json has them all, and pinnreg export --points FILE writes them")
    if outside := sampled.outside:
        show.line(f"note: {outside} of {len(rows)} points lie outside of the domain, where nothing was solved: nan")
    if json is not None:
        json.write({"run": str(folder), "values": report.finite({name: each.tolist() for name, each in found.items()})})


def _points(solution: Solution, at: Sequence[str]) -> Sequence[Sequence[float]]:
    from pinnreg.run import sampling

    axes = solution.trial.axes
    texts = [each for each in at if "=" in each and not Path(each).is_file()]
    if len(texts) == len(at):
        given = [_point(each, axes) for each in texts]
        return [[point[axis] for axis in axes] for point in given]
    if len(at) > 1:
        raise InputError(f"--at: expected points such as {_example(axes)}, or one file of them, got {', '.join(at)}")
    if Path(at[0]).suffix.lower() not in (".csv", ".npz"):
        raise InputError(f"--at {at[0]}: expected a point such as {_example(axes)}, or a CSV file of points")
    points: Sequence[Sequence[float]] = sampling.read_points(solution, at[0]).tolist()
    return points


def _point(text: str, axes: Sequence[str]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in axes:
            raise unknown(f"axis in --at {text}:", name, axes)
        if name in found:
            raise InputError(f"--at {text}: {name} is there twice")
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(f"--at {text}: {name}: expected a number, got {value!r}") from None
    if missing := [axis for axis in axes if axis not in found]:
        raise InputError(f"--at {text}: no {', '.join(missing)}; expected a value of each axis, as in {_example(axes)}")
    return found


def _example(axes: Sequence[str]) -> str:
    return ",".join(f"{axis}=0.5" for axis in axes)
