"""Folders in which one process works at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pinnreg.errors import InputError
from pinnreg.files import PRIVATE

LOCK = f"{PRIVATE}lock"


@contextlib.contextmanager
def held(folder: Path, refusal: str) -> Iterator[None]:
    """Work in a folder, which exists, as its only process; a file called `LOCK` is there meanwhile.

    A process that is killed lets go of the folder, too. On a file system without locks it is for the user not to start
    two.

    Raises:
        InputError: `refusal`, if another process is at work there; something else has the file's name.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only whoever writes needs it

    check_mark(folder / LOCK)

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


def check_mark(path: Path) -> None:
    """Refuse what is no plain file under the name of one that shows that a process is at work.

    Raises:
        InputError: a link, whose target would be written over, a pipe, a folder.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise InputError(f"{path}: pinnreg keeps a file of its own under this name, and here it is none; move it away")
