"""The course of a training: loss terms, errors, unknown coefficients and weights that are found, against time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinnreg.config import FigureSettings
from pinnreg.errors import InputError
from pinnreg.naming import FOUND, WEIGHTED
from pinnreg.plots import style
from pinnreg.plots.rows import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
FEW = 60  # points up to which each is marked
IN_A_ROW = 3  # panels
APART = 0.09  # of the axis between two labelled steps


def history(
    columns: Mapping[str, NDArray[np.floating]],
    *,
    title: str,
    zeros: Collection[str] = (),
    figures: FigureSettings | None = None,
) -> Figure:
    """Draw the loss with its weighted terms, the relative L2 errors, unknown coefficients and the weights that were
    found, against seconds.

    Args:
        columns: columns of a run's `history.csv`, each of shape (n,): "step", "seconds", "loss", for each
            term NAME "NAME" and "NAME_weighted", for each output "error_OUTPUT" (NaN where not evaluated), for each
            unknown coefficient "unknown_NAME", for each term whose weight was found "NAME_weight". Losses, errors and
            weights have logarithmic axes, and those that are not positive and finite are left out. Other columns are
            ignored.
        title: heading of the figure.
        zeros: outputs whose reference is zero, and whose error is the RMSE.
        figures: how large it is, and what outputs are called; None for the defaults.

    Returns:
        A figure of one panel for the loss, one for errors if any was evaluated, one for unknown coefficients and one
        for weights if there are any; write it with `save`.

    Raises:
        InputError: "step", "seconds" or "loss" is missing, or the columns differ in length.
    """
    table = _checked(columns)
    terms = [key.removesuffix("_weighted") for key in table if key.endswith("_weighted")]
    others = [key for key in table if key not in terms and not key.endswith("_weighted")]
    measured = [key for key in others if key.startswith("error_") and _positive(table[key]).any()]
    outputs = [key.removeprefix("error_") for key in measured]
    unknown = [key for key in others if key.startswith("unknown_")]
    tuned = [name for name in terms if f"{name}_weight" in table]
    with style.settings(figures):
        legend_rows = -(-(len(terms) + 1) // _legend_columns(terms))
        count = 1 + bool(outputs) + bool(unknown) + bool(tuned)
        rows = count if style.is_narrow() else 1 if count <= IN_A_ROW else 2
        figure = style.new_figure(
            rows * ((2.4 if style.is_narrow() else style.shrunk(4.2)) + style.shrunk(0.18 * legend_rows))
        )
        panels = figure.subplots(rows, -(-count // rows), squeeze=False, sharex=rows == 1).flat
        _draw_loss(panels[0], table, terms)
        if outputs:
            _draw_errors(panels[1], table, outputs, zeros)
        if unknown:
            _draw_unknown(panels[1 + bool(outputs)], table, unknown)
        if tuned:
            _draw_weights(panels[-1], table, tuned)
        for ax in panels:
            _draw_steps(ax, table)
        return style.finish(figure, title)


def _checked(columns: Mapping[str, NDArray[np.floating]]) -> dict[str, Array]:
    for key in ("step", "seconds", "loss"):
        if key not in columns:
            raise InputError(f"history: column {key!r} is missing (given: {', '.join(columns) or 'none'})")
    shape = np.shape(columns["step"])
    table = {}
    for key, column in columns.items():
        if np.ndim(column) != 1 or np.shape(column) != shape:
            raise InputError(f"history: column {key!r} has shape {np.shape(column)}, but 'step' has {shape}")
        if (
            key in ("step", "seconds", "loss")
            or key.startswith(("error_", "unknown_"))
            or key.endswith((WEIGHTED, FOUND))
        ):
            table[key] = np.asarray(column, dtype=np.float64)
    return table


def _positive(values: Array) -> NDArray[np.bool_]:
    return np.isfinite(values) & (values > 0)


def _draw_loss(ax: Axes, table: Mapping[str, Array], terms: list[str]) -> None:
    ax.set_title("loss and its weighted terms")
    single = terms[0] if len(terms) == 1 else None  # a curve of its own would lie on that of the loss
    _curve(ax, table, "loss", f"loss = {single}" if single else "loss", {"color": "black", "linewidth": 2.0})
    for number, name in enumerate(terms if single is None else ()):
        _curve(ax, table, f"{name}_weighted", name, _look(number))
    _dress(ax, "loss", columns=_legend_columns(terms))


def _draw_errors(ax: Axes, table: Mapping[str, Array], outputs: list[str], zeros: Collection[str]) -> None:
    some = [name for name in outputs if name in zeros]
    kind = "RMSE" if some == outputs else "error" if some else "relative L2 error"
    ax.set_title(f"relative L2 error, RMSE of {', '.join(some)}" if kind == "error" else kind)
    for number, name in enumerate(outputs):
        values = table[f"error_{name}"]
        last = values[_positive(values)][-1]
        _curve(ax, table, f"error_{name}", f"{style.label(name)} (last {last:.1e})", _look(number))
    _dress(ax, kind, columns=_legend_columns([f"{style.label(name)} (last 1.0e-05)" for name in outputs]))


def _draw_unknown(ax: Axes, table: Mapping[str, Array], keys: list[str]) -> None:
    ax.set_title("unknown coefficients")
    for number, key in enumerate(keys):
        values = table[key]
        label = f"{key.removeprefix('unknown_')} (last {values[-1]:.4g})" if len(values) else key
        look = {**_look(number), "marker": "o", "markersize": 3} if len(values) <= FEW else _look(number)
        ax.plot(table["seconds"], values, label=label, **look)
    _dress(ax, "estimate", columns=1)
    ax.set_yscale("linear")


def _draw_weights(ax: Axes, table: Mapping[str, Array], terms: list[str]) -> None:
    ax.set_title("weights found")
    for number, name in enumerate(terms):
        values = table[f"{name}_weight"]
        last = f" (last {values[-1]:.1e})" if len(values) else ""
        _curve(ax, table, f"{name}_weight", f"{name}{last}", _look(number))
    _dress(ax, "weight", columns=1)


def _legend_columns(labels: list[str]) -> int:
    """As many as fit below a panel of 4.4 inches: a sample of the line and about 0.07 inches per letter."""
    longest = max((len(label) for label in labels), default=0)
    wide = (
        4.4 * (style.width() / 5.25 if style.is_narrow() else style.width() / 10.5) / (style.fonts()[0] / style.SMALL)
    )
    return max(1, min(4, len(labels), int(wide / (0.55 + 0.07 * longest))))


def _look(number: int) -> style.Look:
    """Colours first, then dashes, so that many terms stay distinct."""
    dash = DASHES[number // len(style.COLOURS) % len(DASHES)]
    return {"color": style.COLOURS[number % len(style.COLOURS)], "linestyle": dash, "linewidth": 1.4}


def _curve(ax: Axes, table: Mapping[str, Array], key: str, label: str, look: style.Look) -> None:
    """One curve through the positive values; a term without any stays in the legend, which says so."""
    keep = _positive(table[key]) & np.isfinite(table["seconds"])
    if not keep.any():
        label += " (never > 0)"
    if 0 < keep.sum() <= FEW:
        look = {**look, "marker": "o", "markersize": 3}
    ax.plot(table["seconds"][keep], table[key][keep], label=label, **look)


def _dress(ax: Axes, label: str, columns: int) -> None:
    ax.set_yscale("log")
    ax.set(xlabel="seconds", ylabel=label)
    ax.margins(x=0.02)
    style.add_grid(ax)
    # Below the axes no curve can run through the legend.
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.28 if style.is_narrow() else -0.14),
        ncols=columns,
        frameon=False,
        handlelength=2.4,
    )


def _draw_steps(ax: Axes, table: Mapping[str, Array]) -> None:
    """Name the last step and round ones on the upper edge, at the seconds when they were reached."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    known = np.isfinite(table["seconds"]) & np.isfinite(table["step"])
    steps, seconds = table["step"][known], table["seconds"][known]
    if not steps.size:
        return
    low, high = ax.get_xlim()
    last = float(np.interp(steps.max(), steps, seconds))
    ticks = {last: f"{steps.max():.0f}"}
    for step in MaxNLocator(nbins=7, integer=True).tick_values(steps.min(), steps.max()):
        place = float(np.interp(step, steps, seconds))
        if steps.min() <= step and all(abs(place - other) >= APART * (high - low) for other in ticks):
            ticks[place] = f"{step:.0f}"
    upper = ax.secondary_xaxis("top")
    upper.set_xticks(list(ticks), list(ticks.values()))
    upper.set_xlabel("step")
