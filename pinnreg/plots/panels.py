"""Panels of curves side by side: the figures of experiments that are no solution of a PDE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np
from numpy.typing import ArrayLike

from pinnreg.errors import InputError
from pinnreg.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
MARKERS = "osD^vP"


@final
@dataclass(frozen=True)
class Curve:
    """One curve, or points, of a panel.

    Attributes:
        label: in the legend; "" for none.
        x: (n,).
        y: (n,).
        low: the lower edge of a band around it, (n,), with `high` the upper one; None for no band.
        kind: a line, a line with its points marked, points alone, or a dashed black line for what is expected.
        group: curves of one number have one colour; None counts on.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    kind: Literal["line", "marked", "points", "expected"] = "line"
    group: int | None = None


@final
@dataclass(frozen=True)
class Panel:
    """Curves over one pair of axes.

    Attributes:
        title: above it.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        curves: what is drawn.
        log_x: whether the horizontal axis is logarithmic.
        log_y: whether the vertical axis is.
        ticks: names of the horizontal positions 0, 1, 2, ...; none for a numeric axis.
    """

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    log_x: bool = False
    log_y: bool = False
    ticks: Sequence[str] = ()


def panels(content: Sequence[Panel], *, title: str, note: str = "") -> Figure:
    """Draw panels in rows of three, or two by two.

    Args:
        content: the panels.
        title: heading of the figure.
        note: a second line below it.

    Returns:
        A figure with a legend in each panel; write it with `save`.

    Raises:
        InputError: no panel.
    """
    if not content:
        raise InputError("panels: nothing to draw")
    columns = 2 if len(content) == 4 else min(COLUMNS, len(content))
    lines = -(-len(content) // columns)
    with style.settings():
        figure = style.new_figure(0.7 + (3.3 if columns > 1 else 4.0) * lines)
        axes: list[Axes] = list(figure.subplots(lines, columns, squeeze=False).flat)
        for ax in axes[len(content) :]:
            ax.remove()
        for ax, panel in zip(axes, content, strict=False):
            _draw(ax, panel)
        return style.finish(figure, title, note)


def _draw(ax: Axes, panel: Panel) -> None:
    ax.set(xscale="log" if panel.log_x else "linear", yscale="log" if panel.log_y else "linear")
    style.add_grid(ax)
    counted = 0
    for curve in panel.curves:
        x, y = np.asarray(curve.x, dtype=np.float64), np.asarray(curve.y, dtype=np.float64)
        if curve.kind == "expected":
            ax.plot(x, y, label=curve.label or None, **style.REFERENCE)
            continue
        number = counted if curve.group is None else curve.group
        counted += curve.group is None
        colour, marker = style.COLOURS[number % len(style.COLOURS)], MARKERS[number % len(MARKERS)]
        if curve.low is not None and curve.high is not None:
            ax.fill_between(x, np.asarray(curve.low), np.asarray(curve.high), color=colour, alpha=0.2, linewidth=0)
        ax.plot(
            x,
            y,
            label=curve.label or None,
            color=colour,
            linewidth=1.6,
            linestyle="none" if curve.kind == "points" else "-",
            marker=marker if curve.kind in ("marked", "points") else "",
            markersize=4.5,
        )
    ax.set_title(panel.title, parse_math=False)
    ax.set_xlabel(panel.x_label, parse_math=False)
    ax.set_ylabel(panel.y_label, parse_math=False)
    if panel.ticks:
        ax.set_xticks(range(len(panel.ticks)), list(panel.ticks), rotation=35, ha="right")
    if any(curve.label for curve in panel.curves):
        ax.legend(loc="best", framealpha=0.85)
