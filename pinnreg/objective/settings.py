"""The `points` section of a config."""

from __future__ import annotations

from typing import Literal

from pydantic import StrictBool, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.domain import Sampler
from pinnreg.settings import STRICT, Count


@dataclass(frozen=True, config=STRICT)
class PointSettings:
    """The `points` section of a config.

    Attributes:
        interior: number of points for the PDE's residual, and for penalties that have no points of their own; `data`
            takes the points of the measurements.
        boundary: number of points for each soft condition, over all its faces.
        sampler: how they are spread.
        resample_every: draw them anew after so many steps; null keeps them.
        resample: `fresh` draws from the same sampler, `residual` prefers interior points where the residual is large.
        importance: whether points of `residual` count in inverse proportion to how densely they are drawn, so that the
            loss remains an estimate of the same integral.
        chunk: how many points the network sees at once, to bound memory; null for all. The result is the same to
            rounding, for one more forward pass where gradients are taken.
    """

    interior: Count | Literal["data"] = 1000
    boundary: Count = 200
    sampler: Sampler = "sobol"
    resample_every: Count | None = None
    resample: Literal["fresh", "residual"] = "fresh"
    importance: StrictBool = False
    chunk: Count | None = None

    @model_validator(mode="after")
    def _resampling_has_effect(self) -> PointSettings:
        if self.resample == "residual" and self.resample_every is None:
            raise ValueError(
                "resample: residual has no effect without resample_every; for fixed points: resample: fresh"
            )
        if self.interior == "data" and self.resample == "residual":
            raise ValueError("resample: residual draws interior points; with interior: data they are the measured ones")
        if self.importance and self.resample == "fresh":
            raise ValueError(
                "importance weighs the points of resample: residual; with resample: fresh it has no effect"
            )
        if self.sampler == "grid" and self.resample == "fresh" and self.resample_every is not None:
            raise ValueError("a grid is the same every time: resample_every has no effect with sampler: grid")
        return self
