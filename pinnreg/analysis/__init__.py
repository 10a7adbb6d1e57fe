"""What a trained network is like beside its error: the sharpness of its minimum."""

from pinnreg.analysis.sharpness import Sharpness, sharpness, term_sharpness, weighted_sharpness

__all__ = ["Sharpness", "sharpness", "term_sharpness", "weighted_sharpness"]
