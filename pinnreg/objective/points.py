"""Drawing collocation points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pinnreg.domain import Domain, unit_points
from pinnreg.errors import InputError
from pinnreg.objective.settings import PointSettings
from pinnreg.randomness import derive, generator

CANDIDATES_PER_POINT = 5


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
