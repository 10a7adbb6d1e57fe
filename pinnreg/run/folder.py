"""A run's folder: where it is, and what may be written into it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from pinnreg.errors import InputError

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

    @staticmethod
    def create(out: str | Path | None, stem: str, *, overwrite: bool) -> RunFolder:
        """Make the folder of a new run: `out`, or a fresh one under `outputs/<stem>/`.

        Raises:
            InputError: a folder that holds something, unless it is a run and `overwrite` is set, or cannot be written.
        """
        if out is None:
            now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            path = Path("outputs") / stem / f"{now}-{secrets.token_hex(3)}"
        else:
            path = Path(out)
        folder = RunFolder(path)
        try:
            if path.is_dir() and any(path.iterdir()):
                folder._empty(overwrite)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None
        make_writable(path)
        return folder

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

    def _empty(self, overwrite: bool) -> None:
        if not self.config.is_file():
            raise InputError(f"{self.path}: the folder is not empty and holds no run; choose another with --out")
        if not overwrite:
            raise InputError(f"{self.path}: holds a run; --overwrite replaces it, --resume {self.path} goes on with it")
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)


def make_writable(path: Path) -> None:
    """Make a folder, if it is missing, and see that files can be written into it.

    Raises:
        InputError: they cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        # some file systems only say so when written to
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
