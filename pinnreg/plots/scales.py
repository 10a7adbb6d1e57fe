"""Colour scales and limits: one for predicted and reference together, a logarithmic one for the misfit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from pinnreg.plots.rows import Array

if TYPE_CHECKING:
    from matplotlib.colors import Normalize

DECADES = 4  # of |error| below its maximum; beyond them lie mostly isolated zero crossings
MOST_DECADES = 9  # where more than a tenth of it lies beyond
LOW, HIGH = 10.0, 99.5  # percentiles: a scale reaches from the one to the other at least, and to the maximum if near
DOMINANT = 10.0  # times the upper percentile: a maximum beyond it is a corner, and lies beyond the scale
SIGN_SHARE = 0.02  # of the largest magnitude; a smaller excursion beyond zero is not a change of sign
OVERSHOOT = 0.25  # ranges of the reference; a prediction farther out is saturated, lest it hide the rest
NARROWEST = 0.7  # decades of a logarithmic axis
SMALLEST = 1e-290  # anything below counts as zero, so that `DECADES` below it is still a normal number


@final
@dataclass(frozen=True)
class Scale:
    """A colour map with its norm, at which ends of the colour bar values lie beyond it, and what is said of it."""

    cmap: str
    norm: Normalize
    extend: Literal["neither", "both", "min", "max"]
    note: str = ""

    @property
    def decades(self) -> float:
        """How many a logarithmic scale spans."""
        return float(np.log10((self.norm.vmax or 1.0) / (self.norm.vmin or 1.0)))


def value_limits(
    predicted: Sequence[Array], reference: Sequence[Array], overshoot: float = OVERSHOOT
) -> tuple[float, float]:
    """Limits shared by predicted and reference, at most `overshoot` ranges of the reference beyond it."""
    low, high = _range([*predicted, *reference])
    ref_low, ref_high = _range(reference)
    if (span := ref_high - ref_low) > 0:
        low, high = max(low, ref_low - overshoot * span), min(high, ref_high + overshoot * span)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        pad = 0.5 * max(abs(low), abs(high)) or 0.5
        low, high = low - pad, high + pad
    return low, high


def value_scale(predicted: Sequence[Array], reference: Sequence[Array]) -> Scale:
    """Diverging and centred at zero where values change sign, sequential otherwise.

    Linear, but logarithmic beyond 99.5 % of the values where the others are ten times as large: of a peak the
    surroundings are seen, too.
    """
    from matplotlib.colors import Normalize, SymLogNorm  # noqa: PLC0415

    low, high = value_limits(predicted, reference)
    largest = max(abs(low), abs(high))
    cmap = "viridis"
    if min(-low, high) > SIGN_SHARE * largest:
        cmap, low, high = "RdBu_r", -largest, largest
    data_low, data_high = _range([*predicted, *reference])
    below, above = data_low < low, data_high > high
    extend: Literal["neither", "both", "min", "max"] = "neither"
    if below or above:
        extend = "both" if below and above else "min" if below else "max"
    usual = _percentile([np.abs(each) for each in (reference or predicted)], HIGH)
    if largest > DOMINANT * usual > SMALLEST:
        return Scale(cmap, SymLogNorm(usual, vmin=low, vmax=high), extend, f"logarithmic beyond {usual:.1g}")
    return Scale(cmap, Normalize(low, high), extend)


def misfit_limits(misfits: Sequence[Array], decades: float = DECADES) -> tuple[float, float]:
    """Positive limits for a logarithmic axis: at most `decades` below the maximum, at least one."""
    values = np.concatenate([m[np.isfinite(m)] for m in misfits]) if misfits else np.empty(0)
    largest = float(values.max(initial=0.0))
    if largest < SMALLEST:
        return 1e-16, 1e-12
    floor = largest * 10.0**-decades
    lowest = max(float(values.min()), floor)
    return min(lowest, largest / 10), largest


def misfit_scale(misfits: Sequence[Array], decades: float = DECADES) -> Scale:
    """A logarithmic scale that shows nearly all of each misfit, lest one of them, or a corner, leave the rest black.

    It ends at the largest value, or at the upper percentile where that is far below; it begins `decades` below, or at
    the lower percentile of the smallest misfit. The colour bar is extended where values lie beyond.
    """
    from matplotlib.colors import LogNorm  # noqa: PLC0415

    low, high = misfit_limits(misfits, decades)
    if high > DOMINANT * (usual := max((_percentile([each], HIGH) for each in misfits), default=0.0)) > SMALLEST:
        high = usual
    known = [value for each in misfits if (value := _percentile([each[each > SMALLEST]], LOW)) > SMALLEST]
    low = min(low, max(min(known, default=low), high * 10.0**-MOST_DECADES), high / 10)
    values = [each[np.isfinite(each)] for each in misfits]
    below, above = any(bool((each < low).any()) for each in values), any(bool((each > high).any()) for each in values)
    ends: dict[tuple[bool, bool], Literal["neither", "both", "min", "max"]] = {
        (False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"
    }  # fmt: skip
    return Scale("magma", LogNorm(low, high), ends[below, above])


def decades_of(misfits: Sequence[Array]) -> float:
    """Decades below the largest misfit that a scale needs so that no misfit lies below it as a whole."""
    largest = [float(misfit[np.isfinite(misfit)].max(initial=0.0)) for misfit in misfits]
    known = [value for value in largest if value > SMALLEST]
    return max(DECADES, float(np.log10(max(known)) - np.log10(min(known))) + 1) if known else DECADES


def logarithmic_limits(values: Iterable[float]) -> tuple[float, float]:
    """Limits of a logarithmic axis a little beyond the positive values, and wide enough that its labels are round."""
    known = [value for value in values if np.isfinite(value) and value > SMALLEST]
    low, high = np.log10([min(known, default=1e-1), max(known, default=1.0)])
    half = max(0.52 * (high - low) + 0.03, NARROWEST / 2)
    return float(10 ** ((low + high) / 2 - half)), float(10 ** ((low + high) / 2 + half))


def largest_note(misfit: Array) -> str:
    """What a panel says about its largest value: 'max 1.2e-04', 'zero', or that there is none."""
    finite = misfit[np.isfinite(misfit)]
    if not finite.size:
        return "no finite value"
    return "identically zero" if finite.max() < SMALLEST else f"max {finite.max():.1e}"


def _percentile(arrays: Sequence[Array], share: float) -> float:
    """Of the finite values; 0 without any."""
    values = np.concatenate([each[np.isfinite(each)] for each in arrays]) if arrays else np.empty(0)
    return float(np.percentile(values, share)) if values.size else 0.0


def _range(arrays: Sequence[Array]) -> tuple[float, float]:
    values = np.concatenate([a[np.isfinite(a)] for a in arrays]) if arrays else np.empty(0)
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
