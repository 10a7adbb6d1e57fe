"""Estimating the error of a run: as finely as a tenth of its training pays for, and by a second run where asked for."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Literal

from torch import Tensor

from pinnreg.errors import Diverged, InputError
from pinnreg.estimates import COLUMNS, Estimate, Reliability
from pinnreg.objective import Evaluator
from pinnreg.optimisers import AnyStage
from pinnreg.randomness import derive
from pinnreg.report import Solution
from pinnreg.run.convergence import wrong
from pinnreg.run.prepare import Prepared, minimised, network_of
from pinnreg.training import History, train

logger = logging.getLogger("pinnreg")

How = Literal["auto", "defect", "twin", "none"]

SHARE = 0.1
"""Of the operations of training that a resolution of the defect may take."""
OPERATIONS = 16.0
"""For each coefficient cubed: the factorisations of two steps, of three rows a coefficient."""
FIRST_ORDER = 100.0
"""For each parameter, row and step of optimisers without a Jacobian."""
SHORT = 5e11
"""Operations of a training of about a minute on one core, up to which a second run is made unasked."""
FEWEST_STEPS = 20
"""Of a training that is worth a second one."""
WORSE = 3.0
"""By so much more the relative residual of a twin may be than that of the run for the difference to be its error."""
SOLVED = 1e-4
"""A relative residual below which no second run is made unasked."""


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
    trusted = found is not None and all(each == "good" for each in found.reliability.values())
    if trusted or how == "defect" or _operations(prepared, steps) > SHORT or steps < FEWEST_STEPS:
        return found
    size = wrong(solution, prepared)
    return found if size is None or size <= SOLVED else by_twin(solution, prepared, steps) or found


def by_defect(solution: Solution, prepared: Prepared, steps: int | None) -> Estimate | None:
    """The estimate by the linearised defect, as finely as a tenth of so many steps pays for.

    Args:
        solution: what was trained.
        prepared: its run.
        steps: of its training; None for the finest resolution, whatever it costs.
    """
    most = max(COLUMNS)
    if steps is not None:
        paid = SHARE * _operations(prepared, steps)
        most = max((each for each in COLUMNS if OPERATIONS * each**3 <= paid), default=0)
    return solution.estimate(seed=derive(prepared.resolved.config.seed, "estimate"), most=most)


def by_twin(solution: Solution, prepared: Prepared, steps: int) -> Estimate | None:
    """The difference to another run: with another seed, other points and about half the steps, and the same data.

    It is at most the sum of both errors, and of their size where they are independent.

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
    alike = one is not None and two is not None and two <= WORSE * one and max(one, two) <= WORSE * SOLVED
    reliability: Reliability = "good" if alike else "poor"
    reason = (
        "the relative residual of a second run cannot be told"
        if one is None or two is None
        else (f"the relative residual of a second run is {two:.1e}, and {one:.1e} here")
    )
    own = solution.trained[0].model, solution.trained[1]
    parameters: dict[str, Tensor] = outcome.parameters
    each = dict.fromkeys(prepared.problem.outputs, reliability)
    return Estimate("twin", each, reason, own, (objective.model, parameters))


def _operations(prepared: Prepared, steps: int) -> float:
    """About how many a training of so many steps took; no clock is asked, so that every machine does the same."""
    width = sum(each.numel() for each in prepared.objective.model.initial().values())
    dense = any(stage.needs_squares for stage in prepared.resolved.config.train)
    return float(steps) * prepared.objective.row_count * width * (width if dense else FIRST_ORDER)


def _shortened(stage: AnyStage, share: float) -> AnyStage:
    """A stage with a share of its steps."""
    steps = max(math.ceil(stage.steps * share), 2)
    windows = stage.windows if isinstance(stage.windows, str) or 2 * stage.windows <= steps else "auto"
    seconds = None if stage.max_seconds is None else stage.max_seconds * share
    return dataclasses.replace(stage, steps=steps, windows=windows, max_seconds=seconds)
