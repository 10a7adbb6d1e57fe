"""Curves along one axis side by side, at a few values of another one or of several: times, or parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from pinnreg.plots import style
from pinnreg.plots.cuts import LOW_TO_HIGH, index_of, nearest, of_parameters, said
from pinnreg.plots.lines import OVERSHOOT, SLICES, VALUES, draw_misfit, draw_values, handles_of, with_band
from pinnreg.plots.maps import Part, Plane, Sheet, draw_maps
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row
from pinnreg.plots.scales import misfit_limits, value_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the time span
IN_A_LINE = 5
IN_A_NARROW_LINE = 3


@final
@dataclass(frozen=True)
class Slice:
    """A row along one axis.

    Attributes:
        name: of the axis.
        axis: its coordinates.
        said: where it is.
        row: what is drawn.
    """

    name: str
    axis: Array
    said: str
    row: Row


def slices_of(axes: Mapping[str, Array], row: Row, cuts: Iterable[Mapping[str, int]]) -> list[Slice]:
    """A row cut at points of its grid, so that one axis is left."""
    return [
        Slice(name, axes[name], said(axes, cuts_of), row.at(index_of(axes, cuts_of)))
        for cuts_of in cuts
        for name in axes
        if name not in cuts_of
    ]


def sliced_figure(
    axes: Mapping[str, Array],
    rows: Sequence[Row],
    cut: str,
    outline: Outline | None = None,
    *,
    are_lengths: bool = True,
    slices: Sequence[Sequence[Slice]] = (),
    places: Sequence[float] = (),
) -> Figure:
    """Of two axes for each output heat maps over both, and below all of these slices, and the slices' misfits.

    Args:
        axes: two.
        rows: one for each output.
        cut: the axis at a few values of which the slices are: time, or a parameter, from low to high.
        outline: of the domain in the plane of both.
        are_lengths: whether both may share a scale.
        slices: those of each output, finer than the grid; none for some of it.
        places: where these are.
    """
    if not slices:
        indices = nearest(axes[cut], _fewer(FRACTIONS) if cut == "t" else LOW_TO_HIGH)
        slices = [slices_of(axes, row, [{cut: index} for index in indices]) for row in rows]
        places = [float(axes[cut][index]) for index in indices]
    first, second = axes.items()
    plane = Plane(first, second, outline, are_lengths=are_lengths)
    sheet = Sheet.of(rows, [plane])
    blocks = [
        list(_lines_of(each)) for each in slices if any(any(a is not None for a in one.row.arrays) for one in each)
    ]
    shares = [sheet.height(plane) * sheet.lines, *(_height(block[0]) * len(block) for block in blocks)]
    shares[0] *= len(rows)
    figure = style.new_figure(0.5 + sum(shares))
    outer = figure.add_gridspec(len(shares), 1, height_ratios=shares)
    maps = outer[0].subgridspec(len(rows) * sheet.lines, sheet.columns)
    for number, row in enumerate(rows):
        (panels,) = draw_maps(figure, maps, number * sheet.lines, [Part("", row, plane)], sheet)
        _mark(panels.values(), places, vertical=plane.horizontal == cut, name=SLICES if cut == "t" else VALUES)
    for number, block in enumerate(blocks):
        cells = outer[1 + number].subgridspec(2 * len(block), max(map(len, block)))
        every = [each for line in block for each in line]
        for line, parts in enumerate(block):
            _draw_slices(figure, cells, 2 * line, parts, scaled_with=every)
    style.add_legend(figure, handles_of(figure.axes))
    return figure


def _fewer(all_of_them: Sequence[float]) -> Sequence[float]:
    return all_of_them[::2] if style.is_narrow() else all_of_them


def _lines_of(slices: Sequence[Slice]) -> Iterator[Sequence[Slice]]:
    most = IN_A_NARROW_LINE if style.is_narrow() else IN_A_LINE
    for start in range(0, len(slices), most):
        yield slices[start : start + most]


def _height(slices: Sequence[Slice]) -> float:
    """Of values and misfits of a line of slices, in inches."""
    return style.shrunk(3.3 if any(each.row.misfit is not None for each in slices) else 1.8)


def parametrised_figure(axes: Mapping[str, Array], rows: Sequence[Row], parameters: Sequence[str]) -> Figure:
    """Of one axis and several parameters for each output, and for each of these, slices from low to high, as above."""
    blocks = list(of_parameters(axes, parameters))
    figure = style.new_figure(0.6 + style.shrunk(3.5) * len(blocks) * len(rows))
    cells = figure.add_gridspec(2 * len(blocks) * len(rows), max(map(len, blocks)))
    for number, row in enumerate(rows):
        every = [slices_of(axes, row, block) for block in blocks]
        for place, block in enumerate(every):
            first = 2 * (number * len(blocks) + place)
            misfits = _draw_slices(figure, cells, first, block, scaled_with=[each for one in every for each in one])
            if place == 0 and misfits and row.headline and style.has_titles():
                misfits[0].set_title(f"{row.headline} in all")
    style.add_legend(figure, handles_of(figure.axes))
    return figure


def _mark(panels: Iterable[Axes], places: Sequence[float], *, vertical: bool, name: str) -> None:
    """Show in the heat maps where the slices lie; one on an edge needs no mark."""
    for ax in panels:
        low, high = sorted(ax.get_xlim() if vertical else ax.get_ylim())
        draw = ax.axvline if vertical else ax.axhline
        for value in places:
            if low < value < high:
                draw(value, **style.SLICES_RIM)
                draw(value, **style.SLICES, label=name)


def _draw_slices(
    figure: Figure,
    cells: GridSpec | GridSpecFromSubplotSpec,
    first: int,
    slices: Sequence[Slice],
    scaled_with: Sequence[Slice],
) -> list[Axes]:
    """Slices in row `first` of the cells, and below it their misfits; each of both has the same limits.

    Args:
        figure: to draw into.
        cells: of it.
        first: the upper one of two rows of cells.
        slices: a column each.
        scaled_with: all those to which the limits are common.

    Returns:
        The panels of misfits.
    """
    together = [each.row for each in scaled_with]
    values = value_limits(
        [row.predicted for row in together if row.predicted is not None],
        [row.reference for row in together if row.reference is not None],
        OVERSHOOT,
    )
    bands = [row.band for row in together if row.band is not None and row.misfit is not None]
    gaps = misfit_limits(with_band([row.misfit for row in together if row.misfit is not None], bands))
    misfits: list[Axes] = []
    for column, each in enumerate(slices):
        row, panels = each.row, []
        if row.predicted is not None or row.reference is not None:
            panels.append(figure.add_subplot(cells[first, column]))
            draw_values(panels[0], each.name, each.axis, row, values)
            _share_row(panels[0], column, row.label)
        if row.misfit is not None:
            panels.append(figure.add_subplot(cells[first + 1, column]))
            misfits.append(panels[-1])
            draw_misfit(panels[-1], each.name, each.axis, row.misfit, gaps, row.band)
            _share_row(panels[-1], column, row.misfit_kind)
        if panels:
            panels[0].set_title(each.said)
    return misfits


def _share_row(ax: Axes, column: int, label: str) -> None:
    """Only the first panel of a row needs the name and the numbers of the shared vertical axis."""
    ax.locator_params(axis="x", nbins=3 if style.is_narrow() else 4)
    if column == 0:
        style.label_vertical(ax, label)
    else:
        ax.tick_params(which="both", labelleft=False)
