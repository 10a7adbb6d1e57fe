"""The terms of a loss: where each is taken, and what it gives there as vectors of residuals.

A term at points gives one vector for each of its loss terms: the equations of a system share their points and the
derivatives there. A penalty on the parameters is a term without points. Terms do not change; what is drawn for them
goes into a `Batch`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol, final

import torch
from torch import Tensor, nn

from pinnreg.domain import Domain
from pinnreg.equations import Asked, Condition, Points, Problem, Sweep, condition_at, evaluate_residual
from pinnreg.equations.measured import Measurements
from pinnreg.objective.rows import Rows, joined
from pinnreg.objective.sampling import interior_points, uniform_points
from pinnreg.objective.settings import PointSettings
from pinnreg.randomness import derive, generator
from pinnreg.regularisers import ParameterPenalty, PointPenalty

INTERIOR = ""
"""The name of the term at the collocation points, whose loss terms are the equations; no other can have it."""

SMOOTHING = 1e-3
"""Of penalties of power 1 that have none of their own."""


@final
@dataclass(frozen=True, eq=False)
class Source:
    """What points are drawn from.

    Attributes:
        domain: where they lie.
        settings: how many, and how they are spread.
        seed: of all draws.
        outputs: how many the solution has.
        like: a tensor where they are to be, in their precision.
        measured: the points of all measurements, (m, d).
    """

    domain: Domain
    settings: PointSettings
    seed: int
    outputs: int
    like: Tensor
    measured: Tensor | None

    def generator(self, purpose: str, step: int) -> torch.Generator:
        """The random numbers for one purpose at one step."""
        return generator(self.seed, purpose, step, device=self.like.device)


@final
@dataclass(frozen=True)
class Shape:
    """What does not change about a term at points; found once, at the first parameters.

    Attributes:
        operators: which it asks for.
        runs: how many rows a point each of its loss terms has.
        rows: so many points, or pairs of them, have them.
        kept: bytes that a gradient keeps at them.
        seen: how many points the network sees for each of them.
    """

    operators: frozenset[Asked]
    runs: Mapping[str, int]
    rows: int
    kept: int
    seen: int = 1


class Term(Protocol):
    """A term at points.

    Attributes:
        name: of its points, and of its loss term where it has one only.
        power: of its rows.
        stochastic: whether what counts changes from step to step.
        trim: the share of the largest residuals that does not count.
    """

    @property
    def name(self) -> str: ...
    @property
    def power(self) -> Literal[1, 2]: ...
    @property
    def stochastic(self) -> bool: ...
    @property
    def trim(self) -> float: ...

    def place(self, source: Source, interior: Points | None, step: int) -> Points | None:
        """The points that stay until the next resampling, given the collocation points; None if none stay."""

    def draw(self, source: Source, placed: Points | None, step: int) -> Points:
        """The points of one step, given those that stay."""

    def candidates(self, source: Source, count: int, step: int) -> Points | None:
        """So many uniform points of which some may join those that stay; None where these are given."""

    def rows(self, problem: Problem, sweep: Sweep) -> dict[str, Rows]:
        """The vectors of its loss terms by name, at the points of a sweep of the solution.

        Row i depends on point i only; of points in pairs, row i of n on the points i and i + n. There can be several
        rows a point: n rows of the points in their order, then n more.
        """


@final
@dataclass(frozen=True)
class Equations:
    """The PDE's residual at the collocation points."""

    name: ClassVar[str] = INTERIOR
    power: ClassVar[Literal[2]] = 2
    stochastic: ClassVar[bool] = False
    trim: ClassVar[float] = 0.0

    def place(self, source: Source, interior: Points | None, step: int) -> Points:
        """The collocation points: those given, or else those of the sampler."""
        if interior is not None:
            return interior
        x = interior_points(source.settings, source.domain, source.measured, source.seed, step)
        return Points(x).on(source.like)

    def draw(self, source: Source, placed: Points | None, step: int) -> Points:
        """Those that stay."""
        return _staying(placed)

    def candidates(self, source: Source, count: int, step: int) -> Points | None:
        """Uniform ones in the domain."""
        return Points(uniform_points(source.domain, count, source.seed, "refinement", step, source.like))

    def rows(self, problem: Problem, sweep: Sweep) -> dict[str, Rows]:
        """A vector an equation, (n,)."""
        importance = sweep.points.importance
        equations = evaluate_residual(problem, sweep)
        return {equation: Rows(values, importance=importance) for equation, values in equations.items()}


@final
@dataclass(frozen=True, eq=False)
class Soft:
    """A condition that enters the loss; measurements are one.

    Attributes:
        condition: at the first values of unknown coefficients.
        trained: whether it changes with them.
    """

    condition: Condition
    trained: bool = False
    power: ClassVar[Literal[2]] = 2

    @property
    def name(self) -> str:
        """That of the condition."""
        return self.condition.name

    @property
    def measured(self) -> Measurements | None:
        """The condition, if it is measurements."""
        return self.condition if isinstance(self.condition, Measurements) else None

    @property
    def stochastic(self) -> bool:
        """Whether which measurements count changes from step to step."""
        return self.measured is not None and bool(self.measured.trim or self.measured.batch)

    @property
    def trim(self) -> float:
        """That of measurements."""
        return 0.0 if self.measured is None else self.measured.trim

    def place(self, source: Source, interior: Points | None, step: int) -> Points:
        """Points on the faces, or all that were measured."""
        seed = derive(source.seed, f"condition {self.name}", step)
        settings = source.settings
        return self.condition.sample(source.domain, settings.boundary, settings.sampler, seed).on(source.like)

    def draw(self, source: Source, placed: Points | None, step: int) -> Points:
        """Those that stay, or a batch of them."""
        whole = _staying(placed)
        if self.measured is None or self.measured.batch is None:
            return whole
        draws, device = source.generator(f"batch {self.name}", step), source.like.device
        return whole.part(torch.randperm(len(whole), generator=draws, device=device)[: self.measured.batch])

    def candidates(self, source: Source, count: int, step: int) -> Points | None:
        """Uniform ones on the faces; there are no more measurements."""
        if self.measured is not None:
            return None
        seed = derive(source.seed, f"refinement {self.name}", step)
        return self.condition.sample(source.domain, count, "uniform", seed).on(source.like)

    def rows(self, problem: Problem, sweep: Sweep) -> dict[str, Rows]:
        """One vector."""
        condition = condition_at(problem, self.condition) if self.trained else self.condition
        residual = condition.residual(sweep, problem)
        return {self.name: Rows(residual, importance=sweep.points.importance)}


@final
@dataclass(frozen=True, eq=False)
class Penalised:
    """A penalty at points."""

    name: str
    penalty: PointPenalty
    trim: ClassVar[float] = 0.0

    @property
    def power(self) -> Literal[1, 2]:
        """That of the penalty."""
        return self.penalty.power

    @property
    def stochastic(self) -> bool:
        """Whether it draws anything."""
        return self.penalty.samples is not None or self.penalty.stochastic

    def place(self, source: Source, interior: Points | None, step: int) -> Points | None:
        """The collocation points, where the penalty has none of its own."""
        if self.penalty.samples is not None or interior is None:
            return None
        return Points(interior.x, importance=interior.importance)

    def draw(self, source: Source, placed: Points | None, step: int) -> Points:
        """Those that stay or fresh uniform ones, with what the penalty draws for each."""
        if self.penalty.samples is None:
            points = _staying(placed)
        else:
            x = uniform_points(source.domain, self.penalty.samples, source.seed, self.name, step, source.like)
            points = Points(x)
        draws = source.generator(f"{self.name} projections", step)
        values = self.penalty.draw(len(points), source.outputs, draws, source.like)
        return points if values is None else replace(points, values=values)

    def candidates(self, source: Source, count: int, step: int) -> Points | None:
        """None: its points are those of the equations, or drawn anew at each step."""
        return None

    def rows(self, problem: Problem, sweep: Sweep) -> dict[str, Rows]:
        """One vector, the rows of the penalty one after the other."""
        penalty = self.penalty
        measure = problem.domain.volume if penalty.integral else 1.0
        smoothing = (penalty.smoothing or SMOOTHING) if penalty.power == 1 else 0.0
        columns = penalty.rows(problem, sweep)
        return {self.name: joined(columns, measure, penalty.power, smoothing, sweep.points.importance)}


@final
@dataclass(frozen=True, eq=False)
class OnParameters:
    """A penalty on the network's parameters: a term without points."""

    name: str
    penalty: ParameterPenalty

    def rows(self, network: nn.Module, parameters: Mapping[str, Tensor]) -> Rows:
        """The rows of the penalty, scaled so that their mean square is the sum of its squares."""
        rows = self.penalty.rows(network, parameters)
        return Rows(math.sqrt(rows.numel()) * rows)


def _staying(placed: Points | None) -> Points:
    assert placed is not None  # `place` has given them
    return placed
