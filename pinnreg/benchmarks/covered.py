"""Where intervals are looked at over many data sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from pinnreg.errors import unknown


@final
@dataclass(frozen=True)
class CoverageCase:
    """A training whose measurements are drawn again and again.

    Attributes:
        label: what it is called here.
        what: what it is, in words.
        config: of the run; its problem may be the name of a class of `growing`.
        at: the coordinates at which the band of u is looked at, a tuple for each axis: their combinations.
        share: one in so many of the data sets is made.
        bootstrap: whether some of them are bootstrapped.
    """

    label: str
    what: str
    config: Mapping[str, Any]
    at: tuple[tuple[float, ...], ...]
    share: int = 1
    bootstrap: bool = True


FEWER = 4
"""Of cases that are there for comparison, and of bootstraps, one in so many data sets."""

_INSIDE = ((0.25, 0.5, 0.75), (0.25, 0.75))
_ALONG = ((-0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45),)
_HEAT: dict[str, Any] = {
    "problem": {"name": "heat", "alpha": 0.4},
    "unknown": {"alpha": {"start": 1.0, "positive": True}},
    "measurements": [{"samples": 100, "noise": 0.05}],
    "network": {"hidden": [10]},
    "conditions": "exact",
    "points": {"interior": 120, "resample_every": None},
    "train": [{"optimiser": "gauss_newton", "steps": 25, "windows": 1}],
}
_GROWING: dict[str, Any] = {
    **_HEAT,
    "problem": "Growing",
    "unknown": {"D": {"start": 0.1, "positive": True}, "k": {"start": 1.0, "positive": True}},
    "train": [{"optimiser": "gauss_newton", "steps": 30, "windows": 1}],
}
_REGRESSION: dict[str, Any] = {
    "problem": {"name": "regression"},
    "measurements": [{"samples": 100, "noise": 0.2}],
    "network": {"hidden": [8]},
    "train": [{"optimiser": "gauss_newton", "steps": 60}],
    "regularisers": [{"kind": "ridge", "weight": 1e-5}],
}
_KTV: dict[str, Any] = {
    **_REGRESSION,
    "network": {"hidden": [20]},
    "regularisers": [{"kind": "ktv", "order": 3, "weight": 1e-7}],
}


def _weighted(weight: float, steps: int = 100) -> dict[str, Any]:
    train = [{"optimiser": "gauss_newton", "steps": steps, "windows": 1}]
    return {**_HEAT, "weights": {"residual": weight}, "train": train}


COVERED = (
    CoverageCase("heat_inverse", "uₜ = α uₓₓ, α unknown, 100 values with 5 % noise", _HEAT, _INSIDE),
    CoverageCase("growing", "uₜ = D uₓₓ + k u (1 - u), D and k unknown, 100 values with 5 % noise", _GROWING, _INSIDE),
    CoverageCase("regression", "a cubic, 100 values with 20 % noise, a ridge penalty of 1e-5", _REGRESSION, _ALONG),
    CoverageCase("heat_inverse_tenth", "the equation with the weight 0.1", _weighted(0.1), _INSIDE, FEWER, False),
    CoverageCase("heat_inverse_tenfold", "the equation with the weight 10", _weighted(10.0), _INSIDE, FEWER, False),
    CoverageCase("heat_inverse_cut", "the same, cut after 25 steps of 100", _weighted(10.0, 25), _INSIDE, FEWER, False),
    CoverageCase("regression_ktv", "the cubic with a third total variation of 1e-7", _KTV, _ALONG, FEWER),
)


def covered(names: Iterable[str]) -> tuple[CoverageCase, ...]:
    """The cases of these labels.

    Raises:
        InputError: a name that is not known, with the nearest one, and all of them.
    """
    cases = {case.label: case for case in COVERED}
    for name in (wanted := list(names)):
        if name not in cases:
            raise unknown("case", name, list(cases))
    return tuple(cases[name] for name in wanted)
