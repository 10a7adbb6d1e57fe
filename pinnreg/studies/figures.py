"""The figures of a study: errors by entry, errors by weight, error fields side by side."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from pinnreg import plots
from pinnreg.errors import InputError
from pinnreg.report import read_report
from pinnreg.studies.entries import Entry, baseline_of, compared_key
from pinnreg.studies.measures import Run
from pinnreg.studies.model import Study

logger = logging.getLogger("pinnreg")

MAX_PANELS = 12  # of fields.png; with more of them nothing can be seen in any
FIGURES = ("errors.png", "weights.png", "fields.png")


@final
@dataclass(frozen=True)
class _ErrorField:
    """What a run's fields.npz says of its error, or of its residual where there is no reference."""

    axes: Mapping[str, NDArray[np.float64]]
    values: NDArray[np.float64]
    output: str
    kind: str

    def same_grid(self, other: _ErrorField) -> bool:
        """Whether two fields can be compared point by point."""
        return list(self.axes) == list(other.axes) and all(
            np.array_equal(axis, other.axes[name]) for name, axis in self.axes.items()
        )


def write_figures(study: Study, name: str, folder: Path, entries: Sequence[Entry]) -> None:
    """Draw what there is to draw; figures of an earlier call that do not fit any more are removed."""
    for figure in FIGURES:
        (folder / figure).unlink(missing_ok=True)
    if any(entry.errors for entry in entries):
        plots.save(
            plots.study_errors(_rows(study, entries), title=f"Study {name}: error by entry"), folder / FIGURES[0]
        )
    if curves := _curves(study, entries):
        plots.save(plots.study_weights(curves, title=f"Study {name}: error by weight"), folder / FIGURES[1])
    _write_fields(name, folder, entries)


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
        found[entry.name] = plots.WeightCurves(first.rpartition(".")[2], weights, errors, chosen, known)
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
        report, _ = read_report(folder / "runs" / run.plan.hash)
    except InputError:  # removed by hand, but for its metrics
        return None
    output = next(iter(report.fields))
    if report.reference is not None:
        return _ErrorField(report.axes, report.fields[f"{output}_error"], output, "|error|")
    residual = next((name for name in report.fields if name.startswith("residual")), None)
    return None if residual is None else _ErrorField(report.axes, report.fields[residual], output, "|residual|")


def _write_fields(name: str, folder: Path, entries: Sequence[Entry]) -> None:
    """The error fields of the first seed that has any, as far as they lie on one grid."""
    seed = next((seed for entry in entries for seed in entry.chosen), None)
    fields = {e.name: _field(folder, e.chosen[seed]) for e in entries if seed is not None and seed in e.chosen}
    known = {label: field for label, field in fields.items() if field is not None}
    if not known:
        return
    first = next(iter(known.values()))
    shown = {label: field for label, field in known.items() if field.same_grid(first) and field.kind == first.kind}
    if len(shown) < len(fields):
        logger.warning("fields.png: %d of %d entries lie on other grids", len(fields) - len(shown), len(fields))
    panels = {label: field.values for label, field in list(shown.items())[:MAX_PANELS]}
    beyond = f", the first {MAX_PANELS} of {len(shown)} entries" if len(shown) > MAX_PANELS else ""
    title = f"Study {name}: {first.kind} of {first.output}, seed {seed}{beyond}"
    plots.save(plots.study_fields(first.axes, panels, kind=first.kind, title=title), folder / FIGURES[2])
