"""What a finished run leaves in its folder: measurements, fields, report, figures."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnreg import plots
from pinnreg.config import Resolved, as_dict
from pinnreg.errors import InputError
from pinnreg.objective import Batch
from pinnreg.report import (
    Solution,
    Validation,
    compare,
    read_measurements,
    read_report,
    validate_on,
    without_reference,
    write_measurements,
    write_report,
)
from pinnreg.run.folder import RunFolder
from pinnreg.run.prepare import Prepared
from pinnreg.training import Outcome, read_history

logger = logging.getLogger("pinnreg")


def write_figures(folder: RunFolder, suffix: str) -> list[Path]:
    """Draw `error_field` and `history` of a finished run from its files; returns their paths.

    Raises:
        InputError: a run that has not ended.
    """
    report, facts = read_report(folder.path)
    errors = {name: each.rel_l2 for name, each in report.errors.items()} or None
    title = title_of(facts["problem"])
    measured = read_measurements(folder.path)
    field = plots.error_field(report.axes, report.fields, title=title, errors=errors, measured=list(measured.values()))
    record = plots.history(read_history(folder.history), title=title)
    paths = [folder.path / f"error_field.{suffix}", folder.path / f"history.{suffix}"]
    for figure, path in zip((field, record), paths, strict=True):
        plots.save(figure, path)
    return paths


def compared(solution: Solution, prepared: Prepared) -> Solution:
    """The solution with its report: errors against the reference and on measurements that were held out."""
    values, axes = solution.on_grid(prepared.axes), prepared.axes
    if prepared.reference is None or prepared.solved is None:
        report = without_reference(values, solution.residual_on_grid(axes), axes)
    else:
        report = compare(values, axes, prepared.reference, prepared.solved)
    return solution.with_report(replace(report, validation=_validation(solution, prepared)))


def _validation(solution: Solution, prepared: Prepared) -> dict[str, Validation]:
    """The error on measurements that were held out, by loss term."""
    found = {}
    for each in prepared.observed:
        if len(each.held_values):
            column = prepared.problem.outputs.index(str(each.condition.of))
            found[each.condition.name] = validate_on(solution(each.held_points)[:, column], each.held_values.numpy())
    return found


def write_results(
    folder: RunFolder, prepared: Prepared, solution: Solution, outcome: Outcome[Batch], seconds: float
) -> None:
    """Write a finished run's measurements, fields and report.

    Args:
        folder: of the run.
        prepared: what was trained.
        solution: with its report.
        outcome: of the training.
        seconds: that all took.
    """
    config = prepared.resolved.config
    facts = {
        "problem": config.problem,
        "axes": list(prepared.axes),
        "wall_seconds": seconds,
        "steps": outcome.steps,
        "parameters": sum(tensor.numel() for tensor in outcome.parameters.values()),
        "device": prepared.device.type,
        "dtype": config.dtype,
        "sweeps": outcome.sweeps,
        "stop_reason": outcome.stop_reason,
        "regularisers": as_dict(config)["regularisers"],
        "unknown": _found(solution, prepared.resolved),
    }
    assert solution.report is not None
    if measured := {each.condition.name: each.columns(prepared.axes) for each in prepared.observed}:
        write_measurements(folder.path, measured)
    write_report(folder.path, solution.report, facts)


def _found(solution: Solution, resolved: Resolved) -> dict[str, Any]:
    """The estimates of the unknown coefficients beside where they began and the truth, as far as that is known."""
    found = {}
    for name, estimate in solution.unknown.items():
        truth = None if name in resolved.hidden else getattr(resolved.problem, name)
        error = abs(estimate - truth) / abs(truth) if truth else None
        start = resolved.config.unknown[name].start
        try:
            dataclasses.replace(resolved.problem, **{name: estimate})  # type: ignore[type-var]
        except InputError as refused:
            logger.warning("unknown.%s: the estimate is no value that the problem allows: %s", name, refused)
        found[name] = {"estimate": estimate, "start": start, "truth": truth, "relative_error": error}
    return found


def title_of(problem: Mapping[str, Any]) -> str:
    """The heading of a run's figures: the problem with its parameters."""
    parameters = ", ".join(
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in problem.items()
        if key != "name"
    )
    return f"{problem['name']} ({parameters})" if parameters else str(problem["name"])
