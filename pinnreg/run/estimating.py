"""Estimating the error of a run: as finely as a tenth of its training pays for, and by a second run where asked for."""

from __future__ import annotations

import dataclasses
import logging
import math
from itertools import accumulate
from typing import Literal

from torch import Tensor

from pinnreg.equations import own_operators
from pinnreg.errors import Diverged, InputError
from pinnreg.estimates import COLUMNS, Estimate, Reliability, rows_of
from pinnreg.objective import INTERIOR, Evaluator
from pinnreg.optimisers import AnyStage
from pinnreg.randomness import derive
from pinnreg.run.convergence import wrong
from pinnreg.run.prepare import Prepared, minimised, network_of
from pinnreg.run.solution import Solution
from pinnreg.taylor import Algebra
from pinnreg.training import History, train

logger = logging.getLogger("pinnreg")

How = Literal["auto", "defect", "twin", "none"]

SHARE = 0.1
"""Of the work of training that all resolutions of the defect together may take, but for the first two.

Of 29 shipped configs of up to half a minute 28 were estimated in 0.4 to 8.6 % of the seconds of training,
insulated_edge in 12.5 %; the first two take about a tenth of a second, a quarter of a training of half a second."""
DERIVATIVE = 0.35
"""Work for a point and coefficient of random features, and each derivative that the equations carry along."""
FACTORISED = 1 / 450
"""Work for each coefficient cubed, by the least-squares problem."""
FIRST_ORDER = 0.03
"""Of the work of a step, that of optimisers without a Jacobian."""
SHORT = 2e8
"""Work of a training of about a minute on one core, up to which a second run is made unasked."""
FINER = "; pinnreg evaluate --estimate defect takes more time for it, and may tell"
FEWEST_STEPS = 20
"""Of a training that is worth a second one."""
SOLVED = 1e-4
"""A relative residual at which a twin has solved the problem,"""
BETTER = 10.0
"""and by so much more that of the run has to be for the difference to be its error."""


def estimated(solution: Solution, prepared: Prepared, how: How, steps: int) -> Estimate | None:
    """The estimate of a run's error.

    Args:
        solution: what was trained.
        prepared: the run.
        how: as in a config.
        steps: of the training.
    """
    if how == "none" or solution.trained is None or not prepared.objective.equations:
        return None
    if how == "twin":
        return by_twin(solution, prepared, steps)
    found = by_defect(solution, prepared, steps if how == "auto" else None)
    if _is_good(found) or how == "defect" or _work(prepared, steps) > SHORT or steps < FEWEST_STEPS:
        return found
    size = wrong(solution, prepared)
    if size is None or size <= BETTER * SOLVED:  # no twin could tell
        return found
    twin = by_twin(solution, prepared, steps)
    return twin if found is None or (twin is not None and _is_good(twin)) else found


def _is_good(estimate: Estimate | None) -> bool:
    return estimate is not None and all(each == "good" for each in estimate.reliability.values())


def by_defect(solution: Solution, prepared: Prepared, steps: int | None) -> Estimate | None:
    """The estimate by the linearised defect, as finely as a tenth of so many steps pays for.

    Args:
        solution: what was trained.
        prepared: its run.
        steps: of its training; None for the finest resolution, whatever it costs.
    """
    most = max(COLUMNS)
    if steps is not None:
        paid = SHARE * _work(prepared, steps)
        spent = accumulate(_work_of_resolution(prepared, each) for each in COLUMNS)
        until = dict(zip(COLUMNS, spent, strict=True))  # that of the last one, of several of a size
        most = max((each for each, work in until.items() if work <= paid), default=0)
    found = solution.estimate(seed=derive(prepared.resolved.config.seed, "estimate"), most=most)
    if found is None or _is_good(found) or most == max(COLUMNS):
        return found
    return dataclasses.replace(found, reason=f"{found.reason}{FINER}")


def by_twin(solution: Solution, prepared: Prepared, steps: int) -> Estimate | None:
    """The difference to another run: with another seed, other points and about half the steps, and the same data.

    Where the twin has solved the problem and the run has not, it is the error of the run. Elsewhere it tells nothing:
    with half the steps the twin is mostly the worse one, by up to 10¹⁰, and two that are stuck are stuck alike. Of 81
    runs of logistic, van_der_pol, duffing, reaction, wave and burgers, stopped after 10, 20 and 40 steps, it was within
    a factor of 3 in 20, and in 9 of the 33 whose relative residuals differed by less than that. With a twin that had a
    tenth of the run's residual, and 1e-4 at most, it was in 6 of 6, and in 7 of 7 with as many steps, to 8 %.

    Args:
        solution: what was trained.
        prepared: its run.
        steps: of its training.

    Returns:
        The estimate; None where the other run diverged.
    """
    assert solution.trained is not None
    config = prepared.resolved.config
    seed = derive(config.seed, "twin")
    start = prepared.start
    network = network_of(prepared.resolved, prepared.split, seed if start is None else start.seed, prepared.device)
    if start is not None:  # both go on from there
        start.put_into(network, f"start: {config.start}")
    objective = minimised(prepared.resolved, prepared.split, network, seed, trains=True)
    share = steps / sum(stage.steps for stage in config.train) / 2
    stages = [_shortened(stage, share) for stage in config.train]
    history = History(objective.names, (), None, list(config.unknown))
    try:
        outcome = train(Evaluator(objective, compile=config.compile), stages, history)
    except (Diverged, InputError) as failed:
        logger.debug("the twin failed: %s", failed)
        return None
    other = dataclasses.replace(prepared, network=network, objective=objective)
    one, two = wrong(solution, prepared), wrong(other.solution(outcome.parameters, {}), other)
    tells = one is not None and two is not None and two <= min(SOLVED, one / BETTER)
    reliability: Reliability = "good" if tells else "poor"
    reason = (
        "the relative residual of a second run cannot be told"
        if one is None or two is None
        else f"the relative residual of a second run is {two:.1e}, and {one:.1e} here"
    )
    own = solution.trained[0].model, solution.trained[1]
    parameters: dict[str, Tensor] = outcome.parameters
    each = dict.fromkeys(prepared.problem.outputs, reliability)
    return Estimate("twin", each, reason, own, (objective.model, parameters))


def _work(prepared: Prepared, steps: int) -> float:
    """Of a training: a unit for each point, parameter and step.

    No clock is asked, so that every machine does the same. It is 0.2 to 0.5 µs on a core.
    """
    objective = prepared.objective
    width = sum(each.numel() for each in objective.model.initial().values())
    dense = any(stage.needs_squares for stage in prepared.resolved.config.train)
    points = sum(objective.shapes[term.name].rows for term in objective.terms)
    return float(steps) * points * width * (1.0 if dense else FIRST_ORDER)


def _work_of_resolution(prepared: Prepared, columns: int) -> float:
    """The same of an estimate with so many random features, which all have derivatives where the network is seen."""
    shapes = prepared.objective.shapes
    points = sum(shapes[name].seen * rows for name, rows in rows_of(prepared.objective, columns).items())
    dimension = prepared.problem.domain.dimension
    carried = Algebra.of(own_operators(shapes[INTERIOR].operators) | {(0,) * dimension}, dimension)
    return DERIVATIVE * len(carried.elements) * points * columns + FACTORISED * columns**3


def _shortened(stage: AnyStage, share: float) -> AnyStage:
    """A stage with a share of its steps."""
    steps = max(math.ceil(stage.steps * share), 2)
    windows = stage.windows if isinstance(stage.windows, str) or 2 * stage.windows <= steps else "auto"
    seconds = None if stage.max_seconds is None else stage.max_seconds * share
    return dataclasses.replace(stage, steps=steps, windows=windows, max_seconds=seconds)
