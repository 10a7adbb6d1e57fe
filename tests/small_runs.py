"""Runs of a few steps, and folders of them, for tests that only look at what a run has left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pinnreg

TINY: dict[str, Any] = {
    "problem": {"name": "heat"},
    "network": {"hidden": [5]},
    "points": {"interior": 20},
    "train": [{"optimiser": "adam", "steps": 4, "learning_rate": 1e-2}],
    "evaluate": {"grid": [7, 6], "estimate": "none"},
    "device": "cpu",
}


def finished(folder: Path, changes: dict[str, Any] | None = None, **more: Any) -> Path:
    """The folder of a run that has ended, without figures."""
    pinnreg.solve({**TINY, **more}, changes or {}, out=folder, figures=False, progress=False)
    return folder


def interrupted(folder: Path, run: Path) -> Path:
    """A copy of a run as it was before it had ended."""
    folder.mkdir()
    for name in ("config.yaml", "history.csv", "checkpoint.pt"):
        shutil.copy(run / name, folder)
    return folder
