"""The figures of a run, from what is known of it in memory or was read from its files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pinnreg.config import FigureSettings
from pinnreg.plots.analysis import TermAnalysis, analysis
from pinnreg.plots.layouts import error_field
from pinnreg.plots.loss_history import history as loss_history
from pinnreg.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    report: Report,
    history: Mapping[str, NDArray[np.float64]],
    *,
    note: str = "",
    figures: FigureSettings | None = None,
) -> dict[str, Figure]:
    """The figures of a solution by name: `error_field`, and `history` where there is one.

    Args:
        report: of the solution.
        history: its history, the columns of `history.csv`; empty for a solution that was only evaluated.
        note: more for the titles.
        figures: how large they are, and what they show; None for the defaults.
    """
    found = report.facts.get("unknown") or {}
    problem = {name: value for name, value in report.facts["problem"].items() if name not in found}
    title = ", ".join(filter(None, [title_of(problem), note]))
    on_planes = any(view.fixed and len(view.axes) == 2 for view in report.views)
    field = error_field(
        report.axes,
        report.fields,
        title=title,
        errors={name: each.main for name, each in report.errors.items()} or None,
        measured=list(report.measurements.values()),
        plane=report.facts.get("plane") or {},
        outline=report.outline,
        parameters=report.facts.get("parameter_axes") or (),
        estimates={
            name: (each.rel_l2, each.reliability == "good")
            for name, each in report.estimates.items()
            if not math.isnan(each.rel_l2)
        },
        views=report.views,
        figures=figures,
        notes=[*(_found(name, each) for name, each in found.items()), *(_sizes(report) if on_planes else ())],
    )
    if not history:
        return {"error_field": field}
    zeros = [name for name, each in report.errors.items() if each.of_zero]
    return {"error_field": field, "history": loss_history(history, title=title, zeros=zeros, figures=figures)}


def _found(name: str, found: Mapping[str, Any]) -> str:
    """A coefficient as it was found, with its 95 % interval and the truth, where these are known."""
    within = f", 95 % within {found['interval'][0]:.4g} and {found['interval'][1]:.4g}" if "interval" in found else ""
    truth = "" if found["truth"] is None else f", the truth {found['truth']:.4g}"
    return f"found {name} = {found['estimate']:.4g}{within}{truth}"


def _sizes(report: Report) -> list[str]:
    """How wrong the outputs are where errors are taken, which is more than the planes that are seen."""
    known = {name: each.standard_error for name, each in report.errors.items()}
    scattered = any(each is not None for each in known.values())
    grid = " × ".join(str(len(axis)) for axis in report.axes.values())
    where = "at points inside of the whole domain" if scattered else f"at the {grid} points of the grid"
    lines = []
    for name, each in report.errors.items():
        size = "RMSE" if each.of_zero else "relative L2 error"
        lines.append(f"{name}: {size} {each.main:.1e}, max |error| {each.max_abs:.1e}, {where}")
    for name, estimate in report.estimates.items():
        if name not in report.errors and not math.isnan(estimate.rel_l2):
            trust = "" if estimate.reliability == "good" else "uncertain: "
            lines.append(f"{name}: {trust}estimated L2 error {estimate.rel_l2:.1e}, max {estimate.max_abs:.1e}")
    return lines


def draw_analysis(found: Mapping[str, Any]) -> Figure:
    """The figure of an analysis, from the content of its `analysis.json`."""
    kernels, hessian = found["kernels"]["terms"], found["hessian"]
    terms = {
        name: TermAnalysis(
            _numbers(kernels[name]["eigenvalues"]) if name in kernels else None,
            _numbers(kernels[name]["initial_eigenvalues"]) if name in kernels else None,
            _numbers(each["eigenvalues"]),
        )
        for name, each in hessian["terms"].items()
    }
    variations = {int(order): _numbers([each["value"], each["error"]]) for order, each in found["variation"].items()}
    title = f"{title_of(found['problem'])}, step {found['step']}"
    return analysis(terms, _numbers(hessian["weighted_sum"]["eigenvalues"]), variations, title=title)


def _numbers(values: Sequence[float | None]) -> list[float]:
    """Numbers as JSON has them, in which NaN is null."""
    return [math.nan if each is None else each for each in values]


def title_of(problem: Mapping[str, Any]) -> str:
    """The heading of a run's figures: the problem with its parameters."""
    parameters = ", ".join(
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in problem.items()
        if key != "name"
    )
    return f"{problem['name']} ({parameters})" if parameters else str(problem["name"])
