"""Refusing counts that no memory is enough for, before anything is drawn, built or read."""

from __future__ import annotations

import math

from pinnreg import memory
from pinnreg.config import Config
from pinnreg.equations import Problem, named_conditions
from pinnreg.objective import PointSettings
from pinnreg.regularisers import Regulariser
from pinnreg.report import grid_sizes
from pinnreg.report.grid import MOST_AXES

COORDINATES = 10
"""Numbers that drawing one coordinate of a point takes: a Sobol point has integers beside it, and is moved twice."""
EVALUATED = 40
"""Numbers that a point of the evaluation grid takes: coordinates, fields and errors 15, the figures the rest. Heat on
2000 x 2000 points had a peak of 414 MB above that of training without figures, of 1334 MB with."""


def check_sizes(config: Config, problem: Problem, *, grid: bool) -> None:
    """Refuse a config whose points or grid alone are too large.

    Args:
        config: all of a run.
        problem: that it solves.
        grid: whether the solution will be evaluated on the grid.

    Raises:
        InputError: naming the key, the memory that it takes, and what is free.
    """
    memory.check(_points(config, problem), "take fewer points")
    if grid:
        sizes = grid_sizes(problem.domain, config.evaluate.grid)
        shown = " x ".join(map(str, sizes)) if len(sizes) < 5 else f"{sizes[0]} points along each of {len(sizes)} axes"
        per_point = len(sizes) + EVALUATED * len(problem.outputs)
        memory.check(
            {f"evaluate.grid ({shown})": memory.NUMBER * math.prod(sizes) * per_point},
            "take fewer points along each axis, as in evaluate.grid: 50"
            if len(sizes) <= MOST_AXES
            else "leave it out, and errors are taken at scattered points",
        )


def _points(config: Config, problem: Problem) -> dict[str, int]:
    settings, dimension = config.points, problem.domain.dimension
    conditions = len(named_conditions(problem))
    if config.compile:
        settings = settings.kept()
    soft = 0 if config.conditions == "exact" else conditions
    needs = {"points.boundary": soft * _with_candidates(settings, settings.boundary)}
    if isinstance(settings.interior, int):
        needs["points.interior"] = _with_candidates(settings, settings.interior)
    needs |= {f"measurements.{n}.samples": each.samples or 0 for n, each in enumerate(config.measurements)}
    needs |= {f"regularisers.{n}.samples": _samples(each) for n, each in enumerate(config.regularisers)}
    return {key: memory.NUMBER * COORDINATES * dimension * count for key, count in needs.items()}


def _with_candidates(settings: PointSettings, first: int) -> int:
    """How many points there are at most, with those that they are chosen from: five for each first one, only looked at,
    take as much as one."""
    most = settings.most_of(first)
    return most + (first if settings.resample == "residual" or most > first else 0)


def _samples(regulariser: Regulariser) -> int:
    """The points of its own that a penalty draws at each step."""
    return (regulariser.samples or 0) if regulariser.role == "points" else 0
