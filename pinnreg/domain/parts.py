"""Points on several parts, each of which takes its share of a unit coordinate, in proportion to its measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def chosen(unit: Tensor, measures: Tensor) -> tuple[Tensor, Tensor]:
    """The number of a part for each of `unit`, (n,), in proportion to measures (k,), and where it is within that."""
    until = measures.cumsum(dim=0)
    until = until / until[-1]
    number = torch.searchsorted(until, unit.contiguous(), right=True).clamp(max=len(measures) - 1)
    start = torch.cat([until.new_zeros(1), until])[number]
    # parts of no measure, also by rounding in low precision, begin where they end
    width = until[number] - start
    return number, torch.where(width > 0, (unit - start) / width, torch.zeros_like(unit)).clamp(0, 1)


def on_triangles(unit: Tensor, corners: Tensor, one: Tensor, other: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Points in triangles, (n, d), uniform if `unit` is on the unit square, and in which of them each is, (n,).

    Args:
        unit: points of the unit square, (n, 2).
        corners: one of each triangle, (k, d).
        one: a side from there, (k, d).
        other: the other side from there, (k, d).
        sizes: the areas up to a factor, (k,).
    """
    number, place = chosen(unit[:, 0], sizes)
    # the lower half of a square mapped onto the triangle, area by area
    far, across = place.sqrt()[:, None], unit[:, 1:2]
    return corners[number] + far * ((1 - across) * one[number] + across * other[number]), number


def on_parts(
    unit: Tensor, measures: Sequence[float], placed: Sequence[Callable[[Tensor], tuple[Tensor, ...]]]
) -> tuple[Tensor, ...]:
    """What functions of points of the unit cube, (n, k), one for each part, give of those that fall to it, by row."""
    # filled there: points are drawn at each step, which would wait for a copy from the CPU
    number, place = chosen(unit[:, 0], torch.stack([unit.new_full((), each) for each in measures]))
    order = number.argsort(stable=True)
    sizes = number.bincount(minlength=len(measures)).tolist()
    shares = torch.cat([place[:, None], unit[:, 1:]], dim=1)[order].split(sizes)
    found = [function(share) for function, share in zip(placed, shares, strict=True)]
    back = order.argsort()
    return tuple(torch.cat(each)[back] for each in zip(*found, strict=True))
