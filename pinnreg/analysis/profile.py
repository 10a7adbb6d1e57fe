"""How much a solution varies, order by order, with an estimate of the error of each number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from pinnreg.analysis.variation import integrals
from pinnreg.domain import Domain, unit_points
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
"""A relative error, with which the grid is no longer refined."""
MOST = 2**18
"""Points of the finest grid."""
SOBOL = 2**16


@final
@dataclass(frozen=True)
class Variation:
    """The total variation of one order.

    Attributes:
        value: C_k.
        error: what half as many points along each axis (of a Sobol sequence, half of its points) change.
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

    On up to three axes by Gauss-Legendre quadrature on a tensor grid, of 8 nodes in each part of an axis, with twice as
    many parts until no order changes by a thousandth, or 2¹⁸ points are reached; beyond by a Sobol sequence of 2¹⁶. The
    points are the same at every call. Otherwise as `variation`, which with the same points for all serves to compare.

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

    def integrated(unit: Tensor, weights: Tensor) -> dict[int, float]:
        places = domain.interior(unit)
        return integrals(trial, network, orders, places, domain.volume * weights, device=device, dtype=dtype)

    if dimension > TENSOR_AXES:
        unit = unit_points("sobol", SOBOL, dimension, derive(0, "variation"))
        alike = torch.full((SOBOL // 2,), 1 / SOBOL, dtype=torch.float64)
        # the second half of the sequence is as even as the first
        first, second = (integrated(half, alike) for half in unit.chunk(2))
        return {k: Variation(first[k] + second[k], abs(first[k] - second[k])) for k in first}
    size = FEWEST[dimension]
    coarse = integrated(*_tensor_rule(size, dimension))
    while True:
        size *= 2
        fine = integrated(*_tensor_rule(size, dimension))
        found = {k: Variation(fine[k], abs(fine[k] - coarse[k])) for k in fine}
        if (2 * size) ** dimension > MOST or all(each.error <= ENOUGH * each.value for each in found.values()):
            return found
        coarse = fine


def _tensor_rule(size: int, dimension: int) -> tuple[Tensor, Tensor]:
    """Points in the unit cube, (sizeᵈ, d), and weights whose sum is 1: `size` nodes along each axis."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    parts = size // NODES
    starts = np.arange(parts)[:, None]
    along = torch.from_numpy(((starts + (nodes + 1) / 2) / parts).reshape(-1))
    each = torch.from_numpy(np.tile(weights / 2 / parts, parts))
    points = torch.cartesian_prod(*(dimension * [along])).reshape(-1, dimension)
    products = torch.cartesian_prod(*(dimension * [each])).reshape(-1, dimension).prod(dim=1)
    return points, products
