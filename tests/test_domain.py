"""Boxes, their faces, and the samplers that fill them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import pairwise
from scipy.stats import qmc

from pinnreg.domain import SAMPLERS, Box, Face, Sampler, unit_points
from pinnreg.errors import InputError

BOXES = [Box(x=(-1, 3)), Box(x=(0, 2), t=(1, 4)), Box(x=(0.1, 0.7), y=(-3, -1), t=(0, 0.3)), Box(x1=(0, 1), x10=(2, 5))]
interval = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ({}, "at least one axis"),
        ({"x": (1, 1)}, "lower < upper"),
        ({"x": (2, 1)}, "lower < upper"),
        ({"x": (0, math.inf)}, "finite"),
        ({"x": (0, math.nan)}, "finite"),
        ({"x": (0, 1, 2)}, r"interval \(lower, upper\)"),
        ({"x": 3}, r"interval \(lower, upper\)"),
        ({"x": ("a", "b")}, r"interval \(lower, upper\)"),
        ({"x": None}, r"interval \(lower, upper\)"),
        ({"t": (0, 1), "x": (0, 1)}, "must stand last"),
        ({"x": (0, 1), "t": (0, 1), "y": (0, 1)}, "must stand last"),
        ({"x": (0, 1), "xx": (0, 1)}, "'xx' reads as a sequence"),
        ({"x": (0, 1), "y": (0, 1), "xyx": (0, 1)}, "'xyx' reads as a sequence"),
        ({"_x": (0, 1)}, "'_x'"),
        ({"a b": (0, 1)}, "'a b'"),
        ({"x=min": (0, 1)}, "'x=min'"),
        ({"lambda": (0, 1)}, "'lambda'"),
    ],
)
def test_an_impossible_box_is_refused(intervals: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Box(**intervals)


@settings(max_examples=50)
@given(st.lists(interval, min_size=1, max_size=4))
def test_a_box_knows_its_axes_bounds_and_volume(intervals: list[tuple[float, float]]) -> None:
    named = dict(zip(["x", "y", "z", "t"][-len(intervals) :], intervals, strict=True))
    box = Box(**named)
    assert box.bounds == named
    assert box.axes == tuple(named)
    assert box.dimension == len(named)
    assert box.space_axes == tuple(name for name in named if name != "t")
    assert box.volume == pytest.approx(math.prod(b - a for a, b in intervals), rel=1e-12)
    assert eval(repr(Box(x=(-1, 1), t=(0, 0.5)))) == Box(x=(-1, 1), t=(0, 0.5))


def test_a_box_cannot_be_changed_through_its_bounds_and_equals_its_like() -> None:
    box = Box(x=(0, 1), y=(0, 2))
    box.bounds["x"] = (5, 6)
    assert box.bounds["x"] == (0, 1)
    assert box == Box(x=(0.0, 1.0), y=(0.0, 2.0))
    assert hash(box) == hash(Box(x=(0.0, 1.0), y=(0.0, 2.0)))
    assert box != Box(y=(0, 2), x=(0, 1))
    assert box != Box(x=(0, 1), y=(0, 3))


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("x", ["x=min", "x=max"]),
        ("x=min", ["x=min"]),
        ("x = max", ["x=max"]),
        ("t=min", ["t=min"]),
        (("y=max", "x"), ["y=max", "x=min", "x=max"]),
        (["x=min", "x=max"], ["x=min", "x=max"]),
        (None, ["x=min", "x=max", "y=min", "y=max"]),
    ],
)
def test_faces_are_parsed(on: Any, expected: list[str]) -> None:
    faces = Box(x=(0, 1), y=(0, 1), t=(0, 1)).faces(on)
    assert [str(face) for face in faces] == expected
    assert all(face.outward == {"min": -1.0, "max": 1.0}[face.side] for face in faces)


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("z", "unknown face 'z'.*x=min"),
        ("x=mn", "did you mean 'x=min'"),
        ("x=", "unknown face 'x='"),
        ("", "unknown face ''"),
        (("x", "x=min"), "different faces"),
        ((), "one or more"),
    ],
)
def test_a_face_that_is_none_is_refused(on: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Box(x=(0, 1), t=(0, 1)).faces(on)


def test_a_domain_of_time_alone_has_no_faces_of_space() -> None:
    with pytest.raises(InputError, match="one or more"):
        Box(t=(0, 1)).faces(None)


@pytest.mark.parametrize("box", BOXES, ids=repr)
def test_the_unit_cube_maps_onto_the_box(box: Box) -> None:
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=box.dimension)), dtype=torch.float64)
    expected = torch.tensor(list(itertools.product(*box.bounds.values())), dtype=torch.float64)
    assert torch.allclose(box.interior(corners), expected, rtol=1e-15, atol=1e-15)
    middle = box.interior(torch.full((1, box.dimension), 0.5, dtype=torch.float64))
    assert torch.allclose(middle, expected.mean(dim=0), rtol=1e-15, atol=1e-15)


@pairwise(box=BOXES, sampler=SAMPLERS, dtype=[torch.float32, torch.float64])
def test_points_lie_in_the_box_and_face_points_exactly_on_the_face(
    box: Box, sampler: Sampler, dtype: torch.dtype
) -> None:
    bounds = torch.tensor(list(box.bounds.values()), dtype=dtype)
    inside = box.interior(unit_points(sampler, 64, box.dimension, 3).to(dtype))
    assert inside.dtype == dtype
    assert bool((inside >= bounds[:, 0]).all() and (inside <= bounds[:, 1]).all())
    for face in box.faces(box.axes):
        unit = unit_points(sampler, 64, box.dimension - 1, 3).to(dtype)
        points = box.on_face(face, unit)
        column = box.axes.index(face.axis)
        assert points.shape == (len(unit), box.dimension)
        assert bool((points[:, column] == bounds[column, int(face.side == "max")]).all())
        others = [i for i in range(box.dimension) if i != column]
        if others:
            # the coordinates of the unit points keep their order
            lower, upper = bounds[others].unbind(dim=1)
            assert torch.allclose(points[:, others], lower + (upper - lower) * unit)


@given(interval, st.sampled_from([torch.float32, torch.float64]))
def test_rounding_does_not_move_a_face(ends: tuple[float, float], dtype: torch.dtype) -> None:
    # the exact conditions vanish at the bound itself: lower + (upper - lower) may miss it
    box = Box(x=ends, y=(0, 1))
    for face, end in zip(box.faces("x"), ends, strict=True):
        points = box.on_face(face, torch.full((2, 1), 0.3, dtype=dtype))
        assert torch.equal(points[:, 0], torch.full((2,), end, dtype=dtype))


@pairwise(sampler=SAMPLERS, dimension=[1, 2, 3, 5], count=[1, 7, 64, 100])
def test_samplers_fill_the_cube_as_functions_of_the_seed(sampler: Sampler, dimension: int, count: int) -> None:
    state = torch.get_rng_state()
    points = unit_points(sampler, count, dimension, 2**62 + 1)
    assert points.dtype == torch.float64
    assert points.shape[1] == dimension
    assert len(points) <= count
    if sampler != "grid":
        assert len(points) == count
    assert bool((points >= 0).all() and (points <= 1).all())
    assert torch.equal(points, unit_points(sampler, count, dimension, 2**62 + 1))
    assert torch.equal(points, unit_points(sampler, count, dimension, 2**62 + 2)) == (sampler == "grid")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_cube_without_dimensions_is_one_point(sampler: Sampler) -> None:
    assert unit_points(sampler, 50, 0, 1).shape == (1, 0)
    ends = [Box(x=(2, 3)).on_face(face, unit_points(sampler, 50, 0, 1)).item() for face in Box(x=(2, 3)).faces("x")]
    assert ends == [2.0, 3.0]


@settings(max_examples=60)
@given(st.integers(1, 400), st.integers(1, 4))
def test_the_grid_has_the_most_points_of_nearly_equal_sides(count: int, dimension: int) -> None:
    points = unit_points("grid", count, dimension, 0)
    sides = [len(column.unique()) for column in points.T]
    assert math.prod(sides) == len(points) == len(points.unique(dim=0)) <= count
    assert max(sides) - min(sides) <= 1
    grown = [side + (i == sides.index(min(sides))) for i, side in enumerate(sides)]
    assert math.prod(grown) > count
    for column, side in zip(points.T, sides, strict=True):
        assert torch.allclose(column.unique(), (torch.arange(side, dtype=torch.float64) + 0.5) / side, atol=1e-15)


@pytest.mark.parametrize("sampler", ["sobol", "latin_hypercube"])
def test_low_discrepancy_points_are_more_even_than_uniform_ones(sampler: Sampler) -> None:
    def unevenness(name: Sampler) -> float:
        return math.fsum(qmc.discrepancy(unit_points(name, 128, 2, seed).numpy()) for seed in range(10))

    assert unevenness(sampler) < (0.1 if sampler == "sobol" else 0.6) * unevenness("uniform")


@pytest.mark.parametrize("sampler", ["sobol", "latin_hypercube"])
def test_low_discrepancy_points_integrate_better_than_uniform_ones(sampler: Sampler) -> None:
    def error(name: Sampler) -> float:
        # ∫ (x² + y) = 5/6 on the unit square
        values = (unit_points(name, 128, 2, seed) for seed in range(20))
        return math.sqrt(sum(float((p[:, 0] ** 2 + p[:, 1]).mean() - 5 / 6) ** 2 for p in values) / 20)

    assert error(sampler) < 0.2 * error("uniform")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_means_over_the_box_approach_the_integral(sampler: Sampler) -> None:
    # ∫ x t over (0, 2) x (1, 4) is 2 · 7.5
    box = Box(x=(0, 2), t=(1, 4))
    points = box.interior(unit_points(sampler, 4096, 2, 5))
    assert box.volume * float(points.prod(dim=1).mean()) == pytest.approx(15, rel=0.03)


def test_latin_hypercube_puts_one_point_into_each_slab() -> None:
    slabs = (unit_points("latin_hypercube", 50, 3, 9) * 50).floor().sort(dim=0).values
    assert torch.equal(slabs, torch.arange(50, dtype=torch.float64)[:, None].expand(50, 3))


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("share", [1 / 8, 0.4, 1])
def test_a_share_of_the_time_is_the_first_part_of_the_domain(box: Box, share: float) -> None:
    part = box.until(share)
    if "t" not in box.axes or share == 1:
        assert part is box
        return
    assert {**part.bounds, "t": box.bounds["t"]} == box.bounds
    assert part.bounds["t"][0] == box.bounds["t"][0]
    assert part.volume == pytest.approx(share * box.volume, rel=1e-12)
    unit = unit_points("sobol", 5, box.dimension - 1, 0)
    start = Face("t", "min")
    assert torch.equal(part.on_face(start, unit), box.on_face(start, unit))


def test_a_face_is_a_value() -> None:
    assert Face("x", "min") == Face("x", "min") != Face("x", "max")
    assert len({Face("x", "min"), Face("x", "min")}) == 1


def test_a_cube_over_a_time() -> None:
    assert Box.cube(3, -1, 2).bounds == {"x1": (-1, 2), "x2": (-1, 2), "x3": (-1, 2)}
    assert Box.cube(2).over(t=(0, 3)) == Box(x1=(0, 1), x2=(0, 1), t=(0, 3))
    assert Box.cube(100).volume == 1
    for wrong in (0, -1, 1.5, True, "two"):
        with pytest.raises(InputError, match="positive number of axes"):
            Box.cube(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="finite lower < upper"):
        Box.cube(2, 1, 1)
    with pytest.raises(InputError, match="it has a time already"):
        Box(x=(0, 1), t=(0, 1)).over(t=(0, 1))
