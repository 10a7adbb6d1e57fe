"""Tasks in parallel processes of this machine, each started afresh and used for one task after the other.

Every process has a pipe of its own, so that one that is killed costs its own task and no other; a shared pool of
`concurrent.futures` would be broken as a whole and not know whose fault it was.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any, TypeVar, final

from pinnreg.errors import Interrupted

Task = TypeVar("Task")
Answer = TypeVar("Answer")

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


def side_by_side(
    life: Callable[[Connection], None],
    tasks: Sequence[Task],
    jobs: int,
    lost: Callable[[str], Answer],
    interrupted: Callable[[], int | None],
) -> Generator[tuple[int, Answer]]:
    """Have tasks done, `jobs` at a time; yields the number of each that has ended, with its answer, as they end.

    Args:
        life: what a process does, such as to `serve`; found by its name in the process.
        tasks: begun in this order; plain data, as the answers.
        jobs: processes at a time.
        lost: the answer for a task whose process is gone, of how that ended.
        interrupted: asked now and then; a signal's number stops it all.

    Raises:
        Interrupted: `interrupted` gave a signal's number; the processes have been stopped.
    """
    waiting = deque(range(len(tasks)))
    lanes: list[_Lane] = []
    try:
        while waiting or any(lane.busy for lane in lanes):
            while waiting and len(lanes) < min(jobs, len(tasks)):
                lanes.append(_Lane(life))
            for lane in lanes:
                if waiting and not lane.busy:
                    lane.give(waiting[0], tasks[waiting.popleft()])
            if (number := interrupted()) is not None:
                raise Interrupted(number, None)
            ready = wait([lane.connection for lane in lanes if lane.busy], POLL_SECONDS)
            for lane in [lane for lane in lanes if lane.connection in ready]:
                given, answer = lane.take(lost)
                if not lane.alive:
                    lanes.remove(lane)
                yield given, answer
    finally:
        for lane in lanes:
            lane.stop()


def serve(connection: Connection, work: Callable[[Any], object]) -> None:
    """The life of a process: tasks as they come, until the other end is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


@contextlib.contextmanager
def noted() -> Iterator[list[str]]:
    """What the package logs meanwhile, which nobody else is told: the command shows it once, not once for each task."""
    logger, handler = logging.getLogger("pinnreg"), _Collector(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    handlers, logger.handlers = logger.handlers, [handler]
    try:
        yield handler.messages
    finally:
        logger.handlers, logger.propagate = handlers, propagate


@final
class _Collector(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if (message := record.getMessage()) not in self.messages:
            self.messages.append(message)


@final
class _Lane:
    """A process and the task that it works on."""

    def __init__(self, life: Callable[[Connection], None]) -> None:
        self.connection, theirs = multiprocessing.get_context("spawn").Pipe()
        self.process: SpawnProcess = multiprocessing.get_context("spawn").Process(
            target=life, args=(theirs,), name="pinnreg run", daemon=True
        )
        self.task: int | None = None
        self.alive = True
        with _environment(), _without_interrupts(), _without_main():
            self.process.start()
        theirs.close()  # so that the end of the process is the end of the connection

    @property
    def busy(self) -> bool:
        """Whether it has a task."""
        return self.task is not None

    def give(self, number: int, task: object) -> None:
        """Start a task."""
        self.task = number
        with contextlib.suppress(OSError):  # a process that is gone says so when its answer is taken
            self.connection.send(task)

    def take(self, lost: Callable[[str], Answer]) -> tuple[int, Answer]:
        """The answer of the task, which has come, or that of a process that is gone."""
        assert self.task is not None
        number, self.task = self.task, None
        try:
            answer: Answer = self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self.connection.close()
            self.process.join(GRACE_SECONDS)
            answer = lost(_end(self.process.exitcode))
        return number, answer

    def stop(self) -> None:
        """End the process: by itself if it has nothing to do."""
        self.connection.close()
        if self.busy:
            self.process.terminate()
        self.process.join(GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it ended: nobody waits for the task any more."""
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
    from starting processes of its own; a task needs nothing of it."""
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
