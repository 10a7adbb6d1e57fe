"""Runs in parallel processes of this machine, each started afresh and used for one run after the other.

Every process has a pipe of its own, so that one that is killed costs its own run and no other; a shared pool of
`concurrent.futures` would be broken as a whole and not know whose fault it was.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import final

from pinnreg.errors import Interrupted
from pinnreg.studies.worker import Answer, Task, failure, work

POLL_SECONDS = 0.25  # between two looks at whether to stop
GRACE_SECONDS = 2.0  # for a process to end by itself
ENVIRONMENT = {
    # read when numpy and torch are imported: processes side by side gain nothing from threads
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # have glibc keep memory that is freed, which saves each step the cost of fresh pages
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def in_processes(
    tasks: Sequence[Task], jobs: int, interrupted: Callable[[], int | None]
) -> Iterator[tuple[int, Answer]]:
    """Make runs, `jobs` at a time; yields the number of each that has ended, with its answer, as they end.

    Raises:
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
    """
    waiting = deque(range(len(tasks)))
    lanes: list[_Lane] = []
    try:
        while waiting or any(lane.busy for lane in lanes):
            while waiting and len(lanes) < min(jobs, len(tasks)):
                lanes.append(_Lane())
            for lane in lanes:
                if waiting and not lane.busy:
                    lane.give(waiting[0], tasks[waiting.popleft()])
            if (number := interrupted()) is not None:
                raise Interrupted(number, None)
            ready = wait([lane.connection for lane in lanes if lane.busy], POLL_SECONDS)
            for lane in [lane for lane in lanes if lane.connection in ready]:
                run, answer = lane.take()
                if not lane.alive:
                    lanes.remove(lane)
                yield run, answer
    finally:
        for lane in lanes:
            lane.stop()


@final
class _Lane:
    """A process and the run that it works on."""

    def __init__(self) -> None:
        self.connection, theirs = multiprocessing.get_context("spawn").Pipe()
        self.process: SpawnProcess = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs,), name="pinnreg study", daemon=True
        )
        self.run: int | None = None
        self.alive = True
        with _environment(), _without_interrupts(), _without_main():
            self.process.start()
        theirs.close()  # so that the end of the process is the end of the connection

    @property
    def busy(self) -> bool:
        """Whether it has a run."""
        return self.run is not None

    def give(self, run: int, task: Task) -> None:
        """Start a run."""
        self.run = run
        with contextlib.suppress(OSError):  # a process that is gone says so when its answer is taken
            self.connection.send(task)

    def take(self) -> tuple[int, Answer]:
        """The answer of the run, which has come, or that of a process that is gone."""
        assert self.run is not None
        run, self.run = self.run, None
        try:
            answer: Answer = self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self.connection.close()
            self.process.join(GRACE_SECONDS)
            answer = {"status": failure(_end(self.process.exitcode)), "measures": {}, "notes": []}
        return run, answer

    def stop(self) -> None:
        """End the process: by itself if it has nothing to do."""
        self.connection.close()
        if self.busy:
            self.process.terminate()
        self.process.join(GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(connection: Connection) -> None:
    """The life of a process: runs as they come, until the other end is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it ended: nobody waits for the run any more."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"the process was killed by {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Processes started within do not run the caller's script again, which no `if __name__ == "__main__"` may keep
    from starting processes of its own; a run needs nothing of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """The environment that a process is started with."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started within never see SIGINT: a terminal sends it to all of them, and this one stops the others."""
    if sys.platform == "win32":
        yield
        return
    # it is started with the first process, and lets go of the signals that it finds blocked
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
