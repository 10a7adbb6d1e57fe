"""A polygon as a closed line in the complex plane: its corners, the points along its edges, poles outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from pinnreg.errors import InputError
from pinnreg.reference.base import Array
from pinnreg.reference.outline import Plane, distances, outline
from pinnreg.reference.rational import Complex

CLUSTERED = 4.0
"""σ of distances exp(−σ(√n − √k)), k = 1 … n."""
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
        """`count` poles outside of each corner, fewer where there is no room, and their distances to it."""
        size = float(np.ptp(self.corners.real) + np.ptp(self.corners.imag))
        away = size * np.exp(-CLUSTERED * (count**0.5 - np.sqrt(np.arange(1, count + 1))))
        outward, scales = np.minimum(np.pi - self.angles / 2, np.pi / 2), np.tile(away, len(self.corners))
        poles = (self.corners[:, None] - self.inward[:, None] * away).ravel()
        room = distances(plane, np.column_stack([poles.real, poles.imag]))
        free = room > CLEAR * scales * np.repeat(np.sin(outward), count)
        return poles[free], scales[free]


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
