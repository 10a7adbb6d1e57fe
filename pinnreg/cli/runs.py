"""`pinnreg runs`: what was solved before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pinnreg.cli import options, show
from pinnreg.errors import unknown

if TYPE_CHECKING:
    from pinnreg.run.past import Past

Order = Literal["age", "error", "problem", "seconds"]
COLUMNS = ("run", "problem", "regularisers", "seed", "error", "", "converged", "seconds", "age")
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
KEYS: dict[Order, Callable[[Past], Any]] = {
    "age": lambda run: -run.changed,
    "error": lambda run: (math.isnan(wrong := _wrong(run)), wrong),
    "problem": lambda run: run.problem,
    "seconds": lambda run: run.seconds,
}


def runs(
    where: Annotated[Path, typer.Argument(metavar="DIR", help="A folder; all runs below it.")] = Path("outputs"),
    problem: Annotated[
        list[str] | None, typer.Option("--problem", metavar="NAME", help="Those of a problem; repeatable.")
    ] = None,
    regulariser: Annotated[
        str | None, typer.Option("--regulariser", metavar="KIND", help="Those with one of a kind; none: without any.")
    ] = None,
    converged: Annotated[
        bool | None, typer.Option("--converged/--not-converged", help="Those that say that they have, or the rest.")
    ] = None,
    sort: Annotated[Order, typer.Option("--sort", help="By which, the least first.")] = "age",
    most: Annotated[int | None, typer.Option("--most", min=1, metavar="N", help="The first N of them.")] = None,
    studies: Annotated[bool, typer.Option("--all", help="The runs of studies, too.")] = False,
    json: options.Json = None,
) -> None:
    """Past runs, and what came of them.

    Where there is no reference the error is the estimated one, and says so, and whether it is to be trusted. Runs of a
    study are left out unless DIR lies in it.
    """
    from pinnreg.run import past

    with show.notes(quiet=False):
        found = past.past_runs(where, studies=studies)
    names = dict.fromkeys(run.problem for run in found)
    for name in problem or ():
        if found and name not in names:
            raise unknown(f"problem of the runs under {where}:", name, names)
    wanted = [run for run in found if _is_wanted(run, problem or (), regulariser, converged)]
    chosen = sorted(wanted, key=KEYS[sort])[:most]
    if json is not None:
        json.write({"runs": [_plain(run) for run in chosen]})
    if not chosen:
        left_out = "" if studies else ", those of studies left out (--all)"
        what = f"none of its {len(found)} runs is of that kind" if found else f"there is no run below it{left_out}"
        show.line(f"{where}: {what}")
        return
    show.texts(COLUMNS, [_row(run) for run in chosen], right=(4, 7, 8))
    if len(chosen) < len(found):
        show.line(f"{len(chosen)} of {len(found)} runs")


def _is_wanted(run: Past, problems: Sequence[str], regulariser: str | None, converged: bool | None) -> bool:
    kinds = [str(each.get("kind")) for each in run.settings.get("regularisers") or ()] or ["none"]
    return (
        (not problems or run.problem in problems)
        and (regulariser is None or regulariser in kinds)
        and (converged is None or converged == bool(run.converged))
    )


def _wrong(run: Past) -> float:
    return run.estimate if math.isnan(run.error) else run.error


def _row(run: Past) -> list[str]:
    how, estimated = "", math.isnan(run.error) and not math.isnan(run.estimate)
    if estimated:
        how = "estimated" if run.is_trusted else "estimated, uncertain"
    elif run.facts is None:
        how = f"not ended, step {run.steps}"
    said = {True: "yes", False: "no", None: "" if run.facts is None else "unknown"}[run.converged]
    wrong = _wrong(run)
    return [
        str(run.folder),
        run.problem,
        ", ".join(run.regularisers) or "none",
        str(run.settings.get("seed", "")),
        "" if math.isnan(wrong) else f"{wrong:.2e}",
        how,
        said,
        f"{run.seconds:.1f}",
        age(time.time() - run.changed),
    ]


def age(seconds: float) -> str:
    """How long ago something was, in one unit.

    >>> age(30), age(3 * 60 + 5), age(5 * 3600), age(3 * 86400)
    ('30 s', '3 min', '5 h', '3 d')
    """
    size, unit = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    return f"{max(seconds, 0.0) // size:.0f} {unit}"


def _plain(run: Past) -> dict[str, Any]:
    sizes = {"error": run.error, "estimate": run.estimate}
    known = {name: None if math.isnan(size) else size for name, size in sizes.items()}
    return {
        "run": str(run.folder),
        "problem": run.settings["problem"],
        "regularisers": run.settings.get("regularisers") or [],
        "seed": run.settings.get("seed"),
        **known,
        "estimate_is_good": run.is_trusted if known["estimate"] is not None else None,
        "ended": run.facts is not None,
        "converged": run.converged,
        "steps": run.steps,
        "seconds": run.seconds,
        "changed": run.changed,
    }
