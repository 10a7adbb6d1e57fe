"""Writing files: a reader never meets half of one, and what is no plain file stays what it is."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast, final
from uuid import uuid4

PRIVATE = ".pinnreg-"
"""What names have that are pinnreg's alone: a user's own file may end in .tmp, or be called .lock."""
TEMPORARY = f"{PRIVATE}tmp"
LONGEST_NAME = 255  # bytes, on every file system of today


def write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file by `fill`, which gets an open one, and put it in the place of `path` in one stroke.

    What fails on the way leaves `path` as it was, and nothing beside it. A link is followed, a file keeps its
    permissions, and a device or a pipe is written through.

    Raises:
        OSError: the folder is missing or cannot be written, `path` is a folder, or links go round in a circle.
    """
    target = followed(path)
    if target.exists() and not target.is_file():
        content = io.BytesIO()  # whole before a byte of it is seen, and with a position, which a pipe lacks
        fill(content)
        with target.open("wb", buffering=0) as stream:
            stream.write(content.getbuffer())
        return
    temporary = temporary_beside(target)
    try:
        with temporary.open("xb") as file:
            _fill(file, fill)
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except OSError as error:
        if error.errno is None:
            raise
        # which knows no name, or that of the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _fill(file: IO[bytes], fill: Callable[[IO[bytes]], object]) -> None:
    noting = _Noting(file)
    try:
        fill(cast("IO[bytes]", noting))
    except Exception:
        # torch and zipfile stumble over a disk that is full, and then say something else
        if noting.error is not None:
            raise noting.error from None
        raise


@final
class _Noting:
    """A file that remembers why it could not be written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write as the file does."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def temporary_beside(path: Path) -> Path:
    """A name in the folder of `path` that nobody else has."""
    return path.with_name(f".{uuid4().hex}{TEMPORARY}")


def is_temporary(path: Path) -> bool:
    """Whether a file is what a process left that was killed while it wrote."""
    return path.name.startswith(".") and path.name.endswith(TEMPORARY)


def is_private(path: Path) -> bool:
    """Whether a name is one that only pinnreg gives, to files that show that it is at work or was killed."""
    return path.name.startswith(PRIVATE) or is_temporary(path)


def is_odd(path: Path) -> bool:
    """Whether something other than a regular file, or a link to one, has a name; a link that leads nowhere is odd."""
    return os.path.lexists(path) and not is_file(path)


def remove_halves(folder: Path) -> None:
    """Remove the files in a folder that a process left half written; nobody else may be at work there."""
    for path in [each for each in folder.iterdir() if is_temporary(each) and not each.is_dir()]:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8 and with the line ends of `text`. Raises as `write`."""
    write(path, lambda file: file.write(text.encode()))


def json_text(data: Mapping[str, Any]) -> str:
    """`data` as all files and commands have JSON.

    Raises:
        ValueError: NaN or Inf, which JSON lacks.
    """
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def create_text(path: Path, text: str) -> None:
    """Write a text file that is not there yet, in UTF-8; makes its folder.

    Raises:
        FileExistsError: it is.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(text.encode())


def try_folder(path: Path) -> None:
    """Make a folder, if it is missing, and see that files can be written into it.

    Raises:
        OSError: they cannot.
    """
    path.mkdir(parents=True, exist_ok=True)
    # some file systems only say so when written to
    probe = temporary_beside(path / "probe")
    probe.touch()
    probe.unlink(missing_ok=True)  # another process may have cleaned up


def append_text(path: Path, text: str) -> None:
    """Add to the end of a text file; what fails leaves it as it was.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("ab", buffering=0) as file:
        before, rest = os.fstat(file.fileno()).st_size, memoryview(text.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            # a disk that fills up takes a part of a line
            os.ftruncate(file.fileno(), before)
            raise


def is_file(path: str | Path) -> bool:
    """Whether a regular file is there; also of names that no file can have, which pathlib raises for."""
    return os.path.isfile(path)


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there; as `is_file`."""
    return os.path.isdir(path)


def followed(path: Path) -> Path:
    """Where a link leads, itself perhaps missing; another path as it is.

    Raises:
        OSError: links go round in a circle.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except RuntimeError as error:  # which Python 3.13 turned into an OSError
        raise OSError(errno.ELOOP, "links go round in a circle", str(path)) from error


def why_not(path: Path) -> str | None:
    """Why a file cannot be written, as far as can be seen without writing; None if it can.

    Its folder may be missing, as long as it can be made.
    """
    try:
        return _obstacle(followed(path))
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # a NUL in the name
        return str(error)


def _obstacle(target: Path) -> str | None:
    if target.is_dir():
        return "it is a folder"
    if target.exists():
        folder, whole = target.parent, target.is_file()
        if not os.access(target, os.W_OK) or (whole and not os.access(folder, os.W_OK | os.X_OK)):
            return "no permission"
        return None
    nearest = next(folder for folder in target.absolute().parents if os.path.lexists(folder))
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"no permission to write into {nearest}"
    for name in target.absolute().relative_to(nearest).parts:
        if len(os.fsencode(name)) > LONGEST_NAME:
            return f"a name of {len(os.fsencode(name))} bytes is too long"
    return None
