"""Shapes, what set operations and products make of them, and the points in them and on their boundaries."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise as successive
from typing import Any

import pytest
import scipy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from quick import only
from torch import Tensor

from pinnreg.domain import SAMPLERS, Annulus, Ball, Box, Domain, Ellipse, Polygon, Sampler, Split, Star, polygon, shape
from pinnreg.errors import InputError


def square(size: float = 1.0) -> Box:
    return Box(x=(0, size), y=(0, size))


def flower(theta: Tensor) -> Tensor:
    return 1 + 0.2 * torch.cos(5 * theta)


def ellipse_length(a: float, b: float) -> float:
    return 4 * a * float(scipy.special.ellipe(1 - (b / a) ** 2))


# volume and boundary measure in closed form; None where there is none
SHAPES: dict[str, tuple[Callable[[], Domain], float | None, float | None]] = {
    "disc": (lambda: Ball(x=1, y=-2, radius=0.7), math.pi * 0.49, 1.4 * math.pi),
    "ball": (lambda: Ball(x=0, y=1, z=2, radius=2), 32 / 3 * math.pi, 16 * math.pi),
    "ball in 5-D": (lambda: Ball(a=0, b=0, c=0, d=0, e=1, radius=1), 8 / 15 * math.pi**2, 8 / 3 * math.pi**2),
    "annulus": (lambda: Annulus(x=1, y=0, inner=0.5, outer=1), 0.75 * math.pi, 3 * math.pi),
    "shell": (lambda: Annulus(x=1, y=0, z=0, inner=0.5, outer=1), 7 / 6 * math.pi, 5 * math.pi),
    "ellipse": (lambda: Ellipse(2, 0.5, angle=0.4, x=1, y=1), math.pi, ellipse_length(2, 0.5)),
    "star": (lambda: Star(flower, x=0.3, y=0), 1.02 * math.pi, None),
    "L": (lambda: Polygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]), 3, 8),
    "one named edge": (lambda: Polygon([(0, 0), (3, 0), (0, 4)], ["all"] * 3), 6, 12),
    "lens": (
        lambda: Ball(x=0, y=0, radius=1) & Ball(x=1, y=0, radius=1),
        2 * math.pi / 3 - math.sqrt(3) / 2,
        4 * math.pi / 3,
    ),
    "two discs": (
        lambda: Ball(x=0, y=0, radius=1) | Ball(x=1, y=0, radius=1),
        4 * math.pi / 3 + math.sqrt(3) / 2,
        8 * math.pi / 3,
    ),
    "moon": (lambda: Ball(x=0, y=0, radius=1) - Ball(x=1, y=0, radius=1), math.pi / 3 + math.sqrt(3) / 2, 2 * math.pi),
    "discs that touch": (lambda: Ball(x=0, y=0, radius=1) | Ball(x=2, y=0, radius=1), 2 * math.pi, 4 * math.pi),
    "discs apart": (lambda: Ball(x=0, y=0, radius=1) | Ball(x=3, y=0, radius=0.5), 1.25 * math.pi, 3 * math.pi),
    "hole": (lambda: square() - Ball(x=0.5, y=0.5, radius=0.2, name="hole"), 1 - 0.04 * math.pi, 4 + 0.4 * math.pi),
    "corner": (lambda: square() - Ball(x=0, y=0, radius=0.5), 1 - math.pi / 16, 3 + math.pi / 4),
    "square hole": (lambda: square(3) - Box(x=(1, 2), y=(1, 2), name="hole"), 8, 16),
    "boxes side by side": (lambda: square() | Box(x=(1, 3), y=(0, 1)), 3, 8),
    "boxes that overlap": (lambda: square(2) | Box(x=(1, 3), y=(0, 2)), 6, 10),
    "one box within": (lambda: square(2) & Box(x=(0, 1), y=(0, 1)), 1, 4),
    "box cut": (lambda: square(2) - Box(x=(1, 2), y=(0, 2)), 2, 6),
    "holes side by side": (lambda: square(3) - (Box(x=(1, 1.5), y=(1, 2)) | Box(x=(1.5, 2), y=(1, 2))), 8, 16),
    "hole on a seam": (lambda: (square() | Box(x=(1, 2), y=(0, 1))) - Box(x=(1, 1.5), y=(0.25, 0.75)), 1.75, 8),
    "three-fold": (
        lambda: (square() - Box(x=(0.5, 2), y=(-1, 2))) - Ball(x=0.2, y=0.2, radius=0.1),
        0.5 - 0.01 * math.pi,
        3 + 0.2 * math.pi,
    ),
    "four-fold": (
        lambda: ((square(4) - Ball(x=1, y=1, radius=0.5)) | Box(x=(4, 5), y=(0, 1))) & Box(x=(0, 5), y=(0, 1)),
        5 - math.pi / 8,
        12 - 1 + math.pi / 2,
    ),
    "refilled": (lambda: (square() - Ball(x=0.5, y=0.5, radius=0.2)) | Ball(x=0.5, y=0.5, radius=0.2), 1, 4),
    "box less ball": (
        lambda: Box.cube(3) - Ball(x1=0, x2=0, x3=0, radius=0.5),
        1 - math.pi / 48,
        6 - 3 * math.pi / 16 + math.pi / 8,
    ),
    "box less box": (lambda: Box.cube(3) - Box(x1=(0.3, 2), x2=(0.31, 2), x3=(0.37, 2)), 1 - 0.7 * 0.69 * 0.63, 6),
    "cylinder": (lambda: Ball(x=0, y=0, radius=0.5).over(z=(0, 2)), math.pi / 2, 2.5 * math.pi),
    "cut prism": (
        lambda: (square() - Ball(x=0, y=0, radius=0.5)).over(z=(-1, 1)),
        2 - math.pi / 8,
        2 * (3 + math.pi / 4) + 2 - math.pi / 8,
    ),
    "capped prism": (
        lambda: (square() - Ball(x=0, y=0, radius=0.5)).over(z=(0, 1)) & Box(x=(0, 1), y=(0, 1), z=(0, 0.5)),
        0.5 - math.pi / 32,
        1.5 + math.pi / 8 + 2 - math.pi / 8,
    ),
    "interval less interval": (lambda: Box(x=(0, 1)) - Box(x=(0.4, 0.6)), 0.8, 4),
    "its product": (lambda: (Box(x=(0, 1)) - Box(x=(0.4, 0.6))).over(y=(0, 2)), 1.6, 9.6),
    "four dimensions": (
        lambda: Box.cube(4) - Ball(x1=0.5, x2=0.5, x3=0.5, x4=0.5, radius=0.4),
        1 - math.pi**2 / 2 * 0.4**4,
        8 + 2 * math.pi**2 * 0.4**3,
    ),
    "mixed": (
        lambda: Star(flower, x=0, y=0) - Ellipse(0.6, 0.3, x=0.2, y=0.1) - Polygon([(0, 0), (2, 0.1), (2, 0.6)]),
        None,
        None,
    ),
    "small": (lambda: Box(x=(0, 1e-6), y=(0, 1e-6)) - Ball(x=0, y=0, radius=5e-7), 1e-12 * (1 - math.pi / 16), None),
    "large": (lambda: Box(x=(0, 1e6), y=(0, 1e6)) - Ball(x=0, y=0, radius=5e5), 1e12 * (1 - math.pi / 16), None),
    "far away": (lambda: Box(x=(1e6, 1e6 + 1), y=(0, 1)) - Ball(x=1e6, y=0, radius=0.5), 1 - math.pi / 16, None),
}
EXACT = {"three-fold", "hole", "square hole", "discs apart"}
MANY_AXES = {"ball in 5-D", "four dimensions"}


QUICK = (
    *(
        "disc",
        "ball in 5-D",
        "shell",
        "ellipse",
        "star",
        "L",
        "lens",
        "two discs",
        "discs that touch",
        "hole",
        "corner",
    ),
    *("boxes that overlap", "hole on a seam", "three-fold", "box less ball", "capped prism", "its product", "mixed"),
    *("small", "far away"),
)
"""Of each kind of shape, and of each way to combine them, one or two."""


@cache
def made(name: str) -> Domain:
    return SHAPES[name][0]()


# with two samplers, and -m slow with all
sampled = pytest.mark.parametrize(
    ("name", "sampler"),
    [
        pytest.param(name, sampler, marks=[] if (number + other) % 2 and name in QUICK else pytest.mark.slow)
        for number, name in enumerate(SHAPES)
        for other, sampler in enumerate(SAMPLERS)
    ],
)


def size_of(domain: Domain) -> float:
    return max(upper - lower for lower, upper in domain.bounds.values())


def boundary_of(domain: Domain, count: int = 2000, seed: int = 1) -> tuple[Tensor, Tensor]:
    return domain.boundary().sample(count, "sobol", seed)


every_shape = pytest.mark.parametrize("name", only(SHAPES, *QUICK))
plain = pytest.mark.parametrize(
    "name", only((name for name in SHAPES if name not in MANY_AXES), *(name for name in QUICK if name not in MANY_AXES))
)


@every_shape
def test_volume_and_boundary_are_those_of_closed_forms(name: str) -> None:
    _, volume, measure = SHAPES[name]
    domain = made(name)
    # exact ones to rounding, sums over the ends of arcs to 1e-6, over surfaces to 1e-4
    combined = isinstance(domain, shape.Combined | shape.Product) and name not in EXACT
    tolerance = (1e-4 if domain.dimension > 2 or name == "discs that touch" else 1e-6) if combined else 1e-9
    if volume is not None:
        assert domain.volume == pytest.approx(volume, rel=tolerance)
    if measure is not None:
        assert domain.boundary().measure == pytest.approx(measure, rel=tolerance)


@every_shape
def test_the_volume_is_that_of_the_points_contained(name: str) -> None:
    domain = made(name)
    box = Box(**domain.bounds)
    count = 2**16
    inside = domain.contains(box.sample(count)).double().mean()
    assert box.volume * float(inside) == pytest.approx(domain.volume, rel=1e-3 if domain.dimension < 4 else 5e-3)


@every_shape
def test_a_step_along_a_normal_leaves_and_one_against_it_stays(name: str) -> None:
    domain = made(name)
    points, normals = boundary_of(domain)
    assert torch.allclose(torch.linalg.vector_norm(normals, dim=1), torch.ones(len(points), dtype=torch.float64))
    step = 1e-6 * size_of(domain) * normals
    # within a step of a corner both may be outside, or inside
    out, stays = domain.contains(points + step), domain.contains(points - step)
    assert float(out.double().mean()) < 2e-3
    assert float(stays.double().mean()) > 1 - 2e-3
    assert bool(domain.contains(points).double().mean() > 1 - 2e-3)
    assert float(domain.signed_distance(points).abs().max()) < 1e-9 * (size_of(domain) + abs(points).max())


@every_shape
@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_the_flux_through_the_boundary_is_the_integral_of_the_divergence(name: str, seed: int) -> None:
    domain = made(name)
    draws, k = torch.Generator().manual_seed(seed), domain.dimension
    waves = torch.randn((3, k, k), generator=draws, dtype=torch.float64)
    sizes = torch.randn((3, k), generator=draws, dtype=torch.float64)
    middle = torch.tensor([sum(ends) / 2 for ends in domain.bounds.values()], dtype=torch.float64)

    def phases(points: Tensor) -> Tensor:
        return torch.einsum("mjk,nk->nmj", waves, (points - middle) / size_of(domain)) + 1

    points, normals = boundary_of(domain, 2**12, seed)
    outward = ((sizes * phases(points).sin()).sum(dim=1) * normals).sum(dim=1)
    flux = domain.boundary().measure * float(outward.mean())
    slopes = sizes * waves.diagonal(dim1=1, dim2=2) / size_of(domain)
    divergence = (slopes * phases(domain.sample(2**12, seed=seed)).cos()).sum(dim=(1, 2))
    scale = domain.boundary().measure * float(outward.abs().mean())
    error = flux - domain.volume * float(divergence.mean())
    assert abs(error) < (5e-3 if k < 4 else 3e-2) * scale


def cells_of(domain: Domain, points: Tensor, sides: int = 4) -> Tensor:
    """How many points lie in each cell of a grid."""
    lower, upper = torch.tensor(list(domain.bounds.values()), dtype=torch.float64).unbind(dim=1)
    # off the lines on which edges lie
    place = ((points.double() - lower) / (upper - lower) * sides + 0.13).long().clamp(0, sides - 1)
    number = (place * sides ** torch.arange(domain.dimension)).sum(dim=1)
    return torch.bincount(number, minlength=sides**domain.dimension).double()


def assert_spread(found: Tensor, expected: Tensor) -> None:
    """By chi-square: counts found in cells against shares, themselves counted among far more points."""
    count = found.sum()
    enough = expected * count / expected.sum() > 5
    assert float(found[~enough].sum()) <= 0.02 * float(count) + 20
    shares = expected[enough] / expected[enough].sum()
    found = found[enough]
    chance = found.sum() * shares * (1 + found.sum() / expected.sum())
    statistic = float(((found - found.sum() * shares) ** 2 / chance).sum())
    assert statistic < scipy.stats.chi2.ppf(1 - 1e-5, max(len(found) - 1, 1))


def assert_even(found: Tensor, expected: Tensor) -> None:
    """That of a grid, some columns of which may lie in one cell or in the next."""
    count = found.sum() * expected / expected.sum()
    assert bool(((found - count).abs() <= 0.5 * count + 12).all())


@cache
def near(name: str, sides: int) -> tuple[Tensor, Tensor]:
    """Counts in cells of the points of a box that lie in a shape, and of those next to its boundary, by brute force."""
    domain = made(name)
    # also of the outer side of the boundary
    wide = {axis: (low - 0.02 * (up - low), up + 0.02 * (up - low)) for axis, (low, up) in domain.bounds.items()}
    points = Box(**wide).sample(2**16, "uniform", 11)
    inside = domain.contains(points)
    step = 0.01 * min(upper - lower for lower, upper in domain.bounds.values())
    others = torch.randn(points.shape, generator=torch.Generator().manual_seed(0), dtype=points.dtype)
    others = points + step * torch.nn.functional.normalize(others, dim=1)
    crosses = domain.contains(others) != inside
    return cells_of(domain, points[inside], sides), cells_of(domain, points[crosses], sides)


@sampled
def test_points_inside_are_uniform(name: str, sampler: Sampler) -> None:
    domain = made(name)
    points = domain.sample(3000, sampler, 3)
    assert len(points) == 3000 or sampler == "grid"
    assert 0.8 * 3000 <= len(points) <= 3000
    assert bool(domain.contains(points).all())
    if name in MANY_AXES and sampler == "grid":
        return  # of so few layers, that each cell has one or two of them
    check = assert_even if sampler == "grid" else assert_spread
    sides = 2 if name in MANY_AXES else 4
    check(cells_of(domain, points, sides), near(name, sides)[0])


@sampled
def test_points_on_the_boundary_are_uniform(name: str, sampler: Sampler) -> None:
    if name in MANY_AXES:
        return
    domain = made(name)
    points, normals = domain.boundary().sample(1000, sampler, 3)
    assert points.shape == normals.shape
    if domain.dimension == 1:
        assert sorted(points[:, 0].tolist()) == pytest.approx([0, 0.4, 0.6, 1])
        return
    assert abs(len(points) - 1000) <= 2 or sampler == "grid"
    check = assert_even if sampler == "grid" else assert_spread
    check(cells_of(domain, points, 3), near(name, 3)[1])


def test_points_in_a_ball_of_ten_dimensions_are_uniform() -> None:
    ball = Ball(**{f"x{k}": 0 for k in range(10)}, radius=2)
    assert ball.volume == pytest.approx(math.pi**5 / 120 * 2**10)
    assert ball.boundary().measure == pytest.approx(10 * math.pi**5 / 120 * 2**9)
    inside = ball.sample(4000, "uniform")
    radii = torch.linalg.vector_norm(inside, dim=1)
    assert scipy.stats.kstest((radii / 2) ** 10, "uniform").pvalue > 1e-4
    directions, normals = ball.boundary().sample(4000, "uniform")
    assert torch.allclose(directions, 2 * normals)
    for points in (inside / radii[:, None], normals):
        for column in points.T:  # (1 + n)/2 of a coordinate n has a beta distribution
            assert scipy.stats.kstest((1 + column) / 2, scipy.stats.beta(4.5, 4.5).cdf).pvalue > 1e-4
        moments = points.T @ points / len(points)
        assert torch.allclose(moments, torch.eye(10, dtype=torch.float64) / 10, atol=0.01)


@every_shape
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_independent_points_are_drawn_in_any_precision(name: str, dtype: torch.dtype) -> None:
    if name == "far away" and dtype == torch.float32:
        return  # a radius is eight steps of float32 there
    domain = made(name)
    draws = torch.Generator().manual_seed(5)
    points = domain.uniform(500, draws, torch.empty(0, dtype=dtype))
    assert points.shape == (500, domain.dimension)
    assert points.dtype == dtype
    assert bool(domain.contains(points).all())
    again = domain.uniform(500, torch.Generator().manual_seed(5), torch.empty(0, dtype=dtype))
    assert torch.equal(points, again)
    unit = torch.rand((500, domain.dimension - 1), generator=draws, dtype=dtype)
    for side in domain.faces(None):
        there, normals, kept = domain.placed_on(side, unit)
        assert there.dtype == normals.dtype == dtype
        if kept is not None:
            there, normals = there[kept], normals[kept]
            assert len(there) / 500 == pytest.approx(domain.share_of(side), abs=0.12)
        step = (1e-3 if dtype == torch.float32 else 1e-6) * size_of(domain) * normals
        crosses = domain.contains(there - step) & ~domain.contains(there + step)
        assert int((~crosses).sum()) <= 0.03 * len(there) + 1


@every_shape
def test_a_seed_names_points_and_sobol_points_are_the_first_of_more(name: str) -> None:
    domain = made(name)
    assert torch.equal(domain.sample(50, seed=7), domain.sample(50, seed=7))
    assert torch.equal(boundary_of(domain, 50, 7)[0], boundary_of(domain, 50, 7)[0])
    assert not torch.equal(domain.sample(50, seed=7), domain.sample(50, seed=8))
    assert torch.equal(domain.sample(50, seed=7), domain.sample(130, seed=7)[:50])


# where the docstring says that a set operation's distance is exact; elsewhere it is at most that
EXACT_INSIDE = {"lens", "moon", "hole", "corner", "three-fold", "box less ball", "mixed", "box cut", "its product"}
EXACT_OUTSIDE = {"two discs", "discs apart", "boxes that overlap", "boxes side by side"}


@plain
def test_the_signed_distance_is_that_to_the_nearest_of_many_boundary_points(name: str) -> None:
    domain = made(name)
    count = 20_000
    on_boundary = domain.boundary().sample(count)[0]
    middle = torch.tensor([sum(ends) / 2 for ends in domain.bounds.values()], dtype=torch.float64)
    points = middle + 1.5 * (Box(**domain.bounds).sample(200) - middle)
    inside, found = domain.contains(points), domain.signed_distance(points)
    nearest = torch.cdist(points - middle, on_boundary - middle).amin(dim=1)
    assert torch.equal(found <= 0, inside)
    apart = 3 * size_of(domain) * {1: 0.0, 2: 5 / count, 3: 3 / math.sqrt(count)}[domain.dimension]
    excess = found.abs() - nearest
    assert float(excess.max()) < 1e-9 * size_of(domain)
    single = "-" not in repr(domain).replace("=-", "") and not isinstance(domain, shape.Combined)
    for there, exact in ((inside, EXACT_INSIDE), (~inside, EXACT_OUTSIDE)):
        if single or name in exact:
            assert float(excess[there].min()) > -apart


@plain
def test_the_signed_distance_has_finite_derivatives_and_of_length_one(name: str) -> None:
    domain = made(name)
    middle = torch.tensor([[sum(ends) / 2 for ends in domain.bounds.values()]], dtype=torch.float64)
    points = torch.cat([middle, boundary_of(domain, 40)[0], Box(**domain.bounds).sample(40)]).requires_grad_()
    (slopes,) = torch.autograd.grad(domain.signed_distance(points).sum(), points, create_graph=True)
    assert bool(slopes.isfinite().all())
    if slopes.requires_grad:  # those of flat sides are constant
        (bends,) = torch.autograd.grad(slopes.sum(), points, allow_unused=True)
        assert bends is None or bool(bends.isfinite().all())
    lengths = torch.linalg.vector_norm(slopes[-40:], dim=1)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-6)


@every_shape
def test_a_shape_over_time(name: str) -> None:
    domain = made(name)
    assert isinstance(domain, shape.Shape)
    moving = domain.over(t=(1, 3))
    assert moving.axes == (*domain.axes, "t")
    assert moving.volume == pytest.approx(2 * domain.volume)
    assert moving.boundary().measure == pytest.approx(2 * domain.boundary().measure)
    assert moving.boundary("t=min").measure == pytest.approx(domain.volume)
    assert [str(side) for side in moving.faces("t")] == ["t=min", "t=max"]
    assert moving.faces(None) == domain.faces(None)
    points, normals = moving.boundary().sample(200)
    assert bool((normals[:, -1] == 0).all())
    assert_spread(torch.histc(points[:, -1], 8, 1, 3), torch.full((8,), 1e6, dtype=torch.float64))
    start, normals = moving.boundary("t=min").sample(100)
    assert bool((start[:, -1] == 1).all() and (normals[:, -1] == -1).all() and (normals[:, :-1] == 0).all())
    inside = moving.sample(100)
    assert bool(moving.contains(inside).all())
    assert not moving.contains(torch.cat([inside[:, :-1], inside[:, -1:] + 3], dim=1)).any()
    assert torch.equal(moving.signed_distance(inside), domain.signed_distance(inside[:, :-1]))
    assert moving.until(1) is moving
    assert moving.until(0.25).bounds == {**domain.bounds, "t": (1, 1.5)}
    assert moving.until(0.25) == domain.over(t=(1, 1.5))
    assert domain.until(0.5) is domain
    assert repr(moving) == f"{domain!r}.over(t=(1, 3))" or repr(moving).startswith("Box(")


@every_shape
def test_shapes_are_equal_if_made_alike_and_a_repr_makes_them_again(name: str) -> None:
    one = made(name)
    # it has six digits, and no functions
    again = "Star" not in repr(one) and name != "far away"
    other = eval(repr(one)) if again else SHAPES[name][0]()
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == repr(other)
    assert all(one != made(different) for different in SHAPES if different != name)


def test_parts_have_names() -> None:
    def names(domain: Domain, on: Any = None) -> list[str]:
        return [str(side) for side in domain.faces(on)]

    assert names(Ball(x=0, y=0, radius=1, name="wall")) == ["wall"]
    assert names(Annulus(x=0, y=0, inner=0.5, outer=1)) == ["inner", "outer"]
    assert names(Annulus(x=0, y=0, inner=0.5, outer=1), "outer") == ["outer"]
    assert names(Annulus(x=0, y=0, inner=0.5, outer=1), ["outer", " inner "]) == ["outer", "inner"]
    triangle = Polygon([(0, 0), (1, 0), (0, 1)], ["floor", "slope", "wall"])
    assert names(triangle) == ["floor", "slope", "wall"]
    assert triangle.boundary("slope").measure == pytest.approx(math.sqrt(2))
    assert names(Polygon([(0, 0), (1, 0), (0, 1)], ["a", "b", "a"])) == ["a", "b"]
    holed = square() - Ball(x=0.5, y=0.5, radius=0.1, name="hole") - Ball(x=0.1, y=0.1, radius=0.05, name="hole")
    assert names(holed) == ["x=min", "x=max", "y=min", "y=max", "hole"]
    assert holed.boundary("hole").measure == pytest.approx(0.3 * math.pi)
    assert holed.boundary(["hole", "x=min"]).measure == pytest.approx(0.3 * math.pi + 1)
    near = torch.linalg.vector_norm(holed.boundary("hole").sample(900)[0] - 0.1, dim=1) < 0.06
    assert int(near.sum()) == pytest.approx(300, abs=5)
    pipe = Annulus(x=0, y=0, inner=0.5, outer=1).over(z=(0, 2))
    assert names(pipe) == ["inner", "outer", "z=min", "z=max"]
    assert names(pipe, "z") == ["z=min", "z=max"]
    assert names(pipe.over(t=(0, 1)), "t=min") == ["t=min"]


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("outr", "unknown part of the boundary: 'outr'; did you mean 'outer'"),
        ("x=min", "known: inner, outer"),
        ("", "unknown part"),
        (" ", "unknown part"),
        (["inner", "inner"], "different parts"),
        ((), "one or more"),
    ],
)
def test_a_part_that_is_none_is_refused(on: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Annulus(x=0, y=0, inner=0.5, outer=1).boundary(on)


SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Ball, "expected radius=..., which has no default$"),
        (lambda: Ball(x=0, y=0, r=0.4), "expected radius=.*is r= meant for radius="),
        (lambda: Ball(x=0, y=0, raduis=0.4), "is raduis= meant for radius="),
        (lambda: Ball(x=0, y=0, radius=1, nam="hole"), "axis 'nam'.*is nam= meant for name="),
        (lambda: Annulus(x=0, y=0, inner=0.5, outter=2), "expected outer=.*is outter= meant for outer="),
        (lambda: Annulus(x=0, y=0, outer=2), "expected inner=..., which has no default$"),
        (lambda: Ellipse(2, 1, x=0, y=0, angel=0.3), "by two axes.*is angel= meant for angle="),
        (lambda: Box(x=(0, 1), nmae="hole"), "axis 'nmae'.*is nmae= meant for name="),
        (lambda: Box(x=(0, 1), name="x=min"), "without '='"),
        (lambda: Box(x=(0, 1), name=(0, 1)), "without '='"),
        (lambda: Polygon(SQUARE, axes=("x", "name")), "cannot be called 'name'"),
        (lambda: Box(x=(0, 1)).over(name=(0, 1)), "cannot be called 'name'"),
        (lambda: Ball(x=0, radius=1), "at least two axes"),
        (lambda: Ball(x=0, y=0, radius=0), "radius: expected a positive number"),
        (lambda: Ball(x=0, y=0, radius=True), "expected a finite number, got True"),
        (lambda: Ball(x=0, y=math.nan, radius=1), "axis 'y': expected a finite number"),
        (lambda: Ball(x=0, y="0", radius=1), "axis 'y': expected a finite number"),
        (lambda: Ball(x=0, t=0, radius=1), "'t' is time"),
        (lambda: Ball(t=0, x=0, radius=1), "must stand last"),
        (lambda: Ball(x=0, xx=0, radius=1), "reads as a sequence"),
        (lambda: Ball(x=0, _y=0, radius=1), "'_y' cannot be written"),
        (lambda: Ball(x=0, y=0, radius=1, name=""), "expected a name"),
        (lambda: Ball(x=0, y=0, radius=1, name="t=min"), "without '='"),
        (lambda: Ball(x=0, y=0, radius=1, name=3), "expected a name"),
        (lambda: Annulus(x=0, y=0, inner=1, outer=1), "inner < outer"),
        (lambda: Annulus(x=0, y=0, inner=0, outer=1), "inner: expected a positive"),
        (lambda: Annulus(x=0, inner=0.5, outer=1), "at least two axes"),
        (lambda: Ellipse(1, -1, x=0, y=0), "Ellipse: b: expected a positive"),
        (lambda: Ellipse(1, 1, angle=math.inf, x=0, y=0), "angle: expected a finite"),
        (lambda: Ellipse(1, 1, x=0, y=0, z=0), "by two axes"),
        (lambda: Star(1.0, x=0, y=0), "a function of the angle"),
        (lambda: Star(lambda theta: theta.cos(), x=0, y=0), "positive and finite"),
        (lambda: Star(lambda theta: 1 + theta, x=0, y=0), "period 2π"),
        (lambda: Star(lambda theta: 1.0, x=0, y=0), r"must give a tensor \(n,\)"),
        (lambda: Star(lambda theta: theta[:3], x=0, y=0), r"must give a tensor \(n,\)"),
        (lambda: Star(lambda theta: 1 + math.cos(theta), x=0, y=0), "radius of Star.*line"),
        (lambda: Star(lambda theta: 1 if theta > 1 else 2, x=0, y=0), "radius of Star.*line"),
        (lambda: Star(flower, x=0), "by two axes"),
        (lambda: Polygon([(0, 0), (1, 0)]), "at least three corners"),
        (lambda: Polygon([(0, 0), (1, 0), (2, 0)]), "touch each other"),
        (
            lambda: Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
            r"edges 1 from \(0, 0\) to \(1, 1\) and 3 from \(1, 0\) to \(0, 1\) touch",
        ),
        (lambda: Polygon([(0, 0), (2, 0), (1, 0), (1, 1)]), "edges 1 from .* and 2 from .* touch each other"),
        (lambda: Polygon([(0, 0), (4, 0), (4, 2), (2, 0), (0, 2)]), "touch each other"),
        (lambda: Polygon([*SQUARE, (0, 0)]), "corners 5 and 1 are the same"),
        (lambda: Polygon([(0, 0), (0, 0), (1, 0), (0, 1)]), "corners 1 and 2 are the same"),
        (lambda: Polygon([(0, 0), (1, 0), (0, math.inf)]), r"expected corners \(x, y\)"),
        (lambda: Polygon([(0, 0), (1, 0), (0,)]), r"expected corners \(x, y\)"),
        (lambda: Polygon(3), r"expected corners \(x, y\)"),
        (lambda: Polygon(SQUARE, ["a"]), "4 edges have 1 names"),
        (lambda: Polygon(SQUARE, ["a", "b", "c", 4]), "edge: expected a name"),
        (lambda: Polygon(SQUARE, axes=("x", "t")), "two axes of space"),
        (lambda: Polygon(SQUARE, axes=("x",)), "two axes of space"),
        (lambda: square() - 3, "is no domain"),
        (lambda: square() | Ball(x=0, z=0, radius=1), "axes x, y and x, z"),
        (lambda: square() & Ball(x=0, y=0, z=0, radius=1), "axes x, y and x, y, z"),
        (lambda: Box(x=(0, 1), t=(0, 1)) - Box(x=(0, 0.5), t=(0, 1)), r"and then .over\(t"),
        (lambda: square() - square(2), "nothing is left"),
        (lambda: square() - square(), "nothing is left"),
        (lambda: square() & Ball(x=5, y=0, radius=1), "nothing is left"),
        (lambda: square() & Box(x=(1, 2), y=(0, 1)), "nothing is left"),
        (lambda: Ball(x=0, y=0, radius=1) & Ball(x=2, y=0, radius=1), "nothing is left"),
        (lambda: (square() - Ball(x=0, y=0, radius=1)) - square(), "nothing is left"),
        (lambda: Ball(x=0, y=0, radius=1).over(), "expected one interval"),
        (lambda: Ball(x=0, y=0, radius=1).over(z=(0, 1), t=(0, 1)), "expected one interval"),
        (lambda: Ball(x=0, y=0, radius=1).over(x=(0, 1)), "an axis 'x' already"),
        (lambda: Ball(x=0, y=0, radius=1).over(t=(0, 1)).over(t=(0, 1)), "a time already"),
        (lambda: Ball(x=0, y=0, radius=1).over(t=(0, 1)).over(z=(0, 1)), r"\.over\(z=\.\.\.\): time must stand last"),
        (lambda: square().over(t=(0, 1)).over(z=(0, 1)), r"\.over\(z=\.\.\.\): time must stand last"),
        (lambda: Ball(x=0, y=0, radius=1).over(z=(1, 1)), "finite lower < upper"),
        (lambda: Ball(x=0, y=0, radius=1).over(z=1), "expected an interval"),
    ],
)
def test_an_impossible_shape_is_refused(make: Callable[[], Domain], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


NAMED: dict[str, Callable[[str], Domain]] = {
    "box": lambda name: Box(x=(0, 1), y=(0, 1), name=name),
    "ball": lambda name: Ball(x=0, y=0, radius=1, name=name),
    "ellipse": lambda name: Ellipse(2, 1, x=0, y=0, name=name),
    "star": lambda name: Star(flower, x=0, y=0, name=name),
    "polygon": lambda name: Polygon(SQUARE, ["a", "b", "c", name]),
    "split": lambda name: Split(square(), Ball(x=0.5, y=0.5, radius=0.2), name=name),
    "product": lambda name: Ball(x=0, z=0, radius=1, name=name).over(y=(0, 1)),
    "product with time": lambda name: Ball(x=0, z=0, radius=1, name=name).over(y=(0, 1)).over(t=(0, 1)),
    "split product": lambda name: Split(square(), Ball(x=0.5, y=0.5, radius=0.2), name=name).over(z=(0, 1)),
}


@pytest.mark.parametrize("kind", NAMED)
def test_no_part_is_called_as_an_axis_or_a_flat_side(kind: str) -> None:
    for axis in NAMED[kind]("wall").axes:
        for name in (axis, f" {axis} "):
            with pytest.raises(InputError, match=f"cannot be called '{name}', as an axis is"):
                NAMED[kind](name)
    for name in ("x=min", "a=b", "", " ", 3):
        with pytest.raises(InputError, match="expected a name"):
            NAMED[kind](name)  # type: ignore[arg-type]


@pytest.mark.first(1)
@pytest.mark.parametrize("operation", ["-", "|", "&"])
@settings(max_examples=4)
@given(
    st.tuples(st.floats(0.05, 0.5), st.floats(1.1, 1.4)),
    st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.6, 1.4)), max_size=2),
)
def test_the_sides_of_a_named_box_are_one_part(
    operation: Any, first: tuple[float, float], others: list[tuple[float, float]]
) -> None:
    ends = [first, *others]
    one = Box(**{axis: (0, 1) for axis in "xyz"[: len(ends)]})
    bounds = dict(zip(one.axes, ends, strict=True))
    plain, named = (shape.Combined(operation, one, each) for each in (Box(**bounds), Box(**bounds, name="other")))
    assert named.volume == plain.volume
    assert [str(side) for side in Box(**bounds, name="other").faces("x")] == ["x=min", "x=max"]
    assert named.boundary().measure == pytest.approx(plain.boundary().measure)
    own = {str(side) for side in named.faces(None)} - {"other"}
    assert own <= {str(side) for side in one.faces(None)}
    points, normals = named.boundary("other").sample(64)
    on_box = Box(**bounds).signed_distance(points).abs()
    assert float(on_box.max()) < 1e-12
    inside = 1e-6 * normals
    assert bool((named.contains(points - inside) & ~named.contains(points + inside)).double().mean() > 0.9)


def test_a_named_box_is_its_own() -> None:
    hole = Box(x=(0, 1), y=(0, 2), name="hole")
    assert repr(hole) == "Box(x=(0, 1), y=(0, 2), name='hole')"
    assert eval(repr(hole)) == hole != Box(x=(0, 1), y=(0, 2))
    assert repr(hole.over(t=(0, 1)).until(0.5)) == "Box(x=(0, 1), y=(0, 2), t=(0, 0.5), name='hole')"


APART = [("disc", "disc"), ("disc", "box"), ("box", "box"), ("box", "disc"), ("L", "disc")]


@pytest.mark.first(2)
@pytest.mark.parametrize(("first", "second"), APART)
@settings(max_examples=4)
@given(st.floats(0, 2 * math.pi), st.floats(0.1, 0.4), st.booleans())
def test_what_cuts_nothing_is_refused(first: str, second: str, angle: float, size: float, touches: bool) -> None:
    def at(kind: str, x: float, y: float, size: float) -> Any:
        if kind == "disc":
            return Ball(x=x, y=y, radius=size, name=kind)
        if kind == "box":
            return Box(x=(x - size, x + size), y=(y - size, y + size), name=kind)
        return Polygon([(x + size * a, y + size * b) for a, b in [(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1)]])

    def moved(by: float) -> Any:
        return at(second, by * math.cos(angle), by * math.sin(angle), size)

    one = at(first, 0, 0, 1)
    with pytest.raises(InputError, match="the second cuts nothing of the first"):
        one - moved(3)
    assert (one | moved(3)).volume == pytest.approx(one.volume + moved(3).volume, rel=1e-6)
    if first != "L":
        cut = one - moved(0.9)
        assert 0 < cut.volume < one.volume
        within = one & moved(0.3)
        assert within.volume == pytest.approx(moved(0.3).volume, rel=1e-6)
    beside = Box(x=(1, 2), y=(-1, 1))  # side by side
    if first == "box" and touches:
        with pytest.raises(InputError, match="cuts nothing"):
            one - beside


def test_of_a_part_that_is_cut_away_nothing_is_left() -> None:
    cut = square(2) - Box(x=(1, 3), y=(-1, 3), name="cut")
    for domain in (cut, cut.over(z=(0, 1)), cut.over(t=(0, 1)), cut - Ball(x=0, y=0, radius=0.1), Split(cut, LEFT)):
        with pytest.raises(InputError, match="nothing of 'x=max' is left"):
            domain.boundary("x=max")
        assert [str(side) for side in domain.faces("x")] == ["x=min"]
        with pytest.raises(InputError, match="unknown part of the boundary: 'x=mx'"):
            domain.boundary("x=mx")
    swallowed = Ball(x=0, y=0, radius=2) | Ball(x=0, y=0, radius=1, name="core")
    with pytest.raises(InputError, match="nothing of 'core' is left"):
        swallowed.boundary("core")


LEFT = Box(x=(0, 0.5), y=(0, 2))


@settings(max_examples=15)
@given(st.data(), st.integers(3, 12), st.booleans(), st.integers(0, 3))
def test_polygons_around_a_point(data: st.DataObject, count: int, clockwise: bool, collinear: int) -> None:
    radii = data.draw(st.lists(st.floats(0.2, 1), min_size=count, max_size=count))
    angles = [2 * math.pi * number / count for number in range(count)]
    corners = [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]
    for number in range(min(collinear, count)):  # one more corner in the middle of an edge, up to rounding
        (x, y), (p, q) = corners[2 * number], corners[(2 * number + 1) % len(corners)]
        corners.insert(2 * number + 1, ((x + p) / 2, (y + q) / 2))
    pairs = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    area = sum(x * q - p * y for (x, y), (p, q) in pairs) / 2
    given_corners = corners[::-1] if clockwise else corners
    domain = Polygon(given_corners)
    assert domain.volume == pytest.approx(area, rel=1e-12)
    assert domain.boundary().measure == pytest.approx(sum(math.dist(*pair) for pair in pairs), rel=1e-12)
    # the edges keep their names, whichever way around
    for number, (one, other) in enumerate(successive(given_corners)):
        middle = torch.tensor([one, other], dtype=torch.float64).mean(dim=0)
        points, normals = domain.boundary(f"edge{number + 1}").sample(8, "grid")
        assert torch.allclose(points.mean(dim=0), middle)
        assert bool((normals @ middle >= -1e-9).all()) or count == 3
        assert bool(domain.contains(points - 1e-9 * normals).all())
        assert not domain.contains(points + 1e-9 * normals).any()
    inside = domain.sample(512)
    assert bool(domain.contains(inside).all())
    expected = sum((x + p) * (x * q - p * y) for (x, y), (p, q) in pairs) / 6 / area
    assert float(inside[:, 0].mean()) == pytest.approx(expected, abs=0.01)


@settings(max_examples=8)
@given(st.floats(0.05, 1.9), st.floats(0.2, 1.5))
def test_the_lens_of_two_discs(apart: float, radius: float) -> None:
    assume(abs(1 - radius) + 0.02 < apart < 1 + radius - 0.02)
    cosines = (apart**2 + 1 - radius**2) / (2 * apart), (apart**2 + radius**2 - 1) / (2 * apart * radius)
    one, other = map(math.acos, cosines)
    area = one - math.sin(2 * one) / 2 + radius**2 * (other - math.sin(2 * other) / 2)
    disc, second = Ball(x=0, y=0, radius=1), Ball(x=apart, y=0, radius=radius)
    assert (disc & second).volume == pytest.approx(area, rel=1e-5)
    assert (disc | second).volume == pytest.approx(math.pi * (1 + radius**2) - area, rel=1e-5)
    assert (disc - second).volume == pytest.approx(math.pi - area, rel=1e-5)
    assert (disc & second).boundary().measure == pytest.approx(2 * (one + radius * other), rel=1e-5)
    assert (disc - second).boundary().measure == pytest.approx(2 * (math.pi - one + radius * other), rel=1e-5)


corner = st.integers(0, 6)


boxes = st.lists(st.tuples(corner, corner, corner, corner), min_size=2, max_size=4)


@settings(max_examples=12)
@given(boxes.map(lambda ends: ends[:3]), st.lists(st.sampled_from("-|&")))
def test_boxes_whose_edges_coincide(ends: list[tuple[int, ...]], operations: list[str]) -> None:
    check_boxes(ends, operations)


@pytest.mark.slow
@settings(max_examples=300)
@given(boxes, st.lists(st.sampled_from("-|&")))
def test_many_boxes_whose_edges_coincide(ends: list[tuple[int, ...]], operations: list[str]) -> None:
    check_boxes(ends, operations)


def check_boxes(ends: list[tuple[int, ...]], operations: list[str]) -> None:
    """Measures and points of a combination of boxes against the unit squares that make it up."""
    domain: Domain | None = None
    cells = torch.zeros(8, 8, dtype=torch.bool)
    for number, (a, b, c, d) in enumerate(ends):
        box = Box(x=(min(a, b), max(a, b) + 1), y=(min(c, d), max(c, d) + 1))
        own = torch.zeros(8, 8, dtype=torch.bool)
        own[min(a, b) : max(a, b) + 1, min(c, d) : max(c, d) + 1] = True
        if domain is None:
            domain, cells = box, own
            continue
        assert isinstance(domain, shape.Shape)
        operation = [*operations, *"|-|"][number - 1]
        if operation == "-" and not (cells & own).any():
            with pytest.raises(InputError, match="cuts nothing"):
                domain - box
            continue
        cells = {"-": cells & ~own, "|": cells | own, "&": cells & own}[operation]
        if not cells.any():
            with pytest.raises(InputError, match="nothing is left"):
                shape.Combined(operation, domain, box)  # type: ignore[arg-type]
            return
        domain = shape.Combined(operation, domain, box)  # type: ignore[arg-type]
    assert domain is not None
    assert domain.volume == pytest.approx(int(cells.sum()), rel=1e-6)
    padded = torch.nn.functional.pad(cells.int(), (1, 1, 1, 1))
    edges = padded.diff(dim=0).abs().sum() + padded.diff(dim=1).abs().sum()
    assert domain.boundary().measure == pytest.approx(int(edges), rel=1e-6)
    points = domain.sample(256, "grid")
    assert bool(cells[tuple(points.clamp(0, 7.99).long().T)].all() or (points == points.round()).any())


@pytest.mark.slow
def test_a_polygon_of_many_corners_is_cut_and_made_in_time() -> None:
    angles = torch.linspace(0, 2 * math.pi, 201, dtype=torch.float64)[:-1]
    radii = 1 + 0.3 * torch.sin(7 * angles)
    corners = torch.stack([radii * angles.cos(), radii * angles.sin()], dim=1).tolist()
    domain, coarse = Polygon(corners, ["wall"] * 200), Polygon(corners[::5], ["wall"] * 40)
    cut, wedge = square(2) - coarse, coarse & square(2)
    assert cut.volume + wedge.volume == pytest.approx(4, rel=1e-6)
    assert cut.boundary("wall").measure == pytest.approx(wedge.boundary("wall").measure, rel=1e-6)
    points = domain.sample(20_000)
    assert bool(domain.contains(points).all())


def test_points_and_edges_are_paired_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Polygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
    points = Box(x=(-1, 3), y=(-1, 3)).sample(100)
    whole = domain.signed_distance(points)
    monkeypatch.setattr(polygon, "HELD", 60)
    assert torch.equal(domain.signed_distance(points), whole)
    assert domain.signed_distance(points[:0]).shape == (0,)


def test_a_star_may_be_any_function_of_the_angle() -> None:
    disc = Star(lambda theta: torch.tensor(2.0), x=0, y=0)
    assert disc.volume == pytest.approx(4 * math.pi)
    assert disc.sample(10).dtype == torch.float64
    assert disc.uniform(5, torch.Generator(), torch.empty(0)).dtype == torch.float32
    # a table within [0, 2π) is asked nowhere else
    table = torch.ones(64, dtype=torch.float64)

    def looked_up(theta: Tensor) -> Tensor:
        return table[(theta / (2 * math.pi) * 64).long().remainder(64)] + 0 * theta

    assert Star(looked_up, x=0, y=0).signed_distance(disc.sample(20)).abs().max() < 2
    square_like = Star(lambda theta: 1 / torch.maximum(theta.cos().abs(), theta.sin().abs()), x=0, y=0)
    assert square_like.volume == pytest.approx(4, rel=1e-9)
    assert square_like.boundary().measure == pytest.approx(8, rel=1e-6)
    assert square_like.bounds["x"] == pytest.approx((-1, 1), abs=1e-12)
    petals = Star(lambda theta: 1 + 0.9 * torch.cos(9 * theta), x=0, y=0)
    assert petals.bounds["x"][1] == pytest.approx(1.9, abs=1e-12)


def test_the_nearest_point_of_a_thin_ellipse_is_on_the_right_side() -> None:
    thin = Ellipse(1000, 1, x=0, y=0)
    points = thin.sample(300)
    x, y = points.T
    at_most = (1 - (x / 1000) ** 2).sqrt() - y.abs()  # straight up
    assert bool((-thin.signed_distance(points) <= at_most + 1e-6).all())
    flat = x.abs() < 900
    assert torch.allclose(-thin.signed_distance(points)[flat], at_most[flat], atol=1e-4)


@pytest.mark.parametrize("gap", [1e-3, 1e-5])
def test_thin_walls_are_seen(gap: float) -> None:
    ring = Ball(x=0, y=0, radius=1) - Ball(x=0, y=0, radius=1 - gap, name="hole")
    assert ring.volume == pytest.approx(math.pi * (1 - (1 - gap) ** 2), rel=1e-9)
    assert ring.boundary().measure == pytest.approx(2 * math.pi * (2 - gap))
    assert len(ring.sample(20)) == 20
    slit = square() - Box(x=(0.5, 0.5 + gap), y=(-1, 2))
    # its ends are less than a cell of the boundary if it is very thin
    assert slit.volume == pytest.approx(1 - gap, rel=1e-6 if gap > 1e-4 else 2e-5)
    assert slit.boundary().measure == pytest.approx(6 - 2 * gap, rel=1e-6 if gap > 1e-4 else 2e-5)


@pytest.mark.gpu
@every_shape
def test_points_are_placed_where_they_are_asked_for(name: str, device: torch.device) -> None:
    domain = made(name)
    like = torch.empty(0, device=device, dtype=torch.float64)
    points = domain.uniform(100, torch.Generator(device).manual_seed(0), like)
    assert points.device.type == device.type
    assert bool(domain.contains(points).all())
    assert domain.signed_distance(points).device.type == device.type
    unit = torch.rand((50, domain.dimension - 1), device=device, dtype=torch.float64)
    for side in domain.faces(None):
        there = domain.placed_on(side, unit)
        here = domain.placed_on(side, unit.cpu())
        for one, other in zip(there, here, strict=True):
            assert (one is None and other is None) or torch.allclose(one.cpu(), other)  # type: ignore[union-attr]
