"""Regularisers: what keeps a network smooth between the points it was trained on.

Penalties are loss terms: `KTV`, `Jacobian` and `GPINN` at points, `Ridge` and `Orthogonality` on the parameters. They
give rows, vectors whose mean of |row|^power is the penalty, so that with power 2 every optimiser takes them as more
least-squares residuals. Noise, `NoiseStability` and `WeightNoise`, is no term: the whole loss is taken at perturbed
parameters.
"""

from pinnreg.regularisers.axes import uniform_points
from pinnreg.regularisers.gpinn import GPINN
from pinnreg.regularisers.jacobian import Jacobian
from pinnreg.regularisers.ktv import KTV
from pinnreg.regularisers.noise import UNSHIFTED, NoiseStability, Shift, WeightNoise
from pinnreg.regularisers.orthogonality import Orthogonality
from pinnreg.regularisers.ridge import Ridge
from pinnreg.regularisers.rows import Rows, Site
from pinnreg.regularisers.schedules import Schedule, annealed

PointPenalty = KTV | Jacobian | GPINN
ParameterPenalty = Ridge | Orthogonality
Penalty = PointPenalty | ParameterPenalty
Noise = NoiseStability | WeightNoise
Regulariser = Penalty | Noise

__all__ = [
    "GPINN",
    "KTV",
    "UNSHIFTED",
    "Jacobian",
    "Noise",
    "NoiseStability",
    "Orthogonality",
    "ParameterPenalty",
    "Penalty",
    "PointPenalty",
    "Regulariser",
    "Ridge",
    "Rows",
    "Schedule",
    "Shift",
    "Site",
    "WeightNoise",
    "annealed",
    "uniform_points",
]
