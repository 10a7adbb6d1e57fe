from .filling import jacobian_of
from .jacobian import Linearisation, Linearised
from .objective import Objective
from .regression import regression
from .replicas import Replicas
from .settings import PointSettings
from .trainable import Trainable

__all__ = [
    "Linearisation",
    "Linearised",
    "Objective",
    "PointSettings",
    "Replicas",
    "Trainable",
    "jacobian_of",
    "regression",
]
