"""What axes and pieces of boundaries may be called, and which numbers, centres and intervals shapes may have."""

from __future__ import annotations

import difflib
import keyword
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING

from pinnreg.errors import InputError

if TYPE_CHECKING:
    from pinnreg.domain.domain import Domain


def check_axes(title: str, names: Sequence[str]) -> None:
    """Refuse axes of which `t` is not the last, or that no derivative could name.

    Raises:
        InputError: `t` not last, a name that is no public Python name or reads as other axes' names.
    """
    if "t" in names and names[-1] != "t":
        raise InputError(f"{title}({', '.join(names)}): the axis 't' is time and must stand last")
    for name in names:
        if name == "name":
            raise InputError(f"{title}: an axis cannot be called 'name', which names the boundary of shapes")
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise InputError(f"{title}: the axis name {name!r} cannot be written as u.{name}; use letters and digits")
        if _reads_as_others(name, names):
            raise InputError(f"{title}: the axis name {name!r} reads as a sequence of other axes; rename it")


def check_time_last(base: Domain, axis: str) -> None:
    """Refuse an axis after time."""
    if "t" in base.axes:
        raise InputError(f"{base!r}.over({axis}=...): time must stand last; give .over({axis}=...) before .over(t=...)")


def centre_of(title: str, centre: Mapping[str, float], keywords: Sequence[str]) -> dict[str, float]:
    """The coordinates of a centre by axis, checked.

    Raises:
        InputError: time among them, a name that no derivative could have, or a coordinate that is no finite number.
    """
    check_axes(title, tuple(centre))
    if "t" in centre:
        raise InputError(f"{title}: 't' is time; give the shape in space and then .over(t=(0, 1))")
    return {
        name: number_of(f"{title}: axis {name!r}", value, meant([name], keywords)) for name, value in centre.items()
    }


def meant(axes: Iterable[str], keywords: Collection[str], cutoff: float = 0.6) -> str:
    """Which keywords some axes may be misspelt ones of, to end a message with; "" if they look like none."""
    pairs = ((axis, difflib.get_close_matches(axis, keywords, n=1, cutoff=cutoff)) for axis in axes)
    return "".join(f"; is {axis}= meant for {near[0]}=?" for axis, near in pairs if near)


def number_of(title: str, value: object, hint: str = "") -> float:
    """A finite number, checked."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{title}: expected a finite number, got {value!r}{hint}")
    return float(value)


def given_length(title: str, name: str, value: object, axes: Iterable[str]) -> float:
    """A positive number that has no default, checked.

    Raises:
        InputError: None, with the axis that looks like it, or no positive number.
    """
    if value is None:
        # r for radius
        raise InputError(f"{title}: expected {name}=..., which has no default{meant(axes, [name], 0.25)}")
    return length_of(f"{title}: {name}", value)


def length_of(title: str, value: object) -> float:
    """A positive number, checked."""
    if (number := number_of(title, value)) <= 0:
        raise InputError(f"{title}: expected a positive number, got {value!r}")
    return number


BOUNDARY = "boundary"
"""What the boundary of a shape with one part is called."""


def piece_name(title: str, name: object, axes: Collection[str] = ()) -> str:
    """The name of a part of a boundary, checked: no empty one, and none that reads as a flat side's or both of them."""
    if not isinstance(name, str) or not name.strip() or "=" in name:
        raise InputError(f"{title}: expected a name without '=', got {name!r}")
    check_no_axis(title, name, axes)
    return name


def check_no_axis(title: str, name: str, axes: Collection[str]) -> None:
    """Refuse a part of a boundary that is called as an axis is, whose name means both of its flat sides."""
    if name.replace(" ", "") in axes:
        raise InputError(f"{title}: a part of the boundary cannot be called {name!r}, as an axis is; rename it")


def said_name(name: str | None) -> str:
    """A name in the repr of a shape: nothing if it is what it would be by itself."""
    return "" if name in (None, BOUNDARY) else f", name={name!r}"


def _reads_as_others(name: str, names: Collection[str]) -> bool:
    """Whether a name is a sequence of other names."""
    known = set(names) - {name}
    reached = [0]  # lengths of the beginnings of `name` that are such sequences
    for end in range(1, len(name) + 1):
        if any(name[start:end] in known for start in reached):
            reached.append(end)
    return reached[-1] == len(name)


def interval_of(title: str, interval: tuple[float, float], hint: str = "") -> tuple[float, float]:
    """The ends of an interval, checked to be finite and in order."""
    try:
        lower, upper = (float(end) for end in interval)
    except (TypeError, ValueError):
        raise InputError(f"{title}: expected an interval (lower, upper), got {interval!r}{hint}") from None
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise InputError(f"{title}: expected finite lower < upper, got {interval!r}")
    return lower, upper
