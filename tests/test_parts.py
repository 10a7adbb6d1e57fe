"""Points on several parts, in proportion to their measures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pinnreg.domain import unit_points
from pinnreg.domain.parts import chosen, on_parts, on_triangles


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parts_take_their_shares(dtype: torch.dtype) -> None:
    measures = torch.tensor([0.1, 0.0, 0.7, 0.2], dtype=dtype) * 3
    unit = torch.linspace(0, 1, 1001, dtype=dtype)
    number, place = chosen(unit, measures)
    counts = number.bincount(minlength=4)
    assert torch.allclose(counts / 1000.0, torch.tensor([0.1, 0.0, 0.7, 0.2]), atol=2e-3)
    assert bool(((place >= 0) & (place <= 1)).all())
    assert bool(((number[1:] > number[:-1]) | (place[1:] > place[:-1])).all())
    assert number[-1] == 3
    assert place[-1] == 1


def test_many_parts_end_at_one_in_low_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    measures = torch.rand(10_000, generator=generator)
    number, place = chosen(torch.ones(1), measures)
    assert number.item() == 9_999
    assert place.item() == 1


def test_rows_stay_in_order() -> None:
    unit = unit_points("sobol", 64, 2, 0)
    asked: list[Tensor] = []

    def named(value: float) -> Callable[[Tensor], tuple[Tensor, ...]]:
        def placed(share: Tensor) -> tuple[Tensor, ...]:
            asked.append(share)
            return torch.full_like(share[:, 0], value), share

        return placed

    values, shares = on_parts(unit, [3.0, 1.0], [named(0.0), named(1.0)])
    number, place = chosen(unit[:, 0], torch.tensor([3.0, 1.0], dtype=torch.float64))
    assert torch.equal(values.long(), number)
    assert torch.equal(shares, torch.stack([place, unit[:, 1]], dim=1))
    assert [len(each) for each in asked] == [48, 16]


def test_points_in_triangles_are_uniform() -> None:
    corners = torch.tensor([[0.0, 0, 0], [5, 0, 0]], dtype=torch.float64)
    one = torch.tensor([[1.0, 0, 0], [0, 2, 0]], dtype=torch.float64)
    other = torch.tensor([[0.0, 1, 0], [0, 0, 3]], dtype=torch.float64)
    points, number = on_triangles(
        unit_points("sobol", 4096, 2, 0), corners, one, other, torch.tensor([1.0, 6]).double()
    )
    assert number.double().mean().item() == pytest.approx(6 / 7, abs=1e-3)
    for k in range(2):
        middle = corners[k] + (one[k] + other[k]) / 3
        assert torch.allclose(points[number == k].mean(dim=0), middle, atol=5e-3)
