"""A network made symmetric, whatever its parameters are: the mean over its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn


@final
class Symmetric(nn.Module):
    """N symmetric under a group of maps x -> m x + b of the points with signs of the outputs, by the mean over it.

    Args:
        network: N, (n, d) -> (n, outputs).
        images: m (d,), b (d,) and the signs (outputs,) of each element of the group.

    The mean costs one evaluation for each element. A network of x² and x N(x²) would cost one only; it has to find a
    front at x = 0 of width w within w².
    """

    def __init__(self, network: nn.Module, images: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        super().__init__()
        self.network = network
        like = next(network.parameters())
        for name, parts in zip(("scales", "shifts", "signs"), zip(*images, strict=True), strict=True):
            self.register_buffer(name, torch.stack(parts).to(like))

    def forward(self, points: Tensor) -> Tensor:
        scales, shifts, signs = (self.get_buffer(name) for name in ("scales", "shifts", "signs"))
        images = zip(scales.unbind(), shifts.unbind(), signs.unbind(), strict=True)
        total: Tensor = sum(sign * self.network(scale * points + shift) for scale, shift, sign in images)
        return total / len(scales)
