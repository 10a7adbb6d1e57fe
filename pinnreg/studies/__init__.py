"""Many runs compared: all combinations of regularisers, other settings and seeds, in parallel processes."""

from pinnreg.studies.entries import Entry, baseline_of
from pinnreg.studies.measures import Run
from pinnreg.studies.model import Study
from pinnreg.studies.runner import StudyResult, study
from pinnreg.studies.summary import cells, columns, verdict

__all__ = ["Entry", "Run", "Study", "StudyResult", "baseline_of", "cells", "columns", "study", "verdict"]
