"""One panel of an error figure by itself, in axes of the user's or in a figure of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from pinnreg.errors import InputError, unknown
from pinnreg.plots import style
from pinnreg.plots.cuts import plane_of
from pinnreg.plots.layouts import through
from pinnreg.plots.lines import OVERSHOOT, draw_misfit, draw_values
from pinnreg.plots.maps import Plane
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row, checked_axes
from pinnreg.plots.scales import misfit_limits, misfit_scale, value_limits, value_scale
from pinnreg.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OnePanel = Literal["solution", "reference", "error", "estimate"]
FIELDS: Mapping[str, str] = {
    "solution": "{}",
    "reference": "{}_reference",
    "error": "{}_error",
    "estimate": "{}_estimate",
}
"""Of each panel the name of its array, in which stands that of the output."""
LABELS: Mapping[str, str] = {
    "solution": "{}",
    "reference": "reference {}",
    "error": "|error| of {}",
    "estimate": "|estimated error| of {}",
}


def single(report: Report, output: str, panel: OnePanel, ax: Axes | None = None) -> Figure:
    """Draw one field of an output: a curve along one axis, or a map of two.

    Args:
        report: of a grid of one or two axes.
        output: of which.
        panel: its solution, the reference, the size of the error, or that of the estimated one.
        ax: to draw into; None for a figure of its own.

    Returns:
        The figure, that of `ax` if there is one.

    Raises:
        InputError: no such panel, or nothing is known for it.
    """
    if panel not in FIELDS:
        raise unknown("panel:", panel, ["all", *FIELDS])
    fields = {
        each: report.fields[key] for each, name in FIELDS.items() if (key := name.format(output)) in report.fields
    }
    if panel not in fields:
        raise InputError(f"plot: nothing is known for the panel {panel!r} of {output}; there is {', '.join(fields)}")
    axes = checked_axes(report.axes)
    with style.settings():
        if ax is None:
            ax = style.new_figure(4.6).subplots()
        if len(axes) == 1:
            _draw_curve(ax, axes, output, panel, fields)
        else:
            _draw_map(ax, axes, report, panel, fields)
        plane = report.facts.get("plane")
        ax.set_title(", ".join([LABELS[panel].format(output), *([through(plane, 1)] if plane else [])]))
        shown = ax.get_figure(root=True)
        assert shown is not None
        return shown


def _draw_curve(ax: Axes, axes: Mapping[str, Array], output: str, panel: OnePanel, fields: Mapping[str, Array]) -> None:
    ((name, axis),) = axes.items()
    values = fields[panel]
    if panel in ("error", "estimate"):
        draw_misfit(ax, name, axis, np.abs(values), misfit_limits([np.abs(values)]))
        style.label_vertical(ax, LABELS[panel].format(output))
        return
    predicted, reference = (values, None) if panel == "solution" else (None, values)
    limits = value_limits([fields["solution"]], [fields["reference"]] if "reference" in fields else [], OVERSHOOT)
    draw_values(ax, name, axis, Row(output, predicted, reference, None, ""), limits)
    style.label_vertical(ax, output)


def _draw_map(
    ax: Axes, axes: Mapping[str, Array], report: Report, panel: OnePanel, fields: Mapping[str, Array]
) -> None:
    parameters = report.facts.get("parameter_axes") or ()
    first, second = ((name, axes[name]) for name in plane_of(axes, parameters))
    plane = Plane(first, second, Outline.of(report.outline), not {first[0], second[0]} & set(parameters))
    if panel in ("error", "estimate"):
        values = np.abs(fields[panel])
        scale = misfit_scale([values])
        values = np.maximum(values, scale.norm.vmin or 0.0)
    else:
        values = fields[panel]
        scale = value_scale([fields["solution"]], [fields["reference"]] if "reference" in fields else [])
    plane.draw(ax, values, scale)
    figure = ax.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(ax.collections[-1], ax=ax, extend=scale.extend)
    if panel in ("error", "estimate") and scale.decades >= 2:
        bar.ax.minorticks_off()
