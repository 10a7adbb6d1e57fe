from .defect import Correction, correction
from .estimate import COLUMNS, Estimate, EstimatedErrors, Reliability, by_defect

__all__ = ["COLUMNS", "Correction", "Estimate", "EstimatedErrors", "Reliability", "by_defect", "correction"]
