"""Files are written in one stroke, or not at all."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import IO

import pytest

import pinnreg
from pinnreg import files

PACKAGE = Path(pinnreg.__file__).resolve().parent


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "ν\r\n")
    assert path.read_bytes() == b"\xce\xbd\r\n"
    files.write(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fill(file: IO[bytes]) -> None:
        file.write(b"half")
        file.flush()
        assert path.read_text() == "old"

    files.write(path, fill)
    assert path.read_text() == "half"


def test_what_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path, mine = tmp_path / "a.txt", tmp_path / "a.txt.tmp"
    path.write_text("old")
    mine.write_text("mine")

    def fill(file: IO[bytes]) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write(path, fill)
    assert (path.read_text(), mine.read_text()) == ("old", "mine")
    assert sorted(tmp_path.iterdir()) == [path, mine]
    with pytest.raises(OSError, match="nowhere"):
        files.write_text(tmp_path / "nowhere" / "a.txt", "")


def test_nothing_else_in_the_package_replaces_files() -> None:
    """One place decides how files are written."""
    replacing = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "files.py" or path.parent != PACKAGE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("replace", "rename")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("os", "temporary")
    ]
    assert replacing == []
