"""Sides of domains: flat faces of an axis, and named pieces of any form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from torch import Tensor

from pinnreg.domain.given import names_of
from pinnreg.errors import InputError, unknown


@final
@dataclass(frozen=True)
class Face:
    """One flat side of a domain, on which `axis` is constant; `outward` is the sign of its outward normal there."""

    axis: str
    side: Literal["min", "max"]

    @property
    def outward(self) -> float:
        return 1.0 if self.side == "max" else -1.0

    def __str__(self) -> str:
        return f"{self.axis}={self.side}"


@final
@dataclass(frozen=True)
class Piece:
    """A named part of a boundary of any form."""

    name: str
    axis: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.name


Side = Face | Piece
Placed = tuple[Tensor, Tensor | None]
"""Points (n, d), and which of them are kept, (n,); None for all."""
PlacedOn = tuple[Tensor, Tensor, Tensor | None]
"""The same with outward normals (n, d)."""


def flat(sides: Iterable[Side]) -> list[Face]:
    """Those sides on which an axis is constant."""
    return [side for side in sides if isinstance(side, Face)]


def faces(on: str | Sequence[str] | None, axes: Sequence[str]) -> tuple[Face, ...]:
    """The faces of a box with these axes that `on` names, as `Domain.faces`."""
    names = [axis for axis in axes if axis != "t"] if on is None else names_of(on)
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
