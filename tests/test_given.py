"""What users give to domains: points in any form, how many are drawn and how, and names of parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinnreg.domain import Annulus, Ball, Box, Domain, Ellipse, Polygon, Split, Star
from pinnreg.domain.domain import in_proportion
from pinnreg.errors import InputError

SQUARE = Box(x=(0, 1), y=(0, 1))


class Strip(Domain):
    """A domain as users write one, which overrides what it may."""

    bounds = property(lambda self: {"x": (0.0, 2.0), "y": (0.0, 1.0)})
    volume = property(lambda self: 2.0)

    def interior(self, unit: Tensor) -> Tensor:
        return unit * unit.new_tensor([2.0, 1.0])

    def on_face(self, face: Any, unit: Tensor) -> Tensor:
        raise NotImplementedError

    def contains(self, points: Tensor) -> Tensor:
        return super().contains(points) & (points[:, 0] < 1)

    def signed_distance(self, points: Tensor, scale: float = 1.0) -> Tensor:
        return scale * super().signed_distance(points)


DOMAINS: dict[str, Domain] = {
    "box": Box(x=(0, 1), y=(0, 2), t=(0, 1)),
    "ball": Ball(x=0, y=0, z=0, radius=1),
    "annulus": Annulus(x=0, y=0, inner=0.5, outer=1),
    "ellipse": Ellipse(2, 1, x=0, y=0),
    "star": Star(lambda theta: 1 + 0.2 * torch.cos(theta), x=0, y=0),
    "polygon": Polygon([(0, 0), (1, 0), (0, 1)]),
    "combined": SQUARE - Ball(x=0, y=0, radius=0.5),
    "product": Ball(x=0, y=0, radius=1).over(t=(0, 1)),
    "split": Split(SQUARE, Ball(x=0.5, y=0.5, radius=0.2)),
    "a user's": Strip(),
}
ASKED = ("contains", "signed_distance")
every_domain = pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)


@every_domain
@pytest.mark.parametrize("asked", ASKED)
def test_points_may_have_any_form(domain: Domain, asked: str) -> None:
    tensor = Box(**domain.bounds).sample(50).mul(4).round().div(4)  # exact in each precision
    method = getattr(domain, asked)
    found = method(tensor)
    forms = [tensor.numpy(), tensor.tolist(), tuple(map(tuple, tensor.tolist())), np.asfortranarray(tensor.numpy())]
    forms += [tensor.numpy().astype(kind) for kind in (np.float32, np.float16, np.longdouble)]
    forms += [tensor.to(kind) for kind in (torch.float16, torch.bfloat16)]
    forms += [tensor.numpy()[::-1][::-1]]
    for form in forms:
        assert torch.equal(method(form), found)
    whole = tensor.round().long()
    assert torch.equal(method(whole), method(whole.double()))
    assert torch.equal(method(whole.tolist()), method(whole.double()))
    assert method(tensor[:0]).shape == (0,)
    if asked == "signed_distance":
        assert found.dtype == torch.float64
        assert method(tensor.float()).dtype == torch.float32


@every_domain
@pytest.mark.parametrize("asked", ASKED)
def test_points_of_another_shape_are_refused(domain: Domain, asked: str) -> None:
    count, method = domain.dimension, getattr(domain, asked)
    said = rf"{asked}: expected points \(n, {count}\), in rows of {', '.join(domain.axes)}"
    for shape in ((count,), (5, count + 1), (5, count - 1), (2, 5, count), ()):
        for points in (torch.zeros(shape), np.zeros(shape), np.zeros(shape).tolist()):
            with pytest.raises(InputError, match=said):
                method(points)
    for points in ("ab", None, [[0.0], [0.0, 1.0]], [["a"] * count], [[True] * count], np.full((3, count), 1j)):
        with pytest.raises(InputError, match=f"{said}.* real numbers"):
            method(points)


def test_other_arguments_reach_a_users_own_method() -> None:
    inside = [[0.5, 0.25]]
    assert Strip().signed_distance(inside, 2.0).item() == -0.5
    assert Strip().signed_distance(points=inside, scale=3.0).item() == -0.75
    assert "distance" in (Ball.signed_distance.__doc__ or Domain.signed_distance.__doc__ or "")


DRAWN: dict[str, Callable[..., Any]] = {
    "inside": SQUARE.sample,
    "on the boundary": SQUARE.boundary().sample,
    "in a shape": DOMAINS["combined"].sample,
    "on a shape": DOMAINS["combined"].boundary().sample,
}


@pytest.mark.parametrize("where", DRAWN)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "positive number of points, got 0"),
        ({"count": -3}, "positive number of points, got -3"),
        ({"count": 2.5}, "positive number of points, got 2.5"),
        ({"count": True}, "positive number of points, got True"),
        ({"count": "many"}, "positive number of points, got 'many'"),
        ({"count": 5, "sampler": "sobl"}, "unknown sampler .*'sobl'; did you mean 'sobol'"),
        ({"count": 5, "sampler": None}, "unknown sampler .*known: sobol"),
        ({"count": 5, "seed": -1}, "a seed of 0 or more, got -1"),
        ({"count": 5, "seed": 1.5}, "a seed of 0 or more, got 1.5"),
    ],
)
def test_a_wrong_drawing_is_refused(where: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DRAWN[where](**arguments)


@pytest.mark.parametrize("where", DRAWN)
def test_numbers_of_numpy_are_numbers(where: str) -> None:
    assert len(torch.stack(list(DRAWN[where](np.int64(8), seed=np.int32(3)))).reshape(-1, 2)) in (8, 16)


@every_domain
@pytest.mark.parametrize("on", [3, ["x", 3], (None,), 1.5, [["x"]]])
def test_names_of_parts_are_texts(domain: Domain, on: Any) -> None:
    with pytest.raises(InputError, match="expected the names of parts of the boundary"):
        domain.boundary(on)


@settings(max_examples=200)
@given(st.integers(1, 300), st.lists(st.floats(1e-3, 10), min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_points_are_shared_out_in_proportion(count: int, measures: list[float], start: float) -> None:
    sizes = in_proportion(count, measures, start)
    assert sum(sizes) == count
    for size, measure in zip(sizes, measures, strict=True):
        assert abs(size - count * measure / sum(measures)) < 1 + 1e-6


def test_fewer_points_than_edges_are_uniform_over_seeds() -> None:
    corners = [
        (math.cos(a), math.sin(a)) for a in torch.linspace(0, 2 * math.pi, 201, dtype=torch.float64)[:-1].tolist()
    ]
    domain = Polygon(corners)
    angles = []
    for seed in range(40):
        points, normals = domain.boundary().sample(30, seed=seed)
        assert points.shape == normals.shape == (30, 2)
        assert float(domain.signed_distance(points).abs().max()) < 1e-12
        angles.append(torch.atan2(points[:, 1], points[:, 0]))
    edges = (torch.cat(angles).remainder(2 * math.pi) / (2 * math.pi) * 200).long().bincount(minlength=200)
    assert int(edges.max()) <= 20  # 6 on average, and none is left out by all seeds
    assert int(edges.min()) >= 1
    assert len(domain.boundary().sample(30, "grid")[0]) <= 30
