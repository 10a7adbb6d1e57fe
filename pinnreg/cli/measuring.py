"""What benchmarks of many runs have in common: what is kept when one fails, the page, and what their files have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, final

from pinnreg import __version__, report
from pinnreg.cli import show
from pinnreg.cli.page import Page
from pinnreg.cli.process import signals, use_threads
from pinnreg.cli.target import JsonFile
from pinnreg.errors import Interrupted


class Found(Protocol):
    """What a benchmark has found so far."""

    @property
    def machine(self) -> dict[str, str | int]: ...

    @property
    def date(self) -> str: ...


class Seeded(Protocol):
    """What a benchmark of seeds says of itself."""

    @property
    def seeds(self) -> int: ...

    @property
    def jobs(self) -> int: ...


F = TypeVar("F", bound=Found)
Keep = Callable[[F], None]
"""Called with what there is so far."""


@final
@dataclass(frozen=True)
class Outlets(Generic[F]):
    """Where a benchmark's results go.

    Attributes:
        command: that makes them.
        json: the file that has all of them.
        page: the page.
        setting: how many runs there were, and how they were made.
        data: what the file has besides how it was measured.
        write_page: of all results.
        last: the last lines on the terminal but for how it was measured.
    """

    command: str
    json: JsonFile | None
    page: Page | None
    setting: Callable[[F], Mapping[str, float]]
    data: Callable[[F], dict[str, Any]]
    write_page: Callable[[F, Page, str], None]
    last: Callable[[F], Iterable[str]]


def seeds_and_jobs(found: Seeded) -> dict[str, int]:
    """The setting of a benchmark of seeds."""
    return {"seeds": found.seeds, "jobs": found.jobs}


def measured(
    make: Callable[[Keep[F], Callable[[], int | None]], F], done: Callable[[F], int], wanted: str, outlets: Outlets[F]
) -> int:
    """Make the runs of a benchmark, and write and say what has been found.

    Args:
        make: makes them; called with what keeps all that there is so far, and what tells whether a signal has come.
        done: how much there is.
        wanted: of how much, in words.
        outlets: where it goes; the file also has what was done when a run fails or a signal comes.

    Returns:
        The exit code.
    """
    use_threads(1)
    kept: list[F] = []

    def keep(found: F) -> None:
        sys.stdout.flush()
        kept[:] = [found]

    try:
        with signals(deferred=True) as interrupted, show.notes(quiet=False):
            found = make(keep, interrupted)
    except Interrupted as stopped:
        print(f"{stopped}: {done(kept[0]) if kept else 0} of {wanted} were done", file=sys.stderr, flush=True)
        return 128 + stopped.signal
    finally:  # an hour's rows are kept when the next one fails or is interrupted
        if kept and outlets.json is not None:
            outlets.json.write(_data(kept[0], outlets))
    if outlets.page is not None:  # once all rows are there: a page is whole
        outlets.write_page(found, outlets.page, outlets.command)
    for line in outlets.last(found):
        show.line(line)
    facts = {**outlets.setting(found), **found.machine, "date": found.date}
    show.line(", ".join(f"{key} {value}" for key, value in facts.items()))
    return 0


def _data(found: F, outlets: Outlets[F]) -> dict[str, Any]:
    data: dict[str, Any] = report.finite(
        {
            "command": outlets.command,
            "version": __version__,
            "date": found.date,
            "machine": found.machine,
            "setting": outlets.setting(found),
            **outlets.data(found),
        }
    )
    return data
