"""Where a page or an animation of a run goes: into its folder, or where the user says, never over a file of others."""

from __future__ import annotations

import os
from pathlib import Path

from pinnreg.errors import InputError
from pinnreg.files import is_file, why_not
from pinnreg.run.folder import RUN, RunFolder, is_own, make_writable


def place(folder: RunFolder, out: str | Path | None, name: str, mark: str) -> Path:
    """The file to write, after it is known that it can be.

    Args:
        folder: of the run.
        out: where the user wants it; None for `name` in the run's folder.
        name: of the file there.
        mark: what files of its kind hold that pinnreg wrote.

    Raises:
        InputError: it cannot be written, is another file of pinnreg's own, or holds what pinnreg did not write.
    """
    own = folder.path / name
    path = own if out is None else Path(out)
    if _is_same(path, own):
        RUN.check(folder.path, str(folder.path))
        make_writable(folder.path)
    elif is_own(path):
        raise InputError(f"--out {path}: pinnreg keeps a file of its own there; choose another name")
    if (reason := why_not(path)) is not None:
        raise InputError(f"{path}: cannot be written: {reason}")
    if os.path.lexists(path) and not (is_file(path) and mark.encode() in path.read_bytes()):
        raise InputError(f"{path}: exists, and is no file that this command wrote; move it away or choose another name")
    return path


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths name one file, which need not exist."""
    return one.absolute().parent.resolve() / one.name == other.absolute().parent.resolve() / other.name
