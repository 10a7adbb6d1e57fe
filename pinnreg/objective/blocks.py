"""`Block`: the points of one term, and the tensors on them that a step needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from pinnreg.equations import PointSet, Trial
from pinnreg.equations.conditions import Samples
from pinnreg.taylor import Algebra, Series

BlockTensors = tuple[Tensor | None, ...]


@final
@dataclass(frozen=True)
class Block:
    """Points, and for a condition the outward normals on its faces, (n, d)."""

    points: PointSet
    normals: Tensor | None = None

    @property
    def samples(self) -> Samples:
        """The points of a condition with their normals."""
        assert self.normals is not None
        return Samples(self.points.points, self.normals)

    def tensors(self, algebra: Algebra) -> BlockTensors:
        """Points, normals, and the stacks of g and φ."""
        lift = self.points.lift(algebra)
        return (self.points.points, self.normals, *(None if each is None else each.on(each.support) for each in lift))

    def replaced(self, tensors: BlockTensors, algebra: Algebra, trial: Trial) -> Block:
        """A block of the same structure with other tensors."""
        points, normals, *stacks = tensors
        assert points is not None
        g, phi = (
            None if each is None or stack is None else Series(algebra, each.support, (stack,))
            for each, stack in zip(self.points.lift(algebra), stacks, strict=True)
        )
        return Block(PointSet(points, trial, {algebra: (g, phi)}), normals)


Blocks = dict[str, Block]
