"""Exit codes and signals."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import cast, final

import typer

from pinnreg import config
from pinnreg.errors import Diverged, InputError, Interrupted, LostProcess, StorageError
from pinnreg.memory import OUT_OF_MEMORY, is_out_of_memory

# a command line that does not parse; typer has no public name for the base of its own BadParameter
USAGE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def guarded(command: Callable[[], object]) -> int:
    """Run a command; the exit code of its outcome, with one message on stderr if it failed.

    0 done; 1 a runtime error; 2 wrong input; 3 diverged; 128 + signal number when interrupted.
    """
    try:
        result = command()
    except InputError as error:
        return _failed(2, f"error: {error}")
    except USAGE_ERROR as error:
        return _failed(2, f"error: {error.format_message()}")  # which names the option, as str(error) does not
    except Diverged as error:
        return _failed(3, f"error: {error}")
    except Interrupted as error:
        if error.checkpoint is None:
            return _failed(128 + error.signal, f"{error}: nothing was kept")
        resume = f"go on with: pinnreg solve --resume {shlex.quote(str(error.checkpoint.parent))}"
        return _failed(128 + error.signal, f"{error}: the state was saved; {resume}")
    except (KeyboardInterrupt, typer.Abort):
        return _failed(130, "interrupted")
    except typer.Exit as error:
        return error.exit_code
    except (StorageError, LostProcess) as error:
        return _failed(1, f"error: {error}")
    except (RuntimeError, MemoryError, OSError, ArithmeticError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            return _failed(1, f"error: {error.filename}: {error.strerror}")
        if is_out_of_memory(error):
            return _failed(1, f"error: {OUT_OF_MEMORY} ({type(error).__name__}: {error})")
        return _failed(1, f"error: {type(error).__name__}: {error}")
    return result if isinstance(result, int) else 0


def problem_folders(given: Sequence[Path] | None) -> list[Path]:
    """The problem folders of the command line: ./problems, if there is one, and those of --problems."""
    return [*config.problem_folders(None), *(given or [])]


def keep_memory() -> None:
    """Have the C library keep memory that is freed, where it is glibc.

    It would return large blocks to the system, and each step would pay for fresh pages again. On a virtual machine a
    step of burgers takes 8 ms with memory kept and 11 to 20 ms with every block above 128 KiB returned, which is where
    glibc starts before it adapts.
    """
    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library, or none that can be asked
        library = ctypes.CDLL(None)
        library.mallopt(mmap_threshold, 2**25)
        library.mallopt(trim_threshold, 2**30)


def use_threads(count: int | None) -> None:
    """Set the number of CPU threads: `count`, or what OMP_NUM_THREADS says, or one.

    One is the default because the networks here are small: on two idle cores a second thread gains 15 to 30 %, while
    beside another busy process the two wait for each other and a step takes five times as long.
    """
    if count is not None or "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(count or 1)


@final
class Signals:
    """Which signal has come. It stops what goes on at once, but for what asks between two steps whether one has."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._deferred = 0

    def __call__(self) -> int | None:
        """Its number, or None."""
        return self._received

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A context in which a signal is only remembered."""
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler of a signal; a second one ends the process."""
        if self._received is not None:
            # the default action, so that whoever waits for this process sees the signal
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._received = number
        if not self._deferred:
            raise Interrupted(number, None)


@contextlib.contextmanager
def signals(*, deferred: bool = False) -> Iterator[Signals]:
    """Handlers for SIGINT and SIGTERM; `deferred` where all that goes on asks whether one has come."""
    received = Signals()
    with received.deferred() if deferred else contextlib.nullcontext():
        old = {number: signal.signal(number, received.handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield received
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


def be_silent() -> None:
    """Say nothing, and leave it to the process that leads when to end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _failed(code: int, message: str) -> int:
    # plain text: no wrapping, and nothing in brackets is taken for markup
    print(message, file=sys.stderr, flush=True)
    return code
