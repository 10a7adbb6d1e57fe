"""How long the edges of a mesh are to be: shorter where the boundary bends, and towards singular corners."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import final

import numpy as np
import scipy

from pinnreg.reference.base import Array
from pinnreg.reference.outline import Outline, opening

BEND = 0.5
"""The largest angle by which the boundary turns along an edge."""
GROWTH = 0.4
"""By which lengths may change with the distance."""
NEAREST = 1e-6
"""Of the reach of a corner: within that distance edges are not shortened further."""
SOURCES = 500
"""Places on the boundary where it bends, from which lengths grow."""
STRAIGHT = 1e-3
"""An angle that differs so little from π is none."""


@final
@dataclass(frozen=True)
class Refined:
    """h(r) = size (r/R)^(1 - μ) at a distance r < R from a corner, towards which a mesh is refined.

    Attributes:
        place: of the corner, (2,).
        size: the length of edges at the distance R.
        radius: R.
        grading: μ, from 0.1 to 1.
    """

    place: Array
    size: float
    radius: float
    grading: float

    def __call__(self, points: Array) -> Array:
        away = np.hypot(*(points - self.place).T) / self.radius
        # no shorter than what reaches to the corner, nor than what Delaunay's circles can tell apart
        least = max((self.size / self.radius) ** (1 / self.grading), NEAREST)
        return np.asarray(self.size * np.maximum(away, least) ** (1 - self.grading))


@final
@dataclass(frozen=True)
class Lengths:
    """The wanted length of edges, (n,), at points (n, 2).

    Attributes:
        size: the longest.
        refined: the corners towards which edges become shorter.
        sources: points of the boundary where it bends, (s, 2).
        limits: the length of edges there, (s,).
    """

    size: float
    refined: tuple[Refined, ...]
    sources: Array
    limits: Array

    def __call__(self, points: Array) -> Array:
        found = np.full(len(points), self.size)
        for each in self.refined:
            found = np.minimum(found, each(points))
        if len(self.sources):
            for start in range(0, len(points), SOURCES):
                some = slice(start, start + SOURCES)
                away = scipy.spatial.distance.cdist(points[some], self.sources)
                found[some] = np.minimum(found[some], (self.limits + GROWTH * away).min(axis=1))
        return found


def lengths(found: Outline, size: float, degree: int, prescribed: Collection[str]) -> Lengths:
    """Lengths for elements of a degree p: near a corner where solutions behave as r^α, μ = α/p.

    α = π/ω for a corner of angle ω, π/2ω where prescribed values end in it (P. Grisvard, Elliptic Problems in
    Nonsmooth Domains, 1985); the mesh then has as many elements as a uniform one, up to a factor, and the order p in
    the energy norm (I. Babuška, R. B. Kellogg and J. Pitkäranta, 1979).
    """
    places, limits = [], []
    for arc in found.arcs:
        bend = BEND / np.maximum(arc.turning, 1e-300)
        tight = np.flatnonzero(bend < size)
        chosen = tight[:: max(1, len(tight) * len(found.arcs) // SOURCES)]
        places.append(arc.points[chosen])
        limits.append(bend[chosen])
    refined = []
    for vertex, place in enumerate(found.vertices):
        exponent = _exponent(found, vertex, prescribed)
        meeting = [float(arc.lengths[-1]) for arc in found.arcs if vertex in arc.ends]
        if exponent < degree:
            radius = min(meeting) / 2
            refined.append(Refined(place, _beside(size, radius, found.size), radius, max(exponent / degree, 0.1)))
    return Lengths(size, tuple(refined), np.concatenate(places), np.concatenate(limits))


def _beside(size: float, radius: float, whole: float) -> float:
    """The length of edges at a distance R from a corner: below R, smaller for short arcs, and never the same for two
    sizes, since the difference of two solutions is to tell their error.
    """
    relative = size / radius * min(1.0, 4 * radius / whole) ** 0.5
    return float(radius * relative / (1 + relative))


def _exponent(found: Outline, vertex: int, prescribed: Collection[str]) -> float:
    """α of the leading singular function at a vertex; infinite where there is none."""
    angle, names = opening(found.arcs, vertex)
    if not names:  # of interfaces only, where α depends on the coefficients
        ends = [arc for arc in found.arcs for end in arc.ends if end == vertex]
        smooth = len(ends) == 2 and _turn(found, vertex) < STRAIGHT
        return math.inf if smooth else 2 / 3
    mixed = len({name in prescribed for name in names}) > 1
    if abs(angle - math.pi) < STRAIGHT and not mixed:
        return math.inf
    return math.pi / angle / (2 if mixed else 1)


def _turn(found: Outline, vertex: int) -> float:
    """The angle between the normals of the two arcs that end in a vertex."""
    normals = [
        arc.normals[index] for arc in found.arcs for index, end in zip((0, -1), arc.ends, strict=True) if end == vertex
    ]
    return float(np.hypot(*(normals[0] - normals[-1])))
