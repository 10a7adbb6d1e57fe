"""`redraw`: the figures of a run, drawn again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnreg.config import FigureSettings, Problems
from pinnreg.errors import InputError
from pinnreg.report import Report, read_report
from pinnreg.run.checking import check_labels
from pinnreg.run.folder import UNFINISHED, RunFolder, make_writable
from pinnreg.run.line import evaluate
from pinnreg.run.prepare import prepare
from pinnreg.run.results import write_figures
from pinnreg.run.resuming import Begun
from pinnreg.run.viewing import viewed
from pinnreg.training import read_history

logger = logging.getLogger("pinnreg")

SECTION = "figures"


def redraw(
    run: str | Path, suffix: str, problems: Problems = None, overrides: Mapping[str, Any] | None = None
) -> list[Path]:
    """Draw the figures of a run into its folder; returns their paths.

    Those of a run that has ended are drawn from its files alone, unless they are to show what these have not: other
    times, other planes, or the residual; then the network is asked again. One that has not ended is evaluated as far
    as it was trained; its figures say so, and are gone when it goes on.

    Args:
        run: the run's folder.
        suffix: png, pdf or svg.
        problems: a folder, or several, of problem files besides the shipped ones; None: `./problems`, if there is one.
        overrides: values of the `figures` section by dotted key, such as {"figures.size": "single-column"}, before
            those of the run's config.

    Raises:
        InputError: a folder without a run or that cannot be written, a run that cannot be evaluated, or figures that
            it cannot have.
    """
    folder = RunFolder.existing(run)
    begun = Begun.read(run)
    changes = dict(overrides or {})
    if foreign := [key for key in changes if key.partition(".")[0] != SECTION]:
        raise InputError(
            f"plot --set {foreign[0]}: only the figures can be set, as in --set figures.size=single-column"
        )
    figures = begun.with_figures(changes)
    history = read_history(folder.history)
    if folder.report.is_file():
        report = read_report(folder.path)
        check_labels(figures.labels, _names(report, begun))
        if figures.content != begun.config.figures.content or _lacks_views(report):
            report = _seen_again(
                begun, report, figures, problems, needed=figures.content != begun.config.figures.content
            )
        make_writable(folder.path)
        return write_figures(folder.path, report, history, suffix, figures)
    solved = evaluate(folder.path, problems=problems, estimate="none").report
    assert solved is not None
    step = int(history["step"][-1])
    logger.warning("%s: the run has not ended; its figures are as far as it was trained, past step %d", run, step)
    solved = _seen_again(begun, solved, figures, problems, needed=True)
    make_writable(folder.path)
    return write_figures(folder.path, solved, history, suffix, figures, prefix=UNFINISHED, note="not ended")


def _names(report: Report, begun: Begun) -> Sequence[str]:
    """The outputs and axes, as far as the files of a run say; labels of its own config were checked before."""
    known = [*report.facts.get("outputs", ()), *report.axes, *report.facts.get("plane", {})]
    return [*known, *begun.config.figures.labels]


def _lacks_views(report: Report) -> bool:
    """Whether a run drew no figures, or is of before these looked besides the grid."""
    axes = list(report.axes)
    cut = len(axes) > 2 or (len(axes) == 2 and "t" in axes)
    return cut and not report.views and not report.facts.get("parameter_axes")


def _seen_again(begun: Begun, report: Report, figures: FigureSettings, problems: Problems, *, needed: bool) -> Report:
    """The report with what the figures show besides the grid, by the run's network.

    Raises:
        InputError: the run cannot be evaluated, and the figures cannot do without.
    """
    try:
        resolved = begun.resolved(None, {"device": "cpu"}, problems)
        prepared = prepare(replace(resolved, config=replace(resolved.config, figures=figures)))
        solution = prepared.solution(begun.state(prepared)["parameters"], {}).with_report(report)
        found = viewed(solution, prepared, figures).report
    except InputError as refused:
        if needed:
            raise
        logger.warning("drawn from the run's files alone: %s", refused)
        return report
    assert found is not None
    return found
