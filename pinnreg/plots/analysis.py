"""What a run is like beside its error: tangent kernels, curvatures and variations in three panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike

from pinnreg.errors import InputError
from pinnreg.plots import style
from pinnreg.plots.rows import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECADES = 16
"""Below the largest eigenvalue; double precision holds no more."""
TOTAL = "weighted sum"
BEFORE: style.Look = {"linewidth": 1.0, "linestyle": (0, (2, 1.6))}
AFTER: style.Look = {"linewidth": 1.9}
CURVATURE: style.Look = {"linewidth": 1.6, "marker": "o", "markersize": 4}
SUM: style.Look = {"color": "black", "linewidth": 1.2, "linestyle": style.DASHED, "marker": "o", "markersize": 4}


@final
@dataclass(frozen=True)
class TermAnalysis:
    """What is drawn of a loss term.

    Attributes:
        trained: the eigenvalues of its tangent kernel, falling, (n,); None where there is none.
        initial: those at the start.
        curvatures: the largest eigenvalues of its Hessian, falling.
    """

    trained: ArrayLike | None
    initial: ArrayLike | None
    curvatures: Sequence[float]


def analysis(
    terms: Mapping[str, TermAnalysis],
    total: Sequence[float],
    variations: Mapping[int, Sequence[float]],
    *,
    title: str,
) -> Figure:
    """Draw the spectra of the terms' tangent kernels, the largest eigenvalues of their Hessians, and the variations.

    All on logarithmic axes; what is not positive and finite is left out.

    Args:
        terms: by name; each has its colour.
        total: the largest eigenvalues of the Hessian of the weighted sum of the terms.
        variations: by order the total variation and its error.
        title: heading of the figure.

    Returns:
        A figure with one legend below the panels; write it with `save`.

    Raises:
        InputError: no term.
    """
    if not terms:
        raise InputError("analysis: nothing to draw")
    with style.settings():
        figure = style.new_figure(4.4)
        kernels, curvatures, varied = figure.subplots(1, 3, gridspec_kw={"width_ratios": (1.25, 1, 0.9)})
        _draw_kernels(kernels, terms)
        _draw_curvatures(curvatures, terms, total)
        _draw_variations(varied, variations)
        _legend(figure, terms)
        return style.finish(figure, title)


def _draw_kernels(ax: Axes, terms: Mapping[str, TermAnalysis]) -> None:
    ax.set(xscale="log", yscale="log", title="tangent kernel of each term", xlabel="number", ylabel="eigenvalue")
    highest = 0.0
    for number, term in enumerate(terms.values()):
        for values, look in ((term.initial, BEFORE), (term.trained, AFTER)):
            if values is not None and (known := _positive(values)).size:
                highest = max(highest, float(known.max()))
                ax.plot(np.arange(1, known.size + 1), known, color=_colour(number), **look)
    if highest:
        ax.set_ylim(bottom=max(ax.get_ylim()[0], highest * 10.0**-DECADES))
    style.add_grid(ax)


def _draw_curvatures(ax: Axes, terms: Mapping[str, TermAnalysis], total: Sequence[float]) -> None:
    ax.set(yscale="log", title="largest eigenvalues of the Hessian", xlabel="number", ylabel="eigenvalue")
    looks: list[style.Look] = [{**CURVATURE, "color": _colour(number)} for number in range(len(terms))]
    curves = [term.curvatures for term in terms.values()]
    for values, look in zip([*curves, total], [*looks, SUM], strict=True):
        known = _positive(values)  # those that are not are the last
        ax.plot(np.arange(1, known.size + 1), known, **look)
    ax.set_xticks(range(1, max([len(total), *(len(term.curvatures) for term in terms.values()), 1]) + 1))
    style.add_grid(ax)


def _draw_variations(ax: Axes, variations: Mapping[int, Sequence[float]]) -> None:
    ax.set(yscale="log", title="total variation of the solution", xlabel="order k", ylabel="Σ ∫ |∂ᵏu/∂xⱼᵏ|² dx")
    known = {k: each for k, each in variations.items() if np.isfinite(each).all() and each[0] > 0}
    values, errors = (np.array([each[part] for each in known.values()]) for part in (0, 1))
    low = np.minimum(errors, 0.999 * values)  # a bar down to zero has no end on a logarithmic axis
    ax.errorbar(list(known), values, [low, errors], color="0.2", marker="o", markersize=5, capsize=3, linewidth=1.4)
    ax.set_xticks(list(variations))
    style.add_grid(ax)


def _positive(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array) & (array > 0)]


def _colour(number: int) -> str:
    return style.COLOURS[number % len(style.COLOURS)]


def _legend(figure: Figure, terms: Mapping[str, TermAnalysis]) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    looks: list[style.Look] = [{**AFTER, "color": _colour(number)} for number in range(len(terms))]
    looks += [SUM, {**BEFORE, "color": "0.4"}]
    handles = []
    for name, look in zip([*terms, TOTAL, "before training"], looks, strict=True):
        handles.append(Line2D([], [], label=name))
        handles[-1].set(**look)
    columns = min(len(handles), 6)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, handlelength=2.4)
