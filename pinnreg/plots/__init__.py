"""Figures of a solution, its error field and its training history; matplotlib is imported only to draw."""

from __future__ import annotations

from pinnreg.plots.layouts import error_field
from pinnreg.plots.loss_history import history
from pinnreg.plots.saving import save

__all__ = ["error_field", "history", "save"]
