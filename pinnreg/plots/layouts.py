"""The picture of an answer: predicted, reference and error, laid out for the kind of domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinnreg.config import FigureSettings
from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.cuts import index_of, middle, nearest, of_parameters, plane_of, said, said_values
from pinnreg.plots.lines import handles_of, line_figure
from pinnreg.plots.maps import Part, Plane, Sheet, draw_maps
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row, checked_axes, rows_of, rows_shown
from pinnreg.plots.slices import Slice, parametrised_figure, sliced_figure
from pinnreg.report import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LISTED = 4
"""Coordinates of a plane in a note."""
SNAPSHOTS = (0.0, 0.5, 1.0)  # fractions of the time span shown for two space axes and time


def error_field(
    axes: Mapping[str, NDArray[np.floating]],
    fields: Mapping[str, NDArray[np.floating]],
    *,
    title: str,
    errors: Mapping[str, float] | None,
    measured: Sequence[Mapping[str, Array]] = (),
    plane: Mapping[str, float] | None = None,
    outline: Mapping[str, Array] | None = None,
    estimates: Mapping[str, tuple[float, bool]] | None = None,
    parameters: Sequence[str] = (),
    views: Sequence[View] = (),
    figures: FigureSettings | None = None,
    notes: Sequence[str] = (),
) -> Figure:
    """Draw the prediction beside its reference and their absolute difference, a row for each output.

    One axis gives curves; two space axes heat maps; space and time heat maps and slices at a few times;
    two space axes and time heat maps at three times; more axes the plane of the first two through the
    middle of the others, with time at its end. Of axes that are parameters the low, the middle and the high
    value are shown, each as its own solution of the other axes: curves of one, below heat maps over it and a
    single parameter, or heat maps of two or more; of several parameters all but one are in the middle.
    Predicted and reference share one colour scale, diverging and centred at zero where the values change
    sign. |error| has a logarithmic one, which shows nearly all of it. Values that are not finite are left out, as
    those outside of the domain are.

    Args:
        axes: 1-D coordinates by name, strictly increasing, in the domain's order; time is "t" and last.
        fields: for each output "u" its prediction; "u_reference" and "u_error" (signed, prediction -
            reference) if there is a reference, otherwise "u_estimate", its estimated error, or "residual" or
            several "residual_<name>". Each has
            shape ``tuple(len(axis) for axis in axes.values())``. Residuals are shown where an output has no reference,
            or where they are asked for: paired by name, else in order.
        title: heading of the figure.
        errors: relative L2 error of each output that has a reference, RMSE where that is zero; None without one.
        measured: measurements that the network was fitted to: columns (n,) by name, those of the axes, that of the
            output, and `held_out`, 1 for those that were not used. Circles show them on domains of one or two axes.
        plane: the fixed coordinates of further axes, in whose plane the fields are.
        estimates: the estimated relative error of outputs, and whether it is to be trusted.
        outline: of a domain that is no box, as `outline_of` finds it; maps of two space axes end at it, and where
            materials meet there are lines.
        parameters: axes that are parameters of the equation.
        views: slices, or planes, that are drawn in the place of those of the grid; what they have on the whole grid is
            drawn beside the fields.
        figures: how large it is, and what it shows; None for the defaults.
        notes: more lines of the heading.

    Returns:
        A figure that belongs to no pyplot state; write it with `save`.

    Raises:
        InputError: a key is missing or unknown, a shape does not fit the axes, or an axis does not increase.
    """
    grid = checked_axes(axes)
    names = list(grid)
    shown = measured if len(names) < 3 and not plane else ()
    besides = {key: each for view in views if not view.fixed for key, each in view.fields.items()}
    lines = [view for view in views if view.fixed and len(view.axes) == 1]
    planes = [view for view in views if view.fixed and len(view.axes) == 2]
    with style.settings(figures):
        every = rows_of(grid, {**fields, **besides}, errors, estimates)
        rows = [row.with_measured(names, shown) for row in rows_shown(every, style.wanted_panels())]
        if not rows:
            raise InputError(f"figures.panels: there is nothing to show of {', '.join(style.wanted_panels())}")
        edge = Outline.of(outline or {})
        rest = [name for name in names if name not in parameters] or names
        sliced = [name for name in names if name not in rest]
        where = through(plane, len(names)) if plane and not planes else ""
        if planes:
            figure = _map_figure(_on_planes(planes))
        elif len(names) == 1:
            figure = line_figure(names[0], grid[names[0]], rows)
        elif len(names) == 2 and len(rest) == 1:
            figure = sliced_figure(grid, rows, sliced[0], edge, are_lengths=False)
        elif len(rest) == 1:
            figure = parametrised_figure(grid, rows, sliced)
        elif names == [names[0], "t"]:
            chosen = lines[::2] if figures is not None and figures.times is None and style.is_narrow() else lines
            places = [view.fixed["t"] for view in chosen]
            figure = sliced_figure(grid, rows, "t", edge, slices=_on_lines(chosen), places=places)
        elif rest == names and len(names) == 3 and names[2] == "t":
            figure = _map_figure([_snapshots(grid, row, edge) for row in rows])
        else:
            cuts = middle(grid, sliced)
            fixed = said(grid, {name: number for name, number in cuts.items() if name not in sliced})
            where = where or (f"plane {fixed}" if fixed else "")
            figure = _map_figure([_at_parameters(grid, row, edge, sliced) for row in rows])
        return style.finish(figure, title, where, _unverified_note(every), *notes)


def _map_figure(blocks: Sequence[Sequence[Part]]) -> Figure:
    """Heat maps; the parts of a block share their scales."""
    parts = [part for block in blocks for part in block]
    planes = [part.plane for part in parts]
    sheet = Sheet.of([part.row for part in parts], planes)
    figure = style.new_figure(0.4 + sum(sheet.lines * sheet.height(plane) for plane in planes), "compressed")
    cells = figure.add_gridspec(len(parts) * sheet.lines, sheet.columns)
    done = 0
    for block in blocks:
        draw_maps(figure, cells, done, block, sheet)
        done += len(block) * sheet.lines
    style.add_legend(figure, handles_of(figure.axes))
    return figure


def _on_planes(views: Sequence[View]) -> list[list[Part]]:
    """For each output its values on all planes."""
    found: dict[int, list[Part]] = {}
    for view in views:
        axes = checked_axes(view.axes)
        first, second = axes.items()
        plane = Plane(first, second, Outline.of(view.outline))
        note = said_values(view.fixed) if len(view.fixed) <= LISTED else through(view.fixed)
        for number, row in enumerate(rows_shown(rows_of(axes, view.fields, None), style.wanted_panels())):
            found.setdefault(number, []).append(Part(note, row, plane))
    return list(found.values())


def _on_lines(views: Sequence[View]) -> list[list[Slice]]:
    """For each output its slices."""
    found: dict[int, list[Slice]] = {}
    for view in views:
        axes = checked_axes(view.axes)
        ((name, axis),) = axes.items()
        for number, row in enumerate(rows_shown(rows_of(axes, view.fields, None), style.wanted_panels())):
            found.setdefault(number, []).append(Slice(name, axis, said_values(view.fixed), row))
    return list(found.values())


def _snapshots(axes: Mapping[str, Array], row: Row, outline: Outline | None) -> list[Part]:
    cuts = [{"t": number} for number in nearest(axes["t"], SNAPSHOTS)]
    return _parts(axes, row, cuts, {}, _plane(axes, outline))


def _plane(axes: Mapping[str, Array], outline: Outline | None, parameters: Sequence[str] = ()) -> Plane:
    first, second = ((name, axes[name]) for name in plane_of(axes, parameters))
    return Plane(first, second, outline, are_lengths=not {first[0], second[0]} & set(parameters))


def _at_parameters(
    axes: Mapping[str, Array], row: Row, outline: Outline | None, parameters: Sequence[str]
) -> list[Part]:
    """The row on the plane of a map, at values of the parameters."""
    others = {name: number for name, number in middle(axes, parameters).items() if name not in parameters}
    cuts = [each for block in of_parameters(axes, parameters) for each in block]
    return _parts(axes, row, cuts, others, _plane(axes, outline, parameters))


def _parts(
    axes: Mapping[str, Array],
    row: Row,
    cuts: Sequence[Mapping[str, int]],
    others: Mapping[str, int],
    plane: Plane,
) -> list[Part]:
    """The row at cuts by name, each of them once, and at others that are no part of it."""
    found = {said(axes, each): row.at(index_of(axes, {**each, **others})) for each in cuts}
    return [Part(note, part, plane) for note, part in found.items()]


def through(plane: Mapping[str, float], dimension: int = 2) -> str:
    """Where the line or the plane of the fields is; of many coordinates those that have a value of their own."""
    what = "at" if dimension == 1 else "plane"
    common = Counter(plane.values()).most_common(1)[0]
    if len(plane) <= LISTED or common[1] == 1:
        return f"{what} {', '.join(f'{name} = {value:.3g}' for name, value in plane.items())}"
    others = [f"{style.label(name)} = {value:.3g}" for name, value in plane.items() if value != common[0]]
    return ", ".join([f"{what}, {common[1]} coordinates = {common[0]:.3g}", *others[:LISTED]])


def _unverified_note(rows: Sequence[Row]) -> str:
    """Say which outputs nothing was compared with."""
    names = [row.name for row in rows if row.reference is None and row.name]
    if not names:
        return ""
    some = any(row.reference is not None for row in rows)
    return f"no reference for {', '.join(names)}: not verified" if some else "no reference: not verified"
