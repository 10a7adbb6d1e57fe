"""A trained network with random features beside it: functions that it lacks, linear in what is left to train."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import cast, final

import torch
from torch import Tensor, nn

from pinnreg.networks.symmetric import Symmetric

SLOWEST, STEEPEST = 0.5, 8.0
"""Between these the slopes of random features lie, evenly on a logarithmic scale; the domain is [-1, 1] an axis."""


@final
class _Widened(nn.Module):
    """N(f) + Σⱼ cⱼ tanh(wⱼ · f + bⱼ) + c₀ of input features f, (n, m); of all this only c is trained, from 0."""

    def __init__(self, body: nn.Module, weights: Tensor, biases: Tensor, outputs: int) -> None:
        super().__init__()
        count, inputs = weights.shape
        self.body = body
        self.hidden = nn.utils.skip_init(nn.Linear, inputs, count, dtype=weights.dtype, device=weights.device)
        self.output = nn.utils.skip_init(nn.Linear, count, outputs, dtype=weights.dtype, device=weights.device)
        with torch.no_grad():
            self.hidden.weight.copy_(weights)
            self.hidden.bias.copy_(biases)
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)
        self.hidden.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        beside: Tensor = self.output(torch.tanh(self.hidden(features)))
        return cast(Tensor, self.body(features)) + beside


def widened(
    network: nn.Module,
    parameters: Mapping[str, Tensor],
    count: int,
    inside: Tensor,
    *,
    seed: int,
) -> nn.Module:
    """The network of `build` at some parameters, with random features of its input features beside its body.

    It has the network's periods, kinks, singular functions and symmetries, in float64, and is the same function as long
    as its own parameters, the features' coefficients, are zero.

    Args:
        network: what was trained.
        parameters: its parameters by name.
        count: of random features.
        inside: points of the domain, (n, d), around which they are centred.
        seed: of their directions, slopes and places.
    """
    found = copy.deepcopy(network)
    with torch.no_grad():
        for name, own in found.named_parameters():
            if name in parameters:
                own.copy_(parameters[name])
    found = found.double().requires_grad_(False)
    inner = found.network if isinstance(found, Symmetric) else found
    features, body = cast(nn.Sequential, inner)
    with torch.no_grad():
        places = features(inside.to(next(found.parameters())))
        outputs = body(places[:1]).shape[1]
    draws = torch.Generator().manual_seed(seed)
    directions = torch.randn((count, places.shape[1]), generator=draws, dtype=torch.float64)
    slopes = math.log(STEEPEST / SLOWEST) * torch.rand((count, 1), generator=draws, dtype=torch.float64)
    weights = SLOWEST * slopes.exp() * torch.nn.functional.normalize(directions, dim=1)
    centres = places[torch.randint(len(places), (count,), generator=draws)]
    biases = -(weights.to(places) * centres).sum(dim=1)
    inner[1] = _Widened(body, weights.to(places), biases, outputs)  # type: ignore[operator]
    return found
