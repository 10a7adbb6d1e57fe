"""What is minimised: named vectors of residuals with weights."""

from pinnreg.objective.filling import jacobian_of
from pinnreg.objective.jacobian import Linearisation, Linearised
from pinnreg.objective.objective import Objective
from pinnreg.objective.points import PointSettings

__all__ = ["Linearisation", "Linearised", "Objective", "PointSettings", "jacobian_of"]
