"""The `network` section of a config, one class for each kind of network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StrictBool, model_validator
from pydantic.dataclasses import dataclass

from pinnreg.settings import OWN, STRICT, Count, Positive

Scale = Positive | Literal["auto"]
"""The size of what a network gives: a number for all outputs, or what their data ask for."""

Activation = Literal["tanh", "sin", "gelu", "softplus", "swish"]
ACTIVATION_NAMES: tuple[Activation, ...] = get_args(Activation)

Variant = Literal["plain", "norm", "orth"]


@dataclass(frozen=True, config=STRICT)
class FourierSettings:
    """Random Fourier features: `count` normal frequencies of standard deviation `scale`, in half-waves a half-width."""

    count: Count = 16
    scale: Positive = 1.0


@dataclass(frozen=True, config=STRICT)
class FeatureSettings:
    """Input features.

    Attributes:
        periodic: harmonics by periodic axis, 1 if not given.
        fourier: random Fourier features, if wanted.
        corner: whether corners of a polygon, where second derivatives have no bound, give their singular function, as
            r^(π/ω) sin πθ/ω.
    """

    periodic: dict[str, Count] = Field(default_factory=dict)
    fourier: FourierSettings | None = None
    corner: StrictBool = True

    def width(self, inputs: int) -> int:
        """The number of features, given that of those before the random ones."""
        return inputs + (2 * self.fourier.count if self.fourier else 0)

    def entries(self, inputs: int) -> int:
        """The number of frequencies' components."""
        return inputs * self.fourier.count if self.fourier else 0


@dataclass(frozen=True, config=STRICT)
class MLPSettings:
    """A multilayer perceptron with the same smooth activation between all its layers.

    Attributes:
        hidden: the neurons of each hidden layer.
        activation: its name, or one of the user's own.
        spread: how different the neurons are in place and scale at the start; null for Xavier weights and zero biases.
        scale: the size of what it gives.
        symmetry: whether it is made to have the symmetries that the problem declares.
        features: what it gets in the place of coordinates.
    """

    kind: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (20, 20, 20)
    activation: Annotated[Activation, *OWN] = "tanh"
    spread: Positive | None = 1.0
    scale: Scale = "auto"
    symmetry: StrictBool = True
    features: FeatureSettings = FeatureSettings()

    def entries(self, inputs: int, outputs: int) -> int:
        """How many numbers it has, given the width of what comes before random features."""
        fourier = self.features.entries(inputs)
        sizes = [self.features.width(inputs), *self.hidden, outputs]
        return fourier + sum((before + 1) * after for before, after in itertools.pairwise(sizes))


@dataclass(frozen=True, config=STRICT)
class QuadraticSettings:
    """A deep quadratic network: blocks of squared neurons, a polynomial of degree 2 to the number of blocks.

    Attributes:
        hidden: the neurons of each block.
        width: the features that a block hands to the next, beside the inputs; null for as many as there are inputs.
        variant: "plain"; "norm" with a trained multiple of the inputs' squared norm in each output; "orth", which
            starts with orthogonal weights and needs the regulariser `orthogonality`.
        scale: the size of what it gives.
        symmetry: whether it is made to have the symmetries that the problem declares.
    """

    kind: Literal["quadratic"] = "quadratic"
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (20, 20, 20)
    width: Count | None = None
    variant: Variant = "plain"
    scale: Scale = "auto"
    symmetry: StrictBool = True
    features: FeatureSettings = FeatureSettings()

    @model_validator(mode="after")
    def _width_needs_two_blocks(self) -> QuadraticSettings:
        if self.width is not None and len(self.hidden) == 1:
            raise ValueError("width is what one block hands to the next: it has no effect with one block in hidden")
        return self

    def entries(self, inputs: int, outputs: int) -> int:
        """How many numbers it has at most, given the width of what comes before random features."""
        features = self.features.width(inputs)
        between = features if self.width is None else self.width
        # each neuron sees all inputs, and is seen by all outputs of its block
        return self.features.entries(inputs) + sum(self.hidden) * (features + 2 * between + outputs + 1)


NetworkSettings = MLPSettings | QuadraticSettings


def mlp_if_not_said(section: Any) -> Any:
    """The section with `kind: mlp` if it says none."""
    return {"kind": "mlp", **section} if isinstance(section, Mapping) else section
