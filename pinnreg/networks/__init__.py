"""Networks: a multilayer perceptron behind input features.

Inputs are first mapped from the domain onto [-1, 1] per axis, so that the initialisation means the same on every
domain. A periodic axis enters as sines and cosines of its own period instead, which makes every output periodic with
all its derivatives. Random Fourier features (Tancik et al. 2020, arXiv:2006.10739) are appended when asked for.
"""

from pinnreg.networks.build import build
from pinnreg.networks.features import InputFeatures
from pinnreg.networks.mlp import ACTIVATIONS, MLP, Activation
from pinnreg.networks.settings import FeatureSettings, FourierSettings, NetworkSettings

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Activation",
    "FeatureSettings",
    "FourierSettings",
    "InputFeatures",
    "NetworkSettings",
    "build",
]
