"""`Box`: a product of intervals."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from pinnreg.domain.distances import beyond
from pinnreg.domain.naming import check_axes, check_time_last, interval_of, meant, piece_name, said_name
from pinnreg.domain.shape import Shape
from pinnreg.domain.sides import Face, faces
from pinnreg.errors import InputError


@final
class Box(Shape):
    """A product of intervals with named axes: `Box(x=(-1, 1), t=(0, 1))`.

    Args:
        name: of its whole boundary in set operations, as a hole's: `Box(x=(0, 1), y=(0, 1), name="hole")`; by itself
            it has its faces, and so it has in set operations without a name.
        intervals: (lower, upper) by axis.

    Raises:
        InputError: no axis, an empty or infinite interval, `t` not last, a name of an axis that is no public Python
            name or reads as other axes' names, or one of the boundary that is an axis or contains "=".
    """

    def __init__(self, *, name: object = None, **intervals: tuple[float, float]) -> None:
        # an object and no str, since a type checker takes the intervals of Box(**bounds) for it too
        if not intervals:
            raise InputError("Box(): expected at least one axis, as in Box(x=(0, 1))")
        self._bounds = {
            axis: interval_of(f"Box: axis {axis!r}", interval, meant([axis], ["name"]))
            for axis, interval in intervals.items()
        }
        check_axes("Box", self.axes)
        self._name = None if name is None else piece_name("Box", name, self.axes)

    @classmethod
    def cube(cls, dimension: int, lower: float = 0.0, upper: float = 1.0) -> Box:
        """The cube of a dimension with the axes x1, x2, ...

        Raises:
            InputError: a dimension that is no positive integer, or an empty interval.
        """
        if type(dimension) is not int or dimension < 1:
            raise InputError(f"Box.cube: expected a positive number of axes, got {dimension!r}")
        return cls(**{f"x{number}": (lower, upper) for number in range(1, dimension + 1)})

    def over(self, **interval: tuple[float, float]) -> Box:
        """This box times intervals: `Box.cube(10).over(t=(0, 1))`.

        Raises:
            InputError: an axis that there is, any after time, or an empty interval.
        """
        for name in interval:
            if name in self._bounds:
                what = "a time" if name == "t" else f"an axis {name!r}"
                raise InputError(f"{self!r}.over({name}=...): it has {what} already")
            check_time_last(self, name)
        check_axes(f"{self!r}.over", (*self.axes, *interval))
        return Box(name=self._name, **self._bounds, **interval)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        return dict(self._bounds)

    @property
    def joined(self) -> str | None:
        return self._name

    @property
    def volume(self) -> float:
        return math.prod(upper - lower for lower, upper in self._bounds.values())

    def interior(self, unit: Tensor) -> Tensor:
        lower, upper = self._corners(unit)
        return lower + (upper - lower) * unit

    def faces(self, on: str | Sequence[str] | None) -> tuple[Face, ...]:
        return faces(on, self.axes)

    def on_face(self, face: Face, unit: Tensor) -> Tensor:
        index = self.axes.index(face.axis)
        end = unit.new_full((unit.shape[0], 1), 0.0 if face.side == "min" else 1.0)
        points = self.interior(torch.cat([unit[:, :index], end, unit[:, index:]], dim=1))
        # lower + (upper - lower) * 1 can miss the face by a rounding error
        points[:, index] = self._bounds[face.axis][0 if face.side == "min" else 1]
        return points

    def level(self, points: Tensor) -> Tensor:
        # the signed distance but for corners, and time has no part in it
        columns = enumerate(self._bounds.items())
        levels = (beyond(points[:, number], ends) for number, (axis, ends) in columns if axis != "t")
        return functools.reduce(torch.maximum, levels)

    def until(self, share: float) -> Box:
        if "t" not in self._bounds or share == 1:
            return self
        start, end = self._bounds["t"]
        return Box(name=self._name, **{**self._bounds, "t": (start, start + share * (end - start))})

    def _corners(self, like: Tensor) -> tuple[Tensor, Tensor]:
        # filled there: points are drawn at each step, which would wait for a copy from the CPU
        lower, upper = (
            torch.stack([like.new_full((), end) for end in ends]) for ends in zip(*self._bounds.values(), strict=True)
        )
        return lower, upper

    def __repr__(self) -> str:
        intervals = ", ".join(f"{name}=({a:g}, {b:g})" for name, (a, b) in self._bounds.items())
        return f"Box({intervals}{said_name(self._name)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return tuple(self._bounds.items()), self._name
