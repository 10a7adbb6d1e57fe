"""Which command is at work in a study's folder: one at a time, and its runs stop when it does.

The folder's `CLAIM` holds a word of the command's own as long as the command is at work. A worker that finds no such
file, or another word in it, wherever it runs, knows that nobody waits for its run any more.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from pinnreg.errors import InputError
from pinnreg.files import PRIVATE, remove_halves, write_text
from pinnreg.locks import check_mark, held
from pinnreg.run.folder import make_writable

CLAIM = f"{PRIVATE}claim"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[str]:
    """Make the folder and hold it; yields the word that its workers compare.

    Raises:
        InputError: another command is at work there, the folder cannot be written, or the claim's name is taken.
    """
    make_writable(folder)
    with held(folder, f"{folder}: another command is at work on a study in this folder; wait for it"):
        check_mark(folder / CLAIM)
        word = secrets.token_hex(8)
        try:
            remove_halves(folder)
            write_text(folder / CLAIM, word)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
        try:
            yield word
        finally:
            with contextlib.suppress(OSError):
                (folder / CLAIM).unlink()


def at_work(folder: Path, word: str) -> bool:
    """Whether the command that wrote this word still is at work in the folder.

    A file that is there and cannot be read for the moment, as happens on shared file systems, says nothing against it.
    """
    try:
        return (folder / CLAIM).read_text(encoding="utf-8") == word
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, UnicodeDecodeError):
        return True
