"""From the `network` section of a config to a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from pinnreg.errors import InputError
from pinnreg.networks.features import InputFeatures
from pinnreg.networks.mlp import MLP
from pinnreg.networks.quadratic import Quadratic
from pinnreg.networks.settings import MLPSettings, NetworkSettings
from pinnreg.randomness import generator as random_generator


def build(
    settings: NetworkSettings,
    bounds: Mapping[str, tuple[float, float]],
    outputs: int,
    *,
    periodic: Sequence[str],
    seed: int,
    dtype: torch.dtype,
    device: torch.device,
) -> nn.Module:
    """The network that `settings` describe on a box with `bounds`, periodic in the axes named in `periodic`.

    Raises:
        InputError: harmonics asked for on an axis that is not periodic.
    """
    for axis in settings.features.periodic:
        if axis not in periodic:
            known = ", ".join(periodic) or "none"
            raise InputError(f"network.features.periodic: {axis!r} has no exact periodic condition (periodic: {known})")
    harmonics = {axis: settings.features.periodic.get(axis, 1) for axis in periodic}
    width = InputFeatures.width_before_fourier(list(bounds), harmonics)
    frequencies = None
    if (fourier := settings.features.fourier) is not None:
        normal = torch.randn((fourier.count, width), generator=random_generator(seed, "fourier features"), dtype=dtype)
        frequencies = fourier.scale * normal
        width += 2 * fourier.count
    features = InputFeatures(bounds, periodic=harmonics, frequencies=frequencies, dtype=dtype)
    draws = random_generator(seed, "network")
    body: nn.Module = (
        MLP(
            width,
            settings.hidden,
            outputs,
            activation=settings.activation,
            spread=settings.spread,
            generator=draws,
            dtype=dtype,
        )
        if isinstance(settings, MLPSettings)
        else Quadratic(
            width,
            settings.hidden,
            outputs,
            width=settings.width,
            variant=settings.variant,
            generator=draws,
            dtype=dtype,
        )
    )
    return nn.Sequential(features, body).to(device)
