"""Errors of a study over those of its baseline as a matrix: a row for each case, a column for each entry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

COLUMNS = 2
DECADES = 3.0
"""Of the colours, either way: what helps or hurts by more is as dark."""
ROW, HEAD = 0.235, 1.25  # inches: of a row, and above and below a panel
DARK = 0.62  # of the scale, beyond which text is white


@final
@dataclass(frozen=True)
class RatioCell:
    """What a cell shows.

    Attributes:
        ratio: of the errors; NaN where there is none.
        decided: whether it is known to help or to hurt; a cell that is not is hatched.
    """

    ratio: float
    decided: bool


def study_ratios(panels: Mapping[str, Mapping[str, Mapping[str, RatioCell]]], *, title: str, note: str = "") -> Figure:
    """Draw ratios on one logarithmic scale, blue where an entry helps and red where it hurts.

    Args:
        panels: cells by the panel's name, the row's and the column's; the last row is set apart, as that over all.
        title: heading of the figure.
        note: a second line below it.

    Returns:
        A figure that belongs to no pyplot state; write it with `save`.

    Raises:
        InputError: no rows.
    """
    if not any(panels.values()):
        raise InputError("study_ratios: nothing to draw")
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    with style.settings():
        from matplotlib.cm import ScalarMappable  # noqa: PLC0415
        from matplotlib.colors import Normalize  # noqa: PLC0415

        colours = ScalarMappable(Normalize(-DECADES, DECADES), "RdBu_r")
        height = max(map(len, panels.values())) * ROW
        figure = style.new_figure(1.6 + lines * (HEAD + height))
        axes: list[Axes] = list(figure.subplots(lines, columns, squeeze=False).flat)
        for ax in axes[len(panels) :]:
            ax.remove()
        for ax, (name, rows) in zip(axes, panels.items(), strict=False):
            ax.set_title(name, parse_math=False)
            _draw(ax, rows, colours)
        bar = figure.colorbar(
            colours, ax=axes[: len(panels)], location="bottom", extend="both", shrink=0.5, aspect=50, pad=0.02
        )
        places = range(-int(DECADES), int(DECADES) + 1)
        bar.set_ticks(list(places), labels=[f"{10.0**place:g}" for place in places])
        bar.set_label("error / that of the baseline; hatched: undecided")
        return style.finish(figure, title, note)


def _draw(ax: Axes, rows: Mapping[str, Mapping[str, RatioCell]], colours: ScalarMappable) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    for place, row in enumerate(rows.values()):
        for number, cell in ((names.index(name), cell) for name, cell in row.items()):
            decades = _decades(cell.ratio)
            known = not math.isnan(decades)
            ax.add_patch(
                Rectangle(
                    (number - 0.5, place - 0.5), 1, 1,
                    facecolor=colours.to_rgba(np.array([decades]))[0] if known else "0.92",
                    edgecolor="white" if cell.decided else "0.55",
                    hatch=None if cell.decided or not known else "////",
                    linewidth=0,
                )
            )  # fmt: skip
            dark = cell.decided and abs(decades) > DARK * DECADES
            box = None if cell.decided else {"boxstyle": "square,pad=0.1", "facecolor": "white", "linewidth": 0}
            ax.text(
                number, place, _text(cell.ratio), ha="center", va="center", fontsize=style.SMALL, bbox=box,
                color="white" if dark else "black", parse_math=False,
            )  # fmt: skip
    ax.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    ax.axhline(len(rows) - 1.5, color="black", linewidth=1.2)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    ax.set_yticks(range(len(rows)), list(rows), parse_math=False)
    ax.tick_params(length=0)


def _text(ratio: float) -> str:
    """Short enough for a cell: to two digits between 0.01 and 1000, else to one."""
    if math.isnan(ratio):
        return ""
    if 0.01 <= ratio < 1000:
        return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
    mantissa, _, exponent = f"{ratio:.0e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _decades(ratio: float) -> float:
    return math.copysign(math.inf, ratio - 1) if ratio in (0, math.inf) else math.log10(ratio)
