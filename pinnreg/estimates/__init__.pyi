from .another import AWAY, Another, another
from .bootstrap import FEWEST_REPLICATES, Bootstrap, Refit
from .bound import Bound, by_maximum_principle
from .defect import Correction, correction, features_of, rows_of
from .estimate import COLUMNS, Estimate, EstimatedErrors, Reliability, by_defect
from .intervals import NORMAL, BandSize, Interval, NoIntervalError, Uncertainty, required_uncertainty, uncertainty

__all__ = [
    "AWAY",
    "COLUMNS",
    "FEWEST_REPLICATES",
    "NORMAL",
    "Another",
    "BandSize",
    "Bootstrap",
    "Bound",
    "Correction",
    "Estimate",
    "EstimatedErrors",
    "Interval",
    "NoIntervalError",
    "Refit",
    "Reliability",
    "Uncertainty",
    "another",
    "by_defect",
    "by_maximum_principle",
    "correction",
    "features_of",
    "required_uncertainty",
    "rows_of",
    "uncertainty",
]
