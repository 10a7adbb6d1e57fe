"""Networks: a multilayer perceptron or a deep quadratic network behind input features.

Inputs are first mapped from the domain onto [-1, 1] per axis, so that the initialisation means the same on every
domain. A periodic axis enters as sines and cosines of its own period instead, which makes every output periodic with
all its derivatives. Random Fourier features (Tancik et al. 2020, arXiv:2006.10739) are appended when asked for.
"""

from pinnreg.networks.binding import bound
from pinnreg.networks.build import build
from pinnreg.networks.features import InputFeatures
from pinnreg.networks.mlp import ACTIVATIONS, MLP, Activation
from pinnreg.networks.quadratic import Quadratic, QuadraticBlock, Variant, weights_of_blocks
from pinnreg.networks.settings import (
    FeatureSettings,
    FourierSettings,
    MLPSettings,
    NetworkSettings,
    QuadraticSettings,
    mlp_if_not_said,
)

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Activation",
    "FeatureSettings",
    "FourierSettings",
    "InputFeatures",
    "MLPSettings",
    "NetworkSettings",
    "Quadratic",
    "QuadraticBlock",
    "QuadraticSettings",
    "Variant",
    "bound",
    "build",
    "mlp_if_not_said",
    "weights_of_blocks",
]
