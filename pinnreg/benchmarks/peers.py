"""DeepXDE, pinnreg and SciPy on the same cases, one after the other on the same machine: error against seconds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import final

from pinnreg.benchmarks.classical import ScipyRow
from pinnreg.benchmarks.peer_cases import DEEPXDE, OWN, PEER_CASES, SCIPY, check_peers
from pinnreg.benchmarks.peer_runs import IMPORTS, Made, PeerRun, PeerTask, import_seconds, work
from pinnreg.benchmarks.peer_verdicts import PeerRow, Verdict, verdict_of
from pinnreg.benchmarks.runs import Wanted, runs_in_order, where_and_when

IMPORTED = 3
"""Times that imports are measured."""


@final
@dataclass(frozen=True)
class PeerSetting:
    """What is compared: so many seeds of each case and solver, so many seconds of training a run.

    Raises:
        InputError: a case that is not known, or DeepXDE is not installed.
    """

    cases: tuple[str, ...] = PEER_CASES
    seeds: int = 1
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_peers(self.cases)


@final
@dataclass(frozen=True)
class PeerBenchmark:
    """The rows so far, and all that is needed to repeat them.

    Attributes:
        rows: those of a case together, DeepXDE's first.
        imports: seconds that a fresh process takes to import each, by name.
    """

    rows: tuple[PeerRow | ScipyRow, ...]
    setting: PeerSetting
    imports: dict[str, float]
    machine: dict[str, str | int]
    date: str

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of each case that is done."""
        rows = [row for row in self.rows if isinstance(row, PeerRow)]
        own = [row for row in rows if row.solver == OWN]
        return tuple(verdict_of(row, [each for each in rows if each.case == row.case and each != row]) for row in own)


def bench_peers(
    setting: PeerSetting,
    on_rows: Callable[[PeerBenchmark, int], None] = lambda *_: None,
    on_run: Callable[[str, str, PeerRun], None] = lambda *_: None,
    interrupted: Callable[[], int | None] = lambda: None,
) -> PeerBenchmark:
    """Measure all cases, one after the other, the solvers in turn for each seed, each run in a fresh process.

    Args:
        setting: what to measure.
        on_rows: called when a case is done with the rows so far, and how many of them are the case's.
        on_run: called with case, solver and run when a run is done.
        interrupted: asked now and then; a signal's number stops it all.

    Raises:
        Interrupted: `interrupted` gave a signal's number; the process has been stopped.
        RuntimeError: a run that failed.
    """
    imports = {name: statistics.median(import_seconds(name) for _ in range(IMPORTED)) for name in IMPORTS}
    where, date = where_and_when()
    found = PeerBenchmark((), setting, imports, {**where, "deepxde": version("deepxde")}, date)
    for case in setting.cases:
        rows = _rows(case, setting, on_run, interrupted)
        found = dataclasses.replace(found, rows=(*found.rows, *rows))
        on_rows(found, len(rows))
    return found


def _rows(
    case: str,
    setting: PeerSetting,
    on_run: Callable[[str, str, PeerRun], None],
    interrupted: Callable[[], int | None],
) -> list[PeerRow | ScipyRow]:
    runs: dict[str, list[PeerRun]] = {solver: [] for solver in (*DEEPXDE, OWN)}
    for seed in range(setting.seeds):
        for solver, done in runs.items():
            run = _made(case, solver, seed, setting.max_seconds, interrupted).run
            assert run is not None
            done.append(run)
            on_run(case, solver, run)
    classical = _made(case, SCIPY, 0, setting.max_seconds, interrupted).classical
    rows = (PeerRow(case, solver, tuple(done)) for solver, done in runs.items())
    return [*rows, *([] if classical is None else [classical])]


def _made(case: str, solver: str, seed: int, seconds: float, interrupted: Callable[[], int | None]) -> Made:
    task: PeerTask = {"case": case, "solver": solver, "seed": seed, "seconds": seconds}
    wanted = [[Wanted(f"{case}, {solver}", seed, task)]]
    ((made,),) = runs_in_order(work, wanted, 1, lambda *_: None, interrupted)
    return made
