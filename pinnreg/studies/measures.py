"""What is measured of a run, and the record of it that says that the run is done."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from pinnreg.config import Config
from pinnreg.report import Report, write_json
from pinnreg.run import Solution
from pinnreg.run.fresh import fresh_loss, fresh_points, fresh_residual
from pinnreg.studies.analysed import analysed
from pinnreg.studies.planned import Plan
from pinnreg.training import read_history

FORMAT = 2  # raised when something else is measured, so that no old measures are mixed with new ones
METRICS = "metrics.json"
ERROR_OF_UNKNOWN = "_error"
"""What the names of the relative errors of unknown coefficients end with."""

CPU_SECONDS = "cpu_seconds"
"""The measure that says what a whole run took, however busy the machine was: its estimate included, and the reference
where no run before in the same process has solved it."""

ZERO_REFERENCES = "zero_references"
"""The measure that says of how many outputs the error is the RMSE, as their reference is zero."""

Measures = dict[str, float | None]

OK, DIVERGED, INTERRUPTED = "ok", "diverged", "interrupted"
ALWAYS = ("rel_l2", "residual", "validation_residual", "validation", "sweeps", "seconds")
"""The measures that every run has, in the order of the tables; others follow as they come."""


@final
@dataclass(frozen=True)
class Run:
    """A run that was made.

    Attributes:
        plan: what it is.
        status: "ok", "diverged", or "failed: ..." with the reason.
        measures: by name; None, or missing, where there is nothing to measure.
    """

    plan: Plan
    status: str
    measures: Measures

    @property
    def done(self) -> bool:
        """Whether it trained to its end."""
        return self.status == OK

    def value(self, name: str) -> float:
        """A measure; NaN if there is none."""
        found = self.measures.get(name)
        return math.nan if found is None else found


def measured(solution: Solution, config: Config, *, analyse: bool = True) -> Measures:
    """The measures of a run that has ended.

    `rel_l2` is the relative L2 error on the evaluation grid, of several outputs the largest. It is the RMSE of those
    whose reference is zero, and `zero_references`, only where there are any, their number. `residual` and
    `validation_residual` the mean square of the PDE's residual, summed over equations, at the collocation points of the
    last step and at points that training never saw; `validation_loss`, only where conditions are soft, the latter with
    the mean squares of these conditions; `validation` the RMSE at measurements held out from training.
    `<name>_error` is the relative error of an unknown coefficient. `analysed` says what else there is with `analyse`.
    """
    assert solution.report is not None
    report = solution.report
    errors = [each.main for each in report.errors.values()]
    points = fresh_points(solution, config.seed)
    fresh = fresh_residual(solution, points)
    found: Measures = {
        "rel_l2": float(np.max(errors)) if errors else None,
        "residual": sum(float(solution.history[name][-1]) for name in fresh) if fresh else None,
        "validation_residual": sum(fresh.values()) if fresh else None,
        "validation": _held_out(report),
        "sweeps": report.facts.get("sweeps"),
        "seconds": float(solution.history["seconds"][-1]),
    }
    if zeros := sum(each.of_zero for each in report.errors.values()):
        found[ZERO_REFERENCES] = float(zeros)
    if (loss := fresh_loss(solution, config, fresh)) is not None:
        found["validation_loss"] = loss
    found |= {f"{name}{ERROR_OF_UNKNOWN}": each["relative_error"] for name, each in report.facts["unknown"].items()}
    found |= analysed(solution, points, config.seed) if analyse else {}
    return {name: value if value is None or math.isfinite(value) else None for name, value in found.items()}


def measured_of_diverged(folder: Path) -> Measures:
    """What is known of a run that diverged: what it took to."""
    history = read_history(folder / "history.csv")
    return dict.fromkeys(ALWAYS, None) | {name: float(history[name][-1]) for name in ("sweeps", "seconds")}


def write_metrics(folder: Path, status: str, measures: Measures) -> None:
    """Write the record that says that a run is done, atomically and after everything else."""
    write_json(folder / METRICS, {"status": status, "measures": measures})


def read_metrics(folder: Path) -> tuple[str, Measures] | None:
    """Status and measures of a run that is done; None if it is not."""
    try:
        data: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        return str(data["status"]), dict(data["measures"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _held_out(report: Report) -> float | None:
    """The RMSE at held-out measurements, the mean over their names; None if there are none."""
    errors = [each.rmse for each in report.validation.values()]
    return sum(errors) / len(errors) if errors else None
