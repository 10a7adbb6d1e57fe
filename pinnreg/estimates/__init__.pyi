from .bound import Bound, by_maximum_principle
from .defect import Correction, correction, features_of, rows_of
from .estimate import COLUMNS, Estimate, EstimatedErrors, Reliability, by_defect
from .intervals import NORMAL, Interval, Uncertainty, uncertainty

__all__ = [
    "COLUMNS",
    "NORMAL",
    "Bound",
    "Correction",
    "Estimate",
    "EstimatedErrors",
    "Interval",
    "Reliability",
    "Uncertainty",
    "by_defect",
    "by_maximum_principle",
    "correction",
    "features_of",
    "rows_of",
    "uncertainty",
]
