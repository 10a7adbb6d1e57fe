"""Many runs compared: all combinations of regularisers, other settings and seeds, in parallel processes."""

from pinnreg.studies.entries import Entry, baseline_of
from pinnreg.studies.figures import figure_files
from pinnreg.studies.measures import Run
from pinnreg.studies.model import Study, heading
from pinnreg.studies.origins import origins
from pinnreg.studies.runner import StudyResult, study
from pinnreg.studies.summary import body, cells, columns, verdict

__all__ = [
    "Entry",
    "Run",
    "Study",
    "StudyResult",
    "baseline_of",
    "body",
    "cells",
    "columns",
    "figure_files",
    "heading",
    "origins",
    "study",
    "verdict",
]
