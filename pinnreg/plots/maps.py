"""Heat maps of predicted, reference and misfit on a plane of the grid."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from pinnreg.plots import style
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row
from pinnreg.plots.scales import Scale, largest_note, misfit_scale, value_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

FOLD = 34  # letters in a line of a panel's title
LONGEST = 3.0  # ratio of the sides up to which a plane is drawn true to scale
LONGEST_SHAPE = 8.0  # the same of shapes: a circle should look like one


@final
@dataclass(frozen=True)
class Plane:
    """Two named axes; arrays on it have shape (first, second), and time lies horizontally.

    `outline` is that of a domain that is no box, with the interfaces inside; beside time only these are drawn.
    `are_lengths` says whether both may share a scale, as time and space do not, nor a parameter.
    """

    first: tuple[str, Array]
    second: tuple[str, Array]
    outline: Outline | None = None
    are_lengths: bool = True

    @property
    def horizontal(self) -> str:
        """The axis that is drawn so."""
        return (self.first if self.upright else self.second)[0]

    @property
    def upright(self) -> bool:
        """Whether the second axis is drawn vertically: true but for time."""
        return self.second[0] != "t"

    @property
    def ratio(self) -> float:
        """Width over height of a panel."""
        (_, a), (_, b) = self.first, self.second
        ratio = float((a[-1] - a[0]) / (b[-1] - b[0]))
        return ratio if self.to_scale else 1.25

    @property
    def to_scale(self) -> bool:
        """Whether both axes are lengths of comparable size, so that they share one scale."""
        (_, a), (_, b) = self.first, self.second
        ratio = (a[-1] - a[0]) / (b[-1] - b[0])
        longest = LONGEST if self.outline is None else LONGEST_SHAPE
        return self.are_lengths and self.upright and 1 / longest <= ratio <= longest

    def draw(self, ax: Axes, values: Array, scale: Scale) -> None:
        """One heat map; values that are not finite leave the grey ground visible."""
        (name_x, x), (name_y, y) = (self.first, self.second) if self.upright else (self.second, self.first)
        if self.outline is not None and self.upright:
            self.outline.draw(ax, x, y, values, scale)
        else:
            shown = np.ma.masked_invalid(values.T if self.upright else values)
            ax.set_facecolor("0.8")
            ax.pcolormesh(x, y, shown, cmap=scale.cmap, norm=scale.norm, shading="nearest", rasterized=True)
            # Cells are centred on the grid's points; the outer half of those on the edge lies outside the domain.
            ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        if self.outline is not None:
            self.outline.stroke_interfaces(ax, upright=self.upright)
        ax.set_xlabel(name_x)
        style.label_vertical(ax, name_y)
        ax.locator_params(nbins=5)
        if self.to_scale:
            ax.set_aspect("equal")

    def mark(self, ax: Axes, points: Array) -> None:
        """Circles at points (n, 2), with a white rim, since the map may be as dark as they are."""
        horizontal, vertical = points.T if self.upright else points.T[::-1]
        ax.plot(horizontal, vertical, **style.MEASURED_RIM)
        ax.plot(horizontal, vertical, **style.MEASURED)


def columns_of(rows: Sequence[Row]) -> int:
    """Three panels in a row where some output has a reference, else two, or one where nothing says how wrong it is."""
    if any(row.reference is not None for row in rows):
        return 3
    return 2 if any(row.misfit is not None for row in rows) else 1


def draw_maps(
    figure: Figure,
    cells: GridSpec | GridSpecFromSubplotSpec,
    first: int,
    plane: Plane,
    parts: Sequence[tuple[str, Row]],
) -> list[list[Axes | None]]:
    """Rows of heat maps from row `first` of `cells`, one per part (note, row), all on the same two scales.

    Returns the axes of predicted, reference and misfit for each part; None where there is nothing to show.
    """
    predicted = [row.predicted for _, row in parts if row.predicted is not None]
    reference = [row.reference for _, row in parts if row.reference is not None]
    misfit = [row.misfit for _, row in parts if row.misfit is not None]
    values, gaps = value_scale(predicted, reference), misfit_scale(misfit)
    last = cells.ncols - 1
    drawn: list[list[Axes | None]] = []
    for number, (note, row) in enumerate(parts, start=first):
        panels: list[Axes | None] = [None, None, None]
        for kind, (column, array, scale) in enumerate(
            zip((0, 1, last), row.arrays, (values, values, gaps), strict=True)
        ):
            if array is None:
                continue
            ax = panels[kind] = figure.add_subplot(cells[number, column])
            floor = scale.norm.vmin if scale is gaps else None
            plane.draw(ax, array if floor is None else np.maximum(array, floor), scale)
            if kind == 0 and row.measured is not None:
                plane.mark(ax, row.measured[0])
            ax.set_title(_title(kind, row, note, array, leads=number == first))
        _colour_bars(figure, panels, row, values, gaps)
        drawn.append(panels)
    return drawn


def _title(kind: int, row: Row, note: str, array: Array, leads: bool) -> str:
    """The panel's title, folded, since the layout heeds its height but not its width."""
    where = f", {note}" if note else ""
    if kind < 2:
        return _folded(f"{('predicted', 'reference')[kind]} {row.name}{where}")
    name = row.misfit_kind if where and row.reference is not None else row.misfit_name
    panel, largest = name + where, f"({largest_note(array)})"
    panel = f"{panel} {largest}" if len(panel + largest) < FOLD else f"{_folded(panel)}\n{largest}"
    if not (leads and row.headline):
        return panel
    return f"{row.headline} in all\n{panel}" if where else f"{row.headline}\n{panel}"


def _folded(title: str) -> str:
    """The title in lines, none of which ends within 't = 1'."""
    return textwrap.fill(title.replace(" = ", "\xa0=\xa0"), FOLD).replace("\xa0", " ")


def _colour_bars(figure: Figure, panels: Sequence[Axes | None], row: Row, values: Scale, gaps: Scale) -> None:
    """One bar for predicted and reference, at the right one of them; one for the misfit."""
    right = panels[1] or panels[0]
    for ax, scale, label in ((right, values, row.name), (panels[2], gaps, row.misfit_kind)):
        if ax is not None:
            # An inset keeps the height of its map, whatever the aspect of the axes turns out to be.
            bar = figure.colorbar(ax.collections[0], cax=ax.inset_axes((1.04, 0.0, 0.05, 1.0)), extend=scale.extend)
            style.label_vertical(bar.ax, label)
            if scale is gaps and scale.decades >= 2:
                bar.ax.minorticks_off()
