"""How much a solution varies: its k-th order total variation over the whole domain, for several k at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pinnreg.domain import Domain
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.errors import InputError
from pinnreg.randomness import derive
from pinnreg.taylor import MultiIndex, Operator

CHUNK = 4096


def variation(
    trial: Trial,
    network: Callable[[Tensor], Tensor],
    domain: Domain,
    orders: Sequence[int] = (1, 2, 3, 4),
    *,
    points: int = 65536,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float64,
) -> dict[int, float]:
    """The k-th order total variations with power 2 of the solution u, without gradients.

    C_k = Σ_j ∫_Ω |∂ᵏu/∂x_jᵏ|² dx, summed over all axes, time included, and all outputs. The volume of Ω is included
    and there is no factor 1/2, as in the penalty `KTV`. The rule is the mean over a scrambled Sobol sequence, the same
    at every call, so that solutions are compared at the same points.

    Args:
        trial: how the network becomes u.
        network: maps (n, d) to (n, outputs), each row from its own point only.
        domain: Ω.
        orders: the k, each at least 1.
        points: their number; a power of 2 makes best use of the sequence. A layer that takes a thousandth of the
            domain needs the default for four orders to within a percent.
        device: where the network is; the CPU if not given.
        dtype: of the network.

    Returns:
        C_k by k.

    Raises:
        InputError: no order, one below 1, or no points.

    Source: Okuno 2023, arXiv:2308.02293.
    """
    if not orders or min(orders) < 1 or points < 1:
        raise InputError(f"variation: expected orders and points of at least 1, got {tuple(orders)} and {points}")
    places = domain.sample(points, "sobol", derive(0, "variation"))
    alike = torch.full((points,), domain.volume / points, dtype=torch.float64)
    return integrals(trial, network, orders, places, alike, device=device, dtype=dtype)


def integrals(
    trial: Trial,
    network: Callable[[Tensor], Tensor],
    orders: Sequence[int],
    places: Tensor,
    weights: Tensor,
    *,
    device: torch.device | None,
    dtype: torch.dtype,
) -> dict[int, float]:
    """The variations by a rule of integration, points (n, d) and their weights (n,); by k."""
    dimension = len(trial.axes)
    pure = {order: _pure(order, dimension) for order in orders}
    wanted: set[Operator] = {index for indices in pure.values() for index in indices}
    sums = dict.fromkeys(pure, 0.0)
    with torch.no_grad():
        # piece by piece, to bound memory
        for piece, weight in zip(places.split(CHUNK), weights.split(CHUNK), strict=True):
            sweep = Sweep(trial, network, Points(piece.to(device, dtype)), wanted)
            for order, indices in pure.items():
                squares = torch.stack([sweep(index).double().square().sum(dim=1) for index in indices]).sum(dim=0)
                sums[order] += float(weight @ squares.cpu())
    return sums


def _pure(order: int, dimension: int) -> list[MultiIndex]:
    """The multi-indices of the derivatives ∂ᵏ/∂x_jᵏ."""
    return [tuple(order * (axis == j) for axis in range(dimension)) for j in range(dimension)]
