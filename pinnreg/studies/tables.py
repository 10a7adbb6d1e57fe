"""The results as tables: `study.csv` with a row for each run, `summary.csv` with a row for each entry."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pinnreg.files import write_text
from pinnreg.studies.entries import Entry
from pinnreg.studies.measures import ALWAYS, Run

Row = dict[str, str | int | float | None]


def run_rows(runs: Sequence[Run], entries: Sequence[Entry]) -> list[Row]:
    """A row for each run: what it is, whether it was chosen, how it ended, its measures."""
    candidates = list(dict.fromkeys(key for run in runs for key in run.plan.candidates))
    measures = list(dict.fromkeys([*ALWAYS, *(name for run in runs for name in run.measures)]))
    chosen = {id(run) for entry in entries for run in entry.chosen.values()}
    rows = []
    for run in runs:
        row: Row = {"run": run.plan.hash, **run.plan.labels}
        row |= {key: run.plan.candidates.get(key) for key in candidates}
        row |= {"chosen": "yes" if id(run) in chosen else "no"} if candidates else {}
        rows.append(row | {"status": run.status} | {name: run.measures.get(name) for name in measures})
    return rows


def entry_rows(entries: Sequence[Entry]) -> list[Row]:
    """A row for each entry: seeds, the spread of its errors, the comparison with the baseline, the hindsight."""
    return [_entry_row(entry) for entry in entries]


def _entry_row(entry: Entry) -> Row:
    spread, ratio = entry.spread, entry.ratio
    row: Row = {
        **entry.labels,
        "seeds_done": len(entry.chosen),
        "seeds_asked": len(entry.runs),
        "mean": spread.mean,
        "standard_deviation": spread.standard_deviation,
        "median": spread.median,
        "min": spread.minimum,
        "quartile_1": spread.quartile_1,
        "quartile_3": spread.quartile_3,
        "max": spread.maximum,
        "pairs": None if ratio is None else ratio.pairs,
        "ratio": None if ratio is None else ratio.value,
        "ratio_low": None if ratio is None else ratio.low,
        "ratio_high": None if ratio is None else ratio.high,
        "chosen": "; ".join(f"{values} ({count})" for values, count in entry.choices.items()),
        "hindsight_median": entry.hindsight_median,
        "runs": len(entry.all_runs),
        "diverged": entry.diverged,
        "failed": entry.failed,
        "small_residual_wrong_solution": entry.deceptive,
    }
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def write_table(path: Path, rows: Sequence[Mapping[str, str | int | float | None]]) -> None:
    """Write rows of the same keys as CSV, atomically; what is None becomes an empty cell."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, file.getvalue())
