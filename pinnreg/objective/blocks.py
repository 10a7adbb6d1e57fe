"""`Block`: the points of one term, and the tensors on them that a step needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.equations import PointSet, Trial
from pinnreg.equations.conditions import Samples
from pinnreg.taylor import Algebra, Series

BlockTensors = tuple[Tensor | None, ...]


@final
@dataclass(frozen=True)
class Block:
    """Points, and what belongs to them.

    Attributes:
        points: (n, d).
        normals: for a condition: the outward normals on its faces, (n, d).
        values: what was measured at the points, (n,), or what a penalty has drawn for each, (n, ...).
        importance: what each point counts for, (n,), of mean 1; None for alike.
        points_per_row: 2 for pairs, the points i and i + n/2.
    """

    points: PointSet
    normals: Tensor | None = None
    values: Tensor | None = None
    importance: Tensor | None = None
    points_per_row: int = 1

    @property
    def samples(self) -> Samples:
        """The points of a condition with what belongs to them."""
        assert self.normals is not None
        return Samples(self.points.points, self.normals, self.values)

    def part(self, rows: slice | Tensor) -> Block:
        """The points of some rows."""

        def pick(each: Tensor) -> Tensor:
            if self.points_per_row == 1:
                return each[rows]
            return torch.cat([run[rows] for run in each.chunk(self.points_per_row)])

        normals, values, importance = (
            None if each is None else pick(each) for each in (self.normals, self.values, self.importance)
        )
        return Block(self.points.part(pick), normals, values, importance, self.points_per_row)

    def thinned(self, rows: int) -> Block:
        """At most so many rows, spread over all."""
        count = len(self.points) // self.points_per_row
        # not every k-th: those of a Sobol sequence lie in one part of the domain
        return self.part(torch.linspace(0, count - 1, min(rows, count)).long())

    def tensors(self, algebra: Algebra) -> BlockTensors:
        """Points, what belongs to them, and the stacks of g and φ."""
        lift = self.points.lift(algebra)
        return (
            self.points.points,
            self.normals,
            self.values,
            self.importance,
            *(None if each is None else each.on(each.support) for each in lift),
        )

    def replaced(self, tensors: BlockTensors, algebra: Algebra, trial: Trial) -> Block:
        """A block of the same structure with other tensors."""
        points, normals, values, importance, *stacks = tensors
        assert points is not None
        g, phi = (
            None if each is None or stack is None else Series(algebra, each.support, (stack,))
            for each, stack in zip(self.points.lift(algebra), stacks, strict=True)
        )
        return Block(PointSet(points, trial, {algebra: (g, phi)}), normals, values, importance, self.points_per_row)


Blocks = dict[str, Block]
