"""Domains with named axes. The axis named `t` is time and stands last."""

from __future__ import annotations

import keyword
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from pinnreg.errors import InputError, unknown


@final
@dataclass(frozen=True)
class Face:
    """One side of a domain, on which `axis` is constant; `outward` is the sign of its outward normal on that axis."""

    axis: str
    side: Literal["min", "max"]

    @property
    def outward(self) -> float:
        return 1.0 if self.side == "max" else -1.0

    def __str__(self) -> str:
        return f"{self.axis}={self.side}"


class Domain(ABC):
    """A set of points with named axes; subclasses say how the unit cube maps onto it and onto its faces."""

    @property
    @abstractmethod
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The smallest box around the domain: (lower, upper) by axis, in order."""

    @property
    @abstractmethod
    def volume(self) -> float:
        """The measure of the domain, time included."""

    @abstractmethod
    def interior(self, unit: Tensor) -> Tensor:
        """Points in the domain, (n, d), uniform if `unit`, (n, d), is uniform on the unit cube."""

    @abstractmethod
    def on_face(self, face: Face, unit: Tensor) -> Tensor:
        """Points on a face, (n, d), uniform if `unit`, (n, d - 1), is uniform on the unit cube."""

    def until(self, share: float) -> Domain:
        """The part of the domain in the first share of its time; the whole where it has none, or does not say."""
        return self

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes, time last."""
        return tuple(self.bounds)

    @property
    def dimension(self) -> int:
        """The number of axes, time included."""
        return len(self.bounds)

    @property
    def space_axes(self) -> tuple[str, ...]:
        """The names of the axes other than time."""
        return tuple(axis for axis in self.axes if axis != "t")

    def faces(self, on: str | Sequence[str] | None) -> tuple[Face, ...]:
        """The faces that `on` names: "x" (both), "x=min", "x=max", several of these, or None for all of space.

        Raises:
            InputError: a name that is no face of this domain, or one given twice.
        """
        return faces(on, self.axes)


def faces(on: str | Sequence[str] | None, axes: Sequence[str]) -> tuple[Face, ...]:
    """The faces of a domain with these axes that `on` names, as `Domain.faces`."""
    names = [axis for axis in axes if axis != "t"] if on is None else [on] if isinstance(on, str) else on
    found = tuple(face for name in names for face in _named(name, axes))
    if not found or len(set(found)) != len(found):
        raise InputError(f"faces {on!r}: expected one or more different faces of the axes {', '.join(axes)}")
    return found


def _named(name: str, axes: Sequence[str]) -> tuple[Face, ...]:
    axis, equals, side = name.replace(" ", "").partition("=")
    if axis not in axes or (equals and side not in ("min", "max")):
        raise unknown("face", name, [form for a in axes for form in (a, f"{a}=min", f"{a}=max")])
    if side == "min":
        return (Face(axis, "min"),)
    if side == "max":
        return (Face(axis, "max"),)
    return (Face(axis, "min"), Face(axis, "max"))


@final
class Box(Domain):
    """A product of intervals with named axes: `Box(x=(-1, 1), t=(0, 1))`.

    Raises:
        InputError: no axis, an empty or infinite interval, `t` not last, a name that is no public Python name or
            reads as other axes' names.
    """

    def __init__(self, **intervals: tuple[float, float]) -> None:
        if not intervals:
            raise InputError("Box(): expected at least one axis, as in Box(x=(0, 1))")
        self._bounds = {name: _interval(name, interval) for name, interval in intervals.items()}
        names = tuple(self._bounds)
        if "t" in names and names[-1] != "t":
            raise InputError(f"Box({', '.join(names)}): the axis 't' is time and must stand last")
        for name in names:
            if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
                raise InputError(f"Box: the axis name {name!r} cannot be written as u.{name}; use letters and digits")
            if _reads_as_others(name, names):
                raise InputError(f"Box: the axis name {name!r} reads as a sequence of other axes; rename it")

    @classmethod
    def cube(cls, dimension: int, lower: float = 0.0, upper: float = 1.0) -> Box:
        """The cube of a dimension with the axes x1, x2, ...

        Raises:
            InputError: a dimension that is no positive integer, or an empty interval.
        """
        if type(dimension) is not int or dimension < 1:
            raise InputError(f"Box.cube: expected a positive number of axes, got {dimension!r}")
        return cls(**{f"x{number}": (lower, upper) for number in range(1, dimension + 1)})

    def over(self, *, t: tuple[float, float]) -> Box:
        """This box over a time: `Box.cube(10).over(t=(0, 1))`.

        Raises:
            InputError: one that has a time, or an empty interval.
        """
        if "t" in self._bounds:
            raise InputError(f"{self!r}.over(t=...): it has a time already")
        return Box(**self._bounds, t=t)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        return dict(self._bounds)

    @property
    def volume(self) -> float:
        return math.prod(upper - lower for lower, upper in self._bounds.values())

    def interior(self, unit: Tensor) -> Tensor:
        lower, upper = self._corners(unit)
        return lower + (upper - lower) * unit

    def on_face(self, face: Face, unit: Tensor) -> Tensor:
        index = self.axes.index(face.axis)
        end = unit.new_full((unit.shape[0], 1), 0.0 if face.side == "min" else 1.0)
        points = self.interior(torch.cat([unit[:, :index], end, unit[:, index:]], dim=1))
        # lower + (upper - lower) * 1 can miss the face by a rounding error
        points[:, index] = self._bounds[face.axis][0 if face.side == "min" else 1]
        return points

    def until(self, share: float) -> Box:
        if "t" not in self._bounds or share == 1:
            return self
        start, end = self._bounds["t"]
        return Box(**{**self._bounds, "t": (start, start + share * (end - start))})

    def _corners(self, like: Tensor) -> tuple[Tensor, Tensor]:
        # filled there: points are drawn at each step, which would wait for a copy from the CPU
        lower, upper = (
            torch.stack([like.new_full((), end) for end in ends]) for ends in zip(*self._bounds.values(), strict=True)
        )
        return lower, upper

    def __repr__(self) -> str:
        return f"Box({', '.join(f'{name}=({a:g}, {b:g})' for name, (a, b) in self._bounds.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and list(self._bounds.items()) == list(other._bounds.items())

    def __hash__(self) -> int:
        return hash(tuple(self._bounds.items()))


def _reads_as_others(name: str, names: Collection[str]) -> bool:
    """Whether a name is a sequence of other names."""
    known = set(names) - {name}
    reached = [0]  # lengths of the beginnings of `name` that are such sequences
    for end in range(1, len(name) + 1):
        if any(name[start:end] in known for start in reached):
            reached.append(end)
    return reached[-1] == len(name)


def _interval(name: str, interval: tuple[float, float]) -> tuple[float, float]:
    try:
        lower, upper = (float(end) for end in interval)
    except (TypeError, ValueError):
        raise InputError(f"Box: axis {name!r}: expected an interval (lower, upper), got {interval!r}") from None
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise InputError(f"Box: axis {name!r}: expected finite lower < upper, got {interval!r}")
    return lower, upper
