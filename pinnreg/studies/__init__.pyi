from .entries import Entry, baseline_of
from .figures import figure_files
from .measures import ZERO_REFERENCES, Run
from .model import Study, heading, read_study
from .origins import origins
from .runner import StudyResult, folder_of, study
from .summary import body, cells, columns, verdict

__all__ = [
    "ZERO_REFERENCES",
    "Entry",
    "Run",
    "Study",
    "StudyResult",
    "baseline_of",
    "body",
    "cells",
    "columns",
    "figure_files",
    "folder_of",
    "heading",
    "origins",
    "read_study",
    "study",
    "verdict",
]
