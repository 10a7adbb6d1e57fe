"""A network at parameters that are not its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.func import functional_call


def bound(network: nn.Module, parameters: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """The network at `parameters`, by name, as a function of points (n, d); it is left as it is."""
    own = dict(parameters)
    return lambda points: functional_call(network, own, (points,))
