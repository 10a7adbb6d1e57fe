"""Closed surfaces of triangles, read from files."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pinnreg.domain import Box, Surface
from pinnreg.errors import InputError

trimesh = pytest.importorskip("trimesh")


def saved(mesh: Any, folder: Path, name: str = "part.stl") -> Path:
    mesh.export(folder / name)
    return folder / name


@pytest.fixture
def ball(tmp_path: Path) -> Surface:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=2.0)
    mesh.apply_translation([1, 0, -1])
    return Surface(saved(mesh, tmp_path))


@pytest.fixture
def cube(tmp_path: Path) -> Surface:
    mesh = trimesh.creation.box((1, 2, 3))
    mesh.apply_translation([0.5, 1, 1.5])
    return Surface(saved(mesh, tmp_path), name="wall")


CENTRE = torch.tensor([1.0, 0, -1], dtype=torch.float64)
BOX = Box(x=(0, 1), y=(0, 2), z=(0, 3))


def test_a_sphere_of_triangles_is_nearly_one(ball: Surface) -> None:
    assert ball.axes == ("x", "y", "z")
    assert ball.volume == pytest.approx(32 / 3 * math.pi, rel=0.02)
    assert ball.boundary().measure == pytest.approx(16 * math.pi, rel=0.01)
    assert ball.bounds["x"] == pytest.approx((-1, 3), abs=1e-6)
    points, normals = ball.boundary().sample(512)
    outward = torch.nn.functional.normalize(points - CENTRE, dim=1)
    assert torch.allclose(torch.linalg.vector_norm(normals, dim=1), torch.ones(512, dtype=torch.float64))
    assert bool(((outward * normals).sum(dim=1) > 0.99).all())
    assert bool(ball.contains(points).all())
    assert bool(ball.contains(points - 1e-6 * normals).all())
    assert not ball.contains(points + 1e-6 * normals).any()
    there = Box(x=(-2, 4), y=(-3, 3), z=(-4, 2)).sample(512)
    radii = torch.linalg.vector_norm(there - CENTRE, dim=1)
    assert torch.allclose(ball.signed_distance(there), radii - 2, atol=0.03)


def test_points_in_and_on_it_are_uniform(ball: Surface) -> None:
    inside = ball.sample(2000)
    assert len(inside) == 2000
    assert bool(ball.contains(inside).all())
    shares = (torch.linalg.vector_norm(inside - CENTRE, dim=1) / 2) ** 3
    assert torch.allclose(shares.sort().values, torch.linspace(0, 1, 2000, dtype=torch.float64), atol=0.03)
    heights = (ball.boundary().sample(2000)[0][:, 2] + 3) / 4  # Archimedes
    assert torch.allclose(heights.sort().values, torch.linspace(0, 1, 2000, dtype=torch.float64), atol=0.02)
    points = ball.uniform(50, torch.Generator().manual_seed(0), torch.empty(0))
    assert points.dtype == torch.float32
    assert bool(ball.contains(points).all())
    assert torch.equal(ball.sample(20, seed=3), ball.sample(50, seed=3)[:20])


def test_a_cube_of_triangles_is_one(cube: Surface) -> None:
    assert cube.volume == pytest.approx(6, rel=1e-12)
    assert cube.boundary("wall").measure == pytest.approx(22, rel=1e-12)
    assert cube.bounds == BOX.bounds
    points = Box(x=(-1, 2), y=(-1, 3), z=(-1, 4)).sample(300)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        found = cube.signed_distance(points.to(dtype))
        assert found.dtype == dtype
        assert torch.allclose(found, BOX.signed_distance(points).to(dtype), atol=tolerance)
        level, rounding = cube.level(points.to(dtype)), cube.rounding(points.to(dtype))
        assert torch.equal(level.sign(), found.sign())
        near = (found.abs() < 3 / 16) & (level < 0)
        assert torch.allclose(level[near], found[near], atol=rounding)
        assert float(level.min()) == pytest.approx(-3 / 16)
        assert torch.equal(cube.contains(points.to(dtype)), level <= rounding)
    assert torch.equal(cube.contains(points), BOX.contains(points))


def test_its_distance_is_differentiable(cube: Surface) -> None:
    points = torch.cat([BOX.sample(50), cube.boundary().sample(20)[0]]).requires_grad_()
    (slopes,) = torch.autograd.grad(cube.signed_distance(points).sum(), points)
    assert bool(slopes.isfinite().all())
    assert torch.allclose(torch.linalg.vector_norm(slopes[:50], dim=1), torch.ones(50, dtype=torch.float64))


def test_it_can_be_combined_and_moves_in_time(cube: Surface) -> None:
    half = cube - Box(x=(-1, 2), y=(-1, 3), z=(1.5, 4))
    assert half.volume == pytest.approx(3, rel=1e-3)
    assert [str(side) for side in half.faces(None)] == ["wall", "z=min"]
    tall = torch.tensor([[0.5, 1, 1.5], [0.5, 1, 1], [5, 5, 5]], dtype=torch.float64)
    assert half.contains(tall).tolist() == [True, True, False]
    assert cube.over(t=(0, 2)).volume == pytest.approx(12)


@pytest.mark.slow
def test_a_combination_with_many_triangles_has_its_volume(ball: Surface) -> None:
    half = ball - Box(x=(-2, 4), y=(-3, 3), z=(-1, 2))
    assert half.volume == pytest.approx(ball.volume / 2, rel=1e-3)
    assert ball.effort == pytest.approx(math.log2(1280))


def test_a_surface_turned_inside_out_and_one_with_a_hollow(tmp_path: Path) -> None:
    inverted = trimesh.creation.box((1, 1, 1))
    inverted.invert()
    domain = Surface(saved(inverted, tmp_path))
    assert domain.volume == pytest.approx(1)
    points, normals = domain.boundary().sample(20)
    assert not domain.contains(points + 1e-6 * normals).any()
    hollow = trimesh.creation.box((0.5, 0.5, 0.5))
    hollow.invert()
    shell = Surface(saved(trimesh.util.concatenate([trimesh.creation.box((1, 1, 1)), hollow]), tmp_path, "shell.stl"))
    assert shell.volume == pytest.approx(7 / 8)
    assert not shell.contains(torch.zeros(1, 3, dtype=torch.float64)).any()
    assert bool(shell.contains(shell.sample(50)).all())


def ball_at(x: float, radius: float = 1.0, inside_out: bool = False) -> Any:
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=radius).apply_translation((x, 0, 0))
    if inside_out:
        mesh.invert()
    return mesh


def cube_at(x: float) -> Any:
    return trimesh.creation.box((1, 1, 1)).apply_translation((x, 0, 0))


@pytest.mark.parametrize(
    "bodies",
    [
        (ball_at(0), ball_at(1)),
        (ball_at(0), ball_at(0.1, 0.3)),
        (ball_at(0), ball_at(0)),
        (ball_at(0), ball_at(0.9, 0.3, inside_out=True)),
        (ball_at(0), ball_at(3, 0.5, inside_out=True)),
        (cube_at(0), cube_at(1)),
        (ball_at(0), ball_at(0, 0.8, inside_out=True), ball_at(0.3, 0.7)),
    ],
    ids=["overlap", "nested", "twice", "hollow cut", "one inside out", "touch", "body cuts its hollow"],
)
def test_bodies_that_are_not_apart_are_refused(bodies: tuple[Any, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"part\.stl': \d+ of \d+ triangles do not part inside from outside: bodies"):
        Surface(saved(trimesh.util.concatenate(bodies), tmp_path))


def test_bodies_apart_and_within_hollows_are_allowed(tmp_path: Path) -> None:
    bodies = [ball_at(0), ball_at(0, 0.8, inside_out=True), ball_at(0.1, 0.6), ball_at(2.1)]
    domain = Surface(saved(trimesh.util.concatenate(bodies), tmp_path))
    assert domain.volume == pytest.approx(sum(each.volume for each in bodies), rel=1e-6)
    points = torch.tensor([[0, 0, 0], [0.72, 0, 0], [0.9, 0, 0], [1.05, 0, 0], [2, 0, 0]], dtype=torch.float64)
    assert domain.contains(points).tolist() == [True, False, True, False, True]


def test_equal_surfaces_are_equal(tmp_path: Path) -> None:
    mesh = trimesh.creation.box((1, 1, 1))
    one, other = Surface(saved(mesh, tmp_path, "one.stl")), Surface(saved(mesh, tmp_path, "other.obj"))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Surface(one.file, name="wall")
    assert repr(one) == f"Surface({str(one.file)!r})"
    assert eval(repr(one)) == one


def test_what_encloses_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*none\.stl"):
        Surface(tmp_path / "none.stl")
    (tmp_path / "text.stl").write_text("no surface")
    with pytest.raises(InputError, match=r"cannot be read|no triangles"):
        Surface(tmp_path / "text.stl")
    (tmp_path / "part.unknown").write_text("no surface")
    with pytest.raises(InputError, match="cannot be read"):
        Surface(tmp_path / "part.unknown")
    mesh = trimesh.creation.box((1, 1, 1))
    mesh.faces = mesh.faces[1:]
    with pytest.raises(InputError, match="not closed: 3 edges"):
        Surface(saved(mesh, tmp_path))
    mesh = trimesh.creation.box((1, 1, 1))
    mesh.faces = [mesh.faces[0][::-1], *mesh.faces[1:]]
    with pytest.raises(InputError, match=r"at 3 edges .* turned differently"):
        Surface(saved(mesh, tmp_path))
    with pytest.raises(InputError, match="expected a name"):
        Surface(tmp_path / "part.stl", name="")


@pytest.mark.parametrize("file", [3, None, True, b"part.stl", ["part.stl"], torch.zeros(2, 3, 3)], ids=repr)
def test_what_is_no_name_of_a_file_is_refused(file: Any) -> None:
    with pytest.raises(InputError, match=r"Surface: expected the name of a file, as in .*, got "):
        Surface(file)


def test_folders_and_names_of_nothing_are_refused(tmp_path: Path) -> None:
    for file in ("", tmp_path, "\0"):
        with pytest.raises(InputError, match="no file"):
            Surface(file)


@pytest.mark.parametrize("name", [3, None, "", "a=b"])
def test_what_is_no_name_of_a_boundary_is_refused(name: Any, cube: Surface) -> None:
    with pytest.raises(InputError, match="Surface: expected a name without '='"):
        Surface(cube.file, name=name)


def test_without_trimesh_the_message_says_what_to_install(cube: Surface, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(InputError, match=r"pip install 'pinnreg\[mesh\]'"):
        Surface(cube.file)
