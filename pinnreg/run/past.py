"""Runs that were made, read from their folders alone: nothing is imported that trains or evaluates."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from pinnreg.config import read_yaml
from pinnreg.errors import InputError
from pinnreg.files import is_file
from pinnreg.run.folder import RUN, STUDY, RunFolder

logger = logging.getLogger("pinnreg")

PROVENANCE = "provenance"


@final
@dataclass(frozen=True)
class Past:
    """A run that was made.

    Attributes:
        folder: the run's.
        settings: its whole config, without provenance.
        provenance: what it was made with.
        facts: the content of `report.json`; None for a run that has not ended.
        steps: made so far.
        seconds: of training, or of everything once it has ended.
        changed: when it was last at work, in seconds since 1970.
    """

    folder: Path
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    facts: Mapping[str, Any] | None
    steps: int
    seconds: float
    changed: float

    @property
    def problem(self) -> str:
        """The problem's name."""
        return str(self.settings["problem"]["name"])

    @property
    def regularisers(self) -> tuple[str, ...]:
        """What it was regularised with, as `ktv2 1e-06`."""
        return tuple(map(in_short, self.settings.get("regularisers") or ()))

    @property
    def error(self) -> float:
        """The largest relative L2 error of an output, RMSE where the reference is zero; NaN without a reference."""
        return _largest(self.facts and self.facts.get("errors"), "rel_l2", "rmse")

    @property
    def estimate(self) -> float:
        """The largest of the estimated errors, likewise."""
        return _largest(self.facts and self.facts.get("estimated_errors"), "rel_l2", "max_abs")

    @property
    def is_trusted(self) -> bool:
        """Whether all of its estimates are good."""
        found = (self.facts or {}).get("estimated_errors") or {}
        return bool(found) and all(each["reliability"] == "good" for each in found.values())

    @property
    def converged(self) -> bool | None:
        """Whether it says so; None where that is not known, as of a run that has not ended."""
        found = (self.facts or {}).get("converged")
        return None if found is None else bool(found)


def past_runs(where: str | Path, *, studies: bool = False) -> list[Past]:
    """The runs below a folder, the newest first; those that cannot be read are noted and left out.

    Args:
        where: a folder; that of a run, or any above.
        studies: whether the runs of studies count, too. Those of a study whose folder is `where` always do.

    Raises:
        InputError: no such folder.
    """
    root = Path(where)
    if not root.is_dir():
        raise InputError(f"{where}: no such folder; runs are in outputs/ unless --out said otherwise")
    found = []
    for folder in _folders(root, studies=studies):
        try:
            found += [run] if (run := _past(folder)) is not None else []
        except InputError as error:
            logger.warning("%s", error)
    return sorted(found, key=lambda run: (-run.changed, str(run.folder)))


def past(folder: str | Path) -> Past:
    """The run in a folder.

    Raises:
        InputError: there is none, or its files cannot be read.
    """
    if (found := _past(folder)) is None:
        raise InputError(f"{folder}: not a run's folder: its config.yaml does not say that pinnreg wrote it")
    return found


def _past(folder: str | Path) -> Past | None:
    """The same; None for a folder with a config.yaml of another origin."""
    found = RunFolder.existing(folder)
    settings = dict(read_yaml(found.config))
    provenance, problem = settings.pop(PROVENANCE, None), settings.get("problem")
    if not isinstance(provenance, Mapping) or "pinnreg" not in provenance:
        return None
    if not isinstance(problem, Mapping) or "name" not in problem:
        raise InputError(f"{found.config}: not readable: it names no problem")
    facts, (steps, seconds) = _facts(found.report), _last_row(found.history)
    if facts is not None:
        seconds = float(facts.get("wall_seconds") or seconds)
    changed = max(path.stat().st_mtime for path in (found.config, found.report, found.history) if path.is_file())
    return Past(found.path, settings, provenance, facts, steps, seconds, changed)


def in_short(regulariser: Mapping[str, Any]) -> str:
    """A regulariser in a few letters.

    >>> in_short({"kind": "ktv", "order": 2, "weight": 1e-6, "schedule": "constant"})
    'ktv2 1e-06'
    >>> in_short({"kind": "weight_noise", "sigma": 0.01}), in_short({"kind": "gpinn", "weight": "auto"})
    ('weight_noise 0.01', 'gpinn auto')
    """
    size = next((regulariser[key] for key in ("weight", "sigma") if regulariser.get(key) is not None), "")
    shown = f"{size:g}" if isinstance(size, float) else str(size)
    return f"{regulariser.get('kind', 'own')}{regulariser.get('order', '')} {shown}".strip()


def _folders(root: Path, *, studies: bool) -> Iterator[Path]:
    """Folders of runs, in no order; of a folder that pinnreg made for something else none that is hidden."""
    for path, names, files in os.walk(root):
        here = Path(path)
        if RUN.marker in files:
            yield here
            names.clear()
        elif STUDY.marker in files and not studies and here != root and not _inside_study(root):
            names.clear()
        names[:] = sorted(name for name in names if not name.startswith("."))


def _inside_study(root: Path) -> bool:
    return any(is_file(each / STUDY.marker) for each in (root, *root.absolute().parents))


def _facts(path: Path) -> dict[str, Any] | None:
    if not is_file(path):
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable report: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: not a readable report: expected names and values")
    return found


def _last_row(path: Path) -> tuple[int, float]:
    """Steps and seconds of the last row of a history; zeros if there is none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            *_, last = csv.DictReader(file)
        return int(float(last["step"])), float(last["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0.0


def _largest(found: Mapping[str, Mapping[str, Any]] | None, *keys: str) -> float:
    sizes = [
        next((each[key] for key in keys if each.get(key) is not None), math.nan) for each in (found or {}).values()
    ]
    return math.nan if not sizes else max(map(float, sizes))
