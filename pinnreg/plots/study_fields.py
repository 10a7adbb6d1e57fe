"""Error fields of a study side by side, all on one scale."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.cuts import index_of, middle, plane_of, said
from pinnreg.plots.lines import draw_misfit
from pinnreg.plots.maps import Plane
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, checked_axes
from pinnreg.plots.scales import decades_of, largest_note, misfit_limits, misfit_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
FOLD = 28  # letters in a line of a panel's title


def study_fields(
    axes: Mapping[str, NDArray[np.floating]],
    fields: Mapping[str, NDArray[np.floating] | str],
    *,
    kind: str,
    title: str,
    outline: Mapping[str, Array] | None = None,
    parameters: Sequence[str] = (),
) -> Figure:
    """Draw |error| fields of several runs on the same grid, with one logarithmic scale.

    It reaches from the lower percentile of the smallest field to the upper one of the largest, so that none is black.
    One axis gives curves, two heat maps, more the plane of the first two that are no parameters: time at its end, the
    others in the middle.

    Args:
        axes: the grid, as `error_field` takes it.
        fields: by name, each of the grid's shape; their magnitudes are drawn. A text stands in an empty panel.
        kind: what they are, such as "|error|".
        title: heading of the figure.
        outline: of a domain that is no box, as `outline_of` finds it; maps end at it.
        parameters: axes that are parameters of the equation.

    Returns:
        A figure that belongs to no pyplot state; write it with `save`.

    Raises:
        InputError: nothing to draw, or a field that does not fit the axes.
    """
    grid = checked_axes(axes)
    shape = tuple(axis.size for axis in grid.values())
    arrays = {
        name: np.full(shape, np.nan) if isinstance(field, str) else np.abs(np.asarray(field, dtype=np.float64))
        for name, field in fields.items()
    }
    texts = {name: field for name, field in fields.items() if isinstance(field, str)}
    if len(texts) == len(fields):
        raise InputError("study_fields: nothing to draw")
    for name, array in arrays.items():
        if array.shape != shape:
            raise InputError(f"fields[{name!r}]: expected shape {shape} ({', '.join(grid)}), got {array.shape}")
    with style.settings():
        if len(grid) == 1:
            return style.finish(_lines(grid, arrays, texts, kind), title)
        cuts = middle(grid, parameters)
        index, where = index_of(grid, cuts), f"plane {said(grid, cuts)}" if cuts else ""
        cut = {name: array[index] for name, array in arrays.items()}
        first, second = plane_of(grid, parameters)
        lengths = not {first, second} & set(parameters)
        plane = Plane((first, grid[first]), (second, grid[second]), Outline.of(outline or {}), lengths)
        return style.finish(_maps(plane, cut, texts, kind), title, where)


def _lines(grid: Mapping[str, Array], fields: Mapping[str, Array], texts: Mapping[str, str], kind: str) -> Figure:
    ((axis, points),) = grid.items()
    columns, lines = _layout(len(fields))
    figure = style.new_figure(0.6 + 2.5 * lines)
    panels: list[Axes] = list(figure.subplots(lines, columns, squeeze=False, sharey=True).flat)
    limits = misfit_limits(list(fields.values()), decades_of(list(fields.values())))
    for number, (ax, (name, field)) in enumerate(zip(panels, fields.items(), strict=False)):
        if name in texts:
            ax.set(xlim=(points[0], points[-1]), xlabel=axis)
        else:
            draw_misfit(ax, axis, points, field, limits)
        _label(ax, name, field, texts)
        if number % columns == 0:
            style.label_vertical(ax, kind)
    for ax in panels[len(fields) :]:
        ax.remove()
    return figure


def _maps(plane: Plane, fields: Mapping[str, Array], texts: Mapping[str, str], kind: str) -> Figure:
    columns, lines = _layout(len(fields))
    scale = misfit_scale(list(fields.values()))
    width = 0.76 * style.width() / columns
    figure = style.new_figure(0.5 + lines * (min(width / plane.ratio, 3.6) + 0.75), "compressed")
    panels: list[Axes] = list(figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).flat)
    for ax, (name, field) in zip(panels, fields.items(), strict=False):
        plane.draw(ax, np.maximum(field, scale.norm.vmin or 0.0), scale)
        _label(ax, name, field, texts)
    for ax in panels[len(fields) :]:
        ax.remove()
    used = panels[: len(fields)]
    bar = figure.colorbar(used[0].collections[0], ax=used, extend=scale.extend, shrink=0.9, pad=0.02)
    style.label_vertical(bar.ax, kind)
    if scale.decades >= 2:
        bar.ax.minorticks_off()
    for ax in used:
        ax.label_outer()
    return figure


def _layout(count: int) -> tuple[int, int]:
    """Columns and lines: as square as the page is wide."""
    columns = count if count <= COLUMNS else COLUMNS if count > 6 or count == 4 else 3
    return columns, -(-count // columns)


def _label(ax: Axes, name: str, field: Array, texts: Mapping[str, str]) -> None:
    """A panel's title, of plain text since dollar signs in a name are no mathematics; and its text if it is empty."""
    lines = [textwrap.fill(name, FOLD)]
    if name in texts:
        ax.text(0.5, 0.5, texts[name], transform=ax.transAxes, ha="center", va="center", parse_math=False)
    else:
        lines.append(largest_note(field))
    ax.set_title("\n".join(lines), parse_math=False)
