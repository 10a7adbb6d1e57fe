"""Curves along one axis side by side, at a few values of another one or of several: times, or parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from pinnreg.plots import style
from pinnreg.plots.cuts import LOW_TO_HIGH, index_of, nearest, of_parameters, said
from pinnreg.plots.lines import OVERSHOOT, draw_misfit, draw_values
from pinnreg.plots.maps import Plane, columns_of, draw_maps
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row
from pinnreg.plots.scales import misfit_limits, value_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

FRACTIONS = (0.25, 0.5, 0.75, 1.0)  # of the time span; the start is given data and often exact


def sliced_figure(
    axes: Mapping[str, Array],
    rows: Sequence[Row],
    cut: str,
    outline: Outline | None = None,
    *,
    are_lengths: bool = True,
) -> Figure:
    """Of two axes for each output a row of heat maps over both, a row of slices and a row of the slices' misfits.

    Args:
        axes: two.
        rows: one for each output.
        cut: the axis at a few values of which the slices are: time, or a parameter, from low to high.
        outline: of the domain in the plane of both.
        are_lengths: whether both may share a scale.
    """
    below = 3.3 if any(row.misfit is not None for row in rows) else 1.8
    figure = style.new_figure(0.6 + (2.6 + below) * len(rows))
    outer = figure.add_gridspec(2 * len(rows), 1, height_ratios=(2.6, below) * len(rows))
    indices = nearest(axes[cut], FRACTIONS if cut == "t" else LOW_TO_HIGH)
    first, second = axes.items()
    plane = Plane(first, second, outline, are_lengths=are_lengths)
    for number, row in enumerate(rows):
        (panels,) = draw_maps(figure, outer[2 * number].subgridspec(1, columns_of(rows)), 0, plane, [("", row)])
        _mark(panels, axes[cut][indices], vertical=plane.horizontal == cut)
        cells = outer[2 * number + 1].subgridspec(1 if row.misfit is None else 2, len(indices))
        _draw_slices(figure, cells, 0, axes, row, [{cut: index} for index in indices])
    return figure


def parametrised_figure(axes: Mapping[str, Array], rows: Sequence[Row], parameters: Sequence[str]) -> Figure:
    """Of one axis and several parameters for each output, and for each of these, slices from low to high, as above."""
    blocks = list(of_parameters(axes, parameters))
    figure = style.new_figure(0.6 + 3.5 * len(blocks) * len(rows))
    cells = figure.add_gridspec(2 * len(blocks) * len(rows), max(map(len, blocks)))
    every = [cuts for block in blocks for cuts in block]
    for number, row in enumerate(rows):
        for place, block in enumerate(blocks):
            first = 2 * (number * len(blocks) + place)
            misfits = _draw_slices(figure, cells, first, axes, row, block, scaled_with=every)
            if place == 0 and misfits and row.headline:
                misfits[0].set_title(f"{row.headline} in all")
    return figure


def _mark(panels: Sequence[Axes | None], values: Array, *, vertical: bool) -> None:
    """Show in the heat maps where the slices lie; one on an edge needs no mark."""
    for ax in panels:
        if ax is not None:
            ends = ax.get_xlim() if vertical else ax.get_ylim()
            draw = ax.axvline if vertical else ax.axhline
            for value in values[(values > min(ends)) & (values < max(ends))]:
                draw(value, color="white", linewidth=1.6, alpha=0.5)
                draw(value, color="0.2", linewidth=0.8, linestyle=(0, (2, 2)))


def _draw_slices(
    figure: Figure,
    cells: GridSpec | GridSpecFromSubplotSpec,
    first: int,
    axes: Mapping[str, Array],
    row: Row,
    cuts: Sequence[Mapping[str, int]],
    scaled_with: Collection[Mapping[str, int]] = (),
) -> list[Axes]:
    """Slices in row `first` of the cells, and below it their misfits; each of both has the same limits.

    Args:
        figure: to draw into.
        cells: of it.
        first: the upper one of two rows of cells.
        axes: of the grid, all but one of which are cut.
        row: what is drawn.
        cuts: where the axes are cut, a column each.
        scaled_with: more cuts to which the limits are common.

    Returns:
        The panels of misfits.
    """
    ((name, axis),) = ((name, axis) for name, axis in axes.items() if name not in cuts[0])
    together = [row.at(index_of(axes, each)) for each in scaled_with or cuts]
    values = value_limits(
        [s.predicted for s in together if s.predicted is not None],
        [s.reference for s in together if s.reference is not None],
        OVERSHOOT,
    )
    gaps = misfit_limits([s.misfit for s in together if s.misfit is not None])
    misfits: list[Axes] = []
    for column, each in enumerate(cuts):
        part, panels = row.at(index_of(axes, each)), []
        if part.predicted is not None:
            panels.append(figure.add_subplot(cells[first, column]))
            draw_values(panels[0], name, axis, part, values)
            _share_row(panels[0], column, row.name)
            if column == len(cuts) - 1:
                panels[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), frameon=False)
        if part.misfit is not None:
            panels.append(figure.add_subplot(cells[first + 1, column]))
            misfits.append(panels[-1])
            draw_misfit(panels[-1], name, axis, part.misfit, gaps)
            _share_row(panels[-1], column, row.misfit_kind)
        panels[0].set_title(said(axes, each))
    return misfits


def _share_row(ax: Axes, column: int, label: str) -> None:
    """Only the first panel of a row needs the name and the numbers of the shared vertical axis."""
    ax.locator_params(axis="x", nbins=4)
    if column == 0:
        style.label_vertical(ax, label)
    else:
        ax.tick_params(which="both", labelleft=False)
