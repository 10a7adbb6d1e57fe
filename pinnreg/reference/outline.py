"""The boundary of a plane shape, and of interfaces within it, as smooth arcs from corner to corner.

A shape maps the unit interval onto each side of its boundary. Where the normal, the place or what lies beside it jumps
between two of many samples, bisection finds the end of an arc; ends that meet are one vertex.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.errors import InputError
from pinnreg.reference.base import Array, Integers

SAMPLES = (2**12, 2**16)
"""On each side, between which its arcs end; the more if the fewer miss a short arc."""
HALVINGS = 36
TURNED = 0.02
"""By which angle normals differ across a corner."""
TOUCHING = 1e-9
"""Of the size: so near to a curve is on it."""
MEETING = 1e-5
"""Of the size: ends of arcs so near to each other are one vertex."""
APART = 1e3
"""How much more than all else a leap from one curve to the next counts: a side of one name may have many curves."""


class Plane(Protocol):
    """What is used of a shape: a plane domain of `pinnreg.domain`, or any object like it."""

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]: ...
    def faces(self, on: Any) -> Sequence[Any]: ...
    def placed_on(self, side: Any, unit: Any) -> Any: ...
    def contains(self, points: Any) -> Any: ...
    def signed_distance(self, points: Any) -> Any: ...


@final
@dataclass(frozen=True)
class Arc:
    """A smooth part of a curve.

    Attributes:
        curve: 0 for the boundary of the domain, else the number of the interface.
        name: of the side.
        places: of its samples on the unit interval, (k,).
        points: the samples, (k, 2), from end to end.
        normals: outward there, (k, 2).
        ends: the numbers of the two vertices.
    """

    shape: Plane
    side: Any
    curve: int
    places: Array
    points: Array
    normals: Array
    ends: tuple[int, int]

    @property
    def name(self) -> str:
        return str(self.side)

    @property
    def lengths(self) -> Array:
        """From the first sample along the arc, (k,)."""
        return np.append(0.0, np.hypot(*np.diff(self.points, axis=0).T).cumsum())

    @property
    def turning(self) -> Array:
        """The curvature between the samples, (k - 1,)."""
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        return np.asarray(np.hypot(*np.diff(self.normals, axis=0).T) / np.maximum(steps, 1e-300))

    @property
    def straight(self) -> bool:
        return bool(np.abs(self.normals - self.normals[0]).max() < 1e-12)

    def at(self, lengths: Array) -> Array:
        """The points at these lengths along the arc, (n, 2), on the curve to rounding."""
        return placed(self.shape, self.side, np.interp(lengths, self.lengths, self.places))[0]


@final
@dataclass(frozen=True)
class Outline:
    """All arcs of a domain's boundary and of the interfaces inside, and the vertices, (v, 2), in which they end."""

    arcs: tuple[Arc, ...]
    vertices: Array
    size: float


def checked_plane(what: str, shape: object) -> Plane:
    """A shape in two axes of space, or an `InputError`."""
    needed = ("bounds", "faces", "placed_on", "contains", "signed_distance")
    if any(getattr(shape, name, None) is None for name in needed):
        raise InputError(f"{what}: expected a shape of pinnreg.domain, got {type(shape).__name__}")
    plane: Plane = shape  # type: ignore[assignment]
    if "t" in plane.bounds:
        raise InputError(f"{what}: give the shape in space, without the axis t")
    if len(plane.bounds) != 2:
        raise InputError(f"{what}: expected a shape in two axes, got {', '.join(plane.bounds)}")
    return plane


def extent(shape: Plane) -> float:
    """The longer side of the box around a shape."""
    return max(upper - lower for lower, upper in shape.bounds.values())


def sides(shape: Plane) -> list[str]:
    """The names of the parts of its boundary."""
    return [str(side) for side in shape.faces(None)]


def distances(shape: Plane, points: Array) -> Array:
    """The signed distances of points (n, 2), (n,), negative inside."""
    with torch.no_grad():
        found = shape.signed_distance(torch.from_numpy(np.ascontiguousarray(points, dtype=np.float64)))
    return np.asarray(found.numpy(), dtype=np.float64)


def contained(shape: Plane, points: Array, slack: float = 0.0) -> NDArray[np.bool_]:
    """Whether points (n, 2) lie in a shape or within `slack` of it, (n,); cheaper than distances from curves."""
    found = np.asarray(shape.contains(torch.from_numpy(np.ascontiguousarray(points))).numpy())
    rest = ~found
    if slack and rest.any():
        found[rest] = distances(shape, points[rest]) <= slack
    return found


def placed(shape: Plane, side: Any, places: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Points of a side, (n, 2), outward normals and whether they belong to the boundary, by places in [0, 1], (n,)."""
    unit = torch.from_numpy(np.ascontiguousarray(np.clip(places, 0, 1)))[:, None]
    points, normals, kept = shape.placed_on(side, unit)
    there = np.ones(len(places), dtype=np.bool_) if kept is None else kept.numpy()
    return points.detach().numpy(), normals.detach().numpy(), there


def outline(domain: Plane, interfaces: Sequence[Plane] = ()) -> Outline:
    """The arcs of a domain's boundary and those of interfaces that lie inside it, cut where they meet.

    Raises:
        InputError: if the boundary does not close.
    """
    for samples in SAMPLES:
        found = _outline([domain, *interfaces], samples)
        ends = [end for arc in found.arcs if arc.curve == 0 for end in arc.ends]
        if not (np.bincount(ends) % 2).any():
            return found
    raise InputError(f"the boundary of {domain!r} has parts that are too short for the sides on which they lie")


def _outline(curves: Sequence[Plane], samples: int) -> Outline:
    size = extent(curves[0])
    pieces = [
        (number, side, *piece)
        for number, shape in enumerate(curves)
        for side in shape.faces(None)
        for piece in _pieces(curves, number, side, size, samples)
    ]
    ends = np.concatenate([points[[0, -1]] for *_, points, _ in pieces])
    vertices, which = _merged(ends, np.concatenate([normals[[0, -1]] for *_, normals in pieces]), MEETING * size)
    arcs = tuple(
        Arc(curves[number], side, number, places, points, normals, (int(which[2 * k]), int(which[2 * k + 1])))
        for k, (number, side, places, points, normals) in enumerate(pieces)
    )
    return Outline(arcs, vertices, size)


def _pieces(
    curves: Sequence[Plane], number: int, side: Any, size: float, samples: int
) -> list[tuple[Array, Array, Array]]:
    """The places, points and normals of the smooth parts of one side that belong to the outline."""

    def looked_at(places: Array) -> tuple[Array, NDArray[np.bool_]]:
        points, normals, kept = placed(curves[number], side, places)
        beside = [distances(curve, points) for k, curve in enumerate(curves) if k != number]
        signs = [np.sign(np.where(np.abs(each) < TOUCHING * size, 0.0, each)) for each in beside]
        if number:  # strictly inside the domain, and not where an earlier interface is
            kept = kept & (signs[0] < 0) & np.all([each != 0 for each in signs[1:number]], axis=0)
        return np.column_stack([APART / size * points, normals, kept, *signs]), kept

    places = np.linspace(0, 1, samples)
    features, _ = looked_at(places)
    steps = np.linalg.norm(np.diff(features[:, :2], axis=0), axis=1)
    jumps = np.linalg.norm(np.diff(features[:, 2:], axis=0), axis=1) > TURNED
    jumps |= steps > 8 * np.median(steps)
    before = np.flatnonzero(jumps)
    low, high = places[before], places[before + 1]
    at_low, at_high = features[before], features[before + 1]
    for _ in range(HALVINGS if len(before) else 0):
        middle = (low + high) / 2
        at_middle = looked_at(middle)[0]
        first = np.linalg.norm(at_middle - at_low, axis=1) <= np.linalg.norm(at_middle - at_high, axis=1)
        low, high = np.where(first, middle, low), np.where(first, high, middle)
        at_low = np.where(first[:, None], at_middle, at_low)
        at_high = np.where(first[:, None], at_high, at_middle)
    real = np.linalg.norm(at_low - at_high, axis=1) > TURNED / 2
    starts, ends = np.concatenate([[0.0], high[real]]), np.concatenate([low[real], [1.0]])
    found = []
    for start, end in zip(starts, ends, strict=True):
        inside = places[(places > start) & (places < end)]
        own = np.concatenate([[start], inside, [end]])
        if len(inside) and bool(looked_at(inside[len(inside) // 2 : len(inside) // 2 + 1])[1][0]):
            points, normals, _ = placed(curves[number], side, own)
            # a sample may lie just where curves cross
            if np.hypot(*np.ptp(points, axis=0)) > MEETING * size:
                found.append((own, points, normals))
    return found


def _merged(ends: Array, normals: Array, near: float) -> tuple[Array, Integers]:
    """The vertices, (v, 2), and which of them each end is, (e,).

    Ends are known to the accuracy of what lies beside them only; the tangents that cross there are exact.
    """
    which = np.full(len(ends), -1, dtype=np.intp)
    vertices: list[Array] = []
    for k, end in enumerate(ends):
        if which[k] >= 0:
            continue
        own = (np.hypot(*(ends - end).T) < near) & (which < 0)
        which[own] = len(vertices)
        middle = ends[own].mean(axis=0)
        offsets = ((ends[own] - middle) * normals[own]).sum(axis=1)
        vertices.append(middle + np.linalg.pinv(normals[own], rcond=0.05) @ offsets)
    return np.array(vertices), which


def opening(arcs: Sequence[Arc], vertex: int) -> tuple[float, tuple[str, ...]]:
    """The angle of a domain at a vertex of its boundary, in radians, and the names of the sides that meet there.

    2π where other than two arcs of the boundary meet.
    """
    found = [
        (_tangent(arc.normals[0], arc.points[1] - arc.points[0]), arc.normals[0], arc.name)
        if first
        else (_tangent(arc.normals[-1], arc.points[-2] - arc.points[-1]), arc.normals[-1], arc.name)
        for arc in arcs
        for first in (True, False)
        if arc.curve == 0 and arc.ends[0 if first else 1] == vertex
    ]
    names = tuple(dict.fromkeys(name for *_, name in found))
    if len(found) != 2:
        return 2 * math.pi, names
    (one, normal, _), (other, _, _) = found
    angle = math.acos(min(1.0, max(-1.0, float(one @ other))))
    return (angle if normal @ other <= 0 else 2 * math.pi - angle), names


def _tangent(normal: Array, toward: Array) -> Array:
    """At a right angle to a normal, (2,), to the side that `toward` points to."""
    tangent = np.array([-normal[1], normal[0]])
    return tangent if tangent @ toward > 0 else -tangent
