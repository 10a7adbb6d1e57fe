"""`animate`: the evolution of a run's solution in time, from its files alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from pinnreg import plots
from pinnreg.errors import InputError
from pinnreg.report import Report, cut, read_report
from pinnreg.run.folder import EVOLUTIONS, RunFolder
from pinnreg.run.places import place

FPS, SECONDS = 20, 5.0
FASTEST, LONGEST, MOST_FRAMES = 50, 60.0, 600
"""Frames a second, seconds, and frames in all, which are kept until the film is written."""


def animate(run: str | Path, out: str | Path | None = None, fps: int = FPS, seconds: float = SECONDS) -> Path:
    """Write a film of a finished run: curves of solution and reference, or maps on one scale, over time.

    Each frame is a time of the run's grid, as evenly apart as these allow; of further axes it shows the middle.

    Args:
        run: the run's folder.
        out: the file, .gif or .mp4; None for `evolution.gif` in the run's folder.
        fps: frames a second at most; fewer where the grid has fewer times.
        seconds: how long it takes.

    Returns:
        Where it is.

    Raises:
        InputError: a folder without a run, a run that has not ended, one without time, numbers out of range, MP4
            without ffmpeg, or a place that cannot be written or has a file that is no such film.
    """
    if not 1 <= fps <= FASTEST:
        raise InputError(f"--fps {fps}: expected 1 to {FASTEST} frames a second")
    if not (math.isfinite(seconds) and 0 < seconds <= LONGEST):
        raise InputError(f"--seconds {seconds:g}: expected more than 0 and at most {LONGEST:g}")
    folder = RunFolder.existing(run)
    path = Path(EVOLUTIONS[0] if out is None else out)
    plots.check_film(path)
    # in its folder a run has either of its own names
    own = path.name if path.name in EVOLUTIONS else EVOLUTIONS[0]
    target = place(folder, out, own, plots.FILM_MARK)
    report = in_time(read_report(folder.path), str(run))
    numbers = frames_of(len(report.axes["t"]), fps, seconds, str(run))
    target.parent.mkdir(parents=True, exist_ok=True)
    plots.save_film(plots.evolution(report), numbers, seconds, target)
    return target


def in_time(report: Report, title: str) -> Report:
    """The report of at most two axes beside time; others are in the middle.

    Raises:
        InputError: there is no time in its grid, or nothing beside it.
    """
    axes = report.axes
    if "t" not in axes:
        kept = report.facts.get("plane", {})
        why = "its fields are kept at the end of time alone" if "t" in kept else f"its axes are {', '.join(axes)}"
        raise InputError(f"{title}: there is no time to animate: {why}")
    if len(axes) == 1:
        raise InputError(f"{title}: its only axis is t, and error_field.png shows the whole course")
    rest = {name: axis for name, axis in axes.items() if name != "t"}
    if at := plots.cut(rest, report.facts.get("parameter_axes") or ()):
        return replace(cut(report, at), outline=report.outline)
    return report


def frames_of(times: int, fps: int, seconds: float, title: str) -> list[int]:
    """The numbers of the times that are shown, with the first and the last.

    Raises:
        InputError: too many.
    """
    count = min(times, max(round(fps * seconds), 2))
    if count > MOST_FRAMES:
        raise InputError(
            f"{title}: {count} frames, of which {MOST_FRAMES} are kept at most; say fewer --fps or --seconds"
        )
    return [round(each) for each in np.linspace(0, times - 1, count).tolist()]
