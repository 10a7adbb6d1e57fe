"""The progress bar of all long commands, on stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

Move = Callable[[str, int | None, int], None]
"""Called with what is being done, how many there are of it (None if not known yet), and how many are done."""


@contextlib.contextmanager
def bar() -> Iterator[Move | None]:
    """A function that moves a bar; None where there is no terminal, and lines have to do."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("preparing", total=None)
        yield lambda what, total, done: shown.update(task, description=what, total=total, completed=done)
