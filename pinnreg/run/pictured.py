"""What a solution looks like: `Solution.plot`, and its picture in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pinnreg import html, plots
from pinnreg.domain import Domain
from pinnreg.equations import Problem
from pinnreg.errors import InputError, unknown
from pinnreg.report import Report, cut, middle_of, of_output, summary
from pinnreg.report.grid import MOST_AXES

if TYPE_CHECKING:
    from pinnreg.plots.style import Axes, Figure

Array = NDArray[np.float64]
OnGrid = Callable[[Mapping[str, Array], Mapping[str, float]], dict[str, Array]]
"""The outputs on a tensor grid, at fixed coordinates of the other axes."""

POINTS, ON_A_LINE = 30_000, 401
"""Of a grid on which a solution is drawn that has no report: in all, and along one axis at most."""

STYLE = """
.pinnreg img { display: block; width: 100%; min-width: 46rem; max-width: 60rem; height: auto; background: #ffffff; }
.pinnreg figure { margin: 0 0 1rem; } .pinnreg .wide { overflow-x: auto; }
.pinnreg th, .pinnreg td { text-align: left; white-space: nowrap; } .pinnreg .number { text-align: right; }
"""


def drawn(
    problem: Problem,
    on_grid: OnGrid,
    report: Report | None,
    ax: Axes | None,
    panel: Literal["all"] | plots.OnePanel,
    output: str | None,
    at: Mapping[str, float],
) -> Figure:
    """The figure that `Solution.plot` returns; its arguments, with `at` for those axes that have one value."""
    _check(problem, at)
    parameters, outputs = problem.parameters, problem.outputs
    if report is None or at.keys() - report.axes.keys():
        shown = _alone(problem, on_grid, _title(problem, report), at)
    else:
        shown = report
    if here := {name: value for name, value in at.items() if name in shown.axes}:
        shown = cut(shown, here)
    if output is not None:
        if output not in outputs:
            raise unknown("output:", output, outputs)
        shown = of_output(shown, output)
    if panel == "all" and ax is None:
        return plots.draw(_outlined(shown, problem.domain), {})["error_field"]
    if output is None and len(outputs) > 1:
        raise InputError(f"plot: a panel shows one output: say output={' or '.join(map(repr, outputs))}")
    if rest := plots.cut(shown.axes, parameters):
        shown = cut(shown, rest)
    kind: plots.OnePanel = "solution" if panel == "all" else panel
    return plots.single(_outlined(shown, problem.domain), output or outputs[0], kind, ax)


def in_notebook(figure: Figure, report: Report | None, heading: str) -> str:
    """A solution as HTML: a line, a figure, and tables of errors and coefficients."""
    facts = None if report is None else summary(report)
    tables = () if facts is None else (html.errors(facts), html.estimates(facts), html.found(facts))
    parts = [
        html.element("style", html.Html(STYLE)),
        html.element("p", html.text(heading)),
        html.image(plots.content(figure), "The solution and its error."),
        *tables,
    ]
    return html.element("div", *parts, class_="pinnreg")


def said(problem: Problem, report: Report | None) -> str:
    """A solution in a line, but for its folder."""
    facts: Mapping[str, Any] = {} if report is None else report.facts
    name = _title(problem, report)["name"]
    axes = ", ".join(problem.domain.axes)
    parts = [f"{name}: {', '.join(f'{output}({axes})' for output in problem.outputs)}", _accuracy(report)]
    if "converged" in facts:
        parts.append({True: "converged", False: "not converged", None: "convergence unknown"}[facts["converged"]])
    return ", ".join(parts)


def _title(problem: Problem, report: Report | None) -> Mapping[str, Any]:
    """What the problem is called, with its parameters as far as they are said."""
    known: Mapping[str, Any] = {} if report is None else report.facts.get("problem", {})
    return known or {"name": type(problem).__name__}


def _accuracy(report: Report | None) -> str:
    """The error, the largest of several outputs, or the estimated one."""
    if report is None:
        return "not compared"
    if report.errors:
        name, worst = max(report.errors.items(), key=lambda each: each[1].main)
        what = "RMSE" if worst.of_zero else "relative L2 error"
        return f"{what} {worst.main:.1e}" + (f" of {name}" if len(report.errors) > 1 else "")
    if report.estimates:
        name, estimate = max(report.estimates.items(), key=lambda each: each[1].rel_l2)
        trust = "" if estimate.reliability == "good" else ", uncertain"
        return f"estimated relative L2 error {estimate.rel_l2:.1e}{trust}"
    return "not verified"


def _check(problem: Problem, at: Mapping[str, float]) -> None:
    """Refuse what is no place in the domain."""
    bounds = problem.domain.bounds
    for name, value in at.items():
        if name not in bounds:
            raise unknown("axis:", name, bounds)
        lower, upper = bounds[name]
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not lower <= value <= upper:
            raise InputError(f"plot: {name}: expected a number from {lower:g} to {upper:g}, got {value!r}")
    if len(at) == len(bounds):
        raise InputError(f"plot: every axis has one value ({', '.join(at)}), and nothing is left to draw along")


def _alone(problem: Problem, on_grid: OnGrid, title: Mapping[str, Any], at: Mapping[str, float]) -> Report:
    """The solution where nothing is kept of its errors; beyond four axes on a plane."""
    domain: Domain = problem.domain
    free = [name for name in domain.axes if name not in at]
    free = free if domain.dimension <= MOST_AXES else free[:2]
    points = min(int(POINTS ** (1 / len(free))), ON_A_LINE)
    axes = {name: np.linspace(*domain.bounds[name], points) for name in free}
    fixed = {**middle_of(domain, axes), **at}
    facts = {
        "problem": title,
        "axes": free,
        "plane": fixed,
        "parameter_axes": [name for name in problem.parameters if name in axes],
    }
    return Report(axes, on_grid(axes, fixed), None, facts=facts)


def _outlined(report: Report, domain: Domain) -> Report:
    """The report with the outline of the domain in the plane of its figure."""
    parameters = report.facts.get("parameter_axes", ())
    fixed = report.facts.get("plane") or {}
    return replace(report, outline=outline_in(domain, report.axes, parameters, fixed))


def outline_in(
    domain: Domain, axes: Mapping[str, Array], parameters: Sequence[str], fixed: Mapping[str, float]
) -> dict[str, Array]:
    """The outline of a domain in the plane of the figure of a grid, on which axes beside it are fixed."""
    shown = {name: axes[name] for name in plots.plane_of(axes, parameters)}
    return plots.outline_of(domain, shown, {**fixed, **plots.cut(axes, parameters)})
