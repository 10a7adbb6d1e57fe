"""Solutions, their errors against a reference, and the files that keep them."""

from pinnreg.report.compare import Errors, ReferenceReport, Report, compare, relative_l2, without_reference
from pinnreg.report.files import read_report, summary, write_json, write_report
from pinnreg.report.grid import grid_axes
from pinnreg.report.solution import Solution

__all__ = [
    "Errors",
    "ReferenceReport",
    "Report",
    "Solution",
    "compare",
    "grid_axes",
    "read_report",
    "relative_l2",
    "summary",
    "without_reference",
    "write_json",
    "write_report",
]
