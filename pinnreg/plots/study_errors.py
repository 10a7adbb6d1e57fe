"""Errors of a study: a row for each entry, a point for each seed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.scales import logarithmic_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
FOLD = 30  # letters in a line of a row's name
ROW, LINE = 0.25, 0.17  # inches: of a row, and of each line of its label
POINTS, BASELINE = "#0072B2", "0.35"
SPREAD = 0.2  # of a row, over which the seeds are spread lest they hide each other


@final
@dataclass(frozen=True)
class ErrorRow:
    """What one row shows.

    Attributes:
        name: of the entry.
        errors: one for each seed.
        hindsight: the median had the answer been known when choosing; None where nothing was chosen.
        baseline: whether the others are compared with it.
        note: what is missing, such as "4 of 5 seeds".
    """

    name: str
    errors: Sequence[float]
    hindsight: float | None = None
    baseline: bool = False
    note: str = ""


def study_errors(panels: Mapping[str, Sequence[ErrorRow]], *, title: str, note: str = "") -> Figure:
    """Draw errors on a logarithmic axis that all panels share, rows from the top in the order given.

    Errors that are not positive and finite are left out.

    Args:
        panels: rows by the panel's name.
        title: heading of the figure.
        note: a second line below it.

    Returns:
        A figure with one legend below the panels; write it with `save`.

    Raises:
        InputError: no rows.
    """
    if not any(panels.values()):
        raise InputError("study_errors: nothing to draw")
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    with style.settings():
        tallest = max(label.count("\n") + 1 for rows in panels.values() for label in map(_label, rows))
        height = max(map(len, panels.values())) * (ROW + LINE * tallest)
        figure = style.new_figure(1.35 + lines * (0.75 + height))
        axes: list[Axes] = list(figure.subplots(lines, columns, squeeze=False, sharex=True).flat)
        errors = [error for rows in panels.values() for row in rows for error in (*row.errors, row.hindsight or 0.0)]
        for ax in axes[len(panels) :]:
            ax.remove()
        for number, (ax, (name, rows)) in enumerate(zip(axes, panels.items(), strict=False)):
            ax.set(xscale="log", xlim=logarithmic_limits(errors))
            ax.set_title(name, parse_math=False)
            _draw(ax, rows)
            if number + columns >= len(panels):
                ax.set_xlabel("relative L2 error")
                ax.tick_params(labelbottom=True, which="both")
        _legend(figure, any(row.hindsight is not None for rows in panels.values() for row in rows))
        return style.finish(figure, title, note)


def _draw(ax: Axes, rows: Sequence[ErrorRow]) -> None:
    for place, row in enumerate(rows):
        colour = BASELINE if row.baseline else POINTS
        known = np.array([error for error in row.errors if math.isfinite(error) and error > 0])
        if known.size:
            middle = float(np.median(known))
            offsets = np.linspace(-SPREAD, SPREAD, known.size) if known.size > 1 else np.zeros(1)
            ax.plot(known, place + offsets, "o", color=colour, markersize=5, alpha=0.55, markeredgewidth=0)
            ax.plot([middle, middle], [place - 0.34, place + 0.34], color=colour, linewidth=2.6)
            if row.baseline:
                ax.axvline(middle, color=BASELINE, linewidth=0.9, linestyle=style.DASHED, zorder=0)
        if row.hindsight is not None and math.isfinite(row.hindsight):
            ax.plot([row.hindsight], [place], "D", markersize=7, markerfacecolor="none", markeredgecolor="black")
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows], parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", which="both", color="0.9", linewidth=0.6)
    for edge in range(1, len(rows)):
        ax.axhline(edge - 0.5, color="0.75", linewidth=0.6)
    ax.tick_params(axis="y", length=0)


def _label(row: ErrorRow) -> str:
    return textwrap.fill(row.name, FOLD) + (f"\n({row.note})" if row.note else "")


def _legend(figure: Figure, hindsight: bool) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    dot = Line2D([], [], color=POINTS, marker="o", markersize=5, linestyle="", label="one seed")
    bar = Line2D([], [], color=POINTS, marker="|", markersize=13, markeredgewidth=2.6, linestyle="", label="median")
    best = Line2D(
        [], [], color="black", marker="D", markersize=7, markerfacecolor="none", linestyle="",
        label="median of the best candidates in hindsight (needs the answer)",
    )  # fmt: skip
    base = Line2D([], [], color=BASELINE, linewidth=0.9, linestyle=style.DASHED, label="median of the baseline")
    handles = [dot, bar, base, *([best] if hindsight else [])]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
