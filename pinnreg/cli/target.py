"""Where a command writes what it has found, refused before it begins if that cannot be."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, final

import typer

from pinnreg import report
from pinnreg.errors import InputError
from pinnreg.files import json_text, why_not
from pinnreg.run.folder import is_own

STDOUT = Path("-")


@final
@dataclass(frozen=True)
class JsonFile:
    """The file of `--json`; `-` is standard output, which then has nothing else, and the tables go to stderr."""

    path: Path
    stream: TextIO | None = None

    def write(self, data: Mapping[str, Any]) -> None:
        """Write data as JSON.

        Raises:
            InputError: a file that pinnreg keeps itself by now, as in a folder that the command has made.
            OSError: a file that cannot be written after all.
        """
        if self.stream is None:
            self.refuse_own()
            report.write_json(self.path, data)
        else:
            self.stream.write(json_text(data))

    def refuse_own(self, *coming: Path | None) -> None:
        """Refuse a file that pinnreg keeps itself, of a run or another folder that is there or is to be made."""
        if self.stream is None and is_own(self.path, [folder for folder in coming if folder is not None]):
            raise InputError(f"--json {self.path}: pinnreg keeps a file of its own there; choose another name")


def named(text: str) -> JsonFile:
    """The target that an option names."""
    return JsonFile(Path(text))


def opened(context: typer.Context, value: JsonFile | None) -> JsonFile | None:
    """The target, once it is known that it can be written."""
    if value is None:
        return None
    if value.path == STDOUT:
        stream = sys.stdout
        context.with_resource(contextlib.redirect_stdout(sys.stderr))
        return replace(value, stream=stream)
    check_file("--json", value.path)
    value.refuse_own()
    return value


def check_file(option: str, path: Path | None) -> None:
    """Refuse a file that cannot be written before the work, not after it; its folder may be the run's own."""
    if path is not None and (reason := why_not(path)) is not None:
        raise InputError(f"{option} {path}: cannot be written: {reason}")
