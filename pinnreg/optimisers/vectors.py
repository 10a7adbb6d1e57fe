"""Parameters as one vector, and their gradients in place."""

from __future__ import annotations

import torch
from torch import Tensor

from pinnreg.objective import Target
from pinnreg.optimisers.interface import Parameters


def as_vector(tensors: Parameters) -> Tensor:
    """All tensors one after the other, (p,), a copy."""
    return torch.cat([values.detach().reshape(-1) for values in tensors.values()])


def as_parameters(vector: Tensor, like: Parameters) -> Parameters:
    """The inverse of `as_vector`: views of the vector."""
    pieces = vector.split([values.numel() for values in like.values()])
    return {name: piece.view(like[name].shape) for name, piece in zip(like, pieces, strict=True)}


def assign(parameters: Parameters, values: Parameters) -> None:
    """Overwrite parameters, in place."""
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)


def backward(objective: Target, parameters: Parameters) -> dict[str, Tensor]:
    """The terms' values; leaves the gradient of their weighted sum in the parameters."""
    losses, gradient = objective.gradient(parameters)
    for name, parameter in parameters.items():
        # torch's fused steps take for granted that both lie in memory alike
        parameter.grad = gradient[name].contiguous()
    return losses
