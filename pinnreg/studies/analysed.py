"""How sharp the minimum of a run is, and how much its solution varies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from pinnreg.analysis.sharpness import sharpness
from pinnreg.analysis.variation import variation
from pinnreg.equations import Points
from pinnreg.networks import bound
from pinnreg.run import Solution

Loss = Callable[[dict[str, Tensor]], Tensor]


def analysed(solution: Solution, points: ArrayLike, seed: int) -> dict[str, float]:
    """The Hessian of the mean square residual at points (n, d), its trace and largest eigenvalue; variations 1 to 4.

    The Hessian is by the network's parameters, without penalties, noise and conditions, so that it means the same for
    all regularisers; a problem without an equation has none. The variation of order k is Σ_j ∫ |∂ᵏu/∂x_jᵏ|² dx.
    """
    at = torch.as_tensor(points).to(next(iter(solution.parameters.values())))
    found: dict[str, float] = {}
    if solution.problem.has_residual:
        hessian = sharpness(_mean_square_residual(solution, at), solution.parameters, seed=seed)
        found |= {"hessian_trace": hessian.trace, "hessian_largest": hessian.largest}
    network, domain = bound(solution.network, solution.parameters), solution.problem.domain
    varied = variation(solution.trial, network, domain, device=at.device, dtype=at.dtype)
    return found | {f"variation_{order}": value for order, value in varied.items()}


def _mean_square_residual(solution: Solution, points: Tensor) -> Loss:
    at = Points(points)

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        equations = replace(solution, parameters=parameters).equations(at)
        return torch.stack([values.square().mean() for values in equations.values()]).sum()

    return loss
