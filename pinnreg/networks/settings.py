"""The `network` section of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pinnreg.networks.mlp import Activation
from pinnreg.settings import STRICT, Count, Positive


@dataclass(frozen=True, config=STRICT)
class FourierSettings:
    """Random Fourier features: `count` normal frequencies of standard deviation `scale`, in half-waves a half-width."""

    count: Count = 16
    scale: Positive = 1.0


@dataclass(frozen=True, config=STRICT)
class FeatureSettings:
    """Input features: harmonics by periodic axis (1 if not given), and random Fourier features if wanted."""

    periodic: dict[str, Count] = Field(default_factory=dict)
    fourier: FourierSettings | None = None


@dataclass(frozen=True, config=STRICT)
class NetworkSettings:
    """The `network` section of a config."""

    kind: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (20, 20, 20)
    activation: Activation = "tanh"
    spread: Positive | None = 1.0
    features: FeatureSettings = FeatureSettings()
