"""A run's folder: where it is, and what may be written into it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from pinnreg.errors import InputError
from pinnreg.locks import LOCK, held

FORMATS = ("png", "pdf", "svg")
FIGURES = tuple(f"{name}.{suffix}" for name in ("error_field", "history", "analysis") for suffix in FORMATS)
RESULTS = ("report.json", "fields.npz", "measurements.npz", "analysis.json", *FIGURES)
FILES = ("config.yaml", "history.csv", "checkpoint.pt", *RESULTS)


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
        """Work in it as its only process.

        Raises:
            InputError: another process is at work there.
        """
        with held(self.path, f"{self.path}: another process is at work on the run in this folder; wait for it"):
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
        make_writable(path)
        with folder.held():
            # again, since until now another process may have been at work
            folder._check_free(overwrite)
            folder._empty()
            yield folder

    @staticmethod
    def existing(path: str | Path) -> RunFolder:
        """The folder of a run that exists.

        Raises:
            InputError: no folder, or one without a run's `config.yaml`.
        """
        folder = RunFolder(Path(path))
        if not folder.config.is_file():
            raise InputError(f"{path}: not a run's folder (it has no config.yaml)")
        return folder

    def _check_free(self, overwrite: bool) -> None:
        with _writing(self.path):
            if not self.path.is_dir() or all(path.name == LOCK for path in self.path.iterdir()):
                return
        if not self.config.is_file():
            raise InputError(f"{self.path}: the folder is not empty and holds no run; choose another with --out")
        if not overwrite:
            raise InputError(f"{self.path}: holds a run; --overwrite replaces it, --resume {self.path} goes on with it")

    def _empty(self) -> None:
        with _writing(self.path):
            for name in FILES:
                (self.path / name).unlink(missing_ok=True)


def make_writable(path: Path) -> None:
    """Make a folder, if it is missing, and see that files can be written into it.

    Raises:
        InputError: they cannot.
    """
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)
        # some file systems only say so when written to
        probe = path / ".writable"
        probe.touch()
        probe.unlink()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
