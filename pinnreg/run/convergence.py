"""Whether a run has converged, judged without a reference: what `report.json` says beside its errors.

A small loss is no sign. It has the units of the equation, and it is small at the points that were trained on, where few
points or a plateau are enough. What is looked at is the residual at fresh points beside its own terms (see
`relative_residual`), and soft conditions beside the variation of u. Over the shipped problems, trained well or badly,
the relative error was at most a hundred times that (3e-10 and 6e-12, 7e-5 and 3e-4, 3e-4 and 2e-3, 3e-2 and 0.7).

With measurements or penalties there is a loss that stays, and the run has also converged when that has come to rest,
unless the residual is still large: a penalty on heat of weight 1e-3 rested at an error of 5e-2, with 1e-1 of its terms
left. A penalty that has been annealed, or that is next to nothing beside the rest of the loss, keeps nothing from
falling, and the residual is what tells; measurements are no part of it, so that their loss has to rest in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.equations import (
    Condition,
    Equation,
    Field,
    Points,
    Problem,
    Sweep,
    View,
    condition_at,
    own_operators,
    relative_residual,
    with_values,
)
from pinnreg.equations.conditions import FaceCondition, Periodic
from pinnreg.equations.measured import Measurements
from pinnreg.equations.relative import ZERO, relative, share
from pinnreg.equations.sweep import Derivatives
from pinnreg.errors import InputError
from pinnreg.networks import MLPSettings
from pinnreg.objective import INTERIOR, Batch
from pinnreg.randomness import derive
from pinnreg.regularisers import acts
from pinnreg.run.fresh import fresh_points, fresh_residual
from pinnreg.run.prepare import Prepared
from pinnreg.run.solution import Solution
from pinnreg.run.torn import torn
from pinnreg.training import Outcome, is_limit

logger = logging.getLogger("pinnreg")

TOLERANCE = 1e-4
"""Of the relative residual. Of all runs tried none with an error above 1e-2 was below, and all with one below 1e-6."""
BENT = 1e-2
"""The same where a loss stays: noise and what is left of a penalty leave more, with an error of about as much."""
LOOKED_AT = 1024
"""Fresh points, inside and on the faces of each condition."""
SEEN = 2**17
"""Points at most that the network sees for them, where rows have integrals."""
OVERFITTED = 100.0
"""By so much more the mean square is at fresh points than at those of the training where these are too few."""
LAST = 0.1
"""The share of the steps in which is looked at how fast the loss falls."""
ROWS = 5
"""Of the history that are looked at at least, where there are as many,"""
SURE = 3.0
"""and how many times its own error a slope is that is one."""
AT_REST = 0.9
"""What is left of the loss after the last tenth of the steps if it no longer falls."""
SMALLEST = 1e-300
OF_SIZE = 100.0
"""So many times larger an output is of another size than it was taken for: of the zoo's runs that ended well one had
become 26 times larger. A small one tells nothing: those were up to 60 times smaller, and u may be zero."""
FELT = 1e-2
"""The share of the loss from which on a penalty may be what keeps the rest from falling."""

History = Mapping[str, NDArray[np.float64]]


@final
@dataclass(frozen=True)
class Verdict:
    """What is thought of a run.

    Attributes:
        converged: whether it has; None if that cannot be told.
        convergence: why, in words.
        relative_residual: the largest of an equation or a soft condition; None without equations.
    """

    converged: bool | None
    convergence: str
    relative_residual: float | None


def judged(solution: Solution, prepared: Prepared, outcome: Outcome[Batch]) -> Verdict:
    """What to think of a run that has ended.

    Args:
        solution: with its history.
        prepared: what was trained.
        outcome: of the training.
    """
    rate, limited = _left_a_step(solution.history), is_limit(outcome.stop_reason)
    fell = f"fell by {1 - rate:.2g} of itself a step" if rate < 1 else "did not fall"
    end = f"{outcome.stop_reason}, and the loss {fell}" if limited else outcome.stop_reason
    largest = worst(solution, prepared)
    name, size = largest or ("", None)
    what = "" if size is None else f"{name!r} is {size:.1e} of its own terms at points that training has not seen"
    if size is not None and size <= TOLERANCE and not is_measured(prepared):
        step = torn(solution)
        return Verdict(True, what, size) if step is None else Verdict(False, f"{what}, but {step}", size)
    if _has_rest(prepared, solution.history):
        if limited and left(solution.history) <= AT_REST:
            return Verdict(False, f"cut while the loss was falling: {end}", size)
        if size is not None and size > BENT:
            return Verdict(False, f"the loss has come to rest, and {what}, more than {BENT:g}", size)
        return Verdict(True, "the loss has come to rest", size)
    if size is None:
        return Verdict(None, "the residual cannot be compared with its own terms", None)
    return Verdict(False, f"{what}, more than {TOLERANCE:g}: {_excuse(solution, prepared, end)}", size)


def wrong(solution: Solution, prepared: Prepared) -> float | None:
    """The largest relative residual of an equation or a soft condition at fresh points.

    None if it does not tell: with measurements or regularisers, which may be what leaves it.
    """
    regularised = any(acts(each) for each in prepared.objective.regularisers)
    largest = None if regularised or is_measured(prepared) else worst(solution, prepared)
    return None if largest is None else largest[1]


def _has_rest(prepared: Prepared, history: History) -> bool:
    """Whether the loss cannot vanish: there are measurements, noise, or a penalty that is still felt."""
    objective, loss = prepared.objective, float(history["loss"][-1])
    noises = [each for each in objective.regularisers if each.role == "noise"]
    noisy = any(acts(each) and each.schedule == "constant" for each in noises)
    felt = any(float(history[f"{name}_weighted"][-1]) > FELT * loss for name in objective.penalties)
    return is_measured(prepared) or not objective.equations or noisy or felt


def is_measured(prepared: Prepared) -> bool:
    return any(isinstance(each, Measurements) for each in prepared.split.soft)


def worst(solution: Solution, prepared: Prepared) -> tuple[str, float] | None:
    """The equation or soft condition with the largest relative residual at fresh points; None if it cannot be told."""
    if not solution.problem.has_residual:
        return None
    seed, like = prepared.resolved.config.seed, next(iter(solution.parameters.values()))
    points = Points(torch.from_numpy(fresh_points(solution, seed)[:LOOKED_AT])).on(like)
    sweep = solution.sweep(points)
    problem = with_values(solution.problem, solution.unknown)
    try:
        sizes = relative_residual(problem, sweep)
        for condition in prepared.split.soft:
            if not isinstance(condition, Measurements):
                most = max(SEEN // prepared.objective.shapes[condition.name].seen, 1)
                fresh = derive(seed, f"fresh {condition.name}")
                at = condition.sample(problem.domain, LOOKED_AT, "sobol", fresh).on(like)
                there = solution.sweep(at if at.rows <= most else at.thinned(most))
                sizes[condition.name] = _of_condition(condition_at(problem, condition), problem, sweep, there)
    except (InputError, RuntimeError, NotImplementedError) as error:
        # a residual that has no forward derivatives
        logger.debug("the residual cannot be judged: %s", error)
        return None
    name = max(sizes, key=sizes.__getitem__)
    return name, sizes[name]


@torch.no_grad()
def _of_condition(condition: Condition, problem: Problem, inside: Sweep, there: Sweep) -> float:
    """A condition's rows at points `there` beside the variation of u, and of its derivatives, inside the domain.

    Those of any other equation beside its own terms.
    """
    fields = View(inside).fields()
    sizes_of = dict(zip(fields, inside.trial.sizes or (1.0,) * len(fields), strict=True))
    if isinstance(condition, Equation):
        spreads = there.points.x.new_tensor([_spread(field.value) for field in fields.values()])
        rows_of = partial(_rows_by_name, condition, problem)
        return relative(rows_of, there, problem.domain, spreads)[condition.name]
    rows = condition.residual(there, problem)
    if isinstance(condition, Periodic):
        outputs = list(fields) if condition.of is None else [condition.of]
        sizes = [fields[name].d(condition.on, k) for name in outputs for k in range(condition.order + 1)]
        return max(_share(row, _spread(size)) for row, size in zip(rows.view(len(sizes), -1), sizes, strict=True))
    assert isinstance(condition, FaceCondition)  # measurements are not judged
    name = str(condition.of)
    return _share(rows, _size_on_faces(condition, problem, fields[name], there, ZERO * sizes_of[name]))


def _size_on_faces(condition: FaceCondition, problem: Problem, u: Field, there: Sweep, least: float) -> float:
    """How large the terms of a condition on faces are, u and its slope as they are inside the domain.

    As large at least as they are of what varies by `least`: an output that is zero has no size of its own.
    """
    terms = 0.0
    values, value, normal = condition.data(there.points, problem.domain.axes).chunk(3)
    if bool(value.any()):
        terms += float(value.abs().max()) * max(_spread(u.value), least)
    if bool(normal.any()):
        # along all of space: that across an insulated face alone may be next to nothing everywhere
        axes = {side.axis for side in condition.faces(problem.domain)} - {""} | set(problem.space_axes)
        slopes = [float(u.d(axis, condition.order).square().mean().sqrt()) for axis in axes]
        longest = max(upper - lower for lower, upper in (problem.domain.bounds[axis] for axis in axes))
        terms += float(normal.abs().max()) * max(*slopes, least / longest**condition.order)
    return max(terms, float(values.std(correction=0)))


def _rows_by_name(condition: Equation, problem: Problem, sweep: Derivatives) -> dict[str, torch.Tensor]:
    return {condition.name: condition.residual(sweep, problem)}


def _share(rows: torch.Tensor, of: float) -> float:
    return share(float(rows.square().mean().sqrt()), of)


def _spread(values: torch.Tensor) -> float:
    """The deviation from the mean, or the size of a constant."""
    return float(values.std(correction=0)) or float(values.abs().max())


def _excuse(solution: Solution, prepared: Prepared, end: str) -> str:
    """Why it may not have converged."""
    fresh = fresh_residual(solution, fresh_points(solution, prepared.resolved.config.seed)[:LOOKED_AT])
    seen = {name: float(solution.history[name][-1]) for name in fresh if name in solution.history}
    if any(0 < seen[name] * OVERFITTED < fresh[name] for name in seen):
        return "its points are too few for this network, since there it is far smaller; more points.interior would help"
    return "; ".join([end, *_of_another_size(solution, prepared), *_waves(prepared)])


def _of_another_size(solution: Solution, prepared: Prepared) -> Iterator[str]:
    """Outputs that have become far larger than the size that they were taken for."""
    trial = solution.trial
    if prepared.resolved.config.network.scale != "auto" or not trial.sizes:
        return
    values = solution(fresh_points(solution, prepared.resolved.config.seed)[:LOOKED_AT])
    for name, size, offset, column in zip(trial.outputs, trial.sizes, trial.offsets, values.T, strict=True):
        found = float(np.abs(column - offset).max())
        if found > OF_SIZE * size:
            yield f"{name} was taken for one of size {size:.2g} and has come to {found:.2g}: see network.scale"


def _waves(prepared: Prepared) -> Iterator[str]:
    """A network that bends less readily than a wave, where the equations have one's second derivative in time."""
    axes, network = prepared.objective.model.trial.axes, prepared.resolved.config.network
    asked = own_operators(prepared.objective.shapes[INTERIOR].operators)
    twice = any(isinstance(each, tuple) and each[axes.index("t")] > 1 for each in asked) if "t" in axes else False
    if twice and isinstance(network, MLPSettings) and network.activation == "tanh":
        yield "if waves travel in it, network.activation: sin may help, or network.spread: 2"


def left(history: History) -> float:
    """The share of the loss that the last tenth of the steps has left; 1 where it only goes up and down."""
    steps, loss = history["step"], np.maximum(history["loss"], SMALLEST)
    return float(loss[-1] / loss[_first(steps)]) if _has_a_trend(steps, np.log(loss)) else 1.0


def _left_a_step(history: History) -> float:
    steps = history["step"]
    return float(left(history) ** (1 / max(steps[-1] - steps[_first(steps)], 1.0)))


def _first(steps: NDArray[np.float64]) -> int:
    """The row where the last tenth of the steps begins, at the latest the one before the last."""
    return min(int(np.searchsorted(steps, (1 - LAST) * steps[-1])), max(len(steps) - 2, 0))


def _has_a_trend(steps: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether the last values fall or rise, and do not only scatter.

    A penalty at random points is another one at each step, and so is the loss.
    """
    first = min(_first(steps), max(len(steps) - ROWS, 0))
    x, y = steps[first:] - steps[first:].mean(), values[first:] - values[first:].mean()
    if len(x) < 3:
        return True
    slope = float(x @ y) / float(x @ x)
    error = (float(np.square(y - slope * x).sum()) / (len(x) - 2) / float(x @ x)) ** 0.5
    return bool(abs(slope) >= SURE * error)
