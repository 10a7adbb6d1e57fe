from .entries import Entry, baseline_of
from .figures import figure_files
from .measures import ZERO_REFERENCES, Run
from .model import Study, heading, read_study
from .origins import origins
from .repeating import Repeated, again
from .runner import StudyResult, folder_of, study
from .summary import body, table, verdicts
from .zoo import SOLVED, WRONG, ZooRow, ZooRun, zoo_rows
from .zoo_study import zoo_study

__all__ = [
    "SOLVED",
    "WRONG",
    "ZERO_REFERENCES",
    "Entry",
    "Repeated",
    "Run",
    "Study",
    "StudyResult",
    "ZooRow",
    "ZooRun",
    "again",
    "baseline_of",
    "body",
    "figure_files",
    "folder_of",
    "heading",
    "origins",
    "read_study",
    "study",
    "table",
    "verdicts",
    "zoo_rows",
    "zoo_study",
]
