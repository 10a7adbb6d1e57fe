"""`pinnreg bench figures`: a page with every kind of figure, each with what makes it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pinnreg import benchmarks, plots
from pinnreg.benchmarks import Example, Picture
from pinnreg.cli import show
from pinnreg.cli.page import Page, PageOption, image
from pinnreg.errors import InputError, unknown
from pinnreg.files import write_text


def figures(
    context: typer.Context,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="A picture by its name; repeatable.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Of each training at most, to see the page soon.")
    ] = None,
    page: PageOption = None,
) -> None:
    """Draw every kind of figure, from small runs, with the files and lines that make each.

    The lines are run as the page has them, each in a process of its own.
    """
    chosen = _chosen(only)
    written = None if page is None else Page(page, "bench_figures")
    if written is not None:
        written.check([_file(written, picture) for example in chosen for picture in example.pictures])
    drawn: dict[str, bytes] = {}
    for example in chosen:
        for name, content in _drawn(example, steps, run_line):
            drawn[name] = content
            show.line(f"{name:16} {len(content) / 1000:6.1f} kB")
    if written is not None:
        files = {_file(written, each): drawn[each.name] for example in chosen for each in example.pictures}
        written.write("Figures", context.obj, list(_body(written, chosen)), files)


def _chosen(only: Sequence[str] | None) -> list[Example]:
    """The examples, with the pictures that are asked for; those before them are drawn, too, as lines build on lines."""
    names = [picture.name for example in benchmarks.EXAMPLES for picture in example.pictures]
    for name in only or ():
        if name not in names:
            raise unknown("picture", name, names)
    wanted = set(only or names)
    return [each for each in benchmarks.EXAMPLES if wanted & {picture.name for picture in each.pictures}]


def _file(page: Page, picture: Picture) -> Path:
    return page.figure(picture.name).with_suffix(Path(picture.file).suffix)


def _drawn(example: Example, steps: int | None, run: Callable[[str, Path], None]) -> Iterator[tuple[str, bytes]]:
    """The pictures of one example, by name."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        texts = {"mine.yaml": example.config if steps is None else _cut(example.config, steps), **example.files}
        for name, text in texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_text(folder / name, text)
        for line in example.before:
            run(line, folder)
        last = ""
        for picture in example.pictures:
            if picture.command != last:
                run(picture.command, folder)
            last = picture.command
            content = (folder / picture.file).read_bytes()
            yield picture.name, plots.few_colours(content) if picture.file.endswith(".png") else content


def run_line(line: str, folder: Path) -> None:
    """Run a line of `pinnreg` in a folder, by the Python that runs this.

    Raises:
        InputError: it has failed.
    """
    words = [sys.executable, "-m", "pinnreg", *shlex.split(line)[1:]]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise InputError(f"{line}: {ended.stderr.strip() or ended.returncode}")


def _cut(config: str, steps: int) -> str:
    """A config, or a study, with so many steps of training at most."""
    return re.sub(r"(?<=steps: )\d+", lambda number: str(min(int(number[0]), steps)), config)


def _body(page: Page, examples: Sequence[Example]) -> Iterator[str]:
    yield "Every kind of figure, of small runs, below the file `mine.yaml` and the line that make it."
    yield "What a figure shows and how large it is can be chosen: [figures](../../docs/figures.md)."
    for example in examples:
        yield from ("", f"## {example.title}", "", "```yaml", example.config.rstrip(), "```")
        for name, text in example.files.items():
            yield from ("", f"`{name}`:", "", "```python", text.rstrip(), "```")
        shown = ""
        for picture in example.pictures:
            if picture.command != shown:
                yield from ("", "```sh", *(() if shown else example.before), picture.command, "```")
            shown = picture.command
            yield from ("", f"{picture.caption}:", "", image(_file(page, picture), picture.caption))
