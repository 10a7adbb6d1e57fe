"""What is wrong with a run that its loss does not show, each in a sentence that says what would help.

A small residual is no proof: where it does not change with u + c or c u, or a condition is missing, other functions are
as good; where it was looked at in too few points it is large between them; where data contradict each other no smooth
function has them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.equations import Points, Trial, disagreements, without_mean
from pinnreg.errors import InputError
from pinnreg.estimates import AWAY, another
from pinnreg.objective import Batch, Objective, afresh, first_batch, residuals
from pinnreg.optimisers import AnyStage
from pinnreg.randomness import derive
from pinnreg.run.convergence import AT_REST, OVERFITTED, TOLERANCE, Verdict, is_measured, left, worst
from pinnreg.run.fresh import fresh_points, fresh_residual
from pinnreg.run.missing import missing, unheld
from pinnreg.run.prepare import Prepared
from pinnreg.run.solution import Solution
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
FAR, FARTHER = 1e-2, 10.0
"""An error of another solution: more than this, and so many times what the run and its reference allow."""
OF_RESIDUAL = 100.0
"""Times its relative residual the relative error of a run without measurements was at most: see `convergence`."""
GLANCE, LOOK = 120, 360
"""Coefficients of random features among which another solution is looked for: first few, and then more."""
PROMISING = 100.0
"""Times what a relative residual may be, below which a second look is taken."""
NOISIER, BY_CHANCE = 1.1, 5.0
"""By so much farther than their noise says measurements may be from u, and by so many standard deviations of that."""


def symptoms(
    solution: Solution, prepared: Prepared, outcome: Outcome[Batch], verdict: Verdict, undetermined: Iterable[str]
) -> list[str]:
    """The notes on a run that has ended.

    Args:
        solution: with its report and history.
        prepared: what was trained.
        outcome: of the training.
        verdict: whether it has converged.
        undetermined: what `undetermined` says of it.
    """
    found = [*prepared.notes, *disagreements(prepared.problem, (*prepared.split.exact, *prepared.split.soft))]
    found += undetermined
    if prepared.objective.equations:
        found += _between_points(solution, prepared)
    found += _noisier(solution, prepared)
    found += _contradicted(solution, prepared, verdict)
    if not verdict.converged and is_limit(outcome.stop_reason) and left(solution.history) <= AT_REST:
        found.append(
            f"training was cut while the loss was falling ({outcome.stop_reason}): go on with --resume "
            f"{more(prepared.resolved.config.train, outcome.stop_reason)}"
        )
    sizes = {} if solution.report is None else solution.report.estimates
    for name, each in sizes.items():
        if each.reliability == "good" and each.rel_l2 > LARGE:
            found.append(f"the estimated error of {name!r} is {each.rel_l2:.0%} of it")
    return found


def _contradicted(solution: Solution, prepared: Prepared, verdict: Verdict) -> Iterator[str]:
    """Whether the reference is another solution, or of another problem: no error of training is as large.

    Of 324 outputs of the shipped problems and three seeds none was; measurements leave errors that no residual shows.
    """
    report, residual = solution.report, verdict.relative_residual
    if report is None or report.reference is None or not verdict.converged or residual is None or is_measured(prepared):
        return
    for name, errors in report.errors.items():
        estimate = report.estimates.get(name)
        own = [0.0 if estimate is None else estimate.rel_l2, report.reference.error_estimate or 0.0]
        allowed = FARTHER * max(OF_RESIDUAL * residual, *(each for each in own if math.isfinite(each)))
        if errors.rel_l2 > max(FAR, allowed):
            yield (
                f"the reference contradicts the run: {name!r} is {errors.rel_l2:.1e} of it away, while equations and "
                f"conditions hold to {residual:.1e} of their terms; either a sign or a coefficient of the reference is "
                "another, or there are several solutions, as modes or branches, and these are two of them"
            )


def more(stages: Sequence[AnyStage], reason: str) -> str:
    """Twice of what the last stage was limited by, as an option."""
    key = next((each for each in ("max_seconds", "max_sweeps") if each in reason), "steps")
    limit = 2 * getattr(stages[-1], key)
    return f"--set train.{len(stages) - 1}.{key}={limit if key == 'steps' else f'{limit:g}'}"


def undetermined(solution: Solution, prepared: Prepared, size: float | None) -> list[str]:
    """Notes on what equations and conditions leave open; none where they do not.

    Args:
        solution: what was trained.
        prepared: its run.
        size: the largest relative residual; None where it cannot be told.
    """
    if solution.trained is None or not prepared.objective.equations:
        return []
    found = list(_unchanged(*solution.trained, prepared))
    asked = prepared.resolved.config.evaluate.estimate != "none"
    if not found and asked and size is not None and size <= TOLERANCE and not is_measured(prepared):
        found = list(_open(solution, prepared))
    return found or list(unheld(prepared))


def _open(solution: Solution, prepared: Prepared) -> Iterator[str]:
    """Whether a function that differs by a tenth satisfies equations and conditions as well."""
    assert solution.trained is not None
    objective, parameters = solution.trained
    size, seed = math.inf, derive(prepared.resolved.config.seed, "another")
    for columns, most in ((GLANCE, PROMISING * TOLERANCE), (LOOK, TOLERANCE)):
        try:
            other = another(objective, parameters, columns, seed=seed)
        except (InputError, NotImplementedError, RuntimeError):
            return
        network, own = other.model.network, other.model.network_part(other.parameters)
        unknown = other.model.coefficient_values(other.parameters)
        _, size = worst(replace(solution, network=network, parameters=own, unknown=unknown), prepared) or ("", math.inf)
        if max(other.distance) < AWAY / 2 or size > most:
            return
    names = [name for name, far in zip(solution.trial.outputs, other.distance, strict=True) if far >= AWAY / 2]
    yield (
        f"{' and '.join(map(repr, names))} can be another function: one that differs by {max(other.distance):.0%} "
        f"satisfies equations and conditions as well, to {size:.0e} of their terms; {missing(prepared, names)}"
    )


def _noisier(solution: Solution, prepared: Prepared) -> Iterator[str]:
    """Whether measurements are farther from u than their noise says."""
    for each in prepared.measurements:
        if each.noise and each.name in solution.history:
            apart = math.sqrt(float(solution.history[each.name][-1])) / each.noise
            # the root of the mean square of n normal numbers varies by 1/√2n of it
            chance = BY_CHANCE / math.sqrt(2 * max(len(each.values), 1))
            if apart > max(NOISIER, 1 + chance):
                yield (
                    f"{each.name!r} is {apart:.2g} times as far from u as its noise of {each.noise:.2g} says: there is "
                    "more noise, or the equation does not hold there, or training has not come to its end"
                )


def _unchanged(objective: Objective, parameters: Mapping[str, Tensor], prepared: Prepared) -> Iterator[str]:
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
