"""A bound of the error by the maximum principle, for one linear equation of second order, elliptic or parabolic.

L e = Σ aᵢ e_ii + Σ bᵢ e_i + c e - τ e_t with aᵢ ≥ 0, c ≤ 0 and τ ≥ 0 takes its extremes on the parabolic boundary, and
the error e of u solves L e = R there, with what u misses of the data. A function w ≥ 0 with L w ≤ -1 then gives |e| ≤
max |e on the boundary| + max |R| w: the distance to the middle of an axis without first derivative, squared, with w ≤
l²/(8 a), or the time, with w ≤ T/τ (Protter and Weinberger, Maximum Principles in Differential Equations, 1967).

The largest residual is looked for at points, which is what the bound rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.equations import Linearity, Points, Problem
from pinnreg.equations.conditions import FaceCondition
from pinnreg.errors import InputError
from pinnreg.objective import Objective, Soft
from pinnreg.randomness import derive
from pinnreg.taylor import Laplacian

LOOKED_AT = 2**14
"""Points at which the largest residual is looked for, and on the boundary an eighth of them."""
SEVERAL = 256
"""At which the coefficients are asked."""
ALIKE = 1e-9
"""Of the largest coefficient, by which linearity may be missed."""


@final
@dataclass(frozen=True)
class Bound:
    """|e| ≤ boundary + inside everywhere, if the residual is nowhere larger than at the points looked at.

    Attributes:
        inside: by the residual.
        boundary: by what soft conditions leave.
    """

    inside: float
    boundary: float

    @property
    def max_abs(self) -> float:
        """The largest error that there can be."""
        return self.inside + self.boundary


def by_maximum_principle(objective: Objective, parameters: Mapping[str, Tensor], *, seed: int) -> Bound | None:
    """The bound; None for equations and conditions for which none is known here.

    Args:
        objective: what was minimised.
        parameters: where.
        seed: of the points.
    """
    model = objective.model
    problem = model.problem_at(parameters)
    conditions = [term.condition for term in objective.terms if isinstance(term, Soft)]
    if len(problem.outputs) > 1 or len(objective.equations) != 1 or model.trial.periodic or problem.parameters:
        return None
    if model.unknown:  # the equation is that of another coefficient
        return None
    if any(not isinstance(each, FaceCondition) or each.kind not in ("dirichlet", "initial") for each in conditions):
        return None
    if any(isinstance(each, FaceCondition) and (each.slope or not each.part.whole) for each in conditions):
        return None
    factor = _factor(problem)
    if factor is None or not _all_prescribed(objective):
        return None
    given = dict(parameters)
    with torch.no_grad():
        inside = problem.domain.sample(LOOKED_AT, "sobol", derive(seed, "bound"))
        largest = 0.0
        for piece in inside.split(SEVERAL * 16):
            rows = objective.rows_at(objective.terms[0], Points(piece).on(model.like), given)
            largest = max(largest, *(float(each.values.abs().max()) for each in rows.values()))
        boundary = 0.0
        for term in objective.terms:
            if isinstance(term, Soft):
                at = term.condition.sample(problem.domain, LOOKED_AT // 8, "sobol", derive(seed, term.name))
                rows = objective.rows_at(term, at.on(model.like), given)
                boundary = max(boundary, *(float(each.values.abs().max()) for each in rows.values()))
    return Bound(factor * largest, boundary)


def _all_prescribed(objective: Objective) -> bool:
    """Whether u is given on all of the boundary in space, and at the start of time."""
    problem = objective.model.problem
    domain, held = problem.domain, set[str]()
    for each in problem.conditions:
        if isinstance(each, FaceCondition) and each.kind in ("dirichlet", "initial") and not each.slope:
            held |= {str(side) for side in each.faces(domain)} if each.part.whole else set()
    wanted = {str(side) for side in domain.faces(None)} | ({"t=min"} if "t" in domain.axes else set())
    return wanted <= held and not domain.interfaces


def _factor(problem: Problem) -> float | None:
    """The largest w; None where the equation is not of the kind."""
    domain, linearity = problem.domain, Linearity(problem)
    x = domain.sample(SEVERAL, "sobol", 0)
    try:
        numbers = linearity.numbers
        found = {key: linearity.coefficients(x, key, 0) for key in numbers}
        once = linearity.residual(x, {})
        others = [
            linearity.residual(x, {k: s * v for (k, v), s in zip(numbers.items(), signs, strict=True)})
            for signs in _signs(len(numbers))
        ]
    except InputError:
        return None
    (name,) = once
    size = max((float(each[name].abs().max()) for each in found.values()), default=0.0)
    if not size:
        return None
    for signs, other in zip(_signs(len(numbers)), others, strict=True):
        changes = (
            (s - 1) * float(numbers[key][0]) * each[name] for s, (key, each) in zip(signs, found.items(), strict=True)
        )
        said = once[name] + torch.stack(list(changes)).sum(dim=0)
        if not float((other[name] - said).abs().max()) <= ALIKE * max(size, float(said.abs().max())):
            return None
    zero = torch.zeros(SEVERAL, dtype=torch.float64)
    second, first, own = dict.fromkeys(domain.axes, zero), dict.fromkeys(domain.axes, zero), zero
    for key, each in found.items():
        value = each[name]
        if isinstance(key, Laplacian):
            if key.power != 1:
                return None
            second = {axis: second[axis] + (value if number in key.axes else 0) for number, axis in enumerate(second)}
        elif sum(key) > 2 or (sum(key) == 2 and max(key) == 1):
            return None
        elif sum(key) == 0:
            own = own + value
        else:
            axis = domain.axes[key.index(max(key))]
            table = second if max(key) == 2 else first
            table[axis] = table[axis] + value
    return _largest(domain.bounds, second, first, own)


def _signs(count: int) -> list[list[float]]:
    """Factors for so many numbers, also of other signs: |u| is linear where all are positive."""
    return [[factor * (1 + number) for number in range(count)] for factor in (1.0, -1.0)] + [
        [(-1.0) ** (number + start) * 3 for number in range(count)] for start in (0, 1)
    ]


def _largest(
    bounds: Mapping[str, tuple[float, float]], second: dict[str, Tensor], first: dict[str, Tensor], own: Tensor
) -> float | None:
    space = [axis for axis in bounds if axis != "t"]
    if "t" in bounds and bool((second["t"] != 0).any()):
        return None
    sign = 1.0 if sum(float(second[axis].sum()) for axis in space) >= 0 else -1.0
    if any(bool((sign * second[axis] < 0).any()) for axis in space) or bool((sign * own > 0).any()):
        return None
    sizes = {axis: upper - lower for axis, (lower, upper) in bounds.items()}
    ways = [math.inf]
    for axis in space:
        least = float((sign * second[axis]).min())
        if least > 0 and not bool((first[axis] != 0).any()):
            ways.append(sizes[axis] ** 2 / (8 * least))
    if "t" in bounds:
        rate = -sign * first["t"]
        if bool((rate < 0).any()) or not bool((rate > 0).any()):
            return None
        if float(rate.min()) > 0:
            ways.append(sizes["t"] / float(rate.min()))
    return None if min(ways) == math.inf else min(ways)
