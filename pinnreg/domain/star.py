"""`Star` and `Ellipse`: what lies within a closed curve around a centre."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from pinnreg.domain.curve import CELLS, TURN, Curve, Quantile
from pinnreg.domain.naming import BOUNDARY, centre_of, length_of, meant, number_of, piece_name, said_name
from pinnreg.domain.quadric import Quadric
from pinnreg.domain.shape import Curved
from pinnreg.domain.sides import Piece, Placed, PlacedOn, Side
from pinnreg.errors import InputError, user_code


class _Enclosed(Curved):
    """What a curve around a centre encloses."""

    def __init__(self, title: str, name: str, centre: dict[str, float], keywords: tuple[str, ...]) -> None:
        if len(centre) != 2:
            hint = meant(centre, keywords)
            raise InputError(f"{title}: expected the centre by two axes, as in {title}(..., x=0, y=0){hint}")
        self._centre = centre_of(title, centre, keywords)
        self._piece = Piece(piece_name(title, name, self._centre))

    @cached_property
    def curve(self) -> Curve:
        """Its boundary."""
        raise NotImplementedError

    @property
    def centre(self) -> dict[str, float]:
        """The coordinates of the centre by axis."""
        return dict(self._centre)

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        lows, highs = self.curve.bounds
        return {axis: (low, high) for axis, low, high in zip(self._centre, lows, highs, strict=True)}

    @property
    def pieces(self) -> tuple[Side, ...]:
        return (self._piece,)

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        return *self.curve.placed(unit[:, 0]), None

    def measure(self, side: Side) -> float:
        return self.curve.length

    def signed_distance(self, points: Tensor) -> Tensor:
        away = self.curve.distance(points)
        return torch.where(self.level(points) <= 0, -away, away)

    def _from_centre(self, points: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self._centre.values()
        return points[:, 0] - x, points[:, 1] - y

    def _around(self, x: Tensor, y: Tensor) -> Tensor:
        along, up = self._centre.values()
        return torch.stack([x + along, y + up], dim=1)

    def _where(self) -> str:
        return ", ".join(f"{axis}={middle:g}" for axis, middle in self._centre.items())


@final
class Star(_Enclosed):
    """The points within r(θ) of a centre: `Star(lambda theta: 1 + 0.2 * torch.cos(5 * theta), x=0, y=0)`.

    Args:
        radius: r, (n,), by the angle θ in [0, 2π], (n,), in torch.* functions, positive and of period 2π.
        name: of its boundary.
        centre: the coordinates of the centre by axis.

    Raises:
        InputError: other than two axes, or a radius that is not positive, finite and periodic.
    """

    def __init__(self, radius: Callable[[Tensor], Tensor], name: str = BOUNDARY, **centre: float) -> None:
        super().__init__("Star", name, centre, ("radius", "name"))
        if not callable(radius):
            raise InputError(
                f"Star: the radius is a function of the angle, as in lambda theta: 1 + ...; got {radius!r}"
            )
        self._given = radius
        values = self.radius(torch.linspace(0, TURN, CELLS + 1, dtype=torch.float64))
        if not bool((values > 0).all() & values.isfinite().all()):
            raise InputError("Star: the radius must be positive and finite at all angles")
        if abs(float(values[0] - values[-1])) > 1e-9 * float(values.max()):
            raise InputError(f"Star: the radius must have the period 2π, but is {values[0]:g} and {values[-1]:g} there")

    def radius(self, theta: Tensor) -> Tensor:
        """r(θ), (n,), of angles (n,)."""
        with user_code("radius of Star"):
            found = self._given(theta)
        if not isinstance(found, Tensor) or found.shape not in (theta.shape, ()):
            raise InputError("Star: the radius must give a tensor (n,) of angles (n,), in torch.* functions")
        return found.to(theta).expand_as(theta)

    @cached_property
    def curve(self) -> Curve:
        def at(theta: Tensor) -> Tensor:
            r = self.radius(theta)
            return self._around(r * theta.cos(), r * theta.sin())

        return Curve(at)

    @cached_property
    def _by_area(self) -> Quantile:
        return Quantile(lambda theta: self.radius(theta).detach().square() / 2)

    @property
    def volume(self) -> float:
        return self._by_area.total

    def placed(self, unit: Tensor) -> Placed:
        theta = self._by_area(unit[:, 1])
        r = self.radius(theta) * unit[:, 0].sqrt()
        return self._around(r * theta.cos(), r * theta.sin()), None

    def level(self, points: Tensor) -> Tensor:
        x, y = self._from_centre(points)
        return torch.hypot(x, y) - self.radius(torch.atan2(y, x).remainder(TURN))

    def __repr__(self) -> str:
        return f"Star({self._where()}{said_name(self._piece.name)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Star) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self._given, tuple(self._centre.items()), self._piece


@final
class Ellipse(_Enclosed):
    """The points within an ellipse: `Ellipse(2, 1, x=0, y=0, angle=0.3)`.

    Args:
        a: the half-axis along the first axis.
        b: the half-axis along the second.
        angle: by which it is turned counter-clockwise.
        name: of its boundary.
        centre: the coordinates of the centre by axis.

    Raises:
        InputError: other than two axes, or a half-axis that is not positive.
    """

    def __init__(self, a: float, b: float, angle: float = 0.0, name: str = BOUNDARY, **centre: float) -> None:
        super().__init__("Ellipse", name, centre, ("angle", "name"))
        self.a, self.b = length_of("Ellipse: a", a), length_of("Ellipse: b", b)
        self.angle = number_of("Ellipse: angle", angle)

    @cached_property
    def curve(self) -> Curve:
        return Curve(lambda theta: self._turned(theta.cos(), theta.sin()))

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        reach = (math.hypot(self.a * cosine, self.b * sine), math.hypot(self.a * sine, self.b * cosine))
        return {axis: (c - r, c + r) for (axis, c), r in zip(self._centre.items(), reach, strict=True)}

    @property
    def volume(self) -> float:
        return math.pi * self.a * self.b

    def placed(self, unit: Tensor) -> Placed:
        r, theta = unit[:, 0].sqrt(), TURN * unit[:, 1]
        return self._turned(r * theta.cos(), r * theta.sin()), None

    @property
    def quadric(self) -> Quadric:
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        one, other = (cosine / self.a, sine / self.a), (-sine / self.b, cosine / self.b)
        form = tuple(tuple(one[i] * one[j] + other[i] * other[j] for j in range(2)) for i in range(2))
        return Quadric((0, 1), tuple(self._centre.values()), form, ((str(self._piece), 1.0),))

    def level(self, points: Tensor) -> Tensor:
        x, y = self._from_centre(points)
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        # q = ξ² + η² is 1 on the boundary, and (q - 1) / |∇q| the distance near it
        xi, eta = (cosine * x + sine * y) / self.a, (cosine * y - sine * x) / self.b
        slope = 2 * torch.hypot(xi / self.a, eta / self.b)
        return (xi**2 + eta**2 - 1) / slope.clamp_min(1e-6 / max(self.a, self.b))

    def _turned(self, x: Tensor, y: Tensor) -> Tensor:
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        x, y = self.a * x, self.b * y
        return self._around(cosine * x - sine * y, sine * x + cosine * y)

    def __repr__(self) -> str:
        turned = f", angle={self.angle:g}" if self.angle else ""
        return f"Ellipse({self.a:g}, {self.b:g}{turned}, {self._where()}{said_name(self._piece.name)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ellipse) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.a, self.b, self.angle, tuple(self._centre.items()), self._piece
