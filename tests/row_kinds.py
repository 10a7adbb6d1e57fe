"""What the rows of an objective can be, at few points."""

from __future__ import annotations

from typing import Any

from objectives import Placed, placed

from pinnreg.config import resolve
from pinnreg.run.prepare import prepare

HEAT: dict[str, Any] = {
    "problem": "heat",
    "network": {"hidden": [5]},
    "points": {"interior": 60, "boundary": 12, "resample_every": None},
    "train": [{"optimiser": "gauss_newton", "steps": 3}],
    "evaluate": {"grid": 6, "estimate": "none"},
    "device": "cpu",
}
KTV = {"kind": "ktv", "order": 2, "samples": 16, "weight": 1e-3}
KINDS: dict[str, dict[str, Any]] = {
    "exact": {},
    "soft": {"conditions": "soft"},
    "ktv": {"regularisers": [KTV]},
    "ridge": {"regularisers": [{"kind": "ridge", "weight": 1e-3}], "conditions": "soft"},
    "noise": {"regularisers": [{"kind": "noise_stability", "sigma": 0.01, "samples": 2, "sides": "two"}]},
    "coefficient": {
        "problem": {"name": "heat", "alpha": 0.4},
        "unknown": {"alpha": {"start": 1.0, "positive": True}},
        "measurements": [{"samples": 30, "noise": 0.05}],
    },
    "trim": {"measurements": [{"samples": 30, "noise": 0.05, "trim": 0.2}], "regularisers": [KTV]},
    "resampled": {"points.resample": "residual", "points.resample_every": 2},
    "auto": {"regularisers": [{**KTV, "weight": "auto"}]},
}
"""What the rows of an objective can be."""


def objective(kind: str, chunk: int | None) -> Placed:
    resolved = resolve(HEAT, {**KINDS[kind], "points.chunk": chunk})
    return placed(prepare(resolved, with_reference="measurements" in KINDS[kind]).objective)
