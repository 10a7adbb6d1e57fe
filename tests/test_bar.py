"""What is seen of a long command: a bar on a terminal, lines elsewhere, nothing when it is to be quiet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from pinnreg.cli import bar

Moves = list[tuple[str, int | None, int]]


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """What a terminal's bar is told."""
    found: Moves = []

    @contextlib.contextmanager
    def terminal() -> Iterator[bar.Move]:
        yield lambda *move: found.append(move)

    monkeypatch.setattr(bar, "_bar", terminal)
    return found


def told(quiet: bool) -> list[tuple[str, int]]:
    printed: list[tuple[str, int]] = []
    with bar.progress(quiet, lambda name, done: (name, 9, done), lambda *row: printed.append(row)) as call:
        call("a", 1)
        call("b", 2)
    return printed


def test_a_terminal_has_a_bar_and_no_lines(moves: Moves) -> None:
    assert told(quiet=False) == []
    assert moves == [("a", 9, 1), ("b", 9, 2)]


def test_quiet_is_quiet_even_on_a_terminal(moves: Moves) -> None:
    assert told(quiet=True) == []
    assert moves == []


def test_lines_elsewhere() -> None:
    assert told(quiet=False) == [("a", 1), ("b", 2)]
