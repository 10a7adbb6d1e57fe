"""Heat maps of predicted, reference and misfit on a plane of the grid."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from pinnreg.plots import style
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row, labelled
from pinnreg.plots.scales import Scale, largest_note, misfit_scale, value_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

FOLD = 34  # letters in a line of a panel's title
FLAT = 1.8  # ratio of the sides from which a map has a line of a narrow figure to itself
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
        return ratio if self.to_scale else 2.4 if style.is_narrow() else 1.25

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
        ax.set_xlabel(style.label(name_x))
        style.label_vertical(ax, style.label(name_y))
        ax.locator_params(nbins=3 if style.is_narrow() else 5)
        if self.to_scale:
            ax.set_aspect("equal")

    def mark(self, ax: Axes, points: Array) -> None:
        """Circles at points (n, 2), with a white rim, since the map may be as dark as they are."""
        horizontal, vertical = points.T if self.upright else points.T[::-1]
        ax.plot(horizontal, vertical, **style.MEASURED_RIM)
        ax.plot(horizontal, vertical, **style.MEASURED, label="measurements")


def columns_of(rows: Sequence[Row]) -> int:
    """Three panels in a row where some output has a reference, else two, or one where nothing says how wrong it is."""
    if any(row.reference is not None for row in rows):
        return 3
    return 2 if any(row.misfit is not None for row in rows) else 1


@final
@dataclass(frozen=True)
class Part:
    """An output on a plane, with what is said of where that is."""

    note: str
    row: Row
    plane: Plane


@final
@dataclass(frozen=True)
class Sheet:
    """Where maps go: a grid of cells, on as many lines as each row of maps takes.

    Attributes:
        panels: what is shown of an output, in this order.
        columns: of the grid.
        lines: of one output, or of one part of it.
        width: of a panel, in inches.
    """

    panels: tuple[str, ...]
    columns: int
    lines: int
    width: float

    @staticmethod
    def of(rows: Sequence[Row], planes: Iterable[Plane]) -> Sheet:
        """That for rows on planes: three side by side, of four two by two, in a narrow figure fewer."""
        wanted = style.wanted_panels()
        panels = tuple(each for each in wanted if any(row.panel(each) is not None for row in rows)) or wanted[:1]
        most = 2 if style.is_narrow() and max(plane.ratio for plane in planes) < FLAT else 1 if style.is_narrow() else 3
        columns = len(panels) if len(panels) <= most else min(2, most)
        beside = style.shrunk(1.2)
        width = min(style.width() / columns - beside, 3.0)
        return Sheet(panels, columns, -(-len(panels) // columns), width)

    def height(self, plane: Plane) -> float:
        """Of a line of panels with their labels, in inches."""
        return min(self.width / plane.ratio, 1.4 * self.width, 4.2) + style.shrunk(0.85)


def draw_maps(
    figure: Figure,
    cells: GridSpec | GridSpecFromSubplotSpec,
    first: int,
    parts: Sequence[Part],
    sheet: Sheet,
) -> list[dict[str, Axes]]:
    """Rows of heat maps from line `first` of `cells`, one per part, all on the same scales.

    Args:
        figure: to draw into.
        cells: of it.
        first: line of these.
        parts: what is drawn.
        sheet: how it is laid out.

    Returns:
        The panels of each part, by what they show.
    """
    rows = [part.row for part in parts]
    values = value_scale(
        [row.predicted for row in rows if row.predicted is not None],
        [row.reference for row in rows if row.reference is not None],
    )
    scales = {
        "solution": values,
        "reference": values,
        "error": misfit_scale([row.misfit for row in rows if row.misfit is not None]),
        "residual": misfit_scale([each for row in rows if (each := row.residual) is not None]),
    }
    drawn: list[dict[str, Axes]] = []
    for number, part in enumerate(parts):
        row, panels = part.row, dict[str, "Axes"]()
        for place, kind in enumerate(sheet.panels):
            if (array := row.panel(kind)) is None:
                continue
            line, column = divmod(place, sheet.columns)
            ax = panels[kind] = figure.add_subplot(cells[first + number * sheet.lines + line, column])
            scale = scales[kind]
            floor = None if scale is values else scale.norm.vmin
            part.plane.draw(ax, array if floor is None else np.maximum(array, floor), scale)
            if kind == "solution" and row.measured is not None:
                part.plane.mark(ax, row.measured[0])
            ax.set_title(_title(kind, row, part.note, array, leads=number == 0))
            after = sheet.panels[place + 1] if place + 1 < len(sheet.panels) else ""
            shared = column + 1 < sheet.columns and scales.get(after) is values and row.panel(after) is not None
            if not (scale is values and shared):
                _colour_bar(figure, ax, scale, row.label if scale is values else _kind(kind, row))
        drawn.append(panels)
    return drawn


def _kind(panel: str, row: Row) -> str:
    return row.misfit_kind if panel == "error" else "|residual|"


def _title(kind: str, row: Row, note: str, array: Array, leads: bool) -> str:
    """The panel's title, folded, since the layout heeds its height but not its width."""
    where = f", {note}" if note else ""
    if kind in ("solution", "reference"):
        return _folded(f"{'predicted' if kind == 'solution' else kind} {row.label}{where}")
    if kind == "residual":
        name = labelled(row.residual_name)
    else:
        name = row.misfit_kind if where and row.reference is not None else row.misfit_label
    panel, largest = name + where, f"({largest_note(array)})"
    if not style.has_titles():
        return _folded(panel)
    panel = f"{panel} {largest}" if len(panel + largest) < FOLD else f"{_folded(panel)}\n{largest}"
    if kind == "residual" or not (leads and row.headline):
        return panel
    return f"{row.headline} in all\n{panel}" if where else f"{row.headline}\n{panel}"


def _folded(title: str) -> str:
    """The title in lines, none of which ends within 't = 1'."""
    return textwrap.fill(title.replace(" = ", "\xa0=\xa0"), FOLD).replace("\xa0", " ")


def _colour_bar(figure: Figure, ax: Axes, scale: Scale, label: str) -> None:
    """A bar beside a map; it has its height, whatever the aspect of the axes turns out to be, since it is an inset."""
    bar = figure.colorbar(ax.collections[0], cax=ax.inset_axes((1.04, 0.0, 0.05, 1.0)), extend=scale.extend)
    name = f"{label} ({scale.note})" if scale.note else label
    if style.is_narrow() and not scale.note:
        name = ""  # there is no room, and the title says it
    style.label_bar(bar.ax, name)
    if label.startswith("|") and scale.decades >= 2:
        bar.ax.minorticks_off()
