"""Error against a regulariser's weight: where it helps, and which weight was chosen."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike

from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.rows import Array
from pinnreg.plots.scales import logarithmic_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
FOLD = 34  # letters in a line of a panel's title
COLOUR, BASELINE = "#0072B2", "0.35"


@final
@dataclass(frozen=True)
class WeightCurves:
    """What one panel shows.

    Attributes:
        label: the name of the horizontal axis.
        weights: increasing; what is not positive has no place on a logarithmic axis and is left out.
        errors: by seed one for each weight, NaN where there is none.
        chosen: by seed the number of the weight that was chosen.
        baseline: the error without, for a line.
    """

    label: str
    weights: Sequence[float]
    errors: Mapping[str, Sequence[float]]
    chosen: Mapping[str, int]
    baseline: float | None


def study_weights(panels: Mapping[str, WeightCurves], *, title: str, note: str = "") -> Figure:
    """Draw errors against weights on logarithmic axes: a thin line for each seed, their median thick.

    Args:
        panels: by name; they share the vertical axis.
        title: heading of the figure.
        note: a second line below it.

    Returns:
        A figure with one legend below the panels; write it with `save`.

    Raises:
        InputError: no panel.
    """
    if not panels:
        raise InputError("study_weights: nothing to draw")
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    with style.settings():
        figure = style.new_figure(1.1 + (3.0 if columns > 1 else 3.6) * lines)
        axes: list[Axes] = list(figure.subplots(lines, columns, squeeze=False, sharey=True).flat)
        errors = [[c.baseline or 0.0, *(e for each in c.errors.values() for e in each)] for c in panels.values()]
        limits = logarithmic_limits(error for each in errors for error in each)
        for ax in axes[len(panels) :]:
            ax.remove()
        for number, (ax, (name, curves)) in enumerate(zip(axes, panels.items(), strict=False)):
            _draw(ax, curves)
            ax.set(xlim=logarithmic_limits(curves.weights), ylim=limits)
            tried = [weight for weight in curves.weights if weight > 0]
            ax.set_xticks(tried, [f"{weight:g}" for weight in tried])
            ax.set_xticks([], minor=True)
            # names are plain text: dollar signs in them are no mathematics
            ax.set_title(textwrap.fill(name, FOLD), parse_math=False)
            ax.set_xlabel(curves.label, parse_math=False)
            if number % columns == 0:
                ax.set_ylabel("relative L2 error")
        _legend(figure, any(curves.baseline is not None for curves in panels.values()))
        return style.finish(figure, title, note)


def _draw(ax: Axes, curves: WeightCurves) -> None:
    ax.set(xscale="log", yscale="log")
    weights = _positive(curves.weights)
    table = np.array([_positive(errors) for errors in curves.errors.values()]).reshape(-1, weights.size)
    for seed, errors in zip(curves.errors, table, strict=True):
        ax.plot(weights, errors, color=COLOUR, linewidth=0.8, alpha=0.45)
        if (at := curves.chosen.get(seed)) is not None:
            ax.plot(weights[at], errors[at], "o", color=COLOUR, markersize=5.5, markeredgewidth=0, alpha=0.85)
    ax.plot(weights, _median(table), color=COLOUR, linewidth=2.4, solid_capstyle="round")
    if curves.baseline is not None and curves.baseline > 0:
        ax.axhline(curves.baseline, color=BASELINE, linewidth=1.1, linestyle=style.DASHED)
    ax.grid(which="major", axis="x", color="0.9", linewidth=0.6)
    ax.grid(which="both", axis="y", color="0.9", linewidth=0.6)


def _median(table: Array) -> Array:
    """The median over the seeds; NaN where one of them has no error, for it would be that of other seeds."""
    median: Array = np.median(table, axis=0)
    return median


def _positive(values: ArrayLike) -> Array:
    array = np.array(values, dtype=np.float64)
    return np.where(array > 0, array, np.nan)


def _legend(figure: Figure, baseline: bool) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    handles = [
        Line2D([], [], color=COLOUR, linewidth=0.8, alpha=0.6, label="one seed"),
        Line2D([], [], color=COLOUR, linewidth=2.4, label="median"),
        Line2D([], [], color=COLOUR, marker="o", markersize=5.5, linestyle="", label="chosen, for each seed"),
    ]
    if baseline:
        label = "median of the baseline"
        handles.append(Line2D([], [], color=BASELINE, linewidth=1.1, linestyle=style.DASHED, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
