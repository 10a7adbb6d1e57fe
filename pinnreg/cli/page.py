"""Pages: a command's results as Markdown with its figures beside it, so that nobody copies a number by hand."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, final
from urllib.parse import quote

import typer

from pinnreg import __version__
from pinnreg.errors import InputError
from pinnreg.files import is_file, write
from pinnreg.run.folder import make_writable

MARK = "<!-- Written whole by the command below: changes made by hand are lost when it runs again. -->"

PageOption = Annotated[
    Path | None,
    typer.Option("--page", metavar="DIR", help="Write a Markdown page and its figures into this folder, too."),
]


@final
@dataclass(frozen=True)
class Page:
    """A page `<folder>/<name>.md` and its figures `<folder>/<name>*.png`.

    It replaces what an earlier call of the same name wrote, and nothing else.
    """

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The Markdown file."""
        return self.folder / f"{self.name}.md"

    def figure(self, part: str = "") -> Path:
        """The file of one of its figures."""
        return self.folder / f"{self.name}{part and f'_{part}'}.png"

    def check(self, figures: Iterable[Path] = ()) -> None:
        """Make the folder if it is missing, and see that page and figures can be written there.

        Raises:
            InputError: they cannot, or would replace a file that no such call wrote.
        """
        make_writable(self.folder)
        if _stands(self.path) and not self._is_page():
            raise InputError(
                f"--page {self.folder}: {self.path} exists and is no page that pinnreg wrote; move it away"
            )
        linked = self.path.read_text(encoding="utf-8") if self._is_page() else ""
        for path in figures:
            if _stands(path) and not (_is_regular(path) and f"]({quote(path.name)})" in linked):
                raise InputError(f"--page {self.folder}: {path} exists and is no figure of {self.path}; move it away")

    def write(self, title: str, command: str, body: Sequence[str], figures: Mapping[Path, bytes]) -> None:
        """Write the page and its figures, each in one stroke.

        Args:
            title: its heading.
            command: that makes it; where its JSON file went is left out.
            body: its lines, in which the figures are linked.
            figures: content by file.

        Raises:
            InputError: a file that cannot be written, or that no earlier call wrote.
        """
        self.check(figures)
        lines = [MARK, "", f"# {title}", "", "```sh", _that_makes_it(command), "```", "", *body, "", made_with()]
        # the page comes first: it says which figures are its own, should the process end between the two
        for path, content in {self.path: ("\n".join(lines) + "\n").encode(), **figures}.items():
            _replace(path, content)

    def _is_page(self) -> bool:
        return _is_regular(self.path) and self.path.read_bytes().startswith(MARK.encode())


def image(path: Path, caption: str) -> str:
    """A link that shows a figure which lies beside the page."""
    return f"![{caption}]({quote(path.name)})"


def made_with() -> str:
    """When, by which versions and on what kind of machine, in a sentence."""
    import torch

    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    machine = f"{platform.system()}, {platform.machine()}, {_count(cores, 'core')}, {_count(threads, 'thread')}"
    versions = f"pinnreg {__version__}, Python {platform.python_version()}, torch {torch.__version__}"
    return f"Written on {datetime.now(UTC):%Y-%m-%d} by {versions} ({machine})."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _stands(path: Path) -> bool:
    """Whether there is something of this name, be it a link to nowhere."""
    return os.path.lexists(path)


def _is_regular(path: Path) -> bool:
    return is_file(path) and not path.is_symlink()


def _replace(path: Path, content: bytes) -> None:
    try:
        write(path, lambda file: file.write(content))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def _that_makes_it(command: str) -> str:
    """A command without `--json FILE`, which is of no concern to a page, and may be a place of one machine."""
    words = shlex.split(command)
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if before != "--json" and word != "--json" and not word.startswith("--json=")
    ]
    return shlex.join(kept)
