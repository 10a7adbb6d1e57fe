"""A network at parameters that are not its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.func import functional_call


def trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of a network that training changes, by name: those that require gradients."""
    return {name: each for name, each in network.named_parameters() if each.requires_grad}


def bound(network: nn.Module, parameters: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """The network at `parameters`, by name, as a function of points (n, d); it is left as it is.

    Parameters that are not given keep their values.
    """
    own = dict(parameters)
    return lambda points: functional_call(network, own, (points,))
