"""`redraw`: the figures of a run, drawn again."""

from __future__ import annotations

import logging
from pathlib import Path

from pinnreg.config import Problems
from pinnreg.report import read_report
from pinnreg.run.folder import UNFINISHED, RunFolder, make_writable
from pinnreg.run.line import evaluate
from pinnreg.run.results import write_figures
from pinnreg.training import read_history

logger = logging.getLogger("pinnreg")


def redraw(run: str | Path, suffix: str, problems: Problems = None) -> list[Path]:
    """Draw the figures of a run into its folder; returns their paths.

    Those of a run that has ended are drawn from its files alone. One that has not is evaluated as far as it was
    trained; its figures say so, and are gone when it goes on.

    Args:
        run: the run's folder.
        suffix: png, pdf or svg.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.

    Raises:
        InputError: a folder without a run or that cannot be written, or a run that cannot be evaluated.
    """
    folder = RunFolder.existing(run)
    history = read_history(folder.history)
    if folder.report.is_file():
        report = read_report(folder.path)
        make_writable(folder.path)
        return write_figures(folder.path, report, history, suffix)
    solved = evaluate(folder.path, problems=problems, estimate="none").report
    assert solved is not None
    step = int(history["step"][-1])
    logger.warning("%s: the run has not ended; its figures are as far as it was trained, past step %d", run, step)
    make_writable(folder.path)
    return write_figures(folder.path, solved, history, suffix, prefix=UNFINISHED, note="not ended")
