"""Numbers of a study as text."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """An error as text; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.2e}"


def factor(value: float) -> str:
    """How many times something is something else, to two digits or so; empty for NaN."""
    if math.isnan(value):
        return ""
    if not 0.01 <= value < 1000:
        return f"{value:.1e}"
    return f"{value:.{0 if value >= 10 else 1 if value >= 1 else 2 if value >= 0.1 else 3}f}"


def interval(low: float, high: float) -> str:
    """From one factor to another; empty where there is none."""
    return "" if math.isnan(low) else f"{factor(low)} to {factor(high)}"
