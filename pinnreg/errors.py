"""What pinnreg raises, and the nearest-name hint that its messages carry."""

from __future__ import annotations

import builtins
import contextlib
import difflib
import inspect
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent


class InputError(ValueError):
    """The user's input is wrong: a config, an option, a problem file, a folder. The command line exits with 2."""


class Diverged(RuntimeError):
    """Training produced NaN or Inf after the start; the last good state was saved. The command line exits with 3."""


class StorageError(RuntimeError):
    """A file of a run could not be written, as on a full disk; what was there before is whole. Exit code 1."""


class LostProcess(RuntimeError):
    """One of the processes that train together is gone. Exit code 1."""


def shortened(value: object, most: int = 400) -> str:
    """A value as messages show it: its repr, of which the middle is left out where it is long."""
    return abridged(repr(value), most)


def abridged(text: str, most: int = 400) -> str:
    """A text of which the middle is left out where it is long."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 4 :]}"


LISTED = 24
"""Names that a message lists."""


def unknown(what: str, given: str, known: Iterable[str], *, listed_by: str = "") -> InputError:
    """An `InputError` for a name that does not exist, with the nearest ones, and all of them unless these are many.

    Args:
        what: what it would be the name of.
        given: the name.
        known: those that exist.
        listed_by: the command that lists these, if there is one.
    """
    names = list(dict.fromkeys(str(name) for name in known))
    if len(names) <= LISTED:
        listed = f"known: {', '.join(names) or 'none'}"
    else:
        few = difflib.get_close_matches(given[:100], names, n=6, cutoff=0.0)
        listed = f"known: {', '.join(few)} and {len(names) - len(few)} more" + (listed_by and f", see {listed_by}")
    return InputError(f"unknown {what} {shortened(given)}{near(given, names)} ({listed})")


def broken(count: int, of: int, first: Mapping[str, float], when: str = "") -> str:
    """How many values are not finite, and where the first of them is.

    >>> broken(2, 9, {"x": 0.5, "t": 0.0})
    'NaN or Inf at 2 of 9 points, the first x=0.5, t=0'
    """
    where = ", ".join(f"{axis}={value:g}" for axis, value in first.items())
    return f"NaN or Inf{when} at {count} of {of} points, the first {where}"


def with_article(noun: str) -> str:
    """A noun with its indefinite article.

    >>> with_article("initial condition"), with_article("robin condition")
    ('an initial condition', 'a robin condition')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def near(given: str, names: Iterable[str], cutoff: float = 0.5) -> str:
    """Which names are near to one that does not exist, to go on with in a message; "" if none is."""
    found = difflib.get_close_matches(given[:100], list(names), n=2, cutoff=cutoff)
    return f"; did you mean {' or '.join(repr(name) for name in found)}?" if found else ""


UNKNOWN_KEYWORD = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'$")
UNKNOWN_IMPORT = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")


def near_name(error: BaseException) -> str:
    """What may have been meant where a user's code has a name wrong: a variable, a keyword, an attribute, an import."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in frames if not _belongs_to_a_package(frame.f_code.co_filename)]
    known = {**vars(builtins), **_exported(), **(own[-1].f_globals | own[-1].f_locals if own else {})}
    if isinstance(error, NameError) and error.name:
        if error.name in _exported():
            return f"; write from pinnreg import {error.name}"
        return near(error.name, known, 0.7)
    if isinstance(error, AttributeError) and error.name:
        return near(error.name, dir(error.obj), 0.7)
    if isinstance(error, ImportError) and (found := UNKNOWN_IMPORT.match(str(error))):
        return near(found[1], dir(sys.modules.get(found[2])), 0.7)
    if isinstance(error, TypeError) and (found := UNKNOWN_KEYWORD.match(str(error))) and callable(known.get(found[1])):
        with contextlib.suppress(ValueError):
            return near(found[2], inspect.signature(known[found[1]]).parameters)
    return ""


def _exported() -> dict[str, Any]:
    package = sys.modules["pinnreg"]
    return {name: getattr(package, name) for name in package.__all__}


class Interrupted(BaseException):
    """A signal asked to stop; the state was saved, if there was one. The command line exits with 128 + `signal`.

    No Exception: whatever goes on when something has failed must not go on then.
    """

    def __init__(self, signal: int, checkpoint: Path | None) -> None:
        super().__init__(f"interrupted by signal {signal}")
        self.signal = signal
        self.checkpoint = checkpoint


@contextlib.contextmanager
def user_code(what: str) -> Iterator[None]:
    """Turn whatever a user's own code raises into an `InputError` that names `what`, the line, and the exception."""
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        if is_signal(error):
            raise
        raise InputError(f"{what}{place(error)}: {in_words(error)}") from error


FOREIGN = {
    "support ufuncs": "NumPy",
    "call numpy()": "NumPy",
    "Use Tensor.cpu()": "NumPy",
    "one element tensors can be converted": "Python's math",
    "must be a string or a real number": "Python's float",
    "must be real number": "Python's math",
}
"""How torch and Python say that functions of others were given a field or a tensor. Torch's own advice, to detach it,
would take its derivative away without a word."""


def in_words(error: BaseException) -> str:
    """What a user's code has raised, and what may have been meant."""
    for said, whose in FOREIGN.items():
        if said in str(error) and isinstance(error, TypeError | RuntimeError | ValueError):
            return f"torch cannot differentiate what {whose} computes; use torch.* functions, as torch.sin"
    return f"{type(error).__name__}: {error}{near_name(error)}"


def is_signal(error: BaseException) -> bool:
    """Whether an exception that passes through a user's code is none of its own."""
    return isinstance(error, KeyboardInterrupt | Interrupted)


def place(error: BaseException) -> str:
    """The line of the user's code that an exception passed through last, in brackets; "" if it passed through none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _belongs_to_a_package(frame.filename)]
    return f" (line {own[-1].lineno} of {own[-1].filename}: {own[-1].line})" if own else ""


def _belongs_to_a_package(filename: str) -> bool:
    path = Path(filename)
    inside = path.is_relative_to(PACKAGE) and not path.is_relative_to(PACKAGE / "problems")
    library = path.is_relative_to(sysconfig.get_path("stdlib")) or {"site-packages", "dist-packages"} & set(path.parts)
    return inside or bool(library) or filename.startswith("<")
