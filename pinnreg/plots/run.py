"""The figures of a run, from what is known of it in memory or was read from its files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pinnreg.plots.analysis import TermAnalysis, analysis
from pinnreg.plots.layouts import error_field
from pinnreg.plots.loss_history import history as loss_history
from pinnreg.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(report: Report, history: Mapping[str, NDArray[np.float64]], *, note: str = "") -> dict[str, Figure]:
    """The figures of a solution by name: `error_field`, and `history` where there is one.

    Args:
        report: of the solution.
        history: its history, the columns of `history.csv`; empty for a solution that was only evaluated.
        note: more for the titles.
    """
    title = ", ".join(filter(None, [title_of(report.facts["problem"]), note]))
    errors = {name: each.main for name, each in report.errors.items()} or None
    zeros = [name for name, each in report.errors.items() if each.of_zero]
    measured = list(report.measurements.values())
    field = error_field(
        report.axes,
        report.fields,
        title=title,
        errors=errors,
        measured=measured,
        plane=report.facts.get("plane") or {},
        outline=report.outline,
        parameters=report.facts.get("parameter_axes") or (),
        estimates={
            name: (each.rel_l2, each.reliability == "good")
            for name, each in report.estimates.items()
            if not math.isnan(each.rel_l2)
        },
    )
    return {"error_field": field, **({"history": loss_history(history, title=title, zeros=zeros)} if history else {})}


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
