from .binding import bound, trained
from .build import build
from .features import Feature, InputFeatures
from .mlp import ACTIVATIONS, MLP
from .quadratic import Quadratic, QuadraticBlock, weights_of_blocks
from .settings import (
    ACTIVATION_NAMES,
    Activation,
    FeatureSettings,
    FourierSettings,
    MLPSettings,
    NetworkSettings,
    QuadraticSettings,
    Variant,
    mlp_if_not_said,
)
from .symmetric import Symmetric
from .widened import widened

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_NAMES",
    "MLP",
    "Activation",
    "Feature",
    "FeatureSettings",
    "FourierSettings",
    "InputFeatures",
    "MLPSettings",
    "NetworkSettings",
    "Quadratic",
    "QuadraticBlock",
    "QuadraticSettings",
    "Symmetric",
    "Variant",
    "bound",
    "build",
    "mlp_if_not_said",
    "trained",
    "weights_of_blocks",
    "widened",
]
