"""Figures of a solution, its error field and its training history; matplotlib is imported only to draw."""

from __future__ import annotations

from pinnreg.plots.analysis import TermAnalysis, analysis
from pinnreg.plots.convergence import Convergence, convergence
from pinnreg.plots.layouts import error_field
from pinnreg.plots.loss_history import history
from pinnreg.plots.panels import Curve, Panel, panels
from pinnreg.plots.run import draw, title_of
from pinnreg.plots.saving import check_format, save
from pinnreg.plots.study_errors import ErrorRow, study_errors
from pinnreg.plots.study_fields import study_fields
from pinnreg.plots.study_weights import WeightCurves, study_weights

__all__ = [
    "Convergence",
    "Curve",
    "ErrorRow",
    "Panel",
    "TermAnalysis",
    "WeightCurves",
    "analysis",
    "check_format",
    "convergence",
    "draw",
    "error_field",
    "history",
    "panels",
    "save",
    "study_errors",
    "study_fields",
    "study_weights",
    "title_of",
]
