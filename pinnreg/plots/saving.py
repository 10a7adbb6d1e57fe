"""Writing a figure so that a reader never meets half a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from pinnreg import files
from pinnreg.errors import unknown
from pinnreg.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Without a date the same data give the same bytes.
METADATA: dict[str, dict[str, str | None]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def check_format(path: Path) -> str:
    """The format that the path's suffix names.

    Raises:
        InputError: none of png, pdf and svg.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in METADATA:
        raise unknown(f"figure format of {str(path)!r}:", kind, METADATA)
    return kind


SMALL_DPI, SMALL_COLOURS = 100, 256
"""What is still read on a screen; 72 pictures of the zoo are 22 MB at 300 dots per inch, 10 at 100, and 3 so."""

MARK = "pinnreg describe --plot"
"""What figures say that stand alone, among files of others: so that no others are replaced."""


def save(figure: Figure, path: Path, *, mark: bool = False) -> None:
    """Write a figure in the format of the path's suffix, replacing a file of that name in one stroke.

    Args:
        figure: as returned by any of the functions that draw one.
        path: a file in an existing folder, with suffix png, pdf or svg.
        mark: whether it is to say that pinnreg drew it, for `is_marked`.

    Raises:
        InputError: the suffix is none of these.
        OSError: the folder is missing or cannot be written.
    """
    path = Path(path)
    kind = check_format(path)
    metadata = METADATA[kind] | ({"Creator": MARK} if mark else {})
    with style.settings():
        files.write(
            path, lambda file: figure.savefig(file, format=kind, dpi=max(figure.dpi, style.DPI), metadata=metadata)
        )


def content(figure: Figure, kind: str = "png") -> bytes:
    """What `save` would write."""
    file = io.BytesIO()
    with style.settings():
        figure.savefig(file, format=kind, dpi=max(figure.dpi, style.DPI), metadata=METADATA[kind])
    return file.getvalue()


def small(figure: Figure) -> bytes:
    """A PNG for a page that has many: of few pixels and colours, a tenth as large as `content`."""
    fine = io.BytesIO()
    with style.settings():
        figure.savefig(fine, format="png", dpi=SMALL_DPI)
    return few_colours(fine.getvalue())


def few_colours(png: bytes) -> bytes:
    """The same picture with a palette of `SMALL_COLOURS`, a third as large."""
    from PIL import Image  # noqa: PLC0415 - matplotlib's own

    few = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(SMALL_COLOURS).save(few, "PNG", optimize=True)
    return few.getvalue()


def is_marked(path: Path) -> bool:
    """Whether a file is a figure that was saved with a mark."""
    return files.is_file(path) and MARK.encode() in path.read_bytes()
