"""Collocation points: those of a sampler, those that prefer where the residual is large, and more where it is.

Points are added and none is given up. Burgers' equation with ν = 0.01/π (921 parameters, one seed) ended at 1.0e-5 with
2500 points drawn anew by the residual every ten steps, at 1.0e-5 with 5000 in the end that no longer changed, and at
3.8e-7 in the time of either with 1500 to which more were added up to 5000; each new draw had undone a part of what
the one before had taught. With the odd symmetry 300 steps gave 5.6e-9 from one point for each parameter up to four, and
1.1e-8 from two up to four, at the same cost; heat, with more parameters than points, sticks less at 1e-10.

Tried and left: added points in proportion to r² (as good for Burgers' equation; where a corner of the data draws all of
them to itself, as in Allen and Cahn's, 8e-5 in place of 5e-5), and to |r| without as many evenly spread (the same).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pinnreg.domain import Domain
from pinnreg.errors import InputError
from pinnreg.objective.settings import PointSettings
from pinnreg.randomness import derive, generator

CANDIDATES_PER_POINT = 5
BITS = 62
"""Of the place along a curve through all points."""


def interior_points(settings: PointSettings, domain: Domain, measured: Tensor | None, seed: int, step: int) -> Tensor:
    """Points of the settings' sampler inside the domain, or the measured ones, (n, d), float64 on the CPU.

    Raises:
        InputError: `interior: data` without measurements.
    """
    if settings.interior == "data":
        if measured is None:
            raise InputError(
                "points.interior: data takes the points of the measurements, and there are none, or of integrals only"
            )
        return measured
    assert settings.interior != "auto", "which is a number once the network is known"
    return domain.sample(settings.interior, settings.sampler, derive(seed, "interior", step))


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
    pool = domain.uniform(CANDIDATES_PER_POINT * count, draws, torch.empty(0, device=device, dtype=dtype))
    density = density_of(residual_size(pool))
    chosen = torch.multinomial(density, count, generator=draws)
    importance = 1 / density[chosen]
    return pool[chosen], importance / importance.mean()


def density_of(size: Tensor) -> Tensor:
    """|r|/mean|r| + 1 of |r| at points, (n,)."""
    # where the residual vanishes identically, the density is uniform; after a divergence, which is for training to
    # report, so is that of NaN and Inf
    relative = size / size.mean().clamp_min(torch.finfo(size.dtype).tiny)
    return relative.nan_to_num(nan=0.0, posinf=0.0) + 1


def peak(size: Tensor) -> float:
    """The mean of r² where it is large, Σ r⁴ / Σ r²: of |r| at points, (n,)."""
    largest = float(size.max())
    if not 0 < largest < math.inf:
        return largest
    squares = (size / largest).square().double()
    return largest**2 * float(squares @ squares / squares.sum())


def stratified(points: Tensor, density: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """The numbers of `count` points (n, d), in proportion to a density (n,), and evenly spread; one of a very large
    density several times.

    The points are ordered along Morton's curve, which visits one cell of space after the other, and the sum of the
    density along it is cut into equal parts with one point each: systematic sampling.
    """
    dimension = points.shape[1]
    bits = max(min(BITS // dimension, 16), 1)
    lower, upper = points.amin(dim=0), points.amax(dim=0)
    cells = ((points - lower) / (upper - lower).clamp_min(torch.finfo(points.dtype).tiny) * (2**bits - 1)).long()
    place = torch.zeros(len(points), dtype=torch.long, device=points.device)
    # beyond 62 axes the others do not count
    for bit in range(bits):
        for axis in range(min(dimension, BITS)):
            place |= ((cells[:, axis] >> bit) & 1) << (bit * min(dimension, BITS) + axis)
    order = place.argsort(stable=True)
    until = density[order].cumsum(dim=0)
    start = torch.rand((), generator=draws, device=points.device, dtype=density.dtype)
    parts = (torch.arange(count, device=points.device, dtype=density.dtype) + start) / count * until[-1]
    return order[torch.searchsorted(until, parts).clamp_(max=len(points) - 1)]


def uniform_points(domain: Domain, samples: int, seed: int, name: str, step: int, like: Tensor) -> Tensor:
    """Points of one step, (samples, d), that depend on the seed, the name of the term and the step alone."""
    draws = generator(seed, name, step, device=like.device)
    return domain.uniform(samples, draws, like)
