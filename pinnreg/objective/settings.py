"""`PointSettings`: how many points, how drawn, and when drawn anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import StrictBool, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.domain import Sampler
from pinnreg.settings import STRICT, Count

PER_PARAMETER, FEWEST, MOST = 1, 200, 5000
"""Of `interior: auto`."""
TIMES = 4
"""How many times as many points `refine` may come to."""


@dataclass(frozen=True, config=STRICT)
class PointSettings:
    """The `points` section of a config.

    Attributes:
        interior: number of points for the PDE's residual, and for penalties that have no points of their own; `auto`
            is one for each parameter of the network, shared by its outputs, from 200 to 5000; `data` takes the points
            of measurements, and keeps them.
        boundary: number of points for each soft condition, over all its faces.
        sampler: how they are spread.
        resample_every: look after them each so many steps; null keeps them.
        resample: `refine` adds interior points where the residual is large, while it is larger than at those that
            there are, and none with `compile: true`; `fresh` draws all anew from the same sampler, `residual` prefers
            interior points where the residual is large. In the last tenth of a stage only `fresh` goes on.
        most: `refine` stops at so many points; null for four times `interior`.
        importance: whether points of `residual` count in inverse proportion to how densely they are drawn, so that the
            loss remains an estimate of the same integral.
        chunk: how many points the network sees at once, to bound memory; null for all. The result is the same to
            rounding, for one more forward pass where gradients are taken. Gauss-Newton then takes the rows of its
            Jacobian so many points at a time where these are more than parameters, and computes them several times in
            a step.
    """

    interior: Count | Literal["auto", "data"] = "auto"
    boundary: Count = 200
    sampler: Sampler = "sobol"
    resample_every: Count | None = 10
    resample: Literal["refine", "fresh", "residual"] = "refine"
    most: Count | None = None
    importance: StrictBool = False
    chunk: Count | None = None

    def for_parameters(self, count: int) -> PointSettings:
        """With a number in the place of `auto`, by that of the parameters of an output."""
        if self.interior != "auto":
            return self
        found = min(max(PER_PARAMETER * count, FEWEST), MOST)
        return replace(self, interior=found if self.most is None else min(found, self.most))

    def kept(self) -> PointSettings:
        """The same without `refine`, for what would be compiled again for each number of points."""
        return replace(self, resample_every=None) if self.resample == "refine" else self

    def most_of(self, first: int) -> int:
        """How many points a term may come to that had so many at first."""
        if self.resample != "refine" or self.resample_every is None or self.interior == "data":
            return first
        if self.most is None or not isinstance(self.interior, int):
            return TIMES * first
        return round(first * self.most / self.interior)

    @model_validator(mode="after")
    def _resampling_has_effect(self) -> PointSettings:
        if self.resample == "residual" and self.resample_every is None:
            raise ValueError(
                "resample: residual has no effect without resample_every; for fixed points: resample: fresh"
            )
        if self.interior == "data" and self.resample == "residual":
            raise ValueError("resample: residual draws interior points; with interior: data they are the measured ones")
        if self.importance and self.resample != "residual":
            raise ValueError(
                f"importance weighs the points of resample: residual; with resample: {self.resample} it has no effect"
            )
        if self.most is not None and (self.resample != "refine" or self.resample_every is None):
            raise ValueError("most limits resample: refine; without that and resample_every it has no effect")
        if self.most is not None and self.interior == "data":
            raise ValueError("most limits resample: refine, which adds none to interior: data")
        if self.most is not None and isinstance(self.interior, int) and self.most < self.interior:
            raise ValueError(f"most: {self.most} is less than interior: {self.interior}")
        if self.sampler == "grid" and self.resample == "fresh" and self.resample_every is not None:
            raise ValueError("a grid is the same every time: resample_every has no effect with sampler: grid")
        return self
