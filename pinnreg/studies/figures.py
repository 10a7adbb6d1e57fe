"""The figures of a study: errors by entry, errors by weight, error fields side by side."""

from __future__ import annotations

import dataclasses
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pinnreg import plots
from pinnreg.errors import InputError
from pinnreg.naming import free_name
from pinnreg.report import read_report
from pinnreg.studies.across import UNDECIDED, Across, Compared, across, by_group, has_cases
from pinnreg.studies.entries import Entry, baseline_of, compared_key
from pinnreg.studies.mark import note_figures, noted_figures
from pinnreg.studies.measures import DIVERGED, Run
from pinnreg.studies.model import Study, heading

logger = logging.getLogger("pinnreg")

Asked = dict[Path, Callable[[], Any]]
"""Figures by file, each drawn when it is called."""

FIGURES = ("errors.png", "weights.png", "fields.png")
RATIOS = "ratios.png"
"""The figure of a study of several cases, instead of all others: there would be hundreds of panels."""


@final
@dataclass(frozen=True)
class _ErrorField:
    """What a run's fields.npz says of its error, or of its residual where there is no reference."""

    axes: Mapping[str, NDArray[np.float64]]
    values: NDArray[np.float64]
    output: str
    kind: str
    outline: Mapping[str, NDArray[np.float64]] = dataclasses.field(default_factory=dict)
    parameters: Sequence[str] = ()

    def same_grid(self, other: _ErrorField) -> bool:
        """Whether two fields can be compared point by point."""
        return list(self.axes) == list(other.axes) and all(
            np.array_equal(axis, other.axes[name]) for name, axis in self.axes.items()
        )


def figure_files(folder: Path) -> list[Path]:
    """The figures that a study has drawn into its folder."""
    return [folder / name for name in noted_figures(folder) if (folder / name).exists()]


def write_figures(study: Study, name: str, folder: Path, entries: Sequence[Entry]) -> None:
    """Draw what there is to draw; figures of an earlier call that do not fit any more are removed, and no others."""
    title, known = heading(name), noted_figures(folder)
    asked = (_over_cases if has_cases(study) else _by_entry)(study, title, folder, entries)
    for path in list(asked):
        if path.exists() and path.name not in known:
            logger.warning("%s is not drawn: a file of that name is there, which no study wrote", path)
            del asked[path]
    names = [path.name for path in asked]
    note_figures(study, folder, [*known, *names])  # first, so that none is a stranger after a crash
    drawn = [path.name for path, draw in asked.items() if _save(path, draw)]
    for old in set(known) | set(names):
        if old not in drawn:
            (folder / old).unlink(missing_ok=True)
    note_figures(study, folder, drawn)


def _by_entry(study: Study, title: str, folder: Path, entries: Sequence[Entry]) -> Asked:
    """Errors, errors by weight, and error fields."""
    asked: Asked = {}
    if any(entry.errors for entry in entries):
        asked[folder / FIGURES[0]] = lambda: plots.study_errors(_rows(study, entries), title=f"{title}: error by entry")
    if any(entry.errors and entry.has_candidates for entry in entries):
        asked[folder / FIGURES[1]] = lambda: plots.study_weights(
            _curves(study, entries), title=f"{title}: error by weight"
        )
    return asked | _fields_by_group(study, title, folder, entries)


def _over_cases(study: Study, title: str, folder: Path, entries: Sequence[Entry]) -> Asked:
    """The matrix of ratios, if there are any."""
    found = across(study, entries)
    if not any(each.over.ratio.pairs for each in found):
        return {}
    panels = {group: _matrix(members) for group, members in by_group(found).items()}
    heading = f"{title}: error over that of {baseline_of(study)}"
    return {folder / RATIOS: lambda: plots.study_ratios(panels, title=heading)}


def _matrix(members: Sequence[Across]) -> dict[str, dict[str, plots.RatioCell]]:
    cases = list(dict.fromkeys(case for each in members for case in each.by_case))
    rows = {case: {each.name: each.by_case[case] for each in members if case in each.by_case} for case in cases}
    rows["all"] = {each.name: each.over for each in members}
    return {name: {entry: _ratio_cell(each) for entry, each in row.items()} for name, row in rows.items()}


def _ratio_cell(compared: Compared) -> plots.RatioCell:
    return plots.RatioCell(compared.ratio.value, compared.word != UNDECIDED)


def _save(path: Path, draw: Callable[[], Any]) -> bool:
    """Draw and write a figure unless it is None; whether there is one.

    One that cannot be drawn must not cost the result of all the runs.
    """
    try:
        figure = draw()
        if figure is not None:
            plots.save(figure, path)
    except Exception as error:
        logger.warning("%s cannot be drawn: %s: %s", path.name, type(error).__name__, error)
        return False
    return figure is not None


def _rows(study: Study, entries: Sequence[Entry]) -> dict[str, list[plots.ErrorRow]]:
    """A panel for each combination of the keys beside the compared one, a row for each value of that."""
    key, baseline = compared_key(study), baseline_of(study)
    panels: dict[str, list[plots.ErrorRow]] = {}
    for entry in entries:
        name = "all runs" if key is None else entry.labels[key]
        whole = len(entry.chosen) == len(entry.runs)
        note = "" if whole else f"{len(entry.chosen)} of {len(entry.runs)} seeds"
        hindsight = entry.hindsight_median if entry.has_candidates else None
        row = plots.ErrorRow(name, list(entry.errors.values()), hindsight, name == baseline, note)
        panels.setdefault(_others(entry, key), []).append(row)
    return panels


def _others(entry: Entry, key: str | None) -> str:
    return ", ".join(f"{other} {label}" for other, label in entry.labels.items() if other != key)


def _curves(study: Study, entries: Sequence[Entry]) -> dict[str, plots.WeightCurves]:
    """The errors over the first list of candidates; of further lists, each seed has the values that it chose."""
    key, baseline = compared_key(study), baseline_of(study)
    without = {_others(e, key): e.spread.median for e in entries if key is not None and e.labels[key] == baseline}
    found = {}
    for entry in entries:
        if not entry.has_candidates or not entry.errors:
            continue
        first = next(iter(entry.all_runs[0].plan.candidates))
        weights = sorted({run.plan.candidates[first] for run in entry.all_runs})
        errors = {seed: _along(entry, seed, first, weights) for seed in entry.chosen}
        chosen = {seed: weights.index(run.plan.candidates[first]) for seed, run in entry.chosen.items()}
        base = without.get(_others(entry, key), math.nan)
        known = None if math.isnan(base) or entry.ratio is None else base
        label = entry.name if key is None else entry.labels[key]
        title = ", ".join(part for part in (_others(entry, key), label) if part)
        found[title] = plots.WeightCurves(first.rpartition(".")[2], weights, errors, chosen, known)
    return found


def _along(entry: Entry, seed: str, first: str, weights: Sequence[float]) -> list[float]:
    """A seed's errors over one list of candidates, those of the other lists as chosen."""
    others = {key: value for key, value in entry.chosen[seed].plan.candidates.items() if key != first}
    errors = {
        run.plan.candidates[first]: run.value("rel_l2")
        for run in entry.runs[seed]
        if {key: value for key, value in run.plan.candidates.items() if key != first} == others
    }
    return [errors.get(weight, math.nan) for weight in weights]


def _field(folder: Path, run: Run) -> _ErrorField | None:
    """A run's field; None if its folder is gone, or if it has neither a reference nor an equation."""
    try:
        report = read_report(folder / "runs" / run.plan.hash)
    except InputError:  # removed by hand, but for its metrics
        return None
    output, parameters = next(iter(report.errors or report.fields)), report.facts.get("parameter_axes") or ()
    if report.reference is not None:
        values = report.fields[f"{output}_error"]
        return _ErrorField(report.axes, values, output, "|error|", report.outline, parameters)
    residual = next((name for name in report.fields if name.startswith("residual")), None)
    if residual is None:
        return None
    return _ErrorField(report.axes, report.fields[residual], output, "|residual|", report.outline, parameters)


def _fields_by_group(study: Study, title: str, folder: Path, entries: Sequence[Entry]) -> Asked:
    """The error fields of one seed, in a figure for each combination of the keys beside the compared one."""
    key = compared_key(study)
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(tuple(label for other, label in entry.labels.items() if other != key), []).append(entry)
    paths = _paths(folder, list(groups))
    return {
        path: partial(_fields, key, title, folder, members)
        for path, members in zip(paths, groups.values(), strict=True)
    }


def _paths(folder: Path, groups: Sequence[tuple[str, ...]]) -> list[Path]:
    """A file for each of the groups, named by its values as far as these can be part of a file's name."""
    if len(groups) == 1:
        return [folder / FIGURES[2]]
    names: list[str] = []
    for group in groups:
        stem = "fields_" + "_".join(re.sub(r"[^\w.-]+", "_", value).strip("_") for value in group)
        names.append(free_name(stem, names))
    return [folder / f"{name}.png" for name in names]


def _fields(key: str | None, title: str, folder: Path, entries: Sequence[Entry]) -> Any:
    """The fields of the seed that most entries have; None if there is nothing to draw."""
    seeds = Counter(seed for entry in entries for seed in entry.chosen)
    if not seeds:
        return None
    seed = seeds.most_common(1)[0][0]
    fields = [_field(folder, entry.chosen[seed]) if seed in entry.chosen else None for entry in entries]
    first = next((field for field in fields if field is not None), None)
    if first is None:
        return None
    panels: dict[str, NDArray[np.float64] | str] = {}
    for entry, field in zip(entries, fields, strict=True):
        fits = field is not None and field.same_grid(first) and field.kind == first.kind
        label = entry.name if key is None else entry.labels[key]
        panels[label] = field.values if field is not None and fits else _absence(entry, seed, field)
    where = ", ".join(part for part in (_others(entries[0], key), f"seed {seed}") if part)
    return plots.study_fields(
        first.axes,
        panels,
        kind=first.kind,
        title=f"{title}: {first.kind} of {first.output}, {where}",
        outline=first.outline,
        parameters=first.parameters,
    )


def _absence(entry: Entry, seed: str, field: _ErrorField | None) -> str:
    """Why there is nothing to see."""
    if field is not None:
        return "on another grid"
    states = [run.status for run in entry.runs.get(seed, [])]
    return "diverged" if DIVERGED in states and seed not in entry.chosen else "no run"
