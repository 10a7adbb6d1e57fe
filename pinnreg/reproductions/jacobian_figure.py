"""The figure of the reproduction of the Jacobian penalty on wide networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pinnreg.plots import Curve, Panel
from pinnreg.reproductions.wide import (
    COMPARED,
    COUNT,
    REFERENCE_DEVIATION,
    REFERENCE_DRIFT,
    REFERENCE_START,
    STEPS,
    STRENGTH,
    STRENGTHS,
    TESTED,
    ByWidth,
    Start,
    Trained,
    means_of,
    measured,
    of_strength,
)

Array = NDArray[np.float64]

LONG = np.unique(np.geomspace(1, 1e6, 80).round())
"""Steps, far beyond what is trained."""


def panels(start: Start, by_width: ByWidth, speeds: Sequence[Trained]) -> list[Panel]:
    """Above what depends on the width, below functions and slopes of one network."""
    return [
        _start_panel(start),
        _width_panel(by_width),
        _drift_panel(by_width),
        _prediction_panel(by_width),
        _speed_panel(speeds),
        _strength_panel(speeds),
    ]


def _banded(label: str, values: Mapping[int, Sequence[float]]) -> Curve:
    """Means with the range over draws."""
    low, high = ([choose(each) for each in values.values()] for choose in (min, max))
    return Curve(label, list(values), list(means_of(values).values()), low, high, kind="marked")


def _reference(values: Mapping[int, float]) -> Curve:
    return Curve("reference", list(values), list(values.values()), kind="points")


def _falling(values: Mapping[int, Sequence[float]], factor: float) -> Curve:
    """A line like 1/√m, so many times above or below."""
    widths, first = np.array(list(values)), next(iter(means_of(values).values()))
    return Curve("1/√width", widths, factor * first * (widths / widths[0]) ** -0.5, kind="expected")


def _start_panel(start: Start) -> Panel:
    curves = [_banded("tangent kernel", start.tangent), _banded("covariance", start.covariance)]
    curves += [_reference(REFERENCE_START), _falling(start.tangent, 1.9)]
    return Panel(
        "kernels of (f, J) at the start",
        "width",
        "max |finite - limit|, mean and range",
        curves,
        log_x=True,
        log_y=True,
    )


def _width_panel(by_width: ByWidth) -> Panel:
    curves = [
        _banded("u = (f, J) at the points", measured(by_width, lambda each: each.deviation)),
        _banded("f between the points", measured(by_width, lambda each: each.own)),
        _reference(REFERENCE_DEVIATION),
    ]
    return Panel(
        "trained, against linear prediction",
        "width",
        "largest deviation, mean and range",
        curves,
        log_x=True,
        log_y=True,
    )


def _drift_panel(by_width: ByWidth) -> Panel:
    curves = [
        _banded("|ΔΘ|", measured(by_width, lambda each: each.absolute)),
        _banded("|ΔΘ| / |Θ|", measured(by_width, lambda each: each.relative)),
        _reference(REFERENCE_DRIFT),
    ]
    return Panel(
        "drift of the tangent kernel", "width", "Frobenius norm, mean and range", curves, log_x=True, log_y=True
    )


def _angles(count: int) -> Array:
    return np.arange(count) * 360 / count


def _prediction_panel(by_width: ByWidth) -> Panel:
    width, found = list(by_width.items())[-1]
    run = found[0]
    data = Curve("labels", _angles(COUNT), run.begun.targets[:COUNT], kind="points", group=1)
    curves = [
        Curve(f"trained, width {width}", _angles(TESTED), run.predicted, group=0),
        Curve("before training", _angles(TESTED), run.begun.initial[:TESTED], group=4),
        data,
        Curve(
            "predicted, limit kernel",
            _angles(TESTED),
            run.begun.in_the_limit(STRENGTH, run.steps[-1:])[1][0],
            kind="expected",
        ),
    ]
    return Panel(f"f on the circle, λ = {STRENGTH}, seed 0", "angle in degrees", "f", curves)


def _speed_panel(speeds: Sequence[Trained]) -> Panel:
    curves = []
    for number, strength in enumerate(STRENGTHS):
        run = of_strength(speeds, strength)[0]
        values = run.begun.in_the_limit(strength, LONG)[0][:, COUNT:].square().sum(dim=1)
        shown = [0, 1, 3, 7, 15, 31, -1]  # evenly on the logarithmic axis
        curves += [
            Curve(f"λ = {strength:g}", LONG, (values / COUNT).sqrt(), group=number),
            Curve("", run.steps[1:][shown], run.slopes[1:][shown], kind="points", group=number),
        ]
    title = f"|J| by the limit kernel; dots: width {COMPARED}"
    return Panel(title, "steps", "√(mean |J|²) at the points", curves, log_x=True)


def _strength_panel(speeds: Sequence[Trained]) -> Panel:
    begun = of_strength(speeds, STRENGTH)[0].begun
    at = np.array([float(STEPS), math.inf])
    found = {strength: begun.in_the_limit(strength, at)[1] for strength in STRENGTHS}
    curves = [Curve(f"λ = {strength:g}", _angles(TESTED), values[0]) for strength, values in found.items()]
    curves.append(Curve("in the end, any λ", _angles(TESTED), found[STRENGTH][1], kind="expected"))
    return Panel(f"f by the limit kernel after {STEPS} steps", "angle in degrees", "f", curves)
