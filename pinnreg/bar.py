"""The progress bar of all long commands, on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec

P = ParamSpec("P")
Move = Callable[[str, int | None, int], None]
"""Called with what is being done, how many there are of it (None if not known yet), and how many are done."""


def line(text: str) -> None:
    """A line at once, where there is no bar."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def progress(
    quiet: bool,
    shown: Callable[P, tuple[str, int | None, int]],
    printed: Callable[P, None],
    *,
    counted: bool = True,
) -> Iterator[Callable[P, None]]:
    """A function to call along the way: moves a bar on a terminal, prints lines elsewhere, does nothing when quiet.

    Args:
        quiet: whether nothing is to be seen.
        shown: what a call's arguments say to the bar, as a `Move` takes it.
        printed: prints what they say where there is no terminal.
        counted: whether the bar says how many are done, which what is being done may say itself.
    """
    if quiet:
        yield lambda *_, **__: None
        return
    with _bar(counted) as move:

        def on_call(*args: P.args, **kwargs: P.kwargs) -> None:
            if move is None:
                printed(*args, **kwargs)
            else:
                move(*shown(*args, **kwargs))

        yield on_call


@contextlib.contextmanager
def _bar(counted: bool) -> Iterator[Move | None]:
    """A function that moves a bar, which goes when all is done or stopped; None where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *([MofNCompleteColumn()] if counted else []),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("preparing", total=None)
        yield lambda what, total, done: shown.update(task, description=what, total=total, completed=done)
