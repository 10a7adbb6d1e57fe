"""`WideNetwork`: a network of any width in the NTK parametrisation, to compare with its infinitely wide limit."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from pinnreg.analysis.infinite import WideActivation
from pinnreg.analysis.moments import MOMENTS
from pinnreg.errors import InputError, unknown

FUNCTIONS = {"erf": torch.erf, "relu": torch.relu}
assert FUNCTIONS.keys() == MOMENTS.keys()


@final
class WideNetwork(nn.Module):
    """f(x) = 1/√m a · φ(z), z = σ_w/√d W x + σ_b b, and z ↦ σ_w/√m W φ(z) + σ_b b for further layers: (n, d) -> (n, 1).

    All parameters are N(0, 1), so that the scales 1/√m act on the gradients, too; as in `infinite_kernels`.

    Args:
        inputs: d.
        width: m, of every hidden layer.
        activation: φ.
        hidden: number of hidden layers.
        weight_scale: σ_w.
        bias_scale: σ_b.
        generator: for the draws, on the CPU; torch's global one if None.
        dtype: torch's default if None.

    Raises:
        InputError: an unknown activation, or sizes below 1.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        activation: WideActivation = "erf",
        hidden: int = 1,
        weight_scale: float = 1.0,
        bias_scale: float = 1.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if activation not in FUNCTIONS:
            raise unknown("activation", activation, FUNCTIONS)
        if any(type(size) is not int or size < 1 for size in (inputs, width, hidden)):
            raise InputError(f"WideNetwork: expected sizes of at least 1, got {inputs}, {width} and {hidden} layers")

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype))

        sizes = [inputs, *(hidden * [width])]
        self.weights = nn.ParameterList(drawn(width, before) for before in sizes[:-1])
        self.biases = nn.ParameterList(drawn(width) for _ in range(hidden))
        self.readout = drawn(1, width)
        self._phi = FUNCTIONS[activation]
        self._scales = weight_scale, bias_scale

    def forward(self, points: Tensor) -> Tensor:
        values, (of_weights, of_biases) = points, self._scales
        for weight, bias in zip(self.weights, self.biases, strict=True):
            scale = of_weights / math.sqrt(weight.shape[1])
            values = self._phi(nn.functional.linear(values, scale * weight, of_biases * bias))
        return nn.functional.linear(values, self.readout / math.sqrt(self.readout.shape[1]))
