from .entries import Entry, baseline_of
from .figures import figure_files
from .measures import ZERO_REFERENCES, Run
from .model import Study, heading, read_study
from .origins import origins
from .runner import StudyResult, folder_of, study
from .summary import body, cells, columns, verdict
from .zoo import SOLVED, WRONG, ZooRow, ZooRun, zoo_rows, zoo_study

__all__ = [
    "SOLVED",
    "WRONG",
    "ZERO_REFERENCES",
    "Entry",
    "Run",
    "Study",
    "StudyResult",
    "ZooRow",
    "ZooRun",
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
    "zoo_rows",
    "zoo_study",
]
