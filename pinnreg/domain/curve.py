"""Closed curves in the plane by a parameter: points uniform in arc length, and the nearest point of a curve."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from pinnreg.domain.copies import Copies
from pinnreg.domain.distances import lengths

TURN = 2 * math.pi
CELLS = 4096
"""Of a table of a curve."""
NODES, WEIGHTS = (torch.from_numpy(each) for each in np.polynomial.legendre.leggauss(5))
BRACKETS = 512
"""Places on a curve among which the nearest one is looked for."""
VALLEYS = 4
"""Of these places, from which the nearest is looked for: where others are farther on both sides."""
ROWS = 2**12
"""Points whose distances to all places are held at once."""
SECTIONS = 64
"""Of an interval by the golden section, to rounding of a distance."""
GOLDEN = (math.sqrt(5) - 1) / 2


@final
class Quantile:
    """θ in [0, 2π] as a function of the share of the integral of a positive density up to θ, by a table.

    Between the nodes of the table θ is a cubic with the right slopes, 1/density: the error is 1e-12 for smooth ones.
    """

    def __init__(self, density: Callable[[Tensor], Tensor]) -> None:
        ends = torch.linspace(0, TURN, CELLS + 1, dtype=torch.float64)
        half = TURN / CELLS / 2
        inside = density((ends[:-1, None] + half * (NODES + 1)).reshape(-1)).reshape(CELLS, -1)
        until = torch.cat([torch.zeros(1, dtype=torch.float64), (half * inside @ WEIGHTS).cumsum(0)])
        self.total = float(until[-1])
        self._tables = Copies(ends, until / self.total, self.total / density(ends))

    def __call__(self, share: Tensor) -> Tensor:
        """θ, (n,), of shares (n,)."""
        ends, until, slopes = self._tables.at(share)
        cell = (torch.searchsorted(until, share.contiguous(), right=True) - 1).clamp(0, CELLS - 1)
        width = until[cell + 1] - until[cell]
        s = ((share - until[cell]) / width).clamp(0, 1)
        one, other = ends[cell], ends[cell + 1]
        rise, fall = width * slopes[cell], width * slopes[cell + 1]
        # a cubic that overshoots beside a kink of the density would not be monotonous
        rise, fall = (torch.minimum(each, 3 * (other - one)) for each in (rise, fall))
        return (
            (1 + 2 * s) * (1 - s) ** 2 * one
            + s**2 * (3 - 2 * s) * other
            + s * (1 - s) ** 2 * rise
            - s**2 * (1 - s) * fall
        )


@final
class Curve:
    """A closed curve, counter-clockwise.

    Args:
        at: its points (n, 2) by θ, (n,).
    """

    def __init__(self, at: Callable[[Tensor], Tensor]) -> None:
        self.at = at
        self._by_length = Quantile(lambda theta: torch.linalg.vector_norm(self._with_slope(theta)[1], dim=1))

    @property
    def length(self) -> float:
        """Its length."""
        return self._by_length.total

    def _with_slope(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Points on it and its derivative by θ there, (n, 2)."""
        with torch.enable_grad():
            inputs = theta.detach().requires_grad_()
            points = self.at(inputs)
            slopes = [torch.autograd.grad(each.sum(), inputs, retain_graph=True)[0] for each in points.unbind(dim=1)]
        return points.detach(), torch.stack(slopes, dim=1)

    def placed(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Points and outward normals, (n, 2), uniform in arc length if `unit`, (n,), is on [0, 1]."""
        points, slope = self._with_slope(self._by_length(unit))
        normals = torch.stack([slope[:, 1], -slope[:, 0]], dim=1)
        return points, normals / torch.linalg.vector_norm(normals, dim=1, keepdim=True)

    @cached_property
    def bounds(self) -> tuple[list[float], list[float]]:
        """The lowest and the highest coordinates on it."""
        ends: tuple[list[float], list[float]] = ([], [])
        for column in range(2):
            for found, sign in zip(ends, (-1, 1), strict=True):
                middle, half = TURN / 2, TURN / 2
                for _ in range(3):  # between ever nearer neighbours
                    theta = torch.linspace(middle - half, middle + half, CELLS + 1, dtype=torch.float64)
                    heights = sign * self.at(theta.remainder(TURN)).detach()[:, column]
                    middle, half = float(theta[heights.argmax()]), 2 * half / CELLS
                found.append(sign * float(heights.max()))
        return ends

    def distance(self, points: Tensor) -> Tensor:
        """The distance of points (n, 2) to the curve, (n,), once differentiable in them."""
        places = torch.linspace(0, TURN, BRACKETS + 1, dtype=points.dtype, device=points.device)[:-1]
        with torch.no_grad():
            on_curve = self.at(places)
            nearest = [self._nearest(part, places, on_curve) for part in points.detach().split(ROWS)]
        return lengths(points - torch.cat(nearest))

    def _nearest(self, points: Tensor, places: Tensor, on_curve: Tensor) -> Tensor:
        """The nearest points of the curve, (n, 2), by the golden section from the nearest of some places."""
        # by no product of matrices, which would round far from the origin
        away = torch.cdist(points, on_curve, compute_mode="donot_use_mm_for_euclid_dist")
        valley = (away <= away.roll(1, dims=1)) & (away <= away.roll(-1, dims=1))
        starts = away.masked_fill(~valley, math.inf).topk(VALLEYS, largest=False).indices
        theta = places[starts.reshape(-1)]
        points = points.repeat_interleave(VALLEYS, dim=0)
        lower, upper = theta - TURN / BRACKETS, theta + TURN / BRACKETS
        for _ in range(SECTIONS):
            one, other = upper - GOLDEN * (upper - lower), lower + GOLDEN * (upper - lower)
            before = self._away(one, points) < self._away(other, points)
            lower, upper = torch.where(before, lower, one), torch.where(before, other, upper)
        at = self.at(((lower + upper) / 2).remainder(TURN))
        best = (at - points).square().sum(dim=1).reshape(-1, VALLEYS).argmin(dim=1, keepdim=True)
        return at.reshape(-1, VALLEYS, 2).gather(1, best[..., None].expand(-1, 1, 2))[:, 0]

    def _away(self, theta: Tensor, points: Tensor) -> Tensor:
        return (self.at(theta.remainder(TURN)) - points).square().sum(dim=1)
