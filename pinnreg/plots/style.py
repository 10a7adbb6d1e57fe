"""How every figure looks: its size, fonts, titles, and what names are called. Nothing global is changed."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from pinnreg.config import FigureSettings
from pinnreg.errors import InputError

if TYPE_CHECKING:
    # known by these names outside of the plots, too, where nothing imports matplotlib
    from matplotlib.axes import Axes as Axes  # noqa: PLC0414
    from matplotlib.figure import Figure as Figure  # noqa: PLC0414

SMALL, NORMAL, LARGE = 9.0, 10.0, 12.0  # points, on screen
FONTS = {"wide": (SMALL, NORMAL, LARGE), "medium": (7.5, 8.0, 9.0), "narrow": (7.0, 7.5, 8.5)}
SHRUNK = {"wide": 1.0, "medium": 0.8, "narrow": 0.7}
"""What stands beside a panel, and how thick lines are, as shares of those on screen."""
MEDIUM, NARROW = 8.5, 5.0
"""Inches below which a figure is of medium width, or narrow: a double and a single column of a journal."""
DPI, PRINTED_DPI, NOTEBOOK_DPI = 150, 300, 100
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
BAND: Look = {"color": "#1f77b4", "alpha": 0.3, "linewidth": 0.6}
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


SLICES: Look = {"color": "0.2", "linewidth": 0.8, "linestyle": (0, (2, 2))}
SLICES_RIM: Look = {"color": "white", "linewidth": 1.6, "alpha": 0.5}

DEFAULTS = FigureSettings()
_FIGURES: ContextVar[FigureSettings] = ContextVar("figures", default=DEFAULTS)
"""Those of the figure that is being drawn, as matplotlib's own settings are."""


@contextmanager
def settings(figures: FigureSettings | None = None) -> Iterator[None]:
    """matplotlib's settings and ours while a figure is built or saved; the caller's own return afterwards."""
    import matplotlib  # noqa: PLC0415

    token = _FIGURES.set(figures or DEFAULTS)
    small, normal, large = fonts()
    own: Any = {
        "font.size": normal,
        "axes.titlesize": normal,
        "axes.labelsize": normal,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "figure.titlesize": large,
        "axes.axisbelow": True,
        "axes.grid": False,
        "text.usetex": False,
        "savefig.bbox": None,
        "svg.hashsalt": "pinnreg",
        # journals want fonts in the file: TrueType, in which PDF readers can search, and outlines in SVG
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
    }
    try:
        with matplotlib.rc_context(own):
            yield
    finally:
        _FIGURES.reset(token)


def _class() -> str:
    inches = width()
    return "wide" if inches >= MEDIUM else "medium" if inches >= NARROW else "narrow"


def fonts() -> tuple[float, float, float]:
    """Points of small, normal and large letters."""
    return FONTS[_class()]


def is_narrow() -> bool:
    """Whether the figure is as wide as a single column."""
    return _class() == "narrow"


def width() -> float:
    """Of the figure, in inches."""
    return _FIGURES.get().width


def shrunk(size: float = 1.0) -> float:
    """A length, in inches or points, that is smaller in smaller figures."""
    return size * SHRUNK[_class()]


def thinned(look: Look) -> Look:
    """A curve of the figure's own strength."""
    sizes = ("linewidth", "markersize", "markeredgewidth")
    return cast(Look, {key: shrunk(value) if key in sizes else value for key, value in look.items()})  # type: ignore[arg-type]


def label(name: str) -> str:
    """What an output or an axis is called."""
    return _FIGURES.get().labels.get(name, name)


def has_titles() -> bool:
    """Whether there is a heading, and whether panels say the errors."""
    return _FIGURES.get().titles


def wanted_panels() -> tuple[str, ...]:
    """What is shown of an output, in this order."""
    return _FIGURES.get().panels


def new_figure(height: float, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """An empty figure that belongs to no window and no pyplot state.

    Args:
        height: that its content asks for, in inches.
        layout: of its panels.
    """
    figures = _FIGURES.get()
    size = (figures.width, height if figures.height is None else figures.height)
    dpi = DPI if figures.size == "screen" else PRINTED_DPI
    figure = _shown_in_notebooks()(figsize=size, layout=layout, facecolor="white", dpi=dpi)
    engine = figure.get_layout_engine()
    if engine is not None:
        pad = shrunk(0.08)
        engine.set(w_pad=pad, h_pad=pad, wspace=0.07, hspace=0.02)  # type: ignore[call-arg]
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
                self.savefig(file, format="png", dpi=NOTEBOOK_DPI)
            return file.getvalue()

    return Picture


def add_grid(ax: Axes) -> None:
    """Faint lines at the ticks, behind the curves."""
    ax.grid(color="0.88", linewidth=0.6)


def label_vertical(ax: Axes, label: str) -> None:
    """Name the vertical axis; a short name stands upright, since a turned 'u' or 'x' is hard to read."""
    if len(label) <= 2:
        ax.set_ylabel(label, rotation=0, ha="center", va="center", labelpad=shrunk(8))
    else:
        ax.set_ylabel(label)


def label_bar(ax: Axes, label: str) -> None:
    """Name a colour bar: a short name close to its numbers, lest it be taken for one of the next panel's."""
    if len(label) <= 2:
        ax.set_ylabel(label, rotation=0, ha="left", va="center", labelpad=2)
    else:
        ax.set_ylabel(label)


def add_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """What lines and marks mean, each once, below all panels, where no data are."""
    named = {str(each.get_label()): each for each in handles}
    if not named:
        return
    small = fonts()[0]
    longest = max(map(len, named))
    columns = max(1, min(len(named), int(width() / (0.065 * small + 0.0075 * small * longest))))
    figure.legend(
        handles=list(named.values()),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        handlelength=2.4,
        columnspacing=1.4,
    )
    _grow(figure, small / 36 * -(-len(named) // columns))


def finish(figure: Figure, title: str, *notes: str) -> Figure:
    """Set the title, folded to the figure's width, and fix the font of ticks made only when drawn.

    Raises:
        InputError: a size was asked for that is too small for the panels.
    """
    small, _, large = fonts()
    lines = [line for text in (title, *notes) if text for line in textwrap.wrap(text, int(110 * width() / large))]
    if lines and has_titles():
        # A title is plain text: dollar signs in a file's name are no mathematics.
        figure.suptitle("\n".join(lines), fontsize=large, parse_math=False)
        _grow(figure, large / 60 * (len(lines) - 1))
    for ax in figure.axes:
        for part in (ax, *ax.child_axes):
            part.tick_params(which="both", labelsize=small)
    if _FIGURES.get().height is not None:
        _check_room(figure)
    return figure


def _grow(figure: Figure, inches: float) -> None:
    """More height for what is besides the panels, unless the height was asked for."""
    if _FIGURES.get().height is None:
        figure.set_figheight(figure.get_figheight() + inches)


def _check_room(figure: Figure) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*_layout not applied.*")
        try:
            figure.draw_without_rendering()
        except UserWarning:
            wide, high = (round(25.4 * side) for side in figure.get_size_inches())
            raise InputError(
                f"figures.size: [{wide}, {high}] mm are too small for the {len(figure.axes)} panels of this figure: "
                "make it larger, show less by figures.panels, figures.times or figures.planes, or say single-column, "
                "which is as high as its content"
            ) from None
