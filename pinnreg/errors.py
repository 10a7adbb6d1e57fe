"""What pinnreg raises, and the nearest-name hint that its messages carry."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class InputError(ValueError):
    """The user's input is wrong: a config, an option, a problem file, a folder. The command line exits with 2."""


class Diverged(RuntimeError):
    """Training produced NaN or Inf after the start; the last good state was saved. The command line exits with 3."""


def unknown(what: str, given: str, known: Iterable[str]) -> InputError:
    """An `InputError` for a name that does not exist, with the nearest ones and the whole list."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(given, names, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    listed = ", ".join(names) if names else "none"
    return InputError(f"unknown {what} {given!r}{hint} (known: {listed})")


class Interrupted(RuntimeError):
    """A signal asked to stop; the state was saved. The command line exits with 128 + `signal`."""

    def __init__(self, signal: int, checkpoint: Path | None) -> None:
        super().__init__(f"interrupted by signal {signal}")
        self.signal = signal
        self.checkpoint = checkpoint
