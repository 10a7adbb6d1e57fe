"""Folders in which one process works at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pinnreg.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def held(folder: Path, refusal: str) -> Iterator[None]:
    """Work in a folder, which exists, as its only process; its `.lock` is there meanwhile.

    A process that is killed lets go of the folder, too. On a file system without locks it is for the user not to start
    two.

    Raises:
        InputError: `refusal`, if another process is at work there.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only whoever writes needs it

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(refusal) from None
    except OSError:
        yield
        return
    try:
        yield
    finally:
        # while it is held: whoever opened it before finds that it is gone, and looks again
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
        lock.release()
