"""Runs in parallel processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

from pinnreg import processes
from pinnreg.studies.worker import Answer, Task, failure, work


def in_processes(
    tasks: Sequence[Task], jobs: int, interrupted: Callable[[], int | None]
) -> Iterator[tuple[int, Answer]]:
    """Make runs, `jobs` at a time; yields the number of each that has ended, with its answer, as they end.

    Raises:
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
    """
    return processes.side_by_side(_serve, tasks, jobs, _lost, interrupted)


def _serve(connection: Connection) -> None:
    processes.serve(connection, work)


def _lost(how: str) -> Answer:
    return {"status": failure(how), "measures": {}, "notes": []}
