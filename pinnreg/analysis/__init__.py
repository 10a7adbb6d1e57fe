"""What a trained network is like beside its error: the sharpness of its minimum, and how much its solution varies."""

from pinnreg.analysis.sharpness import Sharpness, sharpness, term_sharpness, weighted_sharpness
from pinnreg.analysis.variation import variation

__all__ = ["Sharpness", "sharpness", "term_sharpness", "variation", "weighted_sharpness"]
