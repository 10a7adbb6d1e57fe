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
LINE = 0.2  # inches of a line of a legend
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
    starts = range(0, len(content), columns)
    with style.settings():
        wide = style.width() / columns - 0.8
        legends = [max(_legend_lines(panel, wide) for panel in content[i : i + columns]) for i in starts]
        heights = [each for lines in legends for each in (3.3 if columns > 1 else 4.0, 0.05 + LINE * lines)]
        figure = style.new_figure(0.7 + sum(heights))
        cells = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for number, panel in enumerate(content):
            line, column = divmod(number, columns)
            ax = figure.add_subplot(cells[2 * line, column])
            _draw(ax, panel)
            _legend(figure.add_subplot(cells[2 * line + 1, column]), ax, panel, wide)
        return style.finish(figure, title, note)


def _draw(ax: Axes, panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

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
    elif not panel.log_x and all((np.mod(np.asarray(each.x), 1) == 0).all() for each in panel.curves):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # seeds, and other things that are counted


def _in_a_line(panel: Panel, wide: float) -> int:
    """How many names of curves fit side by side."""
    longest = max((len(curve.label) for curve in panel.curves), default=0)
    return max(1, int(wide / (0.55 + 0.075 * longest)))


def _legend_lines(panel: Panel, wide: float) -> int:
    return -(-sum(bool(curve.label) for curve in panel.curves) // _in_a_line(panel, wide))


def _legend(below: Axes, ax: Axes, panel: Panel, wide: float) -> None:
    """The names of the curves below their panel, where no data are."""
    below.set_axis_off()
    handles = ax.get_legend_handles_labels()[0]
    if handles:
        below.legend(
            handles=handles, loc="upper center", ncols=min(len(handles), _in_a_line(panel, wide)), frameon=False,
            borderaxespad=0, handlelength=1.8, columnspacing=1.2,
        )  # fmt: skip
