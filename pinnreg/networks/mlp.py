"""The multilayer perceptron."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from pinnreg.errors import InputError, unknown
from pinnreg.networks.settings import ACTIVATION_NAMES
from pinnreg.taylor import SOFTPLUS_THRESHOLD

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "gelu": nn.functional.gelu,
    "softplus": partial(nn.functional.softplus, threshold=SOFTPLUS_THRESHOLD),
    "swish": nn.functional.silu,
}
assert tuple(ACTIVATIONS) == ACTIVATION_NAMES


@final
class MLP(nn.Module):
    """A fully connected network (n, inputs) -> (n, outputs) with one smooth activation between its layers.

    Without `spread` weights are Xavier-normal and biases zero. With `spread` s the neurons differ in place and scale
    from the start, as random features do: the first layer's weights are N(0, s²), those of later hidden layers
    N(0, 1/fan-in), and biases uniform within ±π for sin, ±1 for the others; the last layer is as without. All is drawn
    on the CPU from `generator` (torch's global one if None), so that a network is the same on every device. `dtype`
    None means torch's default. `activation` is the name of one, or a function of a tensor.

    Raises:
        InputError: an unknown activation, or a size that is not a positive integer.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        activation: str | Callable[[Tensor], Tensor] = "tanh",
        spread: float | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        sizes = [inputs, *hidden, outputs]
        if any(type(size) is not int or size < 1 for size in sizes):
            raise InputError(f"MLP: layer sizes must be positive integers, got {sizes}")
        self.layers = nn.ModuleList(
            # skip_init: nn.Linear's own initialisation would consume torch's global random numbers
            nn.utils.skip_init(nn.Linear, before, after, dtype=dtype)
            for before, after in itertools.pairwise(sizes)
        )
        self._activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation
        reach = math.pi if activation == "sin" else 1.0
        with torch.no_grad():
            for number, layer in enumerate(self.layers):
                assert isinstance(layer, nn.Linear)
                if spread is None or number == len(hidden):
                    nn.init.xavier_normal_(layer.weight, generator=generator)
                    layer.bias.zero_()
                else:
                    deviation = layer.in_features**-0.5 if number else spread
                    nn.init.normal_(layer.weight, std=deviation, generator=generator)
                    nn.init.uniform_(layer.bias, -reach, reach, generator=generator)

    def forward(self, points: Tensor) -> Tensor:
        values = points
        for layer in self.layers[:-1]:
            values = self._activation(layer(values))
        result: Tensor = self.layers[-1](values)
        return result
