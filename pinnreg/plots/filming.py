"""Frames as a film: GIF by Pillow, which comes with matplotlib, or MP4 by ffmpeg, where that is installed."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from pinnreg import files
from pinnreg.errors import InputError, unknown
from pinnreg.plots import style
from pinnreg.plots.evolution import Evolution

if TYPE_CHECKING:
    from PIL.Image import Image

DPI = 100
FILM_MARK = "pinnreg animate"
"""What films say of their origin, so that no file of another is replaced."""
SUFFIXES = (".gif", ".mp4")
# The same frames give the same bytes: no version, no date, and one thread, whose number x264 depends on.
REPEATABLE = ("-f", "mp4", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1")


def check_film(path: Path) -> None:
    """Refuse a film that cannot be made here.

    Raises:
        InputError: a suffix that is neither .gif nor .mp4, or no ffmpeg for the latter.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise unknown(f"format of {str(path)!r}:", path.suffix, SUFFIXES)
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise InputError(f"{path}: MP4 needs ffmpeg, which is not installed here; write a .gif instead")


def save_film(evolution: Evolution, numbers: Sequence[int], seconds: float, path: Path) -> None:
    """Write times of an evolution as a film, each for as long as the others, in one stroke.

    One frame at a time is drawn, and a GIF kept in 256 colours until it is written.

    Args:
        evolution: what is shown.
        numbers: of the times, in their order.
        seconds: of all.
        path: ends in .gif or .mp4.

    Raises:
        InputError: as `check_film`.
        OSError: it cannot be written.
    """
    check_film(path)
    evolution.figure.set_dpi(DPI)
    fill = _gif if path.suffix.lower() == ".gif" else _mp4
    with style.settings():
        files.write(path, fill(evolution, numbers, seconds))


def _gif(evolution: Evolution, numbers: Sequence[int], seconds: float) -> Callable[[IO[bytes]], object]:
    def fill(file: IO[bytes]) -> None:
        first, *_ = frames = [_in_few_colours(each) for each in _frames(evolution, numbers)]
        # hundredths of a second, as GIF has them, and no fewer than browsers heed
        each = max(10 * round(100 * seconds / len(numbers)), 20)
        content = io.BytesIO()  # Pillow goes back in a file
        first.save(
            content,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=each,
            loop=0,
            comment=FILM_MARK.encode(),
        )
        file.write(content.getbuffer())

    return fill


def _mp4(evolution: Evolution, numbers: Sequence[int], seconds: float) -> Callable[[IO[bytes]], object]:
    from matplotlib.animation import FFMpegWriter  # noqa: PLC0415

    def fill(file: IO[bytes]) -> None:
        writer = FFMpegWriter(
            fps=len(numbers) / seconds,  # type: ignore[arg-type]  # of which ffmpeg takes fractions
            codec="h264",
            metadata={"comment": FILM_MARK},
            extra_args=list(REPEATABLE),
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.mp4"
            with writer.saving(evolution.figure, str(path), DPI):
                for number in numbers:
                    evolution.show(number)
                    writer.grab_frame()
            with path.open("rb") as film:
                shutil.copyfileobj(film, file)

    return fill


def _frames(evolution: Evolution, numbers: Sequence[int]) -> Iterator[Image]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    canvas = FigureCanvasAgg(evolution.figure)
    for number in numbers:
        evolution.show(number)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        yield Image.fromarray(pixels).convert("RGB")


def _in_few_colours(image: Image) -> Image:
    from PIL import Image  # noqa: PLC0415

    return image.quantize(256, dither=Image.Dither.NONE)
