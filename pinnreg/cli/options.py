"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pinnreg.cli import target
from pinnreg.errors import InputError

LONGEST = 10
"""Digits of a number that is a count."""

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Problems = Annotated[
    list[Path] | None,
    typer.Option("--problems", metavar="DIR", help="A folder of problems and own parts; repeatable."),
]
Json = Annotated[
    target.JsonFile | None,
    typer.Option(
        "--json",
        metavar="FILE",
        parser=target.named,
        callback=target.opened,
        help="Write the result as JSON, too; - is standard output, and all else then goes to stderr.",
    ),
]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU threads; OMP_NUM_THREADS if not given, or 1.")
]
Grid = Annotated[
    list[str] | None,
    typer.Option("--grid", metavar="N", help="Points along each axis: one number, or one an axis as in 512,200."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]


def counts(option: str, texts: Sequence[str] | None, least: int = 1) -> list[int] | None:
    """The whole numbers of an option that may be repeated, and have several separated by commas; None if not given.

    Raises:
        InputError: something else, or a number below the least.
    """
    if not texts:
        return None
    found = []
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not (part.isascii() and part.isdigit() and len(part) < LONGEST and int(part) >= least):
            raise InputError(
                f"{option} {','.join(texts)}: expected whole numbers from {least} on, one for all axes or one an axis, "
                f"as in {option} 512,200, got {part!r}"
            )
        found.append(int(part))
    return found
