"""Whose a folder is, and what may be written into it: files that pinnreg did not write are never replaced or removed.

A folder is ours if a file of its kind says so: the config of a run and the `study.yaml` of a study hold provenance, the
JSON of an analysis or an experiment a version. Whatever else lies in it stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from pinnreg.config import read_yaml
from pinnreg.errors import InputError
from pinnreg.files import (
    TEMPORARY,
    is_file,
    is_folder,
    is_odd,
    is_private,
    is_temporary,
    remove_halves,
    temporary_beside,
    try_folder,
)
from pinnreg.locks import LOCK, held

FORMATS = ("png", "pdf", "svg")


def _in_formats(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{suffix}" for name in names for suffix in FORMATS)


REPLACED = ".replaced"
"""What the name of a run begins with that another has replaced."""

UNFINISHED = "unfinished_"
"""What the names of figures begin with that are of a run that has not ended."""

FIGURES = _in_formats("error_field", "history", "analysis", f"{UNFINISHED}error_field", f"{UNFINISHED}history")
REPORT_PAGE, EVOLUTIONS = "report.html", ("evolution.gif", "evolution.mp4")
ARRAYS = ("fields.npz", "views.npz", "measurements.npz", "outline.npz", "analysis.npz")
RESULTS = ("report.json", "analysis.json", *ARRAYS, *FIGURES, REPORT_PAGE, *EVOLUTIONS)


@final
@dataclass(frozen=True)
class Kind:
    """What a folder can hold.

    Attributes:
        name: in messages.
        marker: the file that says that pinnreg made it.
        files: all that pinnreg writes there, as patterns.
    """

    name: str
    marker: str
    files: tuple[str, ...]

    def made(self, folder: Path) -> bool:
        """Whether a folder holds one that pinnreg made."""
        return _is_ours(folder / self.marker)

    def files_in(self, folder: Path) -> list[Path]:
        """What a folder has under the names of its files, whoever wrote it."""
        # a name that no folder can have is for whoever makes it to refuse
        patterns = self.files if is_folder(folder) else ()
        return sorted({path for pattern in patterns for path in folder.glob(pattern)})

    def check(self, folder: Path, title: str) -> None:
        """Refuse to write where a file would be replaced that pinnreg did not write.

        Args:
            folder: which need not exist.
            title: of whoever asks, for the message.

        Raises:
            InputError: there is one, or no regular file under the name of one.
        """
        found = self.files_in(folder)
        if wrong := [path for path in found if is_odd(path)]:
            what = "a folder" if wrong[0].is_dir() else "no regular file"
            raise InputError(f"{title}: {wrong[0]} is {what}, where a file is to be; move it away")
        if found and not self.made(folder):
            raise InputError(
                f"{title}: {found[0]} exists, and nothing says that pinnreg wrote it (it would be {self.marker}); move "
                "it away or choose another folder"
            )


RUN = Kind("run", "config.yaml", ("config.yaml", "history.csv", "checkpoint.pt", *RESULTS))
STUDY = Kind(
    "study",
    "study.yaml",
    ("study.yaml", "study.csv", "summary.csv", "summary.md", "errors.png", "weights.png", "fields_*.png", "fields.png"),
)
ANALYSIS = Kind("analysis", "analysis.json", ("analysis.json", "analysis.npz", *_in_formats("analysis")))
EXPERIMENT = Kind("experiment", "result.json", ("result.json", "figure.png"))
KINDS = (RUN, STUDY, ANALYSIS, EXPERIMENT)


def is_own(path: Path, expected: Iterable[Path] = ()) -> bool:
    """Whether a file is one that pinnreg keeps in a folder, of a run, a study, an analysis or an experiment.

    So are folders that are about to be made, and marks of processes at work.

    Args:
        path: which need not exist.
        expected: folders that are about to hold one.
    """
    folder, folders = path.absolute().parent.resolve(), {each.absolute().resolve() for each in expected}
    itself, coming = folder / path.name, folder in folders
    if is_private(path) or any(itself == each or itself in each.parents for each in folders):
        return True
    return any(any(path.match(pattern) for pattern in kind.files) and (coming or kind.made(folder)) for kind in KINDS)


def _is_ours(marker: Path) -> bool:
    """Whether a file carries pinnreg's own mark."""
    if not is_file(marker):  # a pipe would be waited for without end
        return False
    try:
        if marker.suffix == ".json":
            return "pinnreg" in json.loads(marker.read_text(encoding="utf-8"))
        provenance = read_yaml(marker).get("provenance")
    except (OSError, ValueError, TypeError, RecursionError):
        return False
    return isinstance(provenance, Mapping) and "pinnreg" in provenance


@final
@dataclass(frozen=True)
class RunFolder:
    """The paths of a run's files."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def history(self) -> Path:
        """The record of training."""
        return self.path / "history.csv"

    @property
    def checkpoint(self) -> Path:
        """The last saved state."""
        return self.path / "checkpoint.pt"

    @property
    def report(self) -> Path:
        """Errors and facts of a run that has ended."""
        return self.path / "report.json"

    def forget_results(self) -> None:
        """Remove what exists only once training has ended."""
        for name in RESULTS:
            (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def held(self) -> Iterator[RunFolder]:
        """Work in it as its only process, without what one that was killed has left.

        Raises:
            InputError: another process is at work there, or it cannot be written.
        """
        make_writable(self.path)
        with held(self.path, f"{self.path}: another process is at work on the run in this folder; wait for it"):
            with _writing(self.path):
                self._recover()
            yield self

    @contextlib.contextmanager
    def continued(self) -> Iterator[RunFolder]:
        """Go on with the run in it; as `held`.

        Raises:
            InputError: there is a folder where one of its files is to be.
        """
        with self.held():
            RUN.check(self.path, str(self.path))
            yield self

    @staticmethod
    @contextlib.contextmanager
    def created(out: str | Path | None, stem: str, *, overwrite: bool) -> Iterator[RunFolder]:
        """Make the folder of a new run, `out` or a fresh one under `outputs/<stem>/`, and hold it.

        Raises:
            InputError: a folder that holds something, unless it is a run and `overwrite` is set, in which another
                process is at work, or that cannot be written.
        """
        if out is None:
            now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            path = Path("outputs") / stem / f"{now}-{secrets.token_hex(3)}"
        else:
            path = Path(out)
        folder = RunFolder(path)
        folder._check_free(overwrite)
        with folder.held():
            # again, since until now another process may have been at work
            folder._check_free(overwrite)
            with folder._emptied():
                yield folder

    @staticmethod
    def existing(path: str | Path) -> RunFolder:
        """The folder of a run that exists; whoever only looks changes nothing there.

        Raises:
            InputError: no folder, one without a run's `config.yaml`, or one whose run is being replaced.
        """
        folder = RunFolder(Path(path))
        if folder._waits():
            raise InputError(
                f"{path}: the run here is being replaced, or was when a process was killed; then --resume {path} "
                "brings it back"
            )
        if not is_folder(path):
            raise InputError(f"{path}: no such folder" if not os.path.lexists(path) else f"{path}: no folder")
        if not is_file(folder.config):
            raise InputError(f"{path}: not a run's folder (it has no config.yaml)")
        for each in RUN.files_in(folder.path):
            if is_odd(each) and not each.is_dir():
                # which would be waited for without end
                raise InputError(f"{each}: no regular file, as those of a run are")
        return folder

    @staticmethod
    def brought_back(path: str | Path) -> RunFolder:
        """The folder of a run that exists, or was put aside for another by a process that was killed then.

        Raises:
            InputError: as `existing`; another process is at work there; files of a stranger are in the way.
        """
        folder = RunFolder(Path(path))
        if folder._waits():
            with folder.held():
                pass
        return RunFolder.existing(path)

    def _waits(self) -> bool:
        """Whether a run is put aside, and no other has begun in its place."""
        with _writing(self.path):
            return is_folder(self.path) and not is_file(self.checkpoint) and bool(self._put_aside())

    def _check_free(self, overwrite: bool) -> None:
        with _writing(self.path):
            if not is_folder(self.path) or not any(map(_counts, self.path.iterdir())):
                return
        if not RUN.made(self.path):
            raise InputError(
                f"{self.path}: the folder is not empty and holds no run that pinnreg made (no config.yaml with its "
                "provenance); choose another with --out"
            )
        if not overwrite:
            raise InputError(f"{self.path}: holds a run; --overwrite replaces it, --resume {self.path} goes on with it")
        RUN.check(self.path, str(self.path))

    @contextlib.contextmanager
    def _emptied(self) -> Iterator[None]:
        """The folder without the run that was there, which comes back if the new one ends before its first checkpoint.

        A folder that then has nothing is removed.
        """
        old = RUN.files_in(self.path)
        try:
            with _writing(self.path):
                if old:
                    (aside := temporary_beside(self.config)).mkdir()
                # its checkpoint first: without one nobody takes what is left for a run; its mark last: it tells a run
                # that was put aside whole from a part of one
                order = {self.checkpoint: 0, self.config: 2}
                for path in sorted(old, key=lambda each: order.get(each, 1)):
                    path.rename(aside / path.name)
            yield
        finally:
            with contextlib.suppress(OSError, InputError):
                if old:
                    self._recover()
                elif not self.checkpoint.is_file():
                    self._remove()

    def _recover(self) -> None:
        """Bring back a run that was put aside for another, unless that has begun; remove what was half written."""
        remove_halves(self.path)
        for leftover in self._put_aside():
            if (leftover / self.config.name).is_file():
                if self.checkpoint.is_file():
                    # renamed first: a part of it must never be taken for a run that is to come back
                    leftover.rename(leftover.with_name(REPLACED + leftover.name))
                    continue
                self._remove_unbegun()
            # the mark first and the checkpoint last, for the same reasons as when they were put aside
            order = {self.config.name: 0, self.checkpoint.name: 2}
            for path in sorted(leftover.iterdir(), key=lambda each: order.get(each.name, 1)):
                path.rename(self.path / path.name)
            leftover.rmdir()
        for replaced in self.path.glob(f"{REPLACED}*{TEMPORARY}"):
            shutil.rmtree(replaced)

    def _remove_unbegun(self) -> None:
        """Remove what a run writes before its first checkpoint.

        Raises:
            InputError: there is something else under the names of a run's files.
        """
        found = RUN.files_in(self.path)
        if found and (not RUN.made(self.path) or set(found) - {self.config, self.history}):
            raise InputError(
                f"{self.path}: the run that was put aside here cannot come back as long as there is {found[-1]}, which "
                "that run did not write; move it away"
            )
        for path in found:
            path.unlink()

    def _put_aside(self) -> list[Path]:
        """Where runs are that had to make room for another."""
        found = [path for path in self.path.iterdir() if is_temporary(path) and path.is_dir()]
        return [path for path in found if not path.name.startswith(REPLACED)]

    def _remove(self) -> None:
        """Remove the run, and the folder if nothing else is in it."""
        for path in RUN.files_in(self.path):
            path.unlink()
        if not any(map(_counts, self.path.iterdir())):
            (self.path / LOCK).unlink(missing_ok=True)
            self.path.rmdir()


def _counts(path: Path) -> bool:
    """Whether something in a folder is more than a trace of a process that was killed."""
    return path.name != LOCK and not is_temporary(path)


def make_writable(path: Path) -> None:
    """Make a folder, if it is missing, and see that files can be written into it.

    Raises:
        InputError: they cannot.
    """
    with _writing(path):
        try_folder(path)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    except ValueError as error:  # a NUL in a name
        raise InputError(f"{path!r}: cannot be written: {error}") from None
