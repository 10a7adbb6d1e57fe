"""How every figure looks: its size, fonts and titles. Nothing global is changed."""

from __future__ import annotations

import io
import textwrap
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    # known by these names outside of the plots, too, where nothing imports matplotlib
    from matplotlib.axes import Axes as Axes  # noqa: PLC0414
    from matplotlib.figure import Figure as Figure  # noqa: PLC0414

WIDTH = 10.5  # inches
SMALL, NORMAL, LARGE = 9.0, 10.0, 12.0  # points
# Okabe and Ito's colours but for yellow, which is too faint as a line; the colour-blind tell them apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHED = (0, (4, 2.5))  # on and off, in line widths


class Look(TypedDict, total=False):
    """How a curve is drawn, in matplotlib's own words."""

    color: str
    alpha: float
    linewidth: float
    linestyle: str | tuple[int, tuple[float, ...]]
    marker: str
    markersize: float
    markerfacecolor: str
    markeredgewidth: float


PREDICTED: Look = {"color": "#1f77b4", "linewidth": 2.4, "linestyle": "-"}
BAND: Look = {"color": "#1f77b4", "alpha": 0.2, "linewidth": 0}
REFERENCE: Look = {"color": "black", "linewidth": 1.2, "linestyle": DASHED}
MEASURED: Look = {
    "color": "0.1",
    "linestyle": "none",
    "marker": "o",
    "markersize": 3.5,
    "markerfacecolor": "none",
    "markeredgewidth": 0.6,
}
MEASURED_RIM: Look = {**MEASURED, "color": "white", "markeredgewidth": 1.8}
MISFIT: Look = {"color": "#c2330f", "linewidth": 1.3}


def settings() -> AbstractContextManager[None]:
    """matplotlib's settings while a figure is built or saved; the caller's own return afterwards."""
    import matplotlib  # noqa: PLC0415

    return matplotlib.rc_context(
        {
            "font.size": NORMAL,
            "axes.titlesize": NORMAL,
            "axes.labelsize": NORMAL,
            "xtick.labelsize": SMALL,
            "ytick.labelsize": SMALL,
            "legend.fontsize": SMALL,
            "axes.axisbelow": True,
            "axes.grid": False,
            "text.usetex": False,
            "savefig.bbox": None,
            "svg.hashsalt": "pinnreg",
        }
    )


def new_figure(height: float, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """An empty figure of the house's width that belongs to no window and no pyplot state."""
    figure = _shown_in_notebooks()(figsize=(WIDTH, height), layout=layout, facecolor="white")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.08, h_pad=0.08, wspace=0.07, hspace=0.02)  # type: ignore[call-arg]
    return figure


@cache
def _shown_in_notebooks() -> type[Figure]:
    """The class of figures, which notebooks would show only once pyplot was imported."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    class Picture(Figure):
        """A figure that says what it looks like."""

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            with settings():
                self.savefig(file, format="png")
            return file.getvalue()

    return Picture


def add_grid(ax: Axes) -> None:
    """Faint lines at the ticks, behind the curves."""
    ax.grid(color="0.88", linewidth=0.6)


def label_vertical(ax: Axes, label: str) -> None:
    """Name the vertical axis; a short name stands upright, since a turned 'u' or 'x' is hard to read."""
    if len(label) <= 2:
        ax.set_ylabel(label, rotation=0, ha="center", va="center", labelpad=8)
    else:
        ax.set_ylabel(label)


def finish(figure: Figure, title: str, *notes: str) -> Figure:
    """Set the title, folded to the figure's width, and fix the font of ticks made only when drawn."""
    lines = [line for text in (title, *notes) if text for line in textwrap.wrap(text, 96)]
    if lines:
        # A title is plain text: dollar signs in a file's name are no mathematics.
        figure.suptitle("\n".join(lines), fontsize=LARGE, parse_math=False)
        figure.set_figheight(figure.get_figheight() + 0.2 * (len(lines) - 1))
    for ax in figure.axes:
        for part in (ax, *ax.child_axes):
            part.tick_params(which="both", labelsize=SMALL)
    return figure
