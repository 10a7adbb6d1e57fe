"""Which command is at work in a study's folder: one at a time, and its runs stop when it does.

The folder's `.lock` holds a word of the command's own. It is locked as long as the command lives, and a worker that
finds another word in it, wherever it runs, knows that nobody waits for its run any more.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from pinnreg.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[str]:
    """Make the folder and hold it; yields the word that its workers compare.

    Raises:
        InputError: another command is at work there, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
    word = secrets.token_hex(8)
    try:
        _lock(file, folder)
        try:
            _write(file, word)
            yield word
        finally:
            _write(file, "")
    finally:
        os.close(file)


def at_work(folder: Path, word: str) -> bool:
    """Whether the command that wrote this word still is at work in the folder.

    A file that is there and cannot be read for the moment, as happens on shared file systems, says nothing against it.
    """
    try:
        return (folder / LOCK).read_text(encoding="utf-8") == word
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, UnicodeDecodeError):
        return True


def _lock(file: int, folder: Path) -> None:
    if sys.platform == "win32":
        return  # without locks it is for the user not to call a study twice at the same time
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{folder}: another command is at work on a study in this folder; wait for it") from None
    except OSError:
        return  # a file system without locks


def _write(file: int, word: str) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    os.ftruncate(file, 0)
    os.write(file, word.encode())
