"""`pinnreg compare`: runs beside each other."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnreg import report, run
from pinnreg.cli import options, picture, show
from pinnreg.cli.process import problem_folders
from pinnreg.cli.target import JsonFile

if TYPE_CHECKING:
    from pinnreg.run import Comparison
    from pinnreg.run.past import Past

LONGEST = 40
"""Letters of a setting that are shown."""
SHORT_HASH = 12


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="The folders of runs.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the figure goes, png, pdf or svg; none if not given."),
    ] = None,
    problems: options.Problems = None,
    json: options.Json = None,
) -> None:
    """Put runs side by side: settings, errors, differences.

    The figure has their error fields on one scale, and the difference of the first two; of several outputs one each,
    as FILE_u and FILE_v.
    """
    known = None if out is None else picture.standing_alone("--out", out, json)
    with show.notes(quiet=False):
        found = run.compare(folders, problem_folders(problems))
    _print(found)
    if json is not None:
        json.write(_plain(found))
    if known is not None:
        _save(found, known, json)


def _print(found: Comparison) -> None:
    for name, each in found.runs.items():
        show.line(f"{name}  {each.folder}")
    if found.settings:
        show.line("")
        rows = [[key, *(_text(value) for value in row.values())] for key, row in found.settings.items()]
        show.texts(("what differs", *found.runs), rows)
    else:
        show.line("no setting differs")
    show.line("")
    show.texts(("result", *found.runs), [[what, *row.values()] for what, row in _results(found).items()])
    for note in found.notes:
        show.line(f"note: {note}")


def _results(found: Comparison) -> dict[str, dict[str, str]]:
    """The rows of the second table, by what they say."""
    runs = found.runs
    outputs = dict.fromkeys(name for each in runs.values() for name in _facts(each).get("outputs", ()))
    rows = {f"error of {output}": {name: _error(each, output) for name, each in runs.items()} for output in outputs}
    for output in outputs:
        estimates = {name: _estimate(each, output) for name, each in runs.items()}
        rows |= {f"estimated error of {output}": estimates} if any(estimates.values()) else {}
    first = next(iter(runs))
    for output, apart in found.apart.items():
        rows[f"{output}: from {first}, relative"] = {first: "", **{name: _size(each) for name, each in apart.items()}}
    rows["converged"] = {name: _converged(each) for name, each in runs.items()}
    rows["steps"] = {name: str(each.steps) for name, each in runs.items()}
    rows["seconds"] = {name: f"{each.seconds:.1f}" for name, each in runs.items()}
    rows["parameters"] = {name: str(_facts(each).get("parameters", "")) for name, each in runs.items()}
    return rows


def _facts(each: Past) -> Mapping[str, Any]:
    return each.facts or {}


def _error(each: Past, output: str) -> str:
    errors = _facts(each).get("errors", {}).get(output)
    if errors is None:
        return ""
    return f"{errors['rmse']:.2e} (RMSE)" if errors.get("rel_l2") is None else f"{errors['rel_l2']:.2e}"


def _estimate(each: Past, output: str) -> str:
    found = _facts(each).get("estimated_errors", {}).get(output)
    if found is None:
        return ""
    size = "max " + _size(found["max_abs"]) if found.get("rel_l2") is None else _size(found["rel_l2"])
    return f"{size} ({found['reliability']})"


def _size(value: float | None) -> str:
    return "not known" if value is None or math.isnan(value) else f"{value:.2e}"


def _converged(each: Past) -> str:
    if each.facts is None:
        return "not ended"
    return {True: "yes", False: "no", None: "unknown"}[each.converged]


def _text(value: Any) -> str:
    """A setting as its column shows it."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json_module.dumps(value)
    if len(text) == 64 and all(letter in "0123456789abcdef" for letter in text):
        return text[:SHORT_HASH]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _plain(found: Comparison) -> dict[str, Any]:
    return {
        "runs": {name: str(each.folder) for name, each in found.runs.items()},
        "settings": found.settings,
        "results": {name: each.facts for name, each in found.runs.items()},
        "from_the_first": report.finite({output: dict(apart) for output, apart in found.apart.items()}),
        "notes": list(found.notes),
    }


def _save(found: Comparison, out: Path, json: JsonFile | None) -> None:
    figures = found.draw()
    if not figures:
        show.line("no figure: there is nothing to draw on one grid")
        return
    paths = [out] if len(figures) == 1 else [out.with_stem(f"{out.stem}_{name}") for name in figures]
    for path in paths:  # all before the first is written
        picture.standing_alone("--out", path, json)
    for path, figure in zip(paths, figures.values(), strict=True):
        picture.save(figure, path)
        show.line(str(path))
