"""Curves along one axis: predicted over reference, and the misfit on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pinnreg.estimates import NORMAL
from pinnreg.plots import style
from pinnreg.plots.rows import Array, Row
from pinnreg.plots.scales import largest_note, misfit_limits, value_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OVERSHOOT = 2.0  # ranges of the reference by which a wrong prediction may widen the axis
DECADES = 2  # that a logarithmic axis shows at least, lest its labels crowd


def draw_values(ax: Axes, name: str, axis: Array, row: Row, limits: tuple[float, float]) -> None:
    """Predicted as a solid line, the reference dashed on top of it; both stay visible where they agree."""
    if row.predicted is not None:
        ax.plot(axis, np.ma.masked_invalid(row.predicted), label="predicted", **style.PREDICTED)
        if row.band is not None:
            wide = NORMAL * row.band
            ax.fill_between(axis, row.predicted - wide, row.predicted + wide, label="95 %", **style.BAND)
    if row.reference is not None:
        ax.plot(axis, np.ma.masked_invalid(row.reference), label="reference", **style.REFERENCE)
    if row.measured is not None:
        points, values = row.measured
        ax.plot(points[:, 0], values, **style.MEASURED)
    low, high = limits
    pad = 0.06 * (high - low)
    ax.set(xlim=(axis[0], axis[-1]), ylim=(low - pad, high + pad), xlabel=name)
    style.add_grid(ax)


def draw_misfit(ax: Axes, name: str, axis: Array, misfit: Array, limits: tuple[float, float]) -> None:
    """The misfit on a logarithmic axis; what lies below the limits runs along the lower edge."""
    high = limits[1]
    low = min(limits[0], high * 10.0**-DECADES)
    ax.set_yscale("log")
    # first, since matplotlib warns of a curve at one height when it looks for limits itself
    ax.set(xlim=(axis[0], axis[-1]), ylim=(low, 2 * high), xlabel=name)
    ax.plot(axis, np.ma.masked_invalid(np.maximum(misfit, low)), **style.MISFIT)
    if not (note := largest_note(misfit)).startswith("max"):
        ax.text(0.5, 0.5, note, transform=ax.transAxes, ha="center", va="center")
    style.add_grid(ax)


def line_figure(name: str, axis: Array, rows: Sequence[Row]) -> Figure:
    """For each output a row of two panels: the curves, and their misfit."""
    figure = style.new_figure(0.6 + 3.0 * len(rows))
    ratios = (1.15, 1) if any(row.misfit is not None for row in rows) else (1,)
    panels = figure.subplots(len(rows), len(ratios), squeeze=False, gridspec_kw={"width_ratios": ratios})
    for (left, *rest), row in zip(panels, rows, strict=True):
        if row.predicted is None:
            left.remove()
        else:
            limits = value_limits([row.predicted], [] if row.reference is None else [row.reference], OVERSHOOT)
            draw_values(left, name, axis, row, limits)
            style.label_vertical(left, row.name)
            left.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=3, frameon=False)
        if row.misfit is None:
            for right in rest:
                right.remove()
        else:
            (right,) = rest
            draw_misfit(right, name, axis, row.misfit, misfit_limits([row.misfit]))
            style.label_vertical(right, row.misfit_kind)
            note = f"{row.misfit_name} ({largest_note(row.misfit)})"
            right.set_title(f"{row.headline}\n{note}" if row.headline else note)
    return figure
