"""Estimates against what they estimate: how many lie within a factor, and which are trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.scales import logarithmic_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^v<>"
"""One for each colour once through, and then the next."""
COLUMNS = 5
"""Of the legend."""

Pair = tuple[float, float, bool]
"""A true error, its estimate, and whether that is called good."""


def calibration(pairs: Mapping[str, Sequence[Pair]], *, factor: float, title: str, note: str = "") -> Figure:
    """Draw estimates against true errors on logarithmic axes, filled where they are called good, else hollow.

    Those that are not positive and finite are left out.

    Args:
        pairs: by name, each with a colour and marker of its own.
        factor: of the band around the diagonal in which an estimate is right.
        title: heading of the figure.
        note: a second line below it.

    Returns:
        A figure with its legend below; write it with `save`.

    Raises:
        InputError: nothing to draw.
    """
    drawn = {name: [each for each in values if _is_drawn(each)] for name, values in pairs.items()}
    drawn = {name: values for name, values in drawn.items() if values}
    if not drawn:
        raise InputError("calibration: nothing to draw")
    with style.settings():
        figure = style.new_figure(7.2 + 0.2 * -(-len(drawn) // COLUMNS))
        ax = figure.subplots()
        _draw_band(ax, drawn, factor)
        for number, (name, values) in enumerate(drawn.items()):
            _draw(ax, name, values, number)
        ax.set(xscale="log", yscale="log", xlabel="true relative L2 error", ylabel="estimated")
        style.add_grid(ax)
        _legend(figure, ax, factor)
        return style.finish(figure, title, note)


def _is_drawn(pair: Pair) -> bool:
    return all(np.isfinite(each) and each > 0 for each in pair[:2])


def _draw_band(ax: Axes, drawn: Mapping[str, Sequence[Pair]], factor: float) -> None:
    """The diagonal, and the band around it, across the whole axes."""
    every = [pair for values in drawn.values() for pair in values]
    horizontal = logarithmic_limits(pair[0] for pair in every)
    vertical = logarithmic_limits(value for pair in every for value in pair[:2])
    at = np.array(horizontal)
    ax.fill_between(at, at / factor, at * factor, color="0.9", linewidth=0)
    ax.plot(at, at, color="0.55", linewidth=0.9, linestyle=style.DASHED)
    ax.set(xlim=horizontal, ylim=vertical)


def _draw(ax: Axes, name: str, values: Sequence[Pair], number: int) -> None:
    colour = style.COLOURS[number % len(style.COLOURS)]
    marker = MARKERS[number // len(style.COLOURS) % len(MARKERS)]
    for good in (False, True):
        own = [(truth, estimate) for truth, estimate, called in values if called is good]
        if own or good:  # the legend shows the filled one
            ax.plot(
                [truth for truth, _ in own],
                [estimate for _, estimate in own],
                color=colour,
                marker=marker,
                markersize=6,
                markerfacecolor=colour if good else "none",
                markeredgewidth=1.2,
                linestyle="",
                label=name if good else "",
            )


def _legend(figure: Figure, ax: Axes, factor: float) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    good, poor = (
        Line2D([], [], color="0.3", marker="o", markersize=6, markerfacecolor=fill, linestyle="", label=label)
        for fill, label in (("0.3", "called good"), ("none", "called poor"))
    )
    ax.legend(handles=[good, poor, Patch(color="0.9", label=f"within a factor of {factor:g}")], loc="upper left")
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=COLUMNS, frameon=False)
