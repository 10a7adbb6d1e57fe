"""What is seen of a long command: a bar on a terminal, lines elsewhere, nothing when it is to be quiet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from pinnreg import bar
from pinnreg.run.progress import seen
from pinnreg.training import Row

Moves = list[tuple[str, int | None, int]]


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """What a terminal's bar is told."""
    found: Moves = []

    @contextlib.contextmanager
    def terminal(counted: bool) -> Iterator[bar.Move]:
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


# what is seen of a training


def test_a_run_shows_its_errors_with_their_step(moves: Moves) -> None:
    with seen(quiet=False, zero=["v"]) as on_row:
        on_row(Row(0, 200, 0.0, 3.0, {"u": 0.5, "v": 0.25}))
        on_row(Row(50, 200, 0.6, 0.5))
    texts, totals, done = zip(*moves, strict=True)
    assert texts == (
        "step 0/200  loss 3.00e+00  error of u 5.00e-01  error of v (RMSE) 2.50e-01",
        "step 50/200  loss 5.00e-01  error of u 5.00e-01 (step 0)  error of v (RMSE) 2.50e-01 (step 0)",
    )
    # by the nearest limit, which need not be the steps
    assert [place / total for place, total in zip(done, totals, strict=True)] == [0, 0.6]


def test_without_a_terminal_a_line_is_printed_where_errors_were_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with seen(quiet=False) as on_row:
        on_row(Row(0, 200, 0.0, 3.0, {"u": 0.5}))
        on_row(Row(50, 200, 0.6, 0.5))
        on_row(Row(100, 200, 1.0, 0.5, {}, 0.125))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "step 0/200  loss 3.00e+00  error of u 5.00e-01",
        "step 100/200  loss 5.00e-01  residual at fresh points 1.2e-01 of its terms",
    ]
