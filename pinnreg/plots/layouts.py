"""The picture of an answer: predicted, reference and error, laid out for the kind of domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinnreg.plots import style
from pinnreg.plots.cuts import index_of, middle, nearest, of_parameters, plane_of, said
from pinnreg.plots.lines import line_figure
from pinnreg.plots.maps import Plane, columns_of, draw_maps
from pinnreg.plots.outlines import Outline
from pinnreg.plots.rows import Array, Row, checked_axes, rows_of
from pinnreg.plots.slices import parametrised_figure, sliced_figure

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
) -> Figure:
    """Draw the prediction beside its reference and their absolute difference, a row for each output.

    One axis gives curves; two space axes heat maps; space and time heat maps and slices at a few times;
    two space axes and time heat maps at three times; more axes the plane of the first two through the
    middle of the others, with time at its end. Of axes that are parameters the low, the middle and the high
    value are shown, each as its own solution of the other axes: curves of one, below heat maps over it and a
    single parameter, or heat maps of two or more; of several parameters all but one are in the middle.
    Predicted and reference share one colour scale, diverging and centred at zero where the values change
    sign. |error| has a logarithmic one of at most four decades. Values that are not finite are left out, as
    those outside of the domain are.

    Args:
        axes: 1-D coordinates by name, strictly increasing, in the domain's order; time is "t" and last.
        fields: for each output "u" its prediction; "u_reference" and "u_error" (signed, prediction -
            reference) if there is a reference, otherwise "u_estimate", its estimated error, or "residual" or
            several "residual_<name>". Each has
            shape ``tuple(len(axis) for axis in axes.values())``. Residuals are shown only where an output
            has no reference: paired by name, else in order.
        title: heading of the figure.
        errors: relative L2 error of each output that has a reference, RMSE where that is zero; None without one.
        measured: measurements that the network was fitted to: columns (n,) by name, those of the axes, that of the
            output, and `held_out`, 1 for those that were not used. Circles show them on domains of one or two axes.
        plane: the fixed coordinates of further axes, in whose plane the fields are.
        estimates: the estimated relative error of outputs, and whether it is to be trusted.
        outline: of a domain that is no box, as `outline_of` finds it; maps of two space axes end at it, and where
            materials meet there are lines.
        parameters: axes that are parameters of the equation.

    Returns:
        A figure that belongs to no pyplot state; write it with `save`.

    Raises:
        InputError: a key is missing or unknown, a shape does not fit the axes, or an axis does not increase.
    """
    grid = checked_axes(axes)
    names = list(grid)
    shown = measured if len(names) < 3 and not plane else ()
    rows = [row.with_measured(names, shown) for row in rows_of(grid, fields, errors, estimates)]
    with style.settings():
        notes = [_unverified_note(rows)]
        notes += ["circles: measurements"] if any(row.measured for row in rows) else []
        notes += ["lines inside: where materials meet"] if outline and "interfaces" in outline else []
        notes = [through(plane, len(names)), *notes] if plane else notes
        edge = Outline.of(outline or {})
        rest = [name for name in names if name not in parameters] or names
        sliced = [name for name in names if name not in rest]
        if len(names) == 1:
            figure = line_figure(names[0], grid[names[0]], rows)
        elif len(names) == 2 and len(rest) == 1:
            figure = sliced_figure(grid, rows, sliced[0], edge, are_lengths=False)
        elif len(rest) == 1:
            figure = parametrised_figure(grid, rows, sliced)
        elif names == [names[0], "t"]:
            figure = sliced_figure(grid, rows, "t", edge, are_lengths=True)
        elif rest == names and len(names) == 3 and names[2] == "t":
            figure = _map_figure(grid, [_snapshots(grid, row) for row in rows], edge)
        else:
            cuts = middle(grid, sliced)
            fixed = said(grid, {name: number for name, number in cuts.items() if name not in sliced})
            notes.insert(0, f"plane {fixed}" if fixed else "")
            figure = _map_figure(grid, [_at_parameters(grid, row, sliced) for row in rows], edge, sliced)
        return style.finish(figure, title, *notes)


def _map_figure(
    axes: Mapping[str, Array],
    blocks: Sequence[Sequence[tuple[str, Row]]],
    outline: Outline | None,
    parameters: Sequence[str] = (),
) -> Figure:
    """Heat maps on the plane of two axes; the parts of a block share their scales."""
    first, second = ((name, axes[name]) for name in plane_of(axes, parameters))
    plane = Plane(first, second, outline, are_lengths=not {first[0], second[0]} & set(parameters))
    columns = columns_of([row for block in blocks for _, row in block])
    lines = sum(len(block) for block in blocks)
    panel = min(2.3 / plane.ratio, 4.0) if columns == 3 else min(3.0 / plane.ratio, 4.2)
    figure = style.new_figure(0.4 + lines * (panel + 0.85), "compressed")
    cells = figure.add_gridspec(lines, columns)
    done = 0
    for block in blocks:
        draw_maps(figure, cells, done, plane, block)
        done += len(block)
    return figure


def _snapshots(axes: Mapping[str, Array], row: Row) -> list[tuple[str, Row]]:
    return _parts(axes, row, [{"t": number} for number in nearest(axes["t"], SNAPSHOTS)], {})


def _at_parameters(axes: Mapping[str, Array], row: Row, parameters: Sequence[str]) -> list[tuple[str, Row]]:
    """The row on the plane of a map, at values of the parameters."""
    others = {name: number for name, number in middle(axes, parameters).items() if name not in parameters}
    return _parts(axes, row, [each for block in of_parameters(axes, parameters) for each in block], others)


def _parts(
    axes: Mapping[str, Array], row: Row, cuts: Sequence[Mapping[str, int]], others: Mapping[str, int]
) -> list[tuple[str, Row]]:
    """The row at cuts by name, each of them once, and at others that are no part of it."""
    found = {said(axes, each): row.at(index_of(axes, {**each, **others})) for each in cuts}
    return list(found.items())


def through(plane: Mapping[str, float], dimension: int = 2) -> str:
    """Where the line or the plane of the fields is; of many coordinates those that have a value of their own."""
    what = "at" if dimension == 1 else "plane"
    common = Counter(plane.values()).most_common(1)[0]
    if len(plane) <= LISTED or common[1] == 1:
        return f"{what} {', '.join(f'{name} = {value:.3g}' for name, value in plane.items())}"
    others = [f"{name} = {value:.3g}" for name, value in plane.items() if value != common[0]]
    return ", ".join([f"{what}, {common[1]} coordinates = {common[0]:.3g}", *others[:LISTED]])


def _unverified_note(rows: Sequence[Row]) -> str:
    """Say which outputs nothing was compared with."""
    names = [row.name for row in rows if row.reference is None and row.name]
    if not names:
        return ""
    some = any(row.reference is not None for row in rows)
    return f"no reference for {', '.join(names)}: not verified" if some else "no reference: not verified"
