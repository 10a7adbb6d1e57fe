"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO
from uuid import uuid4


def write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file by `fill`, which gets an open one, and put it in the place of `path` in one stroke.

    What fails on the way leaves `path` as it was, and nothing beside it.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    # a name that nobody else has: a user's own file may end in .tmp
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            fill(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8 and with the line ends of `text`. Raises as `write`."""
    write(path, lambda file: file.write(text.encode()))
