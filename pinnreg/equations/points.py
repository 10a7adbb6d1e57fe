"""`Points`: where a term is evaluated, and what is known there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import final

import torch
from torch import Tensor

from pinnreg.equations.trial import Lift, Trial
from pinnreg.taylor import Algebra, Series

Tensors = tuple[Tensor | None, ...]


@final
@dataclass(frozen=True, eq=False)
class Points:
    """Points and what belongs to them.

    Attributes:
        x: the coordinates, (n, d).
        normals: outward normals, (n, d), of points on faces.
        across: the numbers of the axes that normals are along.
        curved: whether they are along several of these at once.
        extent: the longest side of the domain in space.
        values: what was measured at the points, (n,), or what a penalty has drawn for each, (n, ...).
        importance: what each point counts for, (n,), of mean 1 over all points that were drawn; None for alike.
        points_per_row: k where a row has the points i, i + n/k, i + 2n/k, ...: 2 for pairs, many at the nodes of
            integrals.
        lifts: the series of g and φ of the trial function, which training does not change, as far as they are known.
        there: the points of other places that a function asks for, several a point, with what is known of them.
    """

    x: Tensor
    normals: Tensor | None = None
    values: Tensor | None = None
    importance: Tensor | None = None
    points_per_row: int = 1
    lifts: Mapping[Algebra, Lift] = field(default_factory=dict)
    across: tuple[int, ...] = ()
    there: Mapping[int, Points] = field(default_factory=dict)
    curved: bool = False
    extent: float = 1.0

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def rows(self) -> int:
        """How many rows an equation has here."""
        return len(self) // self.points_per_row

    def on(self, like: Tensor) -> Points:
        """The same where `like` is, and in its precision; nothing is known of g and φ there."""
        return replace(self._mapped(lambda each: each.to(like)), lifts={}, there={})

    def lifted(self, trial: Trial, algebra: Algebra) -> Points:
        """The same with the series of g and φ."""
        if algebra in self.lifts:
            return self
        return replace(self, lifts={**self.lifts, algebra: trial.lift(self.x, algebra)})

    def part(self, rows: slice | Tensor) -> Points:
        """The points of some rows."""

        def pick(each: Tensor) -> Tensor:
            if self.points_per_row == 1:
                return each[rows]
            return torch.cat([run[rows] for run in each.chunk(self.points_per_row)])

        lifts = {algebra: _picked(lift, pick) for algebra, lift in self.lifts.items()}
        there = {place: each.part(rows) for place, each in self.there.items()}
        return replace(self._mapped(pick), lifts=lifts, there=there)

    def joined(self, others: Points) -> Points:
        """These and others of their kind, of which the same is known; nothing is known of g and φ."""

        def join(one: Tensor | None, other: Tensor | None) -> Tensor | None:
            if one is None or other is None:
                return None
            runs = zip(one.chunk(self.points_per_row), other.chunk(self.points_per_row), strict=True)
            return torch.cat([each for pair in runs for each in pair])

        x = join(self.x, others.x)
        assert x is not None
        normals, values = join(self.normals, others.normals), join(self.values, others.values)
        importance = join(self.importance, others.importance)
        return replace(others, x=x, normals=normals, values=values, importance=importance, lifts={}, there={})

    def thinned(self, rows: int) -> Points:
        """At most so many rows, spread over all."""
        # not every k-th: those of a Sobol sequence lie in one part of the domain
        chosen = torch.linspace(0, self.rows - 1, min(rows, self.rows), device=self.x.device).long()
        return self.part(chosen.clamp_(max=self.rows - 1))  # beyond 2²⁴ float32 may round up

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> Points:
        """The same with a function of all that has one entry a point, but for what is known of g and φ."""
        normals, values, importance = (
            None if each is None else function(each) for each in (self.normals, self.values, self.importance)
        )
        return replace(self, x=function(self.x), normals=normals, values=values, importance=importance)

    def tensors(self) -> Tensors:
        """Everything that is a tensor, in a fixed order."""
        stacks = (None if each is None else each.on(each.support) for lift in self.lifts.values() for each in lift)
        there = itertools.chain.from_iterable(each.tensors() for each in self.there.values())
        return (self.x, self.normals, self.values, self.importance, *stacks, *there)

    def replaced(self, tensors: Tensors) -> Points:
        """Points of the same structure with other tensors, in the order of `tensors()`."""
        x, normals, values, importance, *rest = tensors
        assert x is not None
        stacks = iter(rest)
        lifts: dict[Algebra, Lift] = {}
        for algebra, (g, phi) in self.lifts.items():
            lifts[algebra] = (_with_stack(algebra, g, next(stacks)), _with_stack(algebra, phi, next(stacks)))
        there = {
            place: each.replaced(tuple(itertools.islice(stacks, len(each.tensors()))))
            for place, each in self.there.items()
        }
        return replace(self, x=x, normals=normals, values=values, importance=importance, lifts=lifts, there=there)


def _picked(lift: Lift, pick: Callable[[Tensor], Tensor]) -> Lift:
    def picked(stack: Tensor) -> Tensor:
        return stack if stack.shape[1] == 1 else torch.stack([pick(row) for row in stack])

    g, phi = lift
    return None if g is None else g.linear_map(picked), None if phi is None else phi.linear_map(picked)


def _with_stack(algebra: Algebra, template: Series | None, stack: Tensor | None) -> Series | None:
    return None if template is None or stack is None else Series(algebra, template.support, (stack,))
