"""Many small error fields on one scale: a look at all problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.cuts import index_of, middle, plane_of
from pinnreg.plots.maps import Plane
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, checked_axes
from pinnreg.plots.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 7
LOWEST, HIGHEST = 1e-14, 1.0
"""The ends of the scale: about rounding, and no better than nothing."""
TALL = 1.35
"""Inches of a panel with its title."""
WIDE = 21
"""Letters of a title that a panel has room for; longer ones are smaller."""


@final
@dataclass(frozen=True)
class Thumbnail:
    """A small picture of an error.

    Attributes:
        name: of the problem.
        note: below it.
        axes: the grid, as `error_field` takes it.
        values: |error| over the size of the solution, of the grid's shape.
        outline: of a domain that is no box.
        parameters: axes that are parameters.
    """

    name: str
    note: str
    axes: Mapping[str, Array]
    values: Array
    outline: Mapping[str, Array] = field(default_factory=dict)
    parameters: Sequence[str] = ()


def thumbnails(pictures: Sequence[Thumbnail], *, title: str) -> Figure:
    """Error fields of problems that have nothing else in common, all on one logarithmic scale.

    One axis gives a curve from bottom to top of that scale, two a map, more the plane of the first two: time at its
    end, the others in the middle.

    Args:
        pictures: in the order of the panels, line by line.
        title: heading of the figure.

    Returns:
        A figure that belongs to no pyplot state; write it with `save`.

    Raises:
        InputError: nothing to draw.
    """
    if not pictures:
        raise InputError("thumbnails: nothing to draw")
    with style.settings():
        from matplotlib.cm import ScalarMappable  # noqa: PLC0415
        from matplotlib.colors import LogNorm  # noqa: PLC0415

        scale = Scale("magma", LogNorm(LOWEST, HIGHEST), "both")
        lines = -(-len(pictures) // COLUMNS)
        figure = style.new_figure(1.3 + TALL * lines)
        panels: list[Axes] = list(figure.subplots(lines, COLUMNS, squeeze=False).flat)
        for ax, picture in zip(panels, pictures, strict=False):
            _draw(ax, picture, scale)
            ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
            size = (style.SMALL - 1) * min(1.0, WIDE / max(len(picture.name), len(picture.note)))
            ax.set_title(f"{picture.name}\n{picture.note}", fontsize=size, parse_math=False)
        for ax in panels[len(pictures) :]:
            ax.set_axis_off()
        colours = ScalarMappable(scale.norm, scale.cmap)
        bar = figure.colorbar(colours, ax=panels, location="bottom", extend="both", shrink=0.5, aspect=50, pad=0.03)
        bar.ax.minorticks_off()
        bar.set_label("|error| / largest value; curves go from the lowest to the highest of these")
        return style.finish(figure, title)


def _draw(ax: Axes, picture: Thumbnail, scale: Scale) -> None:
    grid = checked_axes(picture.axes)
    values = np.clip(picture.values, LOWEST, None)
    if len(grid) == 1:
        ((_, points),) = grid.items()
        ax.semilogy(points, values, **style.MISFIT)
        ax.set(xlim=(points[0], points[-1]), ylim=(LOWEST, HIGHEST))
        ax.minorticks_off()
        return
    cuts = middle(grid, picture.parameters)
    first, second = plane_of(grid, picture.parameters)
    lengths = not {first, second} & set(picture.parameters)
    plane = Plane((first, grid[first]), (second, grid[second]), Outline.of(picture.outline), lengths)
    plane.draw(ax, values[index_of(grid, cuts)], scale)
