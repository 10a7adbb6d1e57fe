"""What a network is like beside its error: how sharp its minimum is and whether it is global, how much its solution
varies, and its tangent kernel.
"""

from pinnreg.analysis.infinite import InfiniteKernels, infinite_kernels
from pinnreg.analysis.kernels import Kernel
from pinnreg.analysis.lazy import Drift, drift, moved, predict, trajectory
from pinnreg.analysis.ntk import ntk, stacked
from pinnreg.analysis.profile import Variation, variation_profile
from pinnreg.analysis.quadratic import Certificate, Escape, certificate, least_squares_minimum
from pinnreg.analysis.sharpness import Sharpness, sharpness, term_sharpness, weighted_sharpness
from pinnreg.analysis.spectra import TermKernel, imbalance, term_kernels
from pinnreg.analysis.variation import variation
from pinnreg.analysis.wide import WideNetwork

__all__ = [
    "Certificate",
    "Drift",
    "Escape",
    "InfiniteKernels",
    "Kernel",
    "Sharpness",
    "TermKernel",
    "Variation",
    "WideNetwork",
    "certificate",
    "drift",
    "imbalance",
    "infinite_kernels",
    "least_squares_minimum",
    "moved",
    "ntk",
    "predict",
    "sharpness",
    "stacked",
    "term_kernels",
    "term_sharpness",
    "trajectory",
    "variation",
    "variation_profile",
    "weighted_sharpness",
]
