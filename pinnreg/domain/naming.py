"""What axes and pieces of boundaries may be called, and which numbers, centres and intervals shapes may have."""

from __future__ import annotations

import keyword
import math
from collections.abc import Collection, Mapping, Sequence
from numbers import Real

from pinnreg.errors import InputError


def check_axes(title: str, names: Sequence[str]) -> None:
    """Refuse axes of which `t` is not the last, or that no derivative could name.

    Raises:
        InputError: `t` not last, a name that is no public Python name or reads as other axes' names.
    """
    if "t" in names and names[-1] != "t":
        raise InputError(f"{title}({', '.join(names)}): the axis 't' is time and must stand last")
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise InputError(f"{title}: the axis name {name!r} cannot be written as u.{name}; use letters and digits")
        if _reads_as_others(name, names):
            raise InputError(f"{title}: the axis name {name!r} reads as a sequence of other axes; rename it")


def centre_of(title: str, centre: Mapping[str, float]) -> dict[str, float]:
    """The coordinates of a centre by axis, checked.

    Raises:
        InputError: time among them, a name that no derivative could have, or a coordinate that is no finite number.
    """
    check_axes(title, tuple(centre))
    if "t" in centre:
        raise InputError(f"{title}: 't' is time; give the shape in space and then .over(t=(0, 1))")
    return {name: number_of(f"{title}: axis {name!r}", value) for name, value in centre.items()}


def number_of(title: str, value: object) -> float:
    """A finite number, checked."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{title}: expected a finite number, got {value!r}")
    return float(value)


def length_of(title: str, value: object) -> float:
    """A positive number, checked."""
    if (number := number_of(title, value)) <= 0:
        raise InputError(f"{title}: expected a positive number, got {value!r}")
    return number


BOUNDARY = "boundary"
"""What the boundary of a shape with one part is called."""


def piece_name(title: str, name: object) -> str:
    """The name of a part of a boundary, checked: no empty one, and none that reads as a flat side's."""
    if not isinstance(name, str) or not name.strip() or "=" in name:
        raise InputError(f"{title}: expected a name without '=', got {name!r}")
    return name


def said_name(name: str) -> str:
    """A name in the repr of a shape: nothing if it is what it would be by itself."""
    return "" if name == BOUNDARY else f", name={name!r}"


def _reads_as_others(name: str, names: Collection[str]) -> bool:
    """Whether a name is a sequence of other names."""
    known = set(names) - {name}
    reached = [0]  # lengths of the beginnings of `name` that are such sequences
    for end in range(1, len(name) + 1):
        if any(name[start:end] in known for start in reached):
            reached.append(end)
    return reached[-1] == len(name)


def interval_of(title: str, interval: tuple[float, float]) -> tuple[float, float]:
    """The ends of an interval, checked to be finite and in order."""
    try:
        lower, upper = (float(end) for end in interval)
    except (TypeError, ValueError):
        raise InputError(f"{title}: expected an interval (lower, upper), got {interval!r}") from None
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise InputError(f"{title}: expected finite lower < upper, got {interval!r}")
    return lower, upper
