"""`reproduce`: an experiment by name, with its figure and its numbers in a folder."""

from __future__ import annotations

import time
from pathlib import Path

from pinnreg import plots
from pinnreg.errors import unknown
from pinnreg.report import write_json
from pinnreg.reproductions.experiments import EXPERIMENTS
from pinnreg.reproductions.model import Progress, Reproduction
from pinnreg.run.folder import EXPERIMENT, make_writable
from pinnreg.run.provenance import package_version


def reproduce(
    name: str, out: str | Path | None = None, progress: Progress = lambda *_: None, *, full: bool = False
) -> Reproduction:
    """Make a paper's experiment again, and write `figure.png` and `result.json`.

    Args:
        name: the method.
        out: the folder to write into, `outputs/reproduce_<name>` if not given; what an earlier call wrote is replaced.
        progress: called with what is being done, how much of it is done, and of how much.
        full: more seeds and steps, and the paper's sizes where they are known, for hours; else a few minutes.

    Returns:
        The tables and claims; `reproduced` says whether all claims hold.

    Raises:
        InputError: an unknown name, or a folder that cannot be written.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    folder = folder_of(name, full=full) if out is None else Path(out)
    EXPERIMENT.check(folder, f"reproduce: {folder}")
    make_writable(folder)
    started = time.monotonic()
    found = EXPERIMENTS[name](full, progress)
    seconds = time.monotonic() - started
    # the JSON first: it says that the figure is ours, should the process end between the two
    facts = {"name": name, "full": full, "seconds": seconds, "pinnreg": package_version()}
    write_json(folder / "result.json", {**found.data(), **facts})
    note = f"{found.paper}; seeds {', '.join(map(str, found.seeds))}; {found.steps:,} steps in {seconds:.0f} s"
    plots.save(plots.panels(found.panels, title=found.title, note=note), folder / "figure.png")
    return found


def folder_of(name: str, *, full: bool) -> Path:
    """Where an experiment is written by default."""
    return Path("outputs") / f"reproduce_{name}{'_full' if full else ''}"
