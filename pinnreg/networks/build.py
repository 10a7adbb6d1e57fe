"""From the `network` section of a config to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from pinnreg import memory
from pinnreg.errors import InputError, user_code
from pinnreg.networks.custom import CustomActivation, CustomNetwork
from pinnreg.networks.features import Feature, InputFeatures
from pinnreg.networks.mlp import MLP
from pinnreg.networks.quadratic import Quadratic
from pinnreg.networks.settings import MLPSettings, NetworkSettings
from pinnreg.randomness import derive
from pinnreg.randomness import generator as random_generator

COPIES = 4
"""Of the parameters at least: the network's, those that are trained, their gradient, and those before a step."""
TRIED = 50
"""Points that a user's network is tried on; enough for a dropout to show."""


def build(
    settings: NetworkSettings | CustomNetwork,
    bounds: Mapping[str, tuple[float, float]],
    outputs: int,
    *,
    periodic: Sequence[str],
    seed: int,
    dtype: torch.dtype,
    device: torch.device,
    own: Sequence[Feature] = (),
) -> nn.Module:
    """The network that `settings` describe on a box with `bounds`, periodic in the axes named in `periodic`.

    `own` are functions of the points that it gets besides.

    Raises:
        InputError: harmonics asked for on an axis that is not periodic, or a network of the user's own that is none.
    """
    for axis in settings.features.periodic:
        if axis not in periodic:
            known = ", ".join(periodic) or "none"
            raise InputError(f"network.features.periodic: {axis!r} has no exact periodic condition (periodic: {known})")
    harmonics = {axis: settings.features.periodic.get(axis, 1) for axis in periodic}
    width = InputFeatures.width_before_fourier(list(bounds), harmonics)
    memory.check(
        {"network": memory.NUMBER * COPIES * settings.entries(width + len(own), outputs)}, "take a smaller one", device
    )
    frequencies = None
    if (fourier := settings.features.fourier) is not None:
        normal = torch.randn((fourier.count, width), generator=random_generator(seed, "fourier features"), dtype=dtype)
        frequencies = fourier.scale * normal
        width += 2 * fourier.count
    features = InputFeatures(bounds, periodic=harmonics, frequencies=frequencies, dtype=dtype, own=own)
    return nn.Sequential(features, _body(settings, width + len(own), outputs, seed, dtype)).to(device)


def _body(
    settings: NetworkSettings | CustomNetwork, inputs: int, outputs: int, seed: int, dtype: torch.dtype
) -> nn.Module:
    if isinstance(settings, CustomNetwork):
        return _custom(settings, inputs, outputs, seed, dtype)
    draws = random_generator(seed, "network")
    if isinstance(settings, MLPSettings):
        activation: object = settings.activation
        return MLP(
            inputs,
            settings.hidden,
            outputs,
            activation=_function_of(activation, dtype)
            if isinstance(activation, CustomActivation)
            else settings.activation,
            spread=settings.spread,
            generator=draws,
            dtype=dtype,
        )
    return Quadratic(
        inputs,
        settings.hidden,
        outputs,
        width=settings.width,
        variant=settings.variant,
        generator=draws,
        dtype=dtype,
    )


def _custom(settings: CustomNetwork, inputs: int, outputs: int, seed: int, dtype: torch.dtype) -> nn.Module:
    """A user's network, made with torch's random numbers seeded, and tried on some points."""
    title = f"network {settings.kind!r}"
    # its layers draw from torch's global generator, which others find as they left it
    with user_code(title), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "network"))
        network = settings.make(inputs, outputs)
    if not isinstance(network, nn.Module):
        raise InputError(f"{title}: expected a torch.nn.Module, got {type(network).__name__}")
    if not any(each.requires_grad for each in network.parameters()):
        raise InputError(f"{title}: it has no parameters to train")
    network = network.to(dtype)
    points = torch.linspace(-1, 1, TRIED * inputs, dtype=dtype).view(TRIED, inputs)
    # seeded, so that what works by chance works always or never
    with user_code(title), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "network tried"))
        found, again = network(points), network(points[: TRIED // 2])
    if not isinstance(found, torch.Tensor) or found.shape != (TRIED, outputs):
        got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise InputError(
            f"{title}: expected (n, {inputs}) to be mapped to (n, {outputs}), ({TRIED}, {inputs}) gave {got}"
        )
    if found.dtype != dtype:
        raise InputError(f"{title}: expected {dtype} as its parameters and points are, got {found.dtype}")
    if not found.requires_grad:
        raise InputError(f"{title}: as far as torch can see its values do not depend on its parameters")
    if not torch.allclose(found[: TRIED // 2], again, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise InputError(
            f"{title}: a row changes with the other rows, or by chance; it must be a function of its own point (no "
            "batch normalisation, no dropout)"
        )
    return network


def _function_of(activation: CustomActivation, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function of a user's activation, tried on some numbers."""
    title, numbers = f"activation {activation.name!r}", torch.linspace(-1, 1, 6, dtype=dtype).view(3, 2)
    with user_code(title):
        found = activation.function(numbers)
    if not isinstance(found, torch.Tensor) or found.shape != numbers.shape or found.dtype != dtype:
        got = f"{tuple(found.shape)} of {found.dtype}" if isinstance(found, torch.Tensor) else type(found).__name__
        raise InputError(f"{title}: expected (3, 2) of {dtype} to be mapped to the like, got {got}")
    return activation.function
