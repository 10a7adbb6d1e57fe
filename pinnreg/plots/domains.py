"""A picture of a domain: its outline, the named parts of its boundary with normals, and where conditions hold."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from pinnreg.domain import Box, Domain, Side
from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.maps import LONGEST_SHAPE
from pinnreg.plots.outlines import Outline, curve, outline_of
from pinnreg.plots.rows import Array

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 28
"""Normals in all."""
ARROW = 0.06
"""Their length, of the size of the domain."""
MARKS, FEWEST = 40, 4
"""Of a condition on all of the boundary, and on a small part of it."""
FOLD = 44
"""Letters in a line of the legend."""
SHAPES = "osD^vPX*"
GROUND = "0.94"
SCATTERED = 700
"""Points of all sides together in a picture of three axes."""


@final
@dataclass(frozen=True)
class Held:
    """Where a condition holds.

    Attributes:
        label: what it is, in words.
        points: some of the points where it does, (n, d).
        inside: whether they lie inside, and not on the sides that are drawn.
        share: of the boundary, for so many marks.
    """

    label: str
    points: Array
    inside: bool
    share: float = 1.0


def drawn_axes(domain: Domain) -> tuple[str, ...]:
    """The axes of a domain's picture: all of two or three, but for time beside two of space.

    Raises:
        InputError: one axis, or more than three.
    """
    axes = domain.axes
    if not 2 <= len(axes) <= 3:
        what = "one axis is a line" if len(axes) == 1 else f"{len(axes)} axes cannot be drawn"
        raise InputError(f"a picture of a domain needs two or three axes, and {what}: {domain!r}")
    return domain.space_axes if len(axes) == 3 and "t" in axes else axes


def domain_picture(domain: Domain, sides: Mapping[Side, str], held: Sequence[Held], *, title: str) -> Figure:
    """Draw a domain of two or three axes.

    Args:
        domain: what to draw; of two axes of space and time the part in space, which is the same at all times.
        sides: the parts of the boundary that are drawn, with what the legend says of them.
        held: where conditions hold; their marks take turns on the boundary.
        title: heading of the figure.

    Returns:
        A figure with a legend beside the picture; write it with `save`.

    Raises:
        InputError: one axis, or more than three.
    """
    axes = drawn_axes(domain)
    colours = dict(zip(sides, _colours(len(sides)), strict=True))
    with style.settings():
        if len(axes) == 3:
            figure, handles = _in_space(domain, sides, held, colours)
        else:
            figure, handles = _in_plane(domain, axes, sides, held, colours)
        if (engine := figure.get_layout_engine()) is not None:
            engine.set(w_pad=0.25)  # type: ignore[call-arg]
        figure.legend(handles=handles, loc="outside right upper", frameon=False, labelspacing=0.7)
        notes = [f"at each time from {start:g} to {end:g}" for start, end in _time(domain, axes)]
        return style.finish(figure, title, *notes)


def _time(domain: Domain, axes: Sequence[str]) -> list[tuple[float, float]]:
    return [domain.bounds["t"]] if "t" in domain.axes and "t" not in axes else []


def _colours(count: int) -> list[Any]:
    """As many as there are parts: the house's, or of more of them a whole circle of hues."""
    if count <= len(style.COLOURS):
        return list(style.COLOURS[:count])
    import matplotlib  # noqa: PLC0415

    return [matplotlib.colormaps["turbo"](place) for place in np.linspace(0.05, 0.95, count)]


def _in_plane(
    domain: Domain, axes: Sequence[str], sides: Mapping[Side, str], held: Sequence[Held], colours: Mapping[Side, Any]
) -> tuple[Figure, list[Artist]]:
    horizontal, vertical = axes if axes[1] != "t" else (axes[1], axes[0])
    columns = [domain.axes.index(horizontal), domain.axes.index(vertical)]
    lengths = np.array([domain.bounds[name][1] - domain.bounds[name][0] for name in (horizontal, vertical)])
    ratio = float(lengths[0] / lengths[1])
    to_scale = "t" not in axes and 1 / LONGEST_SHAPE <= ratio <= LONGEST_SHAPE
    figure = style.new_figure(min(max(6.2 / ratio, 2.2), 6.0) + 0.9 if to_scale else 5.0, "compressed")
    ax = figure.add_subplot()
    sizes = np.full(2, lengths.max()) if to_scale else lengths
    _ground(ax, domain, axes, columns)
    whole = sum(domain.measure(side) for side in sides)
    handles: list[Artist] = []
    for side, label in sides.items():
        points, normals = curve(domain, side)
        (line,) = ax.plot(*points[:, columns].T, color=colours[side], linewidth=3.0, solid_capstyle="round")
        line.set_label(_folded(label))
        handles.append(line)
        count = max(round(ARROWS * domain.measure(side) / whole), 1)
        across = np.nanmax(np.ptp(points[np.isfinite(points[:, 0])][:, columns], axis=0) / sizes)
        length = min(ARROW, max(0.3 * float(across), 0.01)) * sizes
        _arrows(ax, points[:, columns], normals[:, columns], count, length, colours[side])
    for number, each in enumerate(held):
        points = each.points[:, columns]
        places = points if each.inside else _in_turns(points, each.share, number, len(held))
        (marks,) = ax.plot(*places.T, **_look(number, inside=each.inside), zorder=2.4 if each.inside else 3.5)
        marks.set_label(_folded(each.label))
        handles.append(marks)
    pad = (ARROW + 0.04) * sizes
    for name, size, limits in ((horizontal, pad[0], ax.set_xlim), (vertical, pad[1], ax.set_ylim)):
        lower, upper = domain.bounds[name]
        limits(lower - size, upper + size)
    ax.set_xlabel(horizontal)
    style.label_vertical(ax, vertical)
    if to_scale:
        ax.set_aspect("equal")
    return figure, handles


def _ground(ax: Axes, domain: Domain, axes: Sequence[str], columns: Sequence[int]) -> None:
    """The inside of the domain, in grey."""
    from matplotlib.patches import PathPatch, Rectangle  # noqa: PLC0415

    middle = {name: sum(ends) / 2 for name, ends in domain.bounds.items()}
    outline = Outline.of(outline_of(domain, {name: np.array(domain.bounds[name]) for name in axes}, middle))
    if outline is not None:
        ax.add_patch(PathPatch(outline.path, facecolor=GROUND, edgecolor="none", zorder=0.5))
    elif isinstance(domain, Box):
        corner, far = np.array(list(domain.bounds.values()))[columns].T
        ax.add_patch(Rectangle(corner, *(far - corner), facecolor=GROUND, edgecolor="none", zorder=0.5))


def _arrows(ax: Axes, points: Array, normals: Array, count: int, length: Array, colour: object) -> None:
    """Normals at points that are equally far apart."""
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    chosen = known[((np.arange(count) + 0.5) / count * len(known)).astype(int)]
    look: dict[str, Any] = {
        "angles": "xy",
        "scale_units": "xy",
        "scale": 1.0,
        "width": 0.0032,
        "headwidth": 4.5,
        "headlength": 5,
    }
    ax.quiver(*points[chosen].T, *(normals[chosen] * length).T, color=colour, zorder=3, **look)


def _in_turns(points: Array, share: float, number: int, of: int) -> Array:
    """Every so many of the points, so that the marks of several conditions on one side stand beside each other."""
    _, first = np.unique(np.round(points, 9), axis=0, return_index=True)
    different = points[np.sort(first)]
    count = min(max(round(MARKS * share), FEWEST), len(different))
    chosen = np.linspace(0, len(different), count, endpoint=False)
    step = len(different) / max(len(chosen), 1)
    found: Array = different[np.minimum(chosen + step * number / of, len(different) - 1).astype(int)]
    return found


def _look(number: int, *, inside: bool) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": SHAPES[number % len(SHAPES)],
        "markersize": 3.6 if inside else 6.0,
        "markerfacecolor": "0.6" if inside else "white",
        "markeredgecolor": "0.45" if inside else "black",
        "markeredgewidth": 0.5 if inside else 0.9,
    }


def _in_space(
    domain: Domain, sides: Mapping[Side, str], held: Sequence[Held], colours: Mapping[Side, Any]
) -> tuple[Figure, list[Artist]]:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    figure = style.new_figure(6.5)
    ax: Any = figure.add_subplot(projection="3d")
    lengths = np.array([upper - lower for lower, upper in domain.bounds.values()])
    whole = sum(domain.measure(side) for side in sides)
    handles: list[Artist] = []
    for side, label in sides.items():
        part = domain.measure(side) / whole
        points, normals = (each.numpy() for each in domain.boundary(str(side)).sample(round(SCATTERED * part) + 40))
        ax.scatter(*points.T, color=colours[side], s=14, alpha=0.7, linewidths=0)
        some = slice(0, max(round(ARROWS * part), 2))
        ax.quiver(*points[some].T, *normals[some].T, length=2 * ARROW * lengths.max(), color=colours[side], linewidth=1)
        handles.append(
            Line2D([], [], linestyle="none", marker="o", markersize=5, color=colours[side], label=_folded(label))
        )
    for number, each in enumerate(held):
        look = _look(number, inside=each.inside)
        places = each.points if each.inside else _in_turns(each.points, each.share, number, len(held))
        (marks,) = ax.plot(*places.T, **look)
        marks.set_label(_folded(each.label))
        handles.append(marks)
    names = domain.axes
    ax.set(xlabel=names[0], ylabel=names[1], zlabel=names[2])
    if lengths.max() <= LONGEST_SHAPE * lengths.min():
        ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(_few_ticks())
    return figure, handles


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    return MaxNLocator(4)


def _folded(label: str) -> str:
    return textwrap.fill(label, FOLD).replace("$", r"\$")
