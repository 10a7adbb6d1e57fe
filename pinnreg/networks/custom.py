"""Networks and activations of a user's own, as settings that a config can hold.

    class Skip(nn.Module):
        def __init__(self, inputs: int, outputs: int, width: int = 32):
            ...

        def forward(self, points):
            ...

A network is any `torch.nn.Module` that maps (n, inputs) to (n, outputs), each row by itself. A class is given `inputs`,
`outputs` and its settings by name; `inputs` is the number of input features: the coordinates mapped onto [-1, 1],
sines and cosines of periodic ones. It is made with torch's random numbers seeded by the run. An activation is a
function of a tensor, smooth if derivatives of u are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, final

from pinnreg.networks.settings import FeatureSettings, Scale

if TYPE_CHECKING:
    from torch import Tensor, nn


@final
@dataclass(frozen=True)
class CustomNetwork:
    """A user's network.

    Attributes:
        kind: its name in a config.
        make: gives the module, from `inputs` and `outputs`.
        settings: what `make` was told besides, as a config says it.
        features: what the inputs are.
        scale: the size of what it gives.
        symmetry: whether it is made to have the symmetries that the problem declares.
    """

    kind: str
    make: Callable[[int, int], nn.Module]
    settings: Mapping[str, Any]
    features: FeatureSettings = field(default_factory=FeatureSettings)
    scale: Scale = "auto"
    symmetry: bool = True

    def entries(self, inputs: int, outputs: int) -> int:
        """How many numbers its features have; those of the module show when it is made."""
        return self.features.entries(inputs)

    def plain(self) -> dict[str, Any]:
        """What a config file says of it."""
        return {
            "kind": self.kind,
            **self.settings,
            "scale": self.scale,
            "symmetry": self.symmetry,
            "features": asdict(self.features),
        }


@final
@dataclass(frozen=True)
class CustomActivation:
    """A user's activation.

    Attributes:
        name: in a config.
        function: of a tensor.
    """

    name: str
    function: Callable[[Tensor], Tensor]

    def plain(self) -> str:
        """What a config file says of it."""
        return self.name
