"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinnreg.cli import target

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
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
