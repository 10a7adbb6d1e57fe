"""Finished runs of a study made once more: are they the same, bit for bit?"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.processes import cores
from pinnreg.studies.claim import claimed
from pinnreg.studies.measures import CPU_SECONDS, OK, Measures, Run
from pinnreg.studies.processes import in_processes
from pinnreg.studies.tasks import run_folder, task_of

if TYPE_CHECKING:
    from pinnreg.studies.runner import StudyResult

CLOCKS = ("seconds", CPU_SECONDS)
"""Measures, and columns of a history, that are no result."""


@final
@dataclass(frozen=True)
class Repeated:
    """A run that was made once more.

    Attributes:
        run: as it was.
        differs: what is not the same, such as "fields.npz: u"; nothing if every bit is.
    """

    run: Run
    differs: tuple[str, ...]


def drawn(runs: Sequence[Run], count: int, seed: int) -> list[Run]:
    """So many of the runs that ended, each at most once.

    Raises:
        InputError: there are not so many.
    """
    done = list({run.plan.hash: run for run in runs if run.done}.values())
    if not 0 < count <= len(done):
        raise InputError(f"repeat: expected from 1 to {len(done)}, the runs that have ended, got {count}")
    return [done[place] for place in np.random.default_rng(seed).permutation(len(done))[:count]]


def again(
    found: StudyResult,
    count: int,
    seed: int,
    jobs: int | None = None,
    interrupted: Callable[[], int | None] = lambda: None,
) -> Iterator[Repeated]:
    """Make some runs of a study once more, elsewhere, and compare their fields, histories and measures.

    Args:
        found: the study, which is not changed.
        count: how many.
        seed: which: they are drawn at random with it.
        jobs: processes at a time; one for each CPU core if None.
        interrupted: asked now and then; a signal's number stops it.

    Raises:
        InputError: there are not so many runs.
        Interrupted: `interrupted` gave a signal's number.
    """
    runs = drawn(found.runs, count, seed)
    with tempfile.TemporaryDirectory() as elsewhere, claimed(found.folder) as claim:
        tasks = [task_of(run.plan, found.folder, claim, run_folder(Path(elsewhere), run.plan)) for run in runs]
        for number, answer in in_processes(tasks, jobs or cores(), interrupted):
            run = runs[number]
            if answer["status"] != OK:
                yield Repeated(run, (answer["status"],))
                continue
            folders = run_folder(found.folder, run.plan), Path(tasks[number]["folder"])
            yield Repeated(run, (*_measures(run.measures, answer["measures"]), *_files(*folders)))


def _measures(one: Measures, other: Measures) -> list[str]:
    names = dict.fromkeys([*one, *other])
    return [name for name in names if name not in CLOCKS and one.get(name) != other.get(name)]


def _files(one: Path, other: Path) -> list[str]:
    different = []
    with np.load(one / "fields.npz") as a, np.load(other / "fields.npz") as b:
        different += [f"fields.npz: {name}" for name in dict.fromkeys([*a, *b]) if not _same(a, b, name)]
    if _history(one) != _history(other):
        different.append("history.csv")
    return different


def _same(one: Any, other: Any, name: str) -> bool:
    return name in one and name in other and one[name].tobytes() == other[name].tobytes()


def _history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name not in CLOCKS} for row in csv.DictReader(file)]
