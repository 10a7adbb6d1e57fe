from .compare import (
    Errors,
    ReferenceReport,
    Report,
    Validation,
    compare,
    main_error,
    relative_l2,
    validate_on,
    without_reference,
)
from .files import (
    finite,
    read_report,
    summary,
    write_json,
    write_report,
)
from .grid import grid_axes, grid_points, grid_sizes, middle_of, scattered_points
from .markdown import markdown_table
from .solution import Solution

__all__ = [
    "Errors",
    "ReferenceReport",
    "Report",
    "Solution",
    "Validation",
    "compare",
    "finite",
    "grid_axes",
    "grid_points",
    "grid_sizes",
    "main_error",
    "markdown_table",
    "middle_of",
    "read_report",
    "relative_l2",
    "scattered_points",
    "summary",
    "validate_on",
    "without_reference",
    "write_json",
    "write_report",
]
