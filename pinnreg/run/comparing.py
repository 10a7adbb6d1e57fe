"""Runs beside each other: which settings differ, what came of them, and how far the solutions are apart."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from pinnreg import plots
from pinnreg.config import Problems
from pinnreg.errors import InputError
from pinnreg.report import Report, read_report, relative_l2
from pinnreg.run.line import evaluate, load
from pinnreg.run.past import Past, past

if TYPE_CHECKING:
    from pinnreg.plots.style import Figure

Array = NDArray[np.float64]

MADE_WITH = ("pinnreg", "commit", "torch", "device", "threads", "problem_sha256")
"""What of a run's provenance may be why it came out differently."""
MISSING = "-"


@final
@dataclass(frozen=True)
class Comparison:
    """Runs beside each other, by letters in their order.

    Attributes:
        runs: the runs.
        settings: for each dotted key that differs its value in each run, None where it has none.
        apart: for each output how far each solution is from the first, relative L2 on the first one's grid; NaN where
            that cannot be said.
        notes: why it cannot.
        fields: for each output what is drawn of each run: |error| or the estimate of it on that grid, or why there is
            nothing.
        axes: that grid.
        like: the first run's report.
    """

    runs: Mapping[str, Past]
    settings: Mapping[str, Mapping[str, Any]]
    apart: Mapping[str, Mapping[str, float]]
    notes: Sequence[str]
    fields: Mapping[str, Mapping[str, Array | str]]
    axes: Mapping[str, Array]
    like: Report

    def draw(self) -> dict[str, Figure]:
        """For each output the error fields on one scale, and last how far the second solution is from the first."""
        title = plots.title_of(self.like.facts["problem"])
        return {
            name: plots.study_fields(
                self.axes,
                fields,
                kind=f"|error of {name}|",
                title=f"{title}: {name}",
                outline=self.like.outline,
                parameters=self.like.facts.get("parameter_axes") or (),
            )
            for name, fields in self.fields.items()
            if not all(isinstance(each, str) for each in fields.values())
        }


def compare(runs: Sequence[str | Path], problems: Problems = None) -> Comparison:
    """Compare runs; writes nothing.

    Runs that have not ended are evaluated as far as they were trained. Solutions on other grids are evaluated on that
    of the first.

    Args:
        runs: their folders, at least two.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.

    Raises:
        InputError: fewer than two runs, more than there are letters, one twice, or a folder without one.
    """
    if not 2 <= len(runs) <= len(string.ascii_uppercase):
        raise InputError(f"compare: expected from 2 to {len(string.ascii_uppercase)} runs, got {len(runs)}")
    found = dict(zip(string.ascii_uppercase, map(past, runs), strict=False))
    folders = [run.folder.resolve() for run in found.values()]
    if again := [run for run in found.values() if folders.count(run.folder.resolve()) > 1]:
        raise InputError(f"compare: {again[0].folder} is there twice")
    reports = {name: _report(run, problems) for name, run in found.items()}
    first, *others = found
    like, notes = reports[first], list[str]()
    values = {first: _values(like)}
    for name in others:
        why = _incomparable(like, reports[name])
        if why is None:
            values[name] = _on(like, reports[name], found[name], problems)
        else:
            notes.append(f"{name} cannot be compared with {first}: {why}")
    outputs = like.facts["outputs"]
    apart = {
        output: {
            name: _apart(values[name][output], values[first][output]) if name in values else math.nan for name in others
        }
        for output in outputs
    }
    fields = {output: _fields(output, found, reports, values) for output in outputs}
    return Comparison(found, _differing(found), apart, notes, fields, like.axes, like)


def _report(run: Past, problems: Problems) -> Report:
    if run.facts is not None:
        return read_report(run.folder)
    report = evaluate(run.folder, problems=problems, estimate="none").report
    assert report is not None
    return report


def _values(report: Report) -> dict[str, Array]:
    return {name: report.fields[name] for name in report.facts["outputs"]}


def _incomparable(one: Report, other: Report) -> str | None:
    """Why two solutions cannot be taken at the same points; None if they can."""
    if one.facts["problem"]["name"] != other.facts["problem"]["name"]:
        return f"it is of another problem, {other.facts['problem']['name']}"
    if list(one.axes) != list(other.axes) or (one.facts.get("plane") or {}) != (other.facts.get("plane") or {}):
        return "it has other axes"
    for name, axis in one.axes.items():
        if not np.allclose([axis[0], axis[-1]], [other.axes[name][0], other.axes[name][-1]], rtol=1e-12):
            return f"its domain is another one, {name} from {other.axes[name][0]:g} to {other.axes[name][-1]:g}"
    return None


def _apart(one: Array, other: Array) -> float:
    """The relative L2 difference at the points where both are known."""
    known = np.isfinite(one) & np.isfinite(other)
    return relative_l2(one[known], other[known])


def _same_grid(one: Report, other: Report) -> bool:
    return all(np.array_equal(axis, other.axes[name]) for name, axis in one.axes.items())


def _on(like: Report, report: Report, run: Past, problems: Problems) -> dict[str, Array]:
    """The outputs of a run on the grid of another."""
    return _values(report) if _same_grid(like, report) else load(run.folder, problems).on_grid(like.axes)


def _fields(
    output: str, runs: Mapping[str, Past], reports: Mapping[str, Report], values: Mapping[str, Mapping[str, Array]]
) -> dict[str, Array | str]:
    """What is drawn of an output, by run; last the difference of the first two."""
    first, second, *_ = runs
    fields = {f"{name}: {runs[name].folder.name}": _field(output, name, runs, reports, values) for name in runs}
    if second in values:
        fields[f"|{second} - {first}|"] = values[second][output] - values[first][output]
    return fields


def _field(
    output: str,
    name: str,
    runs: Mapping[str, Past],
    reports: Mapping[str, Report],
    values: Mapping[str, Mapping[str, Array]],
) -> Array | str:
    first = next(iter(runs))
    like, report, known = reports[first], reports[name], f"{output}_reference"
    if name not in values:
        return "cannot be compared"
    if not _same_grid(like, report):
        same = like.facts["problem"] == report.facts["problem"] and known in like.fields
        return values[name][output] - like.fields[known] if same else "on another grid"
    for kind in (f"{output}_error", f"{output}_estimate"):
        if kind in report.fields:
            return report.fields[kind]
    return "error not known"


def _differing(runs: Mapping[str, Past]) -> dict[str, dict[str, Any]]:
    """The settings that are not the same in all runs, and with what they were made where that differs."""
    of_each = {name: dict(_flat(run.settings)) | _made_with(run) for name, run in runs.items()}
    keys = dict.fromkeys(key for flat in of_each.values() for key in flat)
    table = {key: {name: flat.get(key) for name, flat in of_each.items()} for key in keys}
    return {key: row for key, row in table.items() if any(each != next(iter(row.values())) for each in row.values())}


def _made_with(run: Past) -> dict[str, Any]:
    return {f"made with {key}": run.provenance.get(key) for key in MADE_WITH}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of dicts, and of lists that hold dicts, by dotted key."""
    parts: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        parts = [(str(name), each) for name, each in value.items()]
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        parts = [(str(number), each) for number, each in enumerate(value)]
    if not parts:
        yield key, value
    for name, each in parts:
        yield from _flat(each, f"{key}.{name}" if key else name)
