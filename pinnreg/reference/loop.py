"""A polygon as a closed line in the complex plane: its corners, the points along its edges, poles outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Complex
from pinnreg.reference.outline import Plane, distances, outline

CLUSTERED = 4.0
"""σ of distances exp(−σ(√n − √k)), k = 1 … n."""
NEAREST = 1e-14
"""Of the farthest pole's distance to a corner: that of the nearest one; nearer ones fall into it by rounding."""
DEEPEST = 17.0
"""e^{−2 · 17} of an edge is below rounding."""
CLEAR = 0.5
"""Of the distance that a pole has by itself to the two edges of its corner."""


@final
@dataclass(frozen=True)
class Loop:
    """Corners, (m,), counter-clockwise, and the names of the edges, the first from the first to the second corner."""

    corners: Complex
    names: tuple[str, ...]

    @property
    def along(self) -> Complex:
        """The edges, (m,)."""
        return np.asarray(np.roll(self.corners, -1) - self.corners)

    @property
    def angles(self) -> Array:
        """Inside, at the corners, (m,)."""
        return np.asarray(np.angle(-np.roll(self.along, 1) / self.along) % (2 * np.pi))

    @property
    def inward(self) -> Complex:
        """The bisectors at the corners, of length 1, (m,)."""
        return np.asarray(self.along / np.abs(self.along) * np.exp(0.5j * self.angles))

    def on_edge(self, number: int, places: Array) -> Complex:
        """The points at (1 + tanh t)/2 of an edge, (n,), by t, (n,)."""
        start, along = self.corners[number], self.along[number]
        end = self.corners[(number + 1) % len(self.corners)]
        from_start, from_end = along / (1 + np.exp(-2 * places)), along / (1 + np.exp(2 * places))
        return np.asarray(np.where(places < 0, start + from_start, end - from_end))

    def poles(self, plane: Plane, count: int) -> tuple[Complex, Array]:
        """`count` poles outside of each corner, others in the middle of what edges enclose outside, and their sizes."""
        farthest = self._room(plane)
        clustered = min(CLUSTERED, -np.log(NEAREST) / max(count**0.5 - 1, 1))
        away = farthest[:, None] * np.exp(-clustered * (count**0.5 - np.sqrt(np.arange(1, count + 1))))
        middles, radii = self._middles(plane, count // 2)
        poles = self.corners[:, None] - self.inward[:, None] * away
        return np.concatenate([poles.ravel(), middles]), np.concatenate([away.ravel(), radii])

    @property
    def size(self) -> float:
        """Of the box around it."""
        return float(np.ptp(self.corners.real) + np.ptp(self.corners.imag))

    def _room(self, plane: Plane) -> Array:
        """How far poles may be from the corners without coming near other edges, (m,)."""
        away = self.size * np.geomspace(1e-4, 1, 60)
        outward = np.sin(np.minimum(np.pi - self.angles / 2, np.pi / 2))
        poles = self.corners[:, None] - self.inward[:, None] * away
        blocked = _distances(plane, poles.ravel()).reshape(poles.shape) < CLEAR * outward[:, None] * away
        first = np.where(blocked.any(axis=1), blocked.argmax(axis=1), len(away))
        return np.asarray(away[np.maximum(first - 1, 0)])

    def _middles(self, plane: Plane, count: int) -> tuple[Complex, Array]:
        """Points as near to other edges as to that they lie opposite to, and their distances to both."""
        places = np.concatenate(
            [self.on_edge(k, DEEPEST / 2 * np.linspace(-1, 1, count)) for k in range(len(self.names))]
        )
        outward = np.repeat(-1j * self.along / np.abs(self.along), count)
        low, high = np.zeros(len(places)), np.full(len(places), self.size)
        for _ in range(40):
            middle = (low + high) / 2
            nearest = _distances(plane, places + outward * middle) > (1 - 1e-6) * middle
            low, high = np.where(nearest, middle, low), np.where(nearest, high, middle)
        enclosed = (high < self.size / 2) & (low > 1e-9 * self.size)
        return (places + outward * low)[enclosed], low[enclosed]


def _distances(plane: Plane, points: Complex) -> Array:
    return distances(plane, np.column_stack([points.real, points.imag]))


def loop_of(what: str, plane: Plane) -> Loop:
    """The boundary of a polygon without holes, or an `InputError`."""
    found = outline(plane)
    if not all(arc.straight for arc in found.arcs):
        raise InputError(f"{what}: expected a polygon, but the boundary of {plane!r} is curved")
    after = {arc.ends: arc.name for arc in found.arcs}
    beside: dict[int, list[int]] = {}
    for one, other in after:
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    if any(len(each) != 2 for each in beside.values()):
        raise InputError(f"{what}: the boundary of {plane!r} touches itself")
    order = [0, beside[0][0]]
    while order[-1] != 0:
        one, other = beside[order[-1]]
        order.append(other if one == order[-2] else one)
    if len(order) <= len(found.arcs):
        raise InputError(f"{what}: {plane!r} has holes or several parts; use finite_elements")
    names = [after.get((a, b)) or after[b, a] for a, b in pairwise(order)]
    corners = found.vertices[order[:-1]] @ np.array([1, 1j])
    if (corners.conj() * np.roll(corners, -1)).imag.sum() < 0:
        corners, names = corners[::-1], [*names[-2::-1], names[-1]]
    return Loop(corners, tuple(names))
