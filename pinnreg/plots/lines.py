"""Curves along one axis: predicted over reference, and the misfit on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnreg.estimates import NORMAL
from pinnreg.plots import style
from pinnreg.plots.rows import Array, Row, labelled
from pinnreg.plots.scales import largest_note, misfit_limits, value_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OVERSHOOT = 2.0  # ranges of the reference by which a wrong prediction may widen the axis
WITHIN = "95 %, by the noise of measurements"
SLICES = "times of the slices"
VALUES = "values of the slices"
INTERFACES = "where materials meet"
ORDER = ("predicted", "reference", WITHIN, "measurements", SLICES, VALUES, INTERFACES)
"""Of names in a legend."""
DECADES = 2  # that a logarithmic axis shows at least, lest its labels crowd


def draw_values(ax: Axes, name: str, axis: Array, row: Row, limits: tuple[float, float]) -> None:
    """Predicted as a solid line, the reference dashed on top of it; both stay visible where they agree."""
    if row.predicted is not None:
        look = style.thinned(style.PREDICTED)
        if row.band is not None:
            wide = NORMAL * row.band
            ax.fill_between(axis, row.predicted - wide, row.predicted + wide, label=WITHIN, **style.BAND)
            look = {**look, "linewidth": look["linewidth"] / 2}  # lest it hide the band
        ax.plot(axis, np.ma.masked_invalid(row.predicted), label="predicted", **look)
    if row.reference is not None:
        ax.plot(axis, np.ma.masked_invalid(row.reference), label="reference", **style.thinned(style.REFERENCE))
    if row.measured is not None:
        points, values = row.measured
        ax.plot(points[:, 0], values, label="measurements", **style.thinned(style.MEASURED))
    low, high = limits
    pad = 0.06 * (high - low)
    ax.set(xlim=(axis[0], axis[-1]), ylim=(low - pad, high + pad), xlabel=style.label(name))
    style.add_grid(ax)


def draw_misfit(
    ax: Axes, name: str, axis: Array, misfit: Array, limits: tuple[float, float], band: Array | None = None
) -> None:
    """The misfit on a logarithmic axis; what lies below the limits runs along the lower edge.

    Below the line the band of noise, if there is any, is seen here, however narrow it is beside the values.
    """
    high = limits[1]
    low = min(limits[0], high * 10.0**-DECADES)
    ax.set_yscale("log")
    # first, since matplotlib warns of a curve at one height when it looks for limits itself
    ax.set(xlim=(axis[0], axis[-1]), ylim=(low, 2 * high), xlabel=style.label(name))
    if band is not None:
        ax.fill_between(axis, low, np.maximum(NORMAL * band, low), label=WITHIN, **style.BAND)
    ax.plot(axis, np.ma.masked_invalid(np.maximum(misfit, low)), **style.thinned(style.MISFIT))
    if not (note := largest_note(misfit)).startswith("max"):
        ax.text(0.5, 0.5, note, transform=ax.transAxes, ha="center", va="center")
    style.add_grid(ax)


def with_band(misfits: Sequence[Array], bands: Sequence[Array]) -> list[Array]:
    """What an axis of misfits is to show: them, and how high the bands reach."""
    return [*misfits, *(np.full(1, NORMAL * np.nanmax(each)) for each in bands if np.isfinite(each).any())]


def handles_of(panels: Iterable[Axes]) -> list[Any]:
    """The lines and bands of some panels that have names."""
    found = [each for ax in panels for each in ax.get_legend_handles_labels()[0]]
    return sorted(found, key=lambda each: ORDER.index(str(each.get_label())))


def line_figure(name: str, axis: Array, rows: Sequence[Row]) -> Figure:
    """For each output a row of panels: the curves, their misfit, and the residual, as far as they are wanted."""
    kinds = [
        kind
        for kind in ("solution", "error", "residual")
        if any((each.panel(kind) if kind != "solution" else _values(each)) is not None for each in rows)
    ]
    columns = 1 if style.is_narrow() else max(1, len(kinds))
    lines = -(-max(1, len(kinds)) // columns)
    figure = style.new_figure(0.6 + style.shrunk(3.0) * len(rows) * lines)
    ratios = [1.15 if kind == "solution" else 1 for kind in kinds[:columns]] or [1]
    cells = figure.add_gridspec(len(rows) * lines, columns, width_ratios=ratios)
    for number, row in enumerate(rows):
        for place, kind in enumerate(kinds):
            line, column = divmod(place, columns)
            if (values := _values(row) if kind == "solution" else row.panel(kind)) is None:
                continue
            ax = figure.add_subplot(cells[number * lines + line, column])
            if kind == "solution":
                limits = value_limits([values], [] if row.reference is None else [row.reference], OVERSHOOT)
                draw_values(ax, name, axis, row, limits)
                style.label_vertical(ax, row.label)
                continue
            band = row.band if kind == "error" else None
            draw_misfit(
                ax, name, axis, values, misfit_limits(with_band([values], [] if band is None else [band])), band
            )
            style.label_vertical(ax, row.misfit_kind if kind == "error" else "|residual|")
            panel = row.misfit_label if kind == "error" else labelled(row.residual_name)
            note = f"{panel} ({largest_note(values)})" if style.has_titles() else panel
            headline = row.headline if kind == "error" and style.has_titles() else ""
            ax.set_title(f"{headline}\n{note}" if headline else note)
    style.add_legend(figure, handles_of(figure.axes))
    return figure


def _values(row: Row) -> Array | None:
    """What a panel of values shows first."""
    return row.reference if row.predicted is None else row.predicted
