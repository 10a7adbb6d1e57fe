"""What a set operation leaves of the sides of its two parts, and how much that is, by sums over points on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.domain.domain import Domain
from pinnreg.domain.samplers import unit_points
from pinnreg.domain.sides import Side

CELLS = 2**13
"""Of the boundary of a part in the plane, in each of which one end of what is left of it is found."""
FEWEST = 2**6
"""Of these on one side, and on one surface as many squared."""
PARTS = 32
"""Of a cell, to find such an end, and parts of these,"""
ROUNDS = 4
"""so many times over."""
SIDES_AT = 2**18
"""Points on all surfaces of a part, by which they are measured."""


@final
@dataclass(frozen=True)
class Source:
    """A side of one of the parts of a combination.

    Attributes:
        domain: the part.
        side: its side.
        second: whether it is the second part.
    """

    domain: Domain
    side: Side
    second: bool

    @property
    def name(self) -> str:
        """Of the side in the combination."""
        return self.domain.joined or str(self.side)

    @property
    def drawn(self) -> float:
        """The measure of that of which points are kept."""
        return self.domain.measure(self.side) / self.domain.share_of(self.side)


@final
@dataclass(frozen=True)
class Looked:
    """Points of a side, and what a combination makes of them.

    Attributes:
        points: (n, d).
        normals: those of the side, (n, d).
        own: which are on that side, (n,).
        turned: whose normals turn around, (n,).
        there: which are left, (n,).
    """

    points: Tensor
    normals: Tensor
    own: Tensor
    turned: Tensor
    there: Tensor


@final
@dataclass(frozen=True)
class Remains:
    """What a combination leaves of a side.

    Attributes:
        source: the side.
        measure: of what is left.
        all: the same of the whole side, by the same sum.
        turned: what is left, less twice that of what has its normal turned around.
        flux: ∫ x·n/d over what is left.
        whole: the same over the whole side.
    """

    source: Source
    measure: float
    all: float
    turned: float
    flux: float
    whole: float


def remains_of(source: Source, look: Callable[[Tensor], Looked], middle: Tensor, effort: float) -> Remains:
    """What is left of a side.

    Args:
        source: the side.
        look: at the points of the side that some of the unit cube, (n, d - 1), are mapped to.
        middle: the origin of x in the fluxes, (d,).
        effort: how much more than for a ball it takes to look at a point.
    """
    unit, weights = _cells(source, look, effort)
    at = look(unit)
    weights = weights.expand(len(at.points))
    weights = weights * source.domain.measure(source.side) / weights[at.own].sum()
    signs = torch.where(at.turned, -1.0, 1.0)
    flux = weights * ((at.points - middle) * at.normals).sum(dim=1) / source.domain.dimension
    return Remains(
        source,
        measure=float(weights[at.there].sum()),
        all=float(weights[at.own].sum()),
        turned=float((weights * signs)[at.there].sum()),
        flux=float((flux * signs)[at.there].sum()),
        whole=float(flux[at.own].sum()),
    )


def _cells(source: Source, look: Callable[[Tensor], Looked], effort: float) -> tuple[Tensor, Tensor]:
    """Points of a side in the unit cube, and the share of it that each stands for; of a curve between its ends."""
    measure = source.domain.measure
    share = measure(source.side) / sum(measure(side) for side in source.domain.faces(None))
    if source.domain.dimension == 2:
        return _between_ends(source, look, max(round(share * CELLS), FEWEST))
    # a power of two, as Sobol points are most even then
    count = 2 ** math.ceil(math.log2(max(share * SIDES_AT / effort, FEWEST**2)))
    unit = unit_points("sobol", count, source.domain.dimension - 1, 0)
    return unit, torch.full((1,), 1 / len(unit), dtype=torch.float64)


def _between_ends(source: Source, look: Callable[[Tensor], Looked], cells: int) -> tuple[Tensor, Tensor]:
    """The middles of cells of a curve and their widths, cut where what is left of it ends."""

    def state(place: Tensor) -> Tensor:
        at = look(place[:, None])
        return at.own + 2 * at.there + 4 * (at.there & at.turned)

    breaks = torch.tensor(source.domain.breaks(source.side), dtype=torch.float64)
    nodes = torch.cat([torch.linspace(0, 1, cells + 1, dtype=torch.float64), breaks]).sort().values
    corner = 0.01 / cells
    places = torch.cat([nodes[:1] + corner, (nodes[1:] + nodes[:-1]) / 2, nodes[-1:] - corner])
    found = state(places)
    (changes,) = torch.nonzero(found[1:] != found[:-1], as_tuple=True)
    start, width = places[changes], places[changes + 1] - places[changes]
    for _ in range(ROUNDS if len(changes) else 0):
        width = width / PARTS
        inner = start + width * torch.arange(1, PARTS, dtype=torch.float64)[:, None]
        before = state(inner.reshape(-1)).reshape(inner.shape) == found[changes]
        start = start + width * before.cumprod(dim=0).sum(dim=0)
    nodes = torch.cat([nodes, start + width / 2]).sort().values
    return (nodes[1:, None] + nodes[:-1, None]) / 2, nodes.diff()
