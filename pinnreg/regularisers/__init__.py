"""Regularisers: what keeps a network smooth between the points it was trained on.

Penalties are loss terms: `KTV`, `Jacobian` and `GPINN` at points, `Ridge` and `Orthogonality` on the parameters. Noise,
`NoiseStability` and `WeightNoise`, is no term: the whole loss is taken at perturbed parameters. `interface` says what
each is to the objective. They are settings first: importing them imports no torch.
"""

from pinnreg.regularisers.custom import COMMON, Custom, CustomParameterPenalty, CustomPenalty, but_weight, custom
from pinnreg.regularisers.gpinn import GPINN
from pinnreg.regularisers.interface import (
    UNSHIFTED,
    Noise,
    ParameterPenalty,
    Penalty,
    PointPenalty,
    Regulariser,
    Shift,
    acts,
)
from pinnreg.regularisers.jacobian import Jacobian
from pinnreg.regularisers.ktv import KTV
from pinnreg.regularisers.noise import NoiseStability, WeightNoise
from pinnreg.regularisers.orthogonality import Orthogonality
from pinnreg.regularisers.ridge import Ridge
from pinnreg.regularisers.schedules import Schedule, annealed

Shipped = KTV | Jacobian | GPINN | Ridge | Orthogonality | NoiseStability | WeightNoise
"""Those that a config can name without a file of the user's; its `kind` says which."""

__all__ = [
    "COMMON",
    "GPINN",
    "KTV",
    "UNSHIFTED",
    "Custom",
    "CustomParameterPenalty",
    "CustomPenalty",
    "Jacobian",
    "Noise",
    "NoiseStability",
    "Orthogonality",
    "ParameterPenalty",
    "Penalty",
    "PointPenalty",
    "Regulariser",
    "Ridge",
    "Schedule",
    "Shift",
    "Shipped",
    "WeightNoise",
    "acts",
    "annealed",
    "but_weight",
    "custom",
]
