"""`Ball` and `Annulus`: discs, balls and the shells between two of them, in any dimension from two on."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from pinnreg.domain.distances import beyond, lengths
from pinnreg.domain.naming import BOUNDARY, centre_of, given_length, piece_name, said_name
from pinnreg.domain.quadric import Quadric
from pinnreg.domain.shape import Curved
from pinnreg.domain.sides import Piece, Placed, PlacedOn, Side
from pinnreg.errors import InputError


class _Round(Curved):
    """What balls and shells have in common: a centre."""

    def __init__(self, title: str, centre: dict[str, float], keywords: tuple[str, ...]) -> None:
        if len(centre) < 2:
            raise InputError(f"{title}: expected the centre by at least two axes, as in {title}(x=0, y=0, ...)")
        self._centre = centre_of(title, centre, keywords)

    @property
    def centre(self) -> dict[str, float]:
        """The coordinates of the centre by axis."""
        return dict(self._centre)

    def _around(self, radius: float) -> dict[str, tuple[float, float]]:
        return {axis: (middle - radius, middle + radius) for axis, middle in self._centre.items()}

    def _from_centre(self, points: Tensor) -> Tensor:
        # filled there: points are drawn at each step, which would wait for a copy from the CPU
        return torch.stack([points[:, number] - each for number, each in enumerate(self._centre.values())], dim=1)

    def _moved(self, points: Tensor) -> Tensor:
        return torch.stack([points[:, number] + each for number, each in enumerate(self._centre.values())], dim=1)

    def _quadric(self, radius: float, *levels: tuple[Piece, float]) -> Quadric:
        count = len(self._centre)
        form = tuple(tuple(radius**-2 if i == j else 0.0 for j in range(count)) for i in range(count))
        named = tuple((str(piece), level) for piece, level in levels)
        return Quadric(tuple(range(count)), tuple(self._centre.values()), form, named)

    def _where(self) -> str:
        return ", ".join(f"{axis}={middle:g}" for axis, middle in self._centre.items())


@final
class Ball(_Round):
    """The points within a radius of a centre: `Ball(x=0, y=0, radius=1)`.

    Args:
        radius: the radius, which has no default.
        name: of its boundary.
        centre: the coordinates of the centre by axis.

    Raises:
        InputError: fewer than two axes, or a radius that is missing or not positive.
    """

    def __init__(self, radius: float | None = None, name: str = BOUNDARY, **centre: float) -> None:
        self.radius = given_length("Ball", "radius", radius, centre)
        super().__init__("Ball", centre, ("radius", "name"))
        self._piece = Piece(piece_name("Ball", name, self._centre))

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        return self._around(self.radius)

    @property
    def volume(self) -> float:
        return unit_ball_volume(self.dimension) * self.radius**self.dimension

    @property
    def quadric(self) -> Quadric:
        return self._quadric(self.radius, (self._piece, 1.0))

    @property
    def pieces(self) -> tuple[Side, ...]:
        return (self._piece,)

    def placed(self, unit: Tensor) -> Placed:
        return self._moved(self.radius * unit_ball(unit)), None

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        normals = unit_sphere(unit)
        return self._moved(self.radius * normals), normals, None

    def measure(self, side: Side) -> float:
        return sphere_measure(self.dimension, self.radius)

    def signed_distance(self, points: Tensor) -> Tensor:
        return lengths(self._from_centre(points)) - self.radius

    def __repr__(self) -> str:
        return f"Ball({self._where()}, radius={self.radius:g}{said_name(self._piece.name)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ball) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return tuple(self._centre.items()), self.radius, self._piece


@final
class Annulus(_Round):
    """The points between two radii of a centre: `Annulus(x=0, y=0, inner=0.5, outer=1)`, in 3-D a shell.

    Args:
        inner: the radius of the hole, whose boundary is called "inner".
        outer: the radius, whose boundary is called "outer".
        centre: the coordinates of the centre by axis.

    Raises:
        InputError: fewer than two axes, or radii that are missing, or not positive and in order.
    """

    def __init__(self, inner: float | None = None, outer: float | None = None, **centre: float) -> None:
        self.inner = given_length("Annulus", "inner", inner, centre)
        self.outer = given_length("Annulus", "outer", outer, centre)
        super().__init__("Annulus", centre, ("inner", "outer"))
        if self.inner >= self.outer:
            raise InputError(f"Annulus: expected inner < outer, got {inner:g} and {outer:g}")
        self._radii = {Piece("inner"): self.inner, Piece("outer"): self.outer}

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        return self._around(self.outer)

    @property
    def volume(self) -> float:
        return unit_ball_volume(self.dimension) * (self.outer**self.dimension - self.inner**self.dimension)

    @property
    def quadric(self) -> Quadric:
        return self._quadric(self.outer, *((each, (r / self.outer) ** 2) for each, r in self._radii.items()))

    @property
    def pieces(self) -> tuple[Side, ...]:
        return tuple(self._radii)

    def placed(self, unit: Tensor) -> Placed:
        k = self.dimension
        low, high = self.inner**k, self.outer**k
        radii = (low + (high - low) * unit[:, :1]) ** (1 / k)
        return self._moved(radii * unit_sphere(unit[:, 1:])), None

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        outward = unit_sphere(unit)
        radius = self._radii[_piece(side)]
        return self._moved(radius * outward), outward if radius == self.outer else -outward, None

    def measure(self, side: Side) -> float:
        return sphere_measure(self.dimension, self._radii[_piece(side)])

    def signed_distance(self, points: Tensor) -> Tensor:
        radii = lengths(self._from_centre(points))
        return beyond(radii, (self.inner, self.outer))

    def __repr__(self) -> str:
        return f"Annulus({self._where()}, inner={self.inner:g}, outer={self.outer:g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Annulus) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return tuple(self._centre.items()), self.inner, self.outer


def _piece(side: Side) -> Piece:
    assert isinstance(side, Piece)
    return side


def unit_ball(unit: Tensor) -> Tensor:
    """Points in the unit ball of k dimensions, (n, k), uniform if `unit`, (n, k), is on the unit cube."""
    dimension = unit.shape[1]
    if dimension < 2:
        return 2 * unit - 1
    return unit[:, :1] ** (1 / dimension) * unit_sphere(unit[:, 1:])


def unit_sphere(unit: Tensor) -> Tensor:
    """Points on the unit sphere in k dimensions, (n, k), uniform if `unit`, (n, k - 1), is on the unit cube.

    Without two of its coordinates such a point is uniform in the ball of k - 2 dimensions (Archimedes for k = 3), and
    these two are at any angle.
    """
    angle = 2 * math.pi * unit[:, :1]
    others = unit_ball(unit[:, 1:])
    rest = (1 - others.square().sum(dim=1, keepdim=True)).clamp_min(0).sqrt()
    return torch.cat([rest * angle.cos(), rest * angle.sin(), others], dim=1)


def unit_ball_volume(dimension: int) -> float:
    """That of the ball of radius 1."""
    return math.exp(dimension / 2 * math.log(math.pi) - math.lgamma(dimension / 2 + 1))


def sphere_measure(dimension: int, radius: float) -> float:
    """The area of a sphere, the length of a circle."""
    return dimension * unit_ball_volume(dimension) * radius ** (dimension - 1)
