"""How much of a stage, and of the whole training, is done: for learning rates and the schedules of regularisers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pinnreg.optimisers import Stage
from pinnreg.training.position import Position


def share_of(stage: Stage, position: Position) -> float:
    """The share of the current stage that is done, by its steps or its sweeps; seconds would not repeat."""
    return min(max(position.stage_step / stage.steps, _swept(stage, position)), 1.0)


def spent(stage: Stage, position: Position) -> float:
    """The same, by its seconds too where they are limited, so that nothing begins for which no time is left."""
    seconds = 0.0 if stage.max_seconds is None else position.stage_seconds / stage.max_seconds
    return min(max(share_of(stage, position), seconds), 1.0)


def spent_of_all(stages: Sequence[Stage], position: Position) -> float:
    """The share of the whole training that is done, stages weighed by their steps."""
    before, stage = sum(each.steps for each in stages[: position.stage]), stages[position.stage]
    return (before + spent(stage, position) * stage.steps) / sum(each.steps for each in stages)


def annealed_share(stages: Sequence[Stage], position: Position) -> float:
    """The share of the planned training that weights are annealed by until the next redraw.

    The first redraw of a stage has the share of the stage's start, the last that of its end, so that the last weight
    of a run is fully annealed; a stage with one redraw only keeps the weight that it starts with. Where seconds or
    sweeps limit a stage, whichever limit is nearest counts, and which redraw is the last is foreseen from what the
    steps so far have taken.
    """
    stage = stages[position.stage]
    redraws = math.ceil(stage.steps / stage.redraw_every)
    inside = (position.stage_step // stage.redraw_every) / (redraws - 1) if redraws > 1 else 0.0
    for spent, limit in ((position.stage_seconds, stage.max_seconds), (position.stage_sweeps, stage.max_sweeps)):
        if limit is not None and position.stage_step:
            until_next = stage.redraw_every * spent / position.stage_step
            inside = max(inside, spent / (limit - until_next) if limit > until_next else 1.0)
    before = sum(each.steps for each in stages[: position.stage])
    return (before + min(inside, 1.0) * stage.steps) / sum(each.steps for each in stages)


def _swept(stage: Stage, position: Position) -> float:
    return 0.0 if stage.max_sweeps is None else position.stage_sweeps / stage.max_sweeps
