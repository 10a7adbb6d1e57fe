"""`Surface`: what a closed surface of triangles encloses, as a file of a CAD program gives it."""

from __future__ import annotations

import importlib
import math
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.domain.copies import Copies
from pinnreg.domain.distances import beyond, lengths
from pinnreg.domain.naming import BOUNDARY, piece_name, said_name
from pinnreg.domain.parts import on_triangles
from pinnreg.domain.shape import NEXT_TO, Curved
from pinnreg.domain.sides import Piece, Placed, PlacedOn, Side
from pinnreg.domain.triangles import Triangles
from pinnreg.errors import InputError

Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]
AXES = ("x", "y", "z")
CLOSE = 1 / 16
"""Up to which distance, of the size of a surface, its level is one; `Split` looks at its derivatives 0.05 away."""
THIN = 1e-5
"""A triangle that is lower than this, of the size, may be turned anyhow by the rounding of its corners in a file."""
FLAWS = 1e-4
"""Of the surface may have other than outside and inside on its two sides, as flaws of many files do."""


@final
class Surface(Curved):
    """The points within a closed surface of triangles, with the axes x, y and z: `Surface("part.stl")`.

    Points in it are those of the box around it that are kept. It may have some 50,000 triangles, which are read in
    about a second; to say of 10⁵ points whether they are inside then takes half a second on one core, and their
    distances five.

    Args:
        file: of a format that trimesh reads: STL, OBJ, PLY, OFF, ...
        name: of its boundary.

    Raises:
        InputError: what is no name of a file, no such file, one that cannot be read, a surface that is not closed, or
            of which triangles side by side are turned differently, bodies that overlap, touch or lie within others, or
            trimesh is not installed.
    """

    def __init__(self, file: str | Path, name: str = BOUNDARY) -> None:
        if not isinstance(file, str | Path):
            raise InputError(f"Surface: expected the name of a file, as in Surface('part.stl'), got {file!r}")
        self._piece = Piece(piece_name("Surface", name))
        self.file = Path(file)
        # (triangles, corners, axes)
        self._triangles = _closed(_read(self.file), self.file)
        self._copies, self._tree = Copies(self._triangles), Triangles(self._triangles)
        self._check_sides()

    def _check_sides(self) -> None:
        """Refuse triangles of which not just one side is inside, and that once."""
        corner, one, other = self._sides(self._triangles)
        normals = torch.linalg.cross(one, other)
        doubled = torch.linalg.vector_norm(normals, dim=1)
        edges = torch.stack([one, other, other - one])
        height = doubled / torch.linalg.vector_norm(edges, dim=2).amax(dim=0)
        middle, step = corner + (one + other) / 3, NEXT_TO * self._size * normals / doubled[:, None]
        wrong = (self._tree.winding(middle + step) != 0) | (self._tree.winding(middle - step) != 1)
        wrong &= height > THIN * self._size
        if doubled[wrong].sum() > FLAWS * doubled.sum():
            raise InputError(
                f"Surface: {str(self.file)!r}: {int(wrong.sum())} of {len(wrong)} triangles do not part inside from "
                "outside: bodies overlap or touch, one lies in another, or one is inside out; unite them, and turn the "
                "surfaces of hollows inwards"
            )

    @property
    def _size(self) -> float:
        return max(upper - lower for lower, upper in self.bounds.values())

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        corners = self._triangles.reshape(-1, 3)
        ends = zip(AXES, corners.amin(dim=0).tolist(), corners.amax(dim=0).tolist(), strict=True)
        return {axis: (lower, upper) for axis, lower, upper in ends}

    @cached_property
    def volume(self) -> float:
        return _volume(self._triangles)

    @property
    def effort(self) -> float:
        # by its time about 100, as a ball takes next to none; but volumes of combinations, measured with so many fewer
        # points, would be wrong by 3e-3, where now 1e-3 takes half a second
        return math.log2(len(self._triangles))

    @property
    def share(self) -> float:
        return self.volume / math.prod(upper - lower for lower, upper in self.bounds.values())

    @property
    def pieces(self) -> tuple[Side, ...]:
        return (self._piece,)

    def placed(self, unit: Tensor) -> Placed:
        columns = zip(unit.unbind(dim=1), self.bounds.values(), strict=True)
        points = torch.stack([lower + (upper - lower) * each for each, (lower, upper) in columns], dim=1)
        return points, self._inside(points)

    def placed_on(self, side: Side, unit: Tensor) -> PlacedOn:
        corners, one, other = self._sides(unit)
        normals = torch.linalg.cross(one, other)
        doubled = torch.linalg.vector_norm(normals, dim=1)
        points, number = on_triangles(unit, corners, one, other, doubled)
        return points, (normals / doubled[:, None])[number], None

    @cached_property
    def _area(self) -> float:
        _, one, other = self._sides(self._triangles)
        return float(torch.linalg.vector_norm(torch.linalg.cross(one, other), dim=1).sum()) / 2

    def measure(self, side: Side) -> float:
        return self._area

    def signed_distance(self, points: Tensor) -> Tensor:
        """The distance of points (n, 3) to the surface, (n,), negative inside; once differentiable in them."""
        away = lengths(points - self._tree.nearest(points).to(points))
        return torch.where(self._inside(points), -away, away)

    def level(self, points: Tensor) -> Tensor:
        """The same, but not more than a small distance, and outside of the box around it that to the box."""
        return self._level(points, CLOSE * self._size)

    def contains(self, points: Tensor) -> Tensor:
        rounding = self.rounding(points)
        return self._level(points, 2 * rounding) <= rounding

    def _level(self, points: Tensor, most: float) -> Tensor:
        columns = zip(points.unbind(dim=1), self.bounds.values(), strict=True)
        level = torch.stack([beyond(each, ends) for each, ends in columns], dim=1).amax(dim=1)
        close = level <= 2 * self.rounding(points)
        there = points[close]
        nearest = self._tree.nearest(there, within=most).to(there)
        near = ~nearest.isnan().any(dim=1)
        away = torch.full_like(there[:, 0], most).index_put((near,), lengths(there[near] - nearest[near]))
        return level.index_put((close,), torch.where(self._inside(there), -away, away))

    def _inside(self, points: Tensor) -> Tensor:
        return self._tree.winding(points) > 0

    def _sides(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One corner of each triangle, and the sides from it, (m, 3)."""
        (corners,) = self._copies.at(like)
        a, b, c = corners.unbind(dim=1)
        return a, b - a, c - a

    def __repr__(self) -> str:
        return f"Surface({str(self.file)!r}{said_name(self._piece.name)})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Surface)
            and self._piece == other._piece
            and torch.equal(self._triangles, other._triangles)
        )

    def __hash__(self) -> int:
        return hash((self._piece, self._triangles.numpy().tobytes()))


def _read(file: Path) -> Mesh:
    """Corners (k, 3), and three numbers of them for each triangle, (m, 3)."""
    if not file.is_file():
        raise InputError(f"Surface: no file {str(file)!r}")
    try:
        trimesh = importlib.import_module("trimesh")
    except ImportError:
        raise InputError("Surface: reading surfaces needs trimesh; pip install 'pinnreg[mesh]'") from None
    try:
        mesh = trimesh.load(file, force="mesh", process=False)
        corners, triangles = np.asarray(mesh.vertices, dtype=float), np.asarray(mesh.faces)
    except Exception as error:  # whatever its readers raise
        raise InputError(f"Surface: {str(file)!r} cannot be read: {type(error).__name__}: {error}") from error
    if not len(triangles) or not np.isfinite(corners).all():
        raise InputError(f"Surface: {str(file)!r} has no triangles, or corners that are no numbers")
    return corners, triangles


def _closed(mesh: Mesh, file: Path) -> Tensor:
    """The corners of triangles, (m, 3, 3), counter-clockwise seen from outside; checked to enclose something."""
    # an STL file says each corner once for each triangle, in float32
    corners, same = np.unique(mesh[0], axis=0, return_inverse=True)
    triangles = same.reshape(-1)[mesh[1]]
    distinct = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
    triangles = triangles[distinct]
    edges = np.concatenate([triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    # each edge is to be gone along in both directions equally often
    kinds, number = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    number = number.reshape(-1)
    uses = np.bincount(number, minlength=len(kinds))
    if (odd := int((uses % 2 == 1).sum())) or not len(kinds):
        raise InputError(f"Surface: {str(file)!r} is not closed: {odd} edges belong to one triangle, or to three")
    turns = np.bincount(number, weights=np.where(edges[:, 0] < edges[:, 1], 1, -1), minlength=len(kinds))
    if turned := int((turns != 0).sum()):
        raise InputError(
            f"Surface: {str(file)!r}: at {turned} edges the triangles on both sides are turned differently"
        )
    found = torch.from_numpy(corners)[torch.from_numpy(triangles)]
    one, other = found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]
    found = found[torch.linalg.vector_norm(torch.linalg.cross(one, other), dim=1) > 0]
    volume = _volume(found) if len(found) else 0.0
    if volume == 0:
        raise InputError(f"Surface: {str(file)!r} encloses nothing")
    return found if volume > 0 else found.flip(1).contiguous()


def _volume(triangles: Tensor) -> float:
    """That of the tetrahedra from the middle to each triangle."""
    a, b, c = (triangles - triangles.mean(dim=(0, 1))).unbind(dim=1)
    return float((a * torch.linalg.cross(b, c)).sum()) / 6
