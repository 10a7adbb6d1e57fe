"""What is wrong with a run that its loss does not show, each in a sentence that says what would help.

A small residual is no proof: where it does not change with u + c or c u, any of these is as good; where it was looked
at in too few points it is large between them; where data contradict each other no smooth function has them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.equations import Points, Trial, disagreements, without_mean
from pinnreg.errors import InputError
from pinnreg.objective import Batch, Objective, afresh, first_batch, residuals
from pinnreg.randomness import derive
from pinnreg.report import Solution
from pinnreg.run.convergence import AT_REST, OVERFITTED, Verdict, left
from pinnreg.run.fresh import fresh_points, fresh_residual
from pinnreg.run.prepare import Prepared
from pinnreg.training import Outcome, is_limit

POINTS, AT_CONDITIONS = 256, 64
"""At which is looked whether the residual changes."""
SCALED = 1e-3
"""By this u is multiplied more, to see how large the terms of equations and conditions are."""
UNCHANGED = 1e-8
"""Of these terms, for nothing."""
NOTHING = 1e-6
"""Of its size, for an output that is zero."""
LARGE = 0.1
"""An estimated error that is said to be large."""


def symptoms(solution: Solution, prepared: Prepared, outcome: Outcome[Batch], verdict: Verdict) -> list[str]:
    """The notes on a run that has ended.

    Args:
        solution: with its report and history.
        prepared: what was trained.
        outcome: of the training.
        verdict: whether it has converged.
    """
    found = [*prepared.notes, *disagreements(prepared.problem, (*prepared.split.exact, *prepared.split.soft))]
    if prepared.objective.equations:
        found += _undetermined(prepared.objective, outcome.parameters, prepared)
        found += _between_points(solution, prepared)
    if not verdict.converged and is_limit(outcome.stop_reason) and left(solution.history) <= AT_REST:
        found.append(f"training was cut while the loss was falling ({outcome.stop_reason}): go on with --resume")
    sizes = {} if solution.report is None else solution.report.estimates
    for name, each in sizes.items():
        if each.reliability == "good" and each.rel_l2 > LARGE:
            found.append(f"the estimated error of {name!r} is {each.rel_l2:.0%} of it")
    return found


def _undetermined(objective: Objective, parameters: Mapping[str, Tensor], prepared: Prepared) -> Iterator[str]:
    """Whether equations and conditions are the same for u + c, and for c u."""
    seed = derive(prepared.resolved.config.seed, "symptoms")
    again = afresh(objective, objective.model.network, interior=POINTS, boundary=AT_CONDITIONS, seed=seed)
    given, trial = dict(parameters), again.model.trial
    try:
        rows = _rows(again, trial, given)
        inside = Points(prepared.problem.domain.sample(POINTS, "sobol", seed)).on(again.model.like)
        with torch.no_grad():
            values = again.model.sweep(given, inside)((0,) * len(trial.axes))
            known = trial.g(inside.x)
    except (InputError, RuntimeError, NotImplementedError):
        return
    grown = _rows(again, _grown(trial), given)
    # by another function of about the same size: at an eigenfunction c u leaves rows as small as they are
    other = _rows(again, trial, {name: (1 + SCALED) * each.detach() for name, each in given.items()})
    terms = float((other - rows).abs().max()) / SCALED
    centred = without_mean(prepared.problem) if prepared.resolved.config.network.symmetry else ()
    # an output that is zero has no spread, and next to nothing changes nothing
    sizes = trial.sizes or (1.0,) * len(trial.outputs)
    spread = torch.maximum(values.std(dim=0), values.new_tensor(sizes))
    for number, name in enumerate(trial.outputs):
        if trial.data[number] or name in centred:
            continue
        moved = _rows(again, _shifted(trial, number, float(spread[number])), given)
        if float((moved - rows).abs().max()) <= UNCHANGED * max(terms, float(rows.abs().max())):
            yield (
                f"{name!r} is known up to a constant only: with {name} + c equations and conditions hold as well; "
                "prescribe its value at a point, dirichlet(0.0, at={...}), or its mean, "
                "integral(lambda u: u, over=..., equals=0.0)"
            )
    homogeneous = not trial.has_data() or bool((known == 0).all())
    if homogeneous and float((grown - (1 + SCALED) * rows).abs().max()) <= UNCHANGED * SCALED * max(terms, 1e-300):
        if all(float(each.abs().max()) <= NOTHING * size for each, size in zip(values.T, sizes, strict=True)):
            yield "u = 0 solves all that was asked, and was found: there are no data, no source and no norm"
        elif terms > 0:
            yield (
                "any multiple of u solves equations and conditions as well, and so does u = 0; say how large it is, as "
                "by integral(lambda u: u**2, over=..., equals=1.0)"
            )
    least = NOTHING * values.new_tensor(sizes)
    if objective.model.unknown and bool((values.abs().amax(dim=0) <= least).all()):
        yield "u is zero, and no coefficient can be told from it; prescribe its size, or start elsewhere"


def _rows(objective: Objective, trial: Trial, parameters: dict[str, Tensor]) -> Tensor:
    """All rows with another trial function, at the same points, on which g and φ of another would be known."""
    other = replace(objective, model=replace(objective.model, trial=trial), to_balance=())
    return residuals(other, first_batch(other, parameters), parameters)


def _grown(trial: Trial) -> Trial:
    """(1 + SCALED) times the network's part, and the offset."""
    count, factor = len(trial.outputs), 1 + SCALED
    sizes, offsets = trial.sizes or (1.0,) * count, trial.offsets or (0.0,) * count
    return replace(trial, sizes=tuple(factor * s for s in sizes), offsets=tuple(factor * c for c in offsets))


def _shifted(trial: Trial, output: int, step: float) -> Trial:
    offsets = list(trial.offsets or (0.0,) * len(trial.outputs))
    offsets[output] += step
    return replace(trial, offsets=tuple(offsets))


def _between_points(solution: Solution, prepared: Prepared) -> Iterator[str]:
    """Whether the residual is small at the points of training only."""
    points: NDArray[np.float64] = fresh_points(solution, prepared.resolved.config.seed)[: 4 * POINTS]
    for name, fresh in fresh_residual(solution, points).items():
        seen = float(solution.history[name][-1]) if name in solution.history else 0.0
        if 0 < OVERFITTED * seen < fresh:
            yield (
                f"{name!r} is small only where it was trained: its mean square is {seen:.1e} there and {fresh:.1e} "
                "elsewhere; more points.interior would help, or a penalty as ktv"
            )
