"""The multilayer perceptron.

One start for all problems, tanh with a spread of 1; trying several for a while and going on with the best does not pay.
Twelve problems, 20-20-20 neurons, the relative residual at fresh points after 12 steps (a tenth of the cost, five
starts) and the error after 100, one seed:

| | tanh, spread 1 | tanh, 2 | sin, 1 | sin, 2 | sin, 4 | smallest after 12 steps |
|---|---|---|---|---|---|---|
| Poisson | 3e-13 | 2e-13 | 8e-13 | 7e-16 | 8e-12 | sin, 1 |
| Poisson, frequency 4 | 2e-8 | 8e-8 | 5e-11 | 3e-11 | 2e-9 | tanh, 2 |
| heat | 6e-14 | 3e-12 | 2e-13 | 4e-14 | 6e-10 | sin, 1 |
| Burgers, ν = 0.01 | 3e-8 | 2e-8 | 5e-7 | 2e-7 | 3e-6 | sin, 2 |
| transport, β = 30 | 1.6 | 0.9 | 5e-7 | 9e-6 | 3e-3 | sin, 1 |
| wave | 2e-6 | 2e-6 | 7e-7 | 3e-7 | 5e-7 | sin, 2 |
| reaction | 2e-7 | 1e-7 | 8e-7 | 9e-8 | 8e-7 | tanh, 1 |
| Klein-Gordon | 2e-14 | 1e-12 | 4e-13 | 1e-12 | 4e-12 | sin, 1 |
| van der Pol, one window | 1.0 | 1.1 | 1.1 | 1.1 | 1e-6 | sin, 4 |
| convection and diffusion | 1e-9 | 5e-9 | 8e-6 | 4e-7 | 4e-7 | sin, 4 |
| Duffing, one window | 5e-8 | 1e-9 | 1e-8 | 4e-8 | 3e-13 | sin, 4 |
| Korteweg-de Vries | 5e-6 | 8e-6 | 7e-4 | 2e-4 | 3e-4 | sin, 4 |

Going on with the one that is first after 12 steps costs half as much again. It would mend transport and oscillators
(these are mended by windows of time, too), and end 7 to 400 times above tanh with Burgers' equation, convection and
diffusion, and Korteweg and de Vries'. Where tanh fails, the run says that it has not converged, and names sin.
"""

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
    from the start, as random features do: the first layer's weights are N(0, s²), or N(0, 4 s²/inputs) for more than
    four inputs, whose sum would saturate the neurons; those of later hidden layers are N(0, 1/fan-in), and biases
    uniform within ±π for sin, ±1 for the others; the last layer is as without. All is drawn on the CPU from `generator`
    (torch's global one if None), so that a network is the same on every device. `dtype` None means torch's default.
    `activation` is the name of one, or a function of a tensor.

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
                    fan_in = layer.in_features
                    deviation = fan_in**-0.5 if number else spread * min(1.0, (4 / fan_in) ** 0.5)
                    nn.init.normal_(layer.weight, std=deviation, generator=generator)
                    nn.init.uniform_(layer.bias, -reach, reach, generator=generator)

    def forward(self, points: Tensor) -> Tensor:
        values = points
        for layer in self.layers[:-1]:
            values = self._activation(layer(values))
        result: Tensor = self.layers[-1](values)
        return result
