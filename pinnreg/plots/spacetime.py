"""One space axis and time: heat maps over the whole domain, and below them slices at a few times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pinnreg.plots import style
from pinnreg.plots.lines import OVERSHOOT, draw_misfit, draw_values
from pinnreg.plots.maps import Plane, columns_of, draw_maps
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row
from pinnreg.plots.scales import misfit_limits, value_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecFromSubplotSpec

FRACTIONS = (0.25, 0.5, 0.75, 1.0)  # of the time span; the start is given data and often exact


def nearest(axis: Array, fractions: Sequence[float]) -> list[int]:
    """Indices of the grid points nearest to fractions of the axis, without repetition."""
    wanted = axis[0] + np.asarray(fractions) * (axis[-1] - axis[0])
    return sorted({int(np.abs(axis - value).argmin()) for value in wanted})


def spacetime_figure(axes: Mapping[str, Array], rows: Sequence[Row], outline: Outline | None = None) -> Figure:
    """For each output a row of heat maps, a row of slices and a row of the slices' misfits."""
    figure = style.new_figure(0.6 + 5.9 * len(rows))
    outer = figure.add_gridspec(2 * len(rows), 1, height_ratios=(2.6, 3.3) * len(rows))
    space, time = axes.items()
    for number, row in enumerate(rows):
        indices = nearest(time[1], FRACTIONS)
        cells = outer[2 * number].subgridspec(1, columns_of(rows))
        (panels,) = draw_maps(figure, cells, 0, Plane(space, time, outline), [("", row)])
        _mark_times(panels, time[1][indices])
        _draw_slices(figure, outer[2 * number + 1].subgridspec(2, len(indices)), axes, row, indices)
    return figure


def _mark_times(panels: Sequence[Axes | None], times: Array) -> None:
    """Show in the heat maps where the slices lie; one on the edge needs no mark."""
    for ax in panels:
        if ax is not None:
            for time in times[:-1]:
                ax.axvline(time, color="white", linewidth=1.6, alpha=0.5)
                ax.axvline(time, color="0.2", linewidth=0.8, linestyle=(0, (2, 2)))


def _draw_slices(
    figure: Figure,
    cells: GridSpecFromSubplotSpec,
    axes: Mapping[str, Array],
    row: Row,
    indices: Sequence[int],
) -> None:
    """Slices above and their misfits below; each row of panels has the same limits."""
    space, (_, time) = axes.items()
    slices = [row.at((slice(None), index)) for index in indices]
    values = value_limits(
        [s.predicted for s in slices if s.predicted is not None],
        [s.reference for s in slices if s.reference is not None],
        OVERSHOOT,
    )
    gaps = misfit_limits([s.misfit for s in slices if s.misfit is not None])
    for column, (index, part) in enumerate(zip(indices, slices, strict=True)):
        panels = []
        if part.predicted is not None:
            panels.append(figure.add_subplot(cells[0, column]))
            draw_values(panels[0], *space, part, values)
            _share_row(panels[0], column, row.name)
            if index == indices[-1]:
                panels[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), frameon=False)
        if part.misfit is not None:
            panels.append(figure.add_subplot(cells[1, column]))
            draw_misfit(panels[-1], *space, part.misfit, gaps)
            _share_row(panels[-1], column, row.misfit_kind)
        panels[0].set_title(f"t = {time[index]:.3g}")


def _share_row(ax: Axes, column: int, label: str) -> None:
    """Only the first panel of a row needs the name and the numbers of the shared vertical axis."""
    ax.locator_params(axis="x", nbins=4)
    if column == 0:
        style.label_vertical(ax, label)
    else:
        ax.tick_params(which="both", labelleft=False)
