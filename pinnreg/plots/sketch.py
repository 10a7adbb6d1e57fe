"""A picture in letters: what a problem's solution looks like, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinnreg import equations
from pinnreg.plots.cuts import plane_of

WIDTH, HEIGHT = 56, 14
SHADES = " ░▒▓█"
"""From the lowest to the highest value of a map."""
STEPS = "▁▂▃▄▅▆▇█"
"""Parts of a letter's height, of a curve."""
ROWS = 5
"""Letters that a curve is high."""
OUTSIDE = "·"

Array = NDArray[np.float64]


def sketch(problem: equations.Problem) -> list[str]:
    """Lines that show the first output of a problem's reference; none without one.

    One axis gives a curve, two a map with the first one upright beside time and lying else, more the plane of the
    first two: time at its end, the others in the middle.

    Raises:
        RuntimeError, InputError: as the reference does.
    """
    reference = equations.reference_of(problem)
    if reference is None:
        return []
    bounds = problem.domain.bounds
    shown = plane_of({name: np.zeros(2) for name in bounds}, problem.parameters)
    axes = {name: np.array([high if name == "t" else (low + high) / 2]) for name, (low, high) in bounds.items()}
    horizontal = shown[-1] if shown[-1] == "t" or len(shown) == 1 else shown[0]
    for name in shown:
        axes[name] = np.linspace(bounds[name][0], bounds[name][1], WIDTH if name == horizontal else HEIGHT)
    name, field = next(iter(reference.solve(axes).values.items()))
    values = np.squeeze(field, axis=tuple(n for n, axis in enumerate(axes) if axis not in shown))
    if len(shown) == 1:
        return [*curve(values), _legend(name, values, {horizontal: bounds[horizontal]})]
    upright = values if horizontal == shown[1] else values.T
    return [*shading(upright), _legend(name, values, {each: bounds[each] for each in (horizontal, *shown)})]


def curve(values: Array) -> list[str]:
    """Columns as high as values (n,) are between the lowest and the highest."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    levels = np.rint((values - low) / ((high - low) or 1.0) * (ROWS * len(STEPS) - 1)).astype(int) + 1
    lines = []
    for row in reversed(range(ROWS)):
        left = np.clip(levels - row * len(STEPS), 0, len(STEPS))
        lines.append("".join(STEPS[each - 1] if each else " " for each in left).rstrip())
    return lines


def shading(values: Array) -> list[str]:
    """Values (rows, columns), the first row lowest, in shades between the lowest and the highest; NaN is outside."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    shares = (values - low) / ((high - low) or 1.0)
    letters = [
        [OUTSIDE if np.isnan(each) else SHADES[min(int(each * len(SHADES)), len(SHADES) - 1)] for each in row]
        for row in shares[::-1]
    ]
    return ["".join(row) for row in letters]


def _legend(name: str, values: Array, bounds: Mapping[str, tuple[float, float]]) -> str:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    axes = ", ".join(f"{axis} {a:g} to {b:g} {way}" for (axis, (a, b)), way in zip(bounds.items(), "→↑", strict=False))
    return f"{name} from {low:.3g} to {high:.3g}; {axes}"
