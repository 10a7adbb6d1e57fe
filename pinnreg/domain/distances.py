"""Distances, which have finite derivatives also where they are 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def root(squares: Tensor) -> Tensor:
    """That of squares, whose derivatives, also the second ones, are finite at 0."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, torch.ones_like(squares)).sqrt(), squares)


def lengths(vectors: Tensor) -> Tensor:
    """Those of vectors (n, d), (n,), by such a root."""
    return root(vectors.square().sum(dim=1))


def beyond(places: Tensor, interval: tuple[float, float]) -> Tensor:
    """How far places lie outside of an interval; negative inside, by the nearer end."""
    lower, upper = interval
    return torch.maximum(lower - places, places - upper)


def distance_of_product(columns: Sequence[Tensor]) -> Tensor:
    """The signed distance to a product of sets from those to each, (n,)."""
    stacked = torch.stack(list(columns), dim=1)
    outside = stacked.clamp_min(0).square().sum(dim=1)
    return torch.where(outside > 0, root(outside), stacked.amax(dim=1))
