from .entries import Entry, baseline_of
from .measures import Run
from .model import Study, read_study
from .runner import StudyResult, study
from .summary import cells, columns, verdict

__all__ = ["Entry", "Run", "Study", "StudyResult", "baseline_of", "cells", "columns", "read_study", "study", "verdict"]
