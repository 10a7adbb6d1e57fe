"""Collocation points: how many, how drawn, and when drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import StrictBool, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from pinnreg.domain import Domain, Sampler, unit_points
from pinnreg.errors import InputError
from pinnreg.randomness import derive, generator
from pinnreg.settings import STRICT, Count

CANDIDATES_PER_POINT = 5


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


def interior_points(settings: PointSettings, domain: Domain, measured: Tensor | None, seed: int, step: int) -> Tensor:
    """Points of the settings' sampler inside the domain, or the measured ones, (n, d), float64 on the CPU.

    Raises:
        InputError: `interior: data` without measurements.
    """
    if settings.interior == "data":
        if measured is None:
            raise InputError("points.interior: data takes the points of the measurements, and there are none")
        return measured
    unit = unit_points(settings.sampler, settings.interior, domain.dimension, derive(seed, "interior", step))
    return domain.interior(unit)


def adapted_points(
    residual_size: Callable[[Tensor], Tensor],
    domain: Domain,
    count: int,
    seed: int,
    step: int,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """`count` points of a pool of uniform candidates, drawn with density ∝ |r|/mean|r| + 1, (count, d).

    Args:
        residual_size: |r| at points (m, d), (m,).

    Source: residual-based adaptive distribution with k = c = 1, Wu et al. 2022, arXiv:2207.10289.
    """
    draws = generator(seed, "adaptive points", step, device=device)
    shape = (CANDIDATES_PER_POINT * count, domain.dimension)
    pool = domain.interior(torch.rand(shape, generator=draws, device=device, dtype=dtype))
    size = residual_size(pool)
    # where the residual vanishes identically, the density is uniform; after a divergence, which is for training to
    # report, so is that of NaN and Inf
    relative = size / size.mean().clamp_min(torch.finfo(dtype).tiny)
    density = relative.nan_to_num(nan=0.0, posinf=0.0) + 1
    chosen = torch.multinomial(density, count, generator=draws)
    importance = 1 / density[chosen]
    return pool[chosen], importance / importance.mean()
