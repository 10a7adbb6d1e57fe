from .defect import Correction, correction
from .estimate import COLUMNS, Estimate, EstimatedErrors, Reliability, by_defect
from .intervals import Interval, Uncertainty, uncertainty

__all__ = [
    "COLUMNS",
    "Correction",
    "Estimate",
    "EstimatedErrors",
    "Interval",
    "Reliability",
    "Uncertainty",
    "by_defect",
    "correction",
    "uncertainty",
]
