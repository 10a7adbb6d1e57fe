"""Nearest points of triangles and how often they go around others, against comparing all with all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnreg.domain import triangles
from pinnreg.domain.triangles import LEAN, Triangles

trimesh = pytest.importorskip("trimesh")


def joined(one: Any, other: Any, *by: float) -> Any:
    return trimesh.util.concatenate([one, other.apply_translation(by)])


def inverted(mesh: Any) -> Any:
    mesh.invert()
    return mesh


MESHES: dict[str, Callable[[], Any]] = {
    "tetrahedron": lambda: trimesh.convex.convex_hull([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "ball": lambda: trimesh.creation.icosphere(subdivisions=2),
    "box": lambda: trimesh.creation.box((1, 2, 3)),
    "torus": lambda: trimesh.creation.torus(1, 0.4, major_sections=20, minor_sections=12),
    "tube": lambda: trimesh.creation.annulus(0.5, 1, 2),
    "needles": lambda: trimesh.creation.annulus(0.01, 1, 30, sections=50),
    "two bodies": lambda: joined(trimesh.creation.box((1, 1, 1)), trimesh.creation.capsule(1, 0.5, [8, 8]), 2, 1, 0),
    "hollow": lambda: joined(
        trimesh.creation.box((1, 1.5, 2)), inverted(trimesh.creation.icosphere(1, 0.4)), 0, 0.1, 0
    ),
}


def turned(name: str, seed: int) -> Any:
    """One of the meshes, turned by a random rotation but for the first seed."""
    mesh = MESHES[name]()
    if seed:
        rotation = np.eye(4)
        rotation[:3, :3] = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
        rotation[:3, 0] *= np.linalg.det(rotation[:3, :3])
        mesh.apply_transform(rotation)
    return mesh


def corners_of(mesh: Any) -> Tensor:
    return torch.tensor(np.array(mesh.triangles), dtype=torch.float64)


def places(corners: Tensor, seed: int) -> Tensor:
    """Points around triangles, beside and on them, their edges and corners, and where a ray meets edges and corners."""
    draws = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=draws, dtype=torch.float64)

    lower, upper = corners.amin(dim=(0, 1)), corners.amax(dim=(0, 1))
    around = lower + (upper - lower) * (1.4 * random(100, 3) - 0.2)
    some = corners[torch.randint(len(corners), (30,), generator=draws)]
    on_edges = torch.lerp(some[:, 0], some[:, 1], random(30, 1))
    on = torch.cat([some[:, 2], on_edges, some.mean(dim=1)])
    beside = torch.cat([on + size * (random(90, 3) - 0.5) for size in (0.1, 1e-3, 1e-6)])
    rays = on - (upper[2] - lower[2]) * random(90, 1) * torch.tensor([*LEAN, 1.0], dtype=torch.float64)
    return torch.cat([around, on, beside, rays, (lower + upper)[None] / 2])


def distances(points: Tensor, corners: Tensor) -> Tensor:
    """Those of points to the nearest triangle, (n,): to its plane where the foot is between the edges, or to one."""
    points, ends = points[:, None], corners.roll(-1, dims=1)
    sides = ends - corners
    # by the two shorter sides, as rounding would turn that of two long ones
    order = torch.linalg.vector_norm(sides, dim=2).argsort(dim=1)[:, :2, None].expand(-1, -1, 3)
    normals = torch.nn.functional.normalize(torch.linalg.cross(*sides.gather(1, order).unbind(dim=1)), dim=1)
    normals *= (normals * torch.linalg.cross(sides[:, 0], sides[:, 1])).sum(dim=1, keepdim=True).sign()
    height = ((points - corners[:, 0]) * normals).sum(dim=2)
    within = torch.ones_like(height, dtype=torch.bool)
    to_edges = []
    for start, end in zip(corners.unbind(dim=1), ends.unbind(dim=1), strict=True):
        gap, along = points - start, end - start
        share = ((gap * along).sum(dim=2) / along.square().sum(dim=1)).clamp(0, 1)
        to_edges.append(torch.linalg.vector_norm(gap - share[..., None] * along, dim=2))
        within &= (torch.linalg.cross(along.expand_as(gap), gap) * normals).sum(dim=2) >= 0
    return torch.where(within, height.abs(), torch.stack(to_edges).amin(dim=0)).amin(dim=1)


def solid_angles(points: Tensor, corners: Tensor) -> Tensor:
    """How often triangles go around points, (n,), by Van Oosterom and Strackee (1983)."""
    a, b, c = (corners - points[:, None, None]).unbind(dim=2)
    size_a, size_b, size_c = (torch.linalg.vector_norm(each, dim=2) for each in (a, b, c))
    above = (a * torch.linalg.cross(b, c)).sum(dim=2)
    below = size_a * size_b * size_c + (a * b).sum(2) * size_c + (b * c).sum(2) * size_a + (c * a).sum(2) * size_b
    return torch.atan2(above, below).sum(dim=1) / (2 * math.pi)


@pytest.mark.first(8)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", MESHES)
def test_all_is_as_by_comparing_all_with_all(name: str, seed: int) -> None:
    corners = corners_of(turned(name, seed))
    points, tree = places(corners, seed), Triangles(corners)
    nearest, away = tree.nearest(points), distances(points, corners)
    assert torch.allclose(torch.linalg.vector_norm(points - nearest, dim=1), away, rtol=1e-12, atol=1e-13)
    assert float(distances(nearest, corners).max()) < 1e-13
    apart = away > 1e-9
    winding = solid_angles(points, corners)
    assert torch.equal(tree.winding(points)[apart], winding.round().long()[apart])
    close = tree.nearest(points, within=0.1)
    assert torch.equal(close.isnan().any(dim=1), away > 0.1)
    assert torch.equal(close[away <= 0.1], nearest[away <= 0.1])


@pytest.mark.slow
def test_it_does_not_matter_how_many_pairs_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = corners_of(turned("torus", 1))
    tree, points = Triangles(corners), places(corners, 0)[:-1]  # many are equally near to the middle
    nearest, winding = tree.nearest(points), tree.winding(points)
    monkeypatch.setattr(triangles, "HELD", 10)
    assert torch.allclose(tree.nearest(points), nearest, atol=1e-13)
    assert torch.equal(tree.winding(points), winding)
    assert tree.nearest(points[:0]).shape == (0, 3)
    assert tree.winding(points[:0]).shape == (0,)


def test_a_batch_of_points_finds_what_each_finds() -> None:
    corners = corners_of(turned("ball", 0))
    tree, points = Triangles(corners), places(corners, 0)[:300].view(10, 3, 10, 3)
    for search in (tree.nearest, tree.winding):
        found = torch.func.vmap(torch.func.vmap(search, in_dims=1), in_dims=1)(points)
        assert torch.equal(
            found, torch.stack([torch.stack([search(y) for y in x]) for x in points.permute(1, 2, 0, 3)])
        )


def test_points_look_at_few_of_many_triangles(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = trimesh.creation.icosphere(subdivisions=5)
    tree, seen = Triangles(corners_of(mesh)), 0
    assert len(mesh.faces) == 20480
    plain = triangles._crossed

    def counted(points: Any, corners: Any) -> Tensor:
        nonlocal seen
        seen += len(points[0])
        return plain(points, corners)

    monkeypatch.setattr(triangles, "_crossed", counted)
    points = 2 * torch.rand(1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    radii = torch.linalg.vector_norm(points, dim=1)
    assert torch.equal((tree.winding(points) > 0) | (radii > 0.999), (radii < 1) | (radii > 0.999))
    assert seen < 5 * len(points)


def test_a_triangle_without_an_area_has_a_nearest_point() -> None:
    flat = torch.tensor(
        [[[0, 0, 0], [1, 0, 0], [3, 0, 0]], [[0, 0, 5], [0, 0, 6], [0, 0, 5 + 1e-12]]], dtype=torch.float64
    )
    points = torch.tensor([[2, 1, 0], [-1, 0, 0], [0.5, 0, 0], [1, 0, 4.9]], dtype=torch.float64)
    found = Triangles(flat).nearest(points)
    expected = torch.tensor([[2, 0, 0], [0, 0, 0], [0.5, 0, 0], [0, 0, 5]], dtype=torch.float64)
    assert torch.allclose(found, expected)


@pytest.mark.gpu
def test_cuda_agrees(device: torch.device) -> None:
    corners = corners_of(turned("tube", 1))
    points, tree = places(corners, 0), Triangles(corners)
    for dtype in (torch.float32, torch.float64):
        here = points.to(dtype)
        assert torch.allclose(tree.nearest(here.to(device)).cpu(), tree.nearest(here), atol=1e-12)
        apart = torch.linalg.vector_norm(tree.nearest(here) - here, dim=1) > 1e-9
        assert torch.equal(tree.winding(here.to(device)).cpu()[apart], tree.winding(here)[apart])
