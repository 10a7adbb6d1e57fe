"""Where functions jump along lines, found by differences: autograd and the names of functions cannot say.

A function is sampled at the ends of cells of lines, and a gap is computed for each cell: by how much what is known at
its two ends disagrees. Cells with a gap are halved again and again. Where the function is smooth, however steep, the
gaps vanish as soon as the cells resolve it; at a jump one stays. Jumps that cancel between two neighbouring samples are
not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.domain import Box, Domain, Face, Sampler, unit_points
from pinnreg.randomness import derive, generator

POINTS = 2048
"""How many points on all lines along an axis are looked at first."""
MOST_LINES = 32
MOST_FACES = 8
"""On which lines along one axis begin, of a box with many."""
HALVINGS = 16
"""Cells of 1/1024 of the side, on few lines, end as cells of 10⁻⁸ of it, those of 1/64 at 3 10⁻⁷."""
STEPS = 1024
"""In which is looked for the end of a line in a shape."""
MARGIN = 1e-4
"""How much of the side is left out at either end, where data may be steep without an end, as √x at 0 is."""
SPLIT = 0.4798
"""Where a cell is cut: not in the middle, so that no cut meets a jump at a round number."""
LAST, STAYS = 6, 0.25
"""A gap stays if it is more than this part of what it was so many halvings before; √h becomes 0.14 of itself."""
MOST_CELLS = 16384

Sample = Callable[[Tensor, Tensor], Tensor]
"""What is known at places s (n,) in (0, 1) of lines (n,), by number: (n, k)."""
Gap = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Of cells, from rows (n, 1 + k) at their two ends, s and what is known there: the gap, (n,), and what of it cannot be
the next derivative's doing, (n,), which is to stay. What is below 1 is none."""


@final
@dataclass(frozen=True)
class Jumps:
    """Cells that a jump is in: their lines (n,), and the rows (n, 1 + k) at their two ends."""

    line: Tensor
    left: Tensor
    right: Tensor

    def __len__(self) -> int:
        return len(self.line)

    def some(self, kept: Tensor) -> Jumps:
        """Some of the cells, by a mask or by numbers."""
        return Jumps(self.line[kept], self.left[kept], self.right[kept])


@final
@dataclass(frozen=True)
class Lines:
    """Lines from end to end of a domain along one axis: where they start and where they go, each (lines, d)."""

    axes: tuple[str, ...]
    start: Tensor
    along: Tensor

    def __len__(self) -> int:
        return len(self.start)

    def at(self, line: Tensor, s: Tensor) -> Tensor:
        """Points (n, d) at s (n,) on lines (n,)."""
        return self.start[line] + s[:, None] * self.along[line]

    def place(self, cell: Jumps) -> str:
        """Where the first of some cells is, in words."""
        point = self.at(cell.line[:1], cell.left[:1, 0])[0].tolist()
        return ", ".join(f"{axis}={x:.4g}" for axis, x in zip(self.axes, point, strict=True))

    def edges(self) -> Tensor:
        """The ends of the cells of each line, (lines, cells + 1), irregular for the reason of `SPLIT`."""
        cells = max(POINTS // max(len(self), 2), POINTS // MOST_LINES)
        shift = torch.rand((len(self), cells - 1), generator=generator(0, "cells of lines"), dtype=torch.float64)
        inner = (torch.arange(1, cells, dtype=torch.float64) + 0.8 * (shift - 0.5)) / cells
        ends = [torch.full((len(self), 1), end, dtype=torch.float64) for end in (MARGIN, 1 - MARGIN)]
        return torch.cat([ends[0], inner, ends[1]], dim=1)


def lines_along(domain: Domain, axis: str, faces: Sequence[Face] | None = None) -> Lines:
    """Lines along an axis through a box, or on some of its faces, at places that are the same each time."""
    number = domain.axes.index(axis)
    if faces is None:
        start = domain.interior(_places(domain, axis, MOST_LINES if domain.dimension > 1 else 1, ""))
    else:
        # of many faces others with each axis, so that all are seen
        apart = max(len(faces) // MOST_FACES, 1)
        faces = faces[number % apart :: apart]
        count = max(MOST_LINES // len(faces), 2) if domain.dimension > 2 else 1
        start = torch.cat([_on_face(domain, face, _places(domain, axis, count, str(face))) for face in faces])
    start[:, number], upper = domain.bounds[axis]
    along = torch.zeros_like(start)
    along[:, number] = upper - start[:, number]
    return Lines(domain.axes, start, along)


def lines_inside(domain: Domain, axis: str) -> Lines:
    """Lines along an axis from end to end of a shape, through points that are the same each time."""
    if isinstance(domain, Box):
        return lines_along(domain, axis)
    number, (lower, upper) = domain.axes.index(axis), domain.bounds[axis]
    middle = domain.sample(MOST_LINES if domain.dimension > 1 else 1, "sobol", derive(0, f"lines/{axis}/inside"))
    if domain.quadric is not None and not domain.quadric.lowest:  # where functions of angles and radii are singular
        middle[0, list(domain.quadric.axes)] = torch.tensor(domain.quadric.centre, dtype=middle.dtype)
    ends = []
    for end in (lower, upper):
        # as far as all of many points on the way are inside
        shares = torch.linspace(0, 1, STEPS, dtype=middle.dtype)
        along = torch.zeros_like(middle)
        along[:, number] = end - middle[:, number]
        way = middle[:, None] + shares[:, None] * along[:, None]
        inside = domain.contains(way.reshape(-1, domain.dimension)).view(len(middle), STEPS)
        last = inside.long().cumprod(dim=1).sum(dim=1) - 1
        ends.append(middle + shares[last.clamp_min(0)][:, None] * along)
    return Lines(domain.axes, ends[0], ends[1] - ends[0])


def _places(domain: Domain, axis: str, count: int, where: str) -> Tensor:
    # scrambling a sequence takes the square of the dimension
    sampler: Sampler = "sobol" if domain.dimension <= MOST_FACES else "uniform"
    return unit_points(sampler, count, domain.dimension, derive(0, f"lines/{axis}/{where}"))


def _on_face(domain: Domain, face: Face, unit: Tensor) -> Tensor:
    points = domain.interior(unit)
    points[:, domain.axes.index(face.axis)] = domain.bounds[face.axis][0 if face.side == "min" else 1]
    return points


def jumps(sample: Sample, gap: Gap, edges: Tensor, known: Tensor) -> Jumps:
    """The cells whose gap stays as they shrink, the largest gap first.

    Args:
        sample: of the function.
        gap: of cells.
        edges: the ends of the cells of each line, (lines, cells + 1).
        known: the samples there, (lines, cells + 1, k).
    """
    cells = _cells(edges, known)
    gaps, stays = gap(cells.left, cells.right)
    history = stays[:, None]
    for _ in range(HALVINGS):
        kept = _largest(gaps)
        if not len(kept):
            return cells.some(kept)
        cells = _halved(cells.some(kept), sample)
        gaps, stays = gap(cells.left, cells.right)
        history = torch.cat([history[kept].repeat(2, 1), stays[:, None]], dim=1)
    kept = _largest(history[:, -1])
    return cells.some(kept[history[kept, -1] > STAYS * history[kept, -1 - LAST]])


def thin(sample: Sample, gap: Gap, edges: Tensor, known: Tensor, halvings: int) -> Jumps:
    """The cells that still have a gap after so many halvings: a jump, or a layer thinner than they are."""
    cells = _cells(edges, known)
    for _ in range(halvings):
        kept = _largest(gap(cells.left, cells.right)[0])
        cells = _halved(cells.some(kept), sample)
    return cells.some(_largest(gap(cells.left, cells.right)[0]))


def _cells(edges: Tensor, known: Tensor) -> Jumps:
    rows = torch.cat([edges[..., None], known], dim=2)
    line = torch.arange(len(edges)).repeat_interleave(edges.shape[1] - 1)
    return Jumps(line, rows[:, :-1].flatten(0, 1), rows[:, 1:].flatten(0, 1))


def _halved(cells: Jumps, sample: Sample) -> Jumps:
    left, right = cells.left, cells.right
    s = left[:, 0] + SPLIT * (right[:, 0] - left[:, 0])
    middle = torch.cat([s[:, None], sample(cells.line, s)], dim=1)
    return Jumps(cells.line.repeat(2), torch.cat([left, middle]), torch.cat([middle, right]))


def _largest(gaps: Tensor) -> Tensor:
    """The numbers of the gaps (n,) that are some, the largest first."""
    gaps = gaps.nan_to_num(0.0)  # NaN is for other checks to refuse, with where it is
    order = torch.argsort(gaps, descending=True, stable=True)[:MOST_CELLS]
    return order[gaps[order] > 1]
