"""What a run comes to: its report, and the files and figures that are made of it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg import plots
from pinnreg.config import FigureSettings, Resolved, as_dict
from pinnreg.equations import Points
from pinnreg.equations.measured import Measurements
from pinnreg.errors import InputError
from pinnreg.estimates import BandSize, Estimate, Uncertainty, by_maximum_principle
from pinnreg.objective import Batch
from pinnreg.randomness import derive
from pinnreg.report import (
    Report,
    Validation,
    compare,
    middle_of,
    scattered_points,
    taken,
    validate_on,
    without_reference,
)
from pinnreg.run.convergence import Verdict
from pinnreg.run.noise import bands_of, on_grid
from pinnreg.run.pictured import outline_in
from pinnreg.run.prepare import Prepared
from pinnreg.run.solution import Solution
from pinnreg.run.symptoms import symptoms
from pinnreg.training import Outcome

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]
History = Mapping[str, Array]


def compared(
    solution: Solution, prepared: Prepared, estimate: Estimate | None = None, uncertain: Uncertainty | None = None
) -> Solution:
    """The solution with its report: errors against the reference, on measurements held out, estimated, and bounded.

    Args:
        solution: what was trained.
        prepared: its run.
        estimate: of its error.
        uncertain: what noise in the measurements does to it.
    """
    values, axes = solution.on_grid(prepared.axes), prepared.axes
    if prepared.reference is None or prepared.solved is None:
        report = without_reference(values, solution.residual_on_grid(axes), axes)
    else:
        scattered = None if prepared.scattered is None else prepared.looked_at(solution)
        report = compare(values, axes, prepared.reference, prepared.solved, scattered, prepared.inside)
    bands = None if uncertain is None else bands_of(solution, prepared, uncertain)
    if bands is not None:
        facts = {"bands": {name: asdict(each) for name, each in bands.sizes.items()}}
        report = replace(report, fields={**report.fields, **bands.fields}, facts=facts)
    if estimate is not None:
        report = _with_estimate(report, estimate, prepared, bands and bands.sizes)
    report = replace(
        report,
        validation=_validation(solution, prepared),
        measurements={each.name: _columns(each, prepared.problem.domain.axes) for each in prepared.measurements},
        outline=_outline(prepared),
        facts={
            **report.facts,
            "problem": prepared.resolved.config.problem,
            "axes": list(axes),
            "outputs": list(values),
            **_plane(prepared),
            **_bound(solution, prepared, values),
            **({"parameter_axes": list(parameters)} if (parameters := prepared.problem.parameters) else {}),
        },
    )
    return solution.with_report(report)


def _with_estimate(
    report: Report, estimate: Estimate, prepared: Prepared, bands: Mapping[str, BandSize] | None
) -> Report:
    """The report with the estimated errors: as fields on the grid, and their sizes where errors are taken."""
    points, back = on_grid(prepared)
    at, there = estimate.at(points), scattered_points(prepared.problem.domain, prepared.resolved.config.evaluate.grid)
    if there is None:
        sizes = estimate.sizes({name: taken(report.fields[name], prepared.inside) for name in at}, at)
    else:
        sizes = estimate.errors(there)
    fields = {f"{name}_estimate": back(each) for name, each in at.items()}
    reason = estimate.reason
    if bands is not None:
        sizes, reason = estimate.with_noise(sizes, bands)
    facts = {**report.facts, "estimate": reason}
    return replace(report, fields={**report.fields, **fields}, estimates=sizes, facts=facts)


def _outline(prepared: Prepared) -> dict[str, Array]:
    """That of the domain in the plane of its figure."""
    return outline_in(prepared.problem.domain, prepared.axes, prepared.problem.parameters, _fixed(prepared))


def _plane(prepared: Prepared) -> dict[str, Any]:
    """Where the grid lies, if it is a plane of some axes."""
    fixed = _fixed(prepared)
    return {"plane": fixed} if fixed else {}


def _fixed(prepared: Prepared) -> dict[str, float]:
    return middle_of(prepared.problem.domain, prepared.axes)


def with_facts(
    solution: Solution,
    prepared: Prepared,
    outcome: Outcome[Batch],
    verdict: Verdict,
    uncertain: Uncertainty | None,
    seconds: float,
    undetermined: Iterable[str] = (),
) -> Solution:
    """The solution whose report says how it was found, too.

    Args:
        solution: with its report.
        prepared: what was trained.
        outcome: of the training.
        verdict: whether it has converged.
        uncertain: what noise in the measurements does to it.
        seconds: that all took.
        undetermined: notes on what equations and conditions leave open.
    """
    assert solution.report is not None
    config, report = prepared.resolved.config, solution.report
    facts = {
        **report.facts,
        "wall_seconds": seconds,
        "steps": outcome.steps,
        "parameters": sum(tensor.numel() for tensor in outcome.parameters.values()),
        "device": prepared.device.type,
        "dtype": config.dtype,
        "sweeps": outcome.sweeps,
        "stop_reason": outcome.stop_reason,
        **asdict(verdict),
        "notes": symptoms(solution, prepared, outcome, verdict, undetermined),
        "regularisers": as_dict(config)["regularisers"],
        "unknown": _found(solution, prepared.resolved, uncertain),
        **({} if uncertain is None else {"noise": dict(uncertain.noise)}),
        **({"weights": found} if (found := outcome.batch.found_weights) else {}),
    }
    return solution.with_report(replace(report, facts=facts))


def write_figures(
    folder: Path,
    report: Report,
    history: History,
    suffix: str,
    settings: FigureSettings | None = None,
    *,
    prefix: str = "",
    note: str = "",
) -> list[Path]:
    """Draw a run's figures into a folder, with a note in their titles; returns their paths."""
    drawn = plots.draw(report, history, note=note, figures=settings)
    figures = {folder / f"{prefix}{name}.{suffix}": figure for name, figure in drawn.items()}
    for path, figure in figures.items():
        plots.save(figure, path)
    return list(figures)


def _validation(solution: Solution, prepared: Prepared) -> dict[str, Validation]:
    """The error on measurements that were held out, by loss term."""
    found = {}
    for each in prepared.measurements:
        if len(each.held_values):
            found[each.name] = validate_on(_predicted(solution, each), each.held_values.numpy())
    return found


def _predicted(solution: Solution, measured: Measurements) -> NDArray[np.float64]:
    """What the solution says of values that were held out, (n,)."""
    if measured.plain:
        column = solution.problem.outputs.index(str(measured.of))
        return solution(measured.held_points)[:, column]
    like = next(iter(solution.parameters.values()))
    at = Points(measured.held_points, values=measured.held_values).on(like)
    with torch.no_grad():
        rows = measured.residual(solution.sweep(at), solution.problem)
    found: NDArray[np.float64] = (rows.double().cpu() + measured.held_values).numpy()
    return found


def _columns(measured: Measurements, axes: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """All coordinates by axis, the values by output, and `held_out`: 1 where a value was not trained on, (n,)."""
    points = torch.cat([measured.points, measured.held_points]).numpy()
    values = torch.cat([measured.values, measured.held_values]).numpy()
    held_out = np.repeat([0.0, 1.0], [len(measured.values), len(measured.held_values)])
    return {**dict(zip(axes, points.T, strict=True)), measured.column: values, "held_out": held_out}


def _bound(solution: Solution, prepared: Prepared, values: Mapping[str, Array]) -> dict[str, Any]:
    """What the maximum principle says of the largest error, where it says something: less than how large u is."""
    config = prepared.resolved.config
    if config.evaluate.estimate == "none" or solution.trained is None:
        return {}
    try:
        found = by_maximum_principle(*solution.trained, seed=derive(config.seed, "bound"))
    except (InputError, NotImplementedError, RuntimeError) as refused:
        # an equation that cannot be taken to pieces must not cost a trained network
        logger.debug("no bound: %s", refused)
        return {}
    largest = max(float(np.nanmax(np.abs(each))) for each in values.values())
    return {"bound": {**asdict(found), "max_abs": found.max_abs}} if found and found.max_abs <= largest else {}


def _found(solution: Solution, resolved: Resolved, uncertain: Uncertainty | None) -> dict[str, Any]:
    """The estimates of the unknown coefficients beside where they began and the truth, as far as that is known."""
    found, intervals = {}, {} if uncertain is None else uncertain.intervals()
    for name, estimate in solution.unknown.items():
        truth = None if name in resolved.hidden else getattr(resolved.problem, name)
        error = abs(estimate - truth) / abs(truth) if truth else None
        start = resolved.config.unknown[name].start
        try:
            dataclasses.replace(resolved.problem, **{name: estimate})  # type: ignore[type-var]
        except InputError as refused:
            logger.warning("unknown.%s: the estimate is no value that the problem allows: %s", name, refused)
        found[name] = {"estimate": estimate, "start": start, "truth": truth, "relative_error": error}
        if name in intervals:
            each = intervals[name]
            found[name] |= {"standard_error": each.standard_error, "interval": [each.low, each.high]}
    return found
