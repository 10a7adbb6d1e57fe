"""How much a solution varies, order by order, with an estimate of the error of each number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from pinnreg.analysis.variation import integrals
from pinnreg.domain import Box, Domain
from pinnreg.equations import Trial
from pinnreg.errors import InputError
from pinnreg.randomness import derive

TENSOR_AXES = 3
"""Up to so many axes a tensor grid is affordable."""
NODES = 8
"""Gauss-Legendre nodes in each part of an axis; a layer is resolved by more parts."""
FEWEST = {1: 64, 2: 32, 3: 16}
"""Nodes along each axis of the first grid, by the number of axes."""
ENOUGH = 1e-3
"""A relative change, with which an axis is no longer refined."""
MOST = 2**18
"""Points of the finest grid."""
SOBOL = 2**16


@final
@dataclass(frozen=True)
class Variation:
    """The total variation of one order.

    Attributes:
        value: C_k.
        error: the sum over the axes of what twice as many points along one change, or did when it was last refined; of
            a Sobol sequence what its two halves differ by.
    """

    value: float
    error: float


def variation_profile(
    trial: Trial,
    network: Callable[[Tensor], Tensor],
    domain: Domain,
    orders: Sequence[int] = (1, 2, 3, 4, 5),
    *,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float64,
) -> dict[int, Variation]:
    """The k-th order total variations C_k = Σ_j ∫_Ω |∂ᵏu/∂x_jᵏ|² dx of the solution u, each with its error.

    On up to three axes by Gauss-Legendre quadrature on a tensor grid, of 8 nodes in each part of an axis; an axis is
    refined until twice as many parts change no order by a thousandth, or the grid would have more than 2¹⁸ points. With
    more axes, and on shapes, by a Sobol sequence of 2¹⁶ points, the same at every call. `variation` takes the same
    points for every network, and so is what compares several of them.

    Args:
        trial: how the network becomes u.
        network: maps (n, d) to (n, outputs), each row from its own point only.
        domain: Ω.
        orders: the k, each at least 1.
        device: where the network is; the CPU if not given.
        dtype: of the network.

    Returns:
        C_k by k.

    Raises:
        InputError: no order, or one below 1.

    Source: Okuno 2023, arXiv:2308.02293.
    """
    if not orders or min(orders) < 1:
        raise InputError(f"variation_profile: expected orders of at least 1, got {tuple(orders)}")
    dimension = domain.dimension

    def integrated(places: Tensor, weights: Tensor) -> dict[int, float]:
        return integrals(trial, network, orders, places, domain.volume * weights, device=device, dtype=dtype)

    def on_grid(sizes: Sequence[int]) -> dict[int, float]:
        unit, weights = _tensor_rule(sizes)
        return integrated(domain.interior(unit), weights)

    if dimension > TENSOR_AXES or not isinstance(domain, Box):
        places = domain.sample(SOBOL, "sobol", derive(0, "variation"))
        alike = torch.full((SOBOL // 2,), 1 / SOBOL, dtype=torch.float64)
        # the second half of the sequence is as even as the first
        first, second = (integrated(half, alike) for half in places.chunk(2))
        return {k: Variation(first[k] + second[k], abs(first[k] - second[k])) for k in first}
    sizes = dimension * [FEWEST[dimension]]
    found, errors = on_grid(sizes), dict.fromkeys(orders, 0.0)
    while 2 * math.prod(sizes) <= MOST:
        finer = [on_grid(_refined(sizes, [axis])) for axis in range(dimension)]
        errors = {k: sum(abs(each[k] - found[k]) for each in finer) for k in found}
        changes = [_change(found, each) for each in finer]
        rough = [axis for axis, change in enumerate(changes) if change > ENOUGH]
        if not rough:
            break
        # the axes that matter most, as many as there is room for
        while math.prod(_refined(sizes, rough)) > MOST:
            rough.remove(min(rough, key=changes.__getitem__))
        sizes = _refined(sizes, rough)
        found = finer[rough[0]] if len(rough) == 1 else on_grid(sizes)
    return {k: Variation(found[k], errors[k]) for k in found}


def _change(coarse: Mapping[int, float], fine: Mapping[int, float]) -> float:
    """The largest relative difference of all orders."""
    return max(abs(fine[k] - coarse[k]) / fine[k] if fine[k] else 0.0 for k in fine)


def _refined(sizes: Sequence[int], axes: Sequence[int]) -> list[int]:
    return [2 * size if axis in axes else size for axis, size in enumerate(sizes)]


def _tensor_rule(sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Points in the unit cube, (n, d), and weights whose sum is 1, with `sizes` nodes along the axes."""
    rules = [_rule(size) for size in sizes]
    points, weights = (torch.cartesian_prod(*part).reshape(-1, len(sizes)) for part in zip(*rules, strict=True))
    return points, weights.prod(dim=1)


def _rule(size: int) -> tuple[Tensor, Tensor]:
    """`size` nodes in [0, 1] and their weights, in parts of 8."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    parts = size // NODES
    along = (np.arange(parts)[:, None] + (nodes + 1) / 2) / parts
    return torch.from_numpy(along.reshape(-1)), torch.from_numpy(np.tile(weights / 2 / parts, parts))
