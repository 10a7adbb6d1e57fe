"""The evolution in time, one frame after the other: curves of one axis, or maps of two, all on the same scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from pinnreg.plots import style
from pinnreg.plots.cuts import plane_of
from pinnreg.plots.layouts import through
from pinnreg.plots.lines import OVERSHOOT, draw_misfit, draw_values
from pinnreg.plots.maps import Plane, columns_of
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row, checked_axes, rows_of
from pinnreg.plots.run import title_of
from pinnreg.plots.scales import Scale, misfit_limits, misfit_scale, value_limits, value_scale
from pinnreg.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[[Row], None]
"""Draws an output at one time into its panels, in the place of what was there."""


@final
@dataclass(frozen=True)
class Evolution:
    """A figure of one time, in which others can be shown.

    Attributes:
        figure: what is drawn.
        times: of the grid, (n,).
        show: draws the time of a number.
    """

    figure: Figure
    times: Array
    show: Callable[[int], None]


def evolution(report: Report) -> Evolution:
    """The fields of a report at its first time: of each output the prediction, the reference and the error.

    Args:
        report: of a grid of one or two axes and, last, time.
    """
    axes = checked_axes(report.axes)
    times, grid = axes["t"], {name: axis for name, axis in axes.items() if name != "t"}
    rows = [row for row in rows_of(axes, report.fields, None) if row.predicted is not None]
    parameters, plane = report.facts.get("parameter_axes") or (), report.facts.get("plane")
    with style.settings():
        figure, draws = _curves(grid, rows) if len(grid) == 1 else _maps(grid, rows, report.outline, parameters)
        where = through(plane, len(grid)) if plane else ""
        style.finish(figure, title_of(report.facts["problem"]), where, said_time(times, 0))
        (heading,) = figure.texts

        def show(number: int) -> None:
            with style.settings():
                for draw, row in zip(draws, rows, strict=True):
                    draw(row.at((*[slice(None)] * len(grid), number)))
                *lines, _ = heading.get_text().splitlines()
                heading.set_text("\n".join([*lines, said_time(times, number)]))

        show(0)
        figure.draw_without_rendering()
        # from now on panels stay where they are, whatever the widths of labels
        figure.set_layout_engine("none")
    return Evolution(figure, times, show)


def said_time(times: Array, number: int) -> str:
    """A time with as many decimals as all the others."""
    digits = max(0, 2 - math.floor(math.log10(times[-1] - times[0])))
    return f"t = {times[number]:.{digits}f}"


def _curves(grid: Mapping[str, Array], rows: Sequence[Row]) -> tuple[Figure, list[Draw]]:
    """For each output a panel of its curves, and one of their misfit if there is any."""
    ((name, axis),) = grid.items()
    ratios = (1.15, 1) if any(row.misfit is not None for row in rows) else (1,)
    figure = style.new_figure(0.8 + 3.0 * len(rows))
    panels = figure.subplots(len(rows), len(ratios), squeeze=False, gridspec_kw={"width_ratios": ratios})
    return figure, [_curve(name, axis, row, *own) for row, own in zip(rows, panels, strict=True)]


def _curve(name: str, axis: Array, row: Row, left: Axes, right: Axes | None = None) -> Draw:
    """Draws an output of one axis within the limits of all times."""
    assert row.predicted is not None
    values = value_limits([row.predicted], [] if row.reference is None else [row.reference], OVERSHOOT)
    gaps = misfit_limits([] if row.misfit is None else [row.misfit])

    def draw(part: Row) -> None:
        left.clear()
        draw_values(left, name, axis, part, values)
        style.label_vertical(left, row.name)
        left.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=3, frameon=False)
        if right is not None and part.misfit is not None:
            right.clear()
            draw_misfit(right, name, axis, part.misfit, gaps)
            style.label_vertical(right, row.misfit_kind)
            right.set_title(row.misfit_name)

    if right is not None and row.misfit is None:
        right.remove()
    return draw


def _maps(
    grid: Mapping[str, Array], rows: Sequence[Row], outline: Mapping[str, Array], parameters: Sequence[str]
) -> tuple[Figure, list[Draw]]:
    """For each output a map of its prediction, its reference and its misfit, as far as there are any."""
    first, second = ((name, grid[name]) for name in plane_of(grid, parameters))
    plane = Plane(first, second, Outline.of(outline), not {first[0], second[0]} & set(parameters))
    columns = columns_of(rows)
    panel = min(2.3 / plane.ratio, 4.0) if columns == 3 else min(3.0 / plane.ratio, 4.2)
    figure = style.new_figure(0.6 + len(rows) * (panel + 0.85), "compressed")
    cells = figure.add_gridspec(len(rows), columns)
    draws = []
    for number, row in enumerate(rows):
        places = (cells[number, 0], cells[number, min(1, columns - 1)], cells[number, columns - 1])
        axes = [
            None if values is None else figure.add_subplot(cell)
            for cell, values in zip(places, row.arrays, strict=True)
        ]
        draws.append(_map(figure, plane, row, axes))
    return figure, draws


def _map(figure: Figure, plane: Plane, row: Row, panels: Sequence[Axes | None]) -> Draw:
    """Draws an output on a plane, on scales for all times."""
    predicted, reference, misfit = ([] if values is None else [values] for values in row.arrays)
    values, gaps = value_scale(predicted, reference), misfit_scale(misfit)
    scales, titles = (values, values, gaps), (f"predicted {row.name}", f"reference {row.name}", row.misfit_name)
    for ax, scale, title, label in zip(panels, scales, titles, (row.name, row.name, row.misfit_kind), strict=True):
        if ax is not None:
            ax.set_title(title)
            if scale is gaps or panels[1] in (None, ax):
                _colour_bar(figure, ax, scale, label)

    def draw(part: Row) -> None:
        for ax, array, scale in zip(panels, part.arrays, scales, strict=True):
            if ax is not None and array is not None:
                for artist in (*ax.collections, *ax.patches, *ax.lines):
                    artist.remove()
                plane.draw(ax, array if scale is values else np.maximum(array, scale.norm.vmin or 0.0), scale)

    return draw


def _colour_bar(figure: Figure, ax: Axes, scale: Scale, label: str) -> None:
    """A bar beside a map, of its scale and not of what is drawn at one time."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415

    colours = ScalarMappable(scale.norm, scale.cmap)
    bar = figure.colorbar(colours, cax=ax.inset_axes((1.04, 0.0, 0.05, 1.0)), extend=scale.extend)
    style.label_bar(bar.ax, label)
    if label.startswith("|") and scale.decades >= 2:
        bar.ax.minorticks_off()
