"""What is minimised: named vectors of residuals with weights."""

from pinnreg.objective.jacobian import Linearisation, Linearised
from pinnreg.objective.objective import Objective
from pinnreg.objective.points import PointSettings
from pinnreg.objective.regression import regression
from pinnreg.objective.replicas import Replicas
from pinnreg.objective.trainable import Trainable

__all__ = [
    "Linearisation",
    "Linearised",
    "Objective",
    "PointSettings",
    "Replicas",
    "Trainable",
    "regression",
]
