"""What the runs of a study were made with: a study may be older than the page that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pinnreg.config import read_yaml
from pinnreg.errors import InputError
from pinnreg.run import RunFolder
from pinnreg.studies.measures import Run


def origins(folder: Path, runs: Sequence[Run]) -> Counter[str]:
    """How many of a study's runs were made with which versions and on which kind of device, from their configs.

    A run whose folder was removed by hand, but for its metrics, is counted as unknown.
    """
    hashes = dict.fromkeys(run.plan.hash for run in runs)
    return Counter(_origin(RunFolder(folder / "runs" / each)) for each in hashes)


def _origin(folder: RunFolder) -> str:
    try:
        known = read_yaml(folder.config)["provenance"]
        versions = ", ".join(f"{name} {known[name]}" for name in ("pinnreg", "torch", "numpy", "scipy"))
        commit = f", commit {known['commit']}" if known["commit"] else ""
        return f"{versions}{commit}, {known['device']}, CPU threads {known['threads']}"
    except (InputError, KeyError, TypeError):
        return "unknown"
