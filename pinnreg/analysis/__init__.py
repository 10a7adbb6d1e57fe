"""What a trained network is like beside its error: how sharp its minimum is and whether it is global, and how much its
solution varies.
"""

from pinnreg.analysis.quadratic import Certificate, Escape, certificate, least_squares_minimum
from pinnreg.analysis.sharpness import Sharpness, sharpness, term_sharpness, weighted_sharpness
from pinnreg.analysis.variation import variation

__all__ = [
    "Certificate",
    "Escape",
    "Sharpness",
    "certificate",
    "least_squares_minimum",
    "sharpness",
    "term_sharpness",
    "variation",
    "weighted_sharpness",
]
