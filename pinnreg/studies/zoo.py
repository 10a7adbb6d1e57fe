"""Every problem with its defaults, for several seeds: a study whose cases are all problems that there are.

What a user gets who only names a problem: its error beside the estimate that the run makes of it, the seconds, and
whether the run says that it has converged. Runs are kept as those of any study, so that it goes on where it stopped.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from pinnreg import plots
from pinnreg.errors import InputError
from pinnreg.report import Report, read_report
from pinnreg.studies.measures import CPU_SECONDS, Run
from pinnreg.studies.model import CASE
from pinnreg.studies.published import PUBLISHED, Published
from pinnreg.studies.runner import StudyResult

SOLVED, WRONG = 1e-4, 1e-2
"""The relative error below which a problem is solved here, and above which no run should say that it has converged."""


@final
@dataclass(frozen=True)
class ZooRun:
    """A run, and what it says of itself.

    Attributes:
        seed: its own.
        status: "ok", "diverged", or "failed: ..." with the reason.
        error: relative L2, of several outputs the largest; infinity if it has none.
        estimated: what the run takes it for, the largest; NaN without an estimate.
        trusted: whether it calls that estimate good.
        floor: the error that noise in the measurements leaves, two standard errors of it; 0 without measurements.
        converged: what its report says, without the reference.
        seconds: of the CPU for the whole run, as `CPU_SECONDS` has it.
        steps: of training.
    """

    seed: str
    status: str
    error: float
    estimated: float = math.nan
    trusted: bool = False
    floor: float = 0.0
    converged: bool | None = False
    seconds: float = math.nan
    steps: int = 0

    @property
    def is_solved(self) -> bool:
        """Whether the error is small, or no larger than the noise lets it be."""
        return self.error <= max(SOLVED, self.floor)

    @property
    def is_deceptive(self) -> bool:
        """Whether it says that it has converged, and has not."""
        return self.converged is True and self.error > max(WRONG, self.floor)


@final
@dataclass(frozen=True)
class ZooRow:
    """A problem, solved once for each seed.

    Attributes:
        name: of the problem or config.
        runs: by seed.
        reference: what the errors are measured against.
        reference_error: its own relative error; None if unknown.
        parameters: that are trained.
        published: what is known of others' errors.
        report: of the first run that has one; None without.
    """

    name: str
    runs: tuple[ZooRun, ...]
    reference: str
    reference_error: float | None
    parameters: int
    published: Published | None
    report: Report | None

    @property
    def error(self) -> float:
        """The median over the seeds."""
        return statistics.median(run.error for run in self.runs)

    @property
    def picture(self) -> plots.Thumbnail | None:
        """The error field of that run; None without."""
        return None if self.report is None else _picture(self.name, self.report, self.error)

    @property
    def estimated(self) -> float:
        """The median of the estimates that there are; NaN without any."""
        known = [run.estimated for run in self.runs if not math.isnan(run.estimated)]
        return statistics.median(known) if known else math.nan

    @property
    def seconds(self) -> float:
        """The median over the runs that ended; NaN without any."""
        known = [run.seconds for run in self.runs if not math.isnan(run.seconds)]
        return statistics.median(known) if known else math.nan

    @property
    def is_solved(self) -> bool:
        """Whether more than half of the runs are."""
        return 2 * sum(run.is_solved for run in self.runs) > len(self.runs)


def zoo_rows(found: StudyResult) -> list[ZooRow]:
    """The problems of a study of the zoo, in its order."""
    by_case: dict[str, list[Run]] = {}
    for run in found.runs:
        by_case.setdefault(run.plan.labels[CASE], []).append(run)
    return [_row(name, runs, found.folder) for name, runs in by_case.items()]


def _row(name: str, runs: Iterable[Run], folder: Path) -> ZooRow:
    made, reports = [], []
    for run in runs:
        report = _report(folder, run)
        made.append(_run(run, report))
        reports += [report] if report is not None and report.reference is not None else []
    first = reports[0] if reports else None
    reference = first.reference if first is not None else None
    return ZooRow(
        name,
        tuple(made),
        "none" if reference is None else reference.kind,
        None if reference is None else reference.error_estimate,
        0 if first is None else first.facts["parameters"],
        PUBLISHED.get(name),
        first,
    )


def _report(folder: Path, run: Run) -> Report | None:
    try:
        return read_report(folder / "runs" / run.plan.hash) if run.done else None
    except InputError:  # removed by hand
        return None


def _run(run: Run, report: Report | None) -> ZooRun:
    if report is None:
        return ZooRun(run.plan.seed, run.status, math.inf)
    error = run.value("rel_l2")
    estimates = [each for name, each in report.estimates.items() if name in report.errors]
    bands = [each["rel_l2"] or 0.0 for each in report.facts.get("bands", {}).values()]
    return ZooRun(
        run.plan.seed,
        run.status,
        math.inf if math.isnan(error) else error,
        max((each.rel_l2 for each in estimates), default=math.nan),
        bool(estimates) and all(each.reliability == "good" for each in estimates),
        max(bands, default=0.0),
        report.facts["converged"],
        run.value(CPU_SECONDS),
        report.facts["steps"],
    )


def _picture(name: str, report: Report, error: float) -> plots.Thumbnail | None:
    output = next(iter(report.errors))
    values = report.fields.get(f"{output}_error")
    if values is None:
        return None
    size = float(np.nanmax(np.abs(report.fields[f"{output}_reference"])))
    parameters = report.facts.get("parameter_axes") or ()
    return plots.Thumbnail(
        name, f"{error:.0e}", report.axes, np.abs(values) / (size or 1.0), report.outline, parameters
    )
