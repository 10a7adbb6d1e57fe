"""The residual of a run's equations and soft conditions at points that training never saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.config import Config
from pinnreg.equations import Condition, condition_at, split_conditions, with_values
from pinnreg.randomness import derive
from pinnreg.run.solution import Solution

FRESH_POINTS = 4096


def fresh_points(solution: Solution, seed: int) -> NDArray[np.float64]:
    """Points that training never saw, the same for all runs of a seed, (n, d)."""
    domain = solution.problem.domain
    points: NDArray[np.float64] = domain.sample(FRESH_POINTS, "sobol", derive(seed, "study validation")).numpy()
    return points


def fresh_residual(solution: Solution, points: NDArray[np.float64]) -> dict[str, float]:
    """The mean square of each equation's residual; nothing for a problem without."""
    if not solution.problem.has_residual:
        return {}
    return {name: float(np.mean(np.square(values))) for name, values in solution.residual(points).items()}


def fresh_loss(solution: Solution, config: Config, residual: Mapping[str, float]) -> float | None:
    """Σ_i w_i mean(r_i²) over the equations and the soft conditions; None where no condition is soft.

    A residual alone says nothing of a solution that conditions do not hold: u = 0 may have none at all. The weights are
    those of the config, 1 where none is given: balanced ones differ from run to run. Measurements are
    left out: their errors on what was held out are a score of their own.

    Args:
        solution: of the run.
        config: of the run.
        residual: the mean square of each equation's residual at fresh points.
    """
    soft = [
        each
        for each in split_conditions(solution.problem, config.conditions, (), config.unknown).soft
        if each.kind != "measurements"
    ]
    if not soft:
        return None
    squares = dict(residual) | {each.name: _mean_square(solution, each, config.seed) for each in soft}
    return sum(config.weights.get(name, 1.0) * value for name, value in squares.items())


def _mean_square(solution: Solution, condition: Condition, seed: int) -> float:
    like = next(iter(solution.parameters.values()))
    fresh = derive(seed, f"study validation {condition.name}")
    at = condition.sample(solution.problem.domain, FRESH_POINTS, "sobol", fresh).on(like)
    with torch.no_grad():
        problem = with_values(solution.problem, solution.unknown)
        return float(condition_at(problem, condition).residual(solution.sweep(at), problem).square().mean())
