"""Where two sides of a domain meet, and what data say there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from torch import Tensor

from pinnreg.differentiation import nested_derivative
from pinnreg.domain import Box, Domain, Face, Side, flat, sample_side
from pinnreg.equations.call import evaluate_data
from pinnreg.equations.conditions import FaceCondition
from pinnreg.equations.general import Condition
from pinnreg.equations.problem import Problem

APART = 1e-6
"""Of what data come to, by which they may differ where their sides meet."""


def disagreements(problem: Problem, conditions: Sequence[Condition]) -> Iterator[str]:
    """For each two conditions that prescribe different values where their sides meet, a sentence.

    Of shapes that are no boxes only what meets at the start of time is known.
    """
    domain = problem.domain
    given = [each for each in conditions if isinstance(each, FaceCondition) and not each.slope and each.part.whole]
    given = [each for each in given if each.kind in ("dirichlet", "initial")]
    for one, other in combinations(given, 2):
        if one.of != other.of or isinstance(one.value, Tensor) or isinstance(other.value, Tensor):
            continue
        zero = (0,) * domain.dimension
        worst, where = 0.0, ""
        for sides in _meeting(domain, one.faces(domain), other.faces(domain)):
            points = edge(domain, sides)
            first, second = (data_derivative(each, domain, points, zero) for each in (one, other))
            # on all of both sides: where they meet both may be rounding
            whole = zip((one, other), sides, strict=True)
            size = max(float(data_derivative(each, domain, edge(domain, [on]), zero).abs().max()) for each, on in whole)
            gap = float((first - second).abs().max())
            if gap > max(worst, APART * size):
                worst, where = gap, f"{sides[0]} meets {sides[1]}"
        if where:
            yield (
                f"the data of {one.name!r} and {other.name!r} differ by {worst:.2g} where {where}: u jumps there, "
                "which no network does, and errors stay large around it"
            )


def edge(domain: Domain, sides: Sequence[Side], seed: int = 0) -> Tensor:
    """Points where some sides meet, (64, d), of which one at most is not flat."""
    round_ = [side for side in sides if not isinstance(side, Face)]
    if round_:
        points, _ = sample_side(domain, round_[0], 64, "uniform", seed)
    else:
        points = domain.sample(64, "uniform", seed)
    for face in flat(sides):
        points[:, domain.axes.index(face.axis)] = domain.bounds[face.axis][0 if face.side == "min" else 1]
    return points


def _meeting(domain: Domain, one: Sequence[Side], other: Sequence[Side]) -> Iterator[tuple[Side, Side]]:
    for first in one:
        for second in other:
            if first.axis == second.axis:
                continue
            if isinstance(domain, Box) or Face("t", "min") in (first, second):
                yield first, second


def data_derivative(condition: FaceCondition, domain: Domain, points: Tensor, index: tuple[int, ...]) -> Tensor:
    """A partial derivative of the data of a condition at points, (n,)."""

    def values(at: Tensor) -> Tensor:
        return evaluate_data(condition.value, domain.axes, at, f"condition {condition.name!r}")[:, None]

    return nested_derivative(values, points, index)[:, 0].detach()
