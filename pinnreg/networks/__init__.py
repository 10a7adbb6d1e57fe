"""Networks: a multilayer perceptron or a deep quadratic network behind input features.

Inputs are first mapped from the domain onto [-1, 1] per axis, so that the initialisation means the same on every
domain. A periodic axis enters as sines and cosines of its own period instead, which makes every output periodic with
all its derivatives. Random Fourier features (Tancik et al. 2020, arXiv:2006.10739) are appended when asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
