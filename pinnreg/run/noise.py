"""What noise in the measurements does to a run: the standard errors of its outputs on the grid, and their size."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.errors import InputError
from pinnreg.estimates import BandSize, Uncertainty, uncertainty
from pinnreg.objective import Batch
from pinnreg.report import grid_points, middle_of, scattered_points, spread
from pinnreg.run.prepare import Prepared
from pinnreg.run.solution import Solution

logger = logging.getLogger("pinnreg")

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Bands:
    """The bands of all outputs.

    Attributes:
        sizes: by output, where errors are taken.
        fields: the standard errors on the grid, `<output>_band`.
    """

    sizes: Mapping[str, BandSize]
    fields: Mapping[str, Array]


def uncertainty_of(prepared: Prepared, batch: Batch, parameters: Mapping[str, Tensor]) -> Uncertainty | None:
    """What noise in the measurements does, at a minimum, as second-order optimisers reach it.

    Args:
        prepared: a run that has converged.
        batch: of its last step.
        parameters: where it ended.
    """
    config = prepared.resolved.config
    if config.evaluate.estimate == "none" or config.train[-1].first_order:
        return None
    try:
        return uncertainty(prepared.objective, batch, parameters)
    except (InputError, NotImplementedError, RuntimeError) as refused:
        # eigenvalues that do not converge, or no memory for them, must not cost a trained network
        logger.warning("no intervals: %s", refused)
        return None


def bands_of(solution: Solution, prepared: Prepared, uncertain: Uncertainty) -> Bands:
    """The bands of a solution on the grid, and their size there or, beyond four axes, at scattered points."""
    domain, (points, back) = prepared.problem.domain, on_grid(prepared)
    on_it = uncertain.band(points)
    there = scattered_points(domain, prepared.resolved.config.evaluate.grid)
    errors, places = (on_it, points) if there is None else (uncertain.band(there), there)
    sizes = {
        name: BandSize.of(values, errors[name])
        for name, values in zip(prepared.problem.outputs, solution(places).T, strict=True)
    }
    return Bands(sizes, {f"{name}_band": back(each) for name, each in on_it.items()})


def on_grid(prepared: Prepared) -> tuple[Array, Callable[[Array], Array]]:
    """The points of the grid that lie in the domain, (n, d), and what makes fields of values there, (n,)."""
    domain, axes = prepared.problem.domain, prepared.axes
    inside, shape = prepared.inside, tuple(map(len, axes.values()))
    points = grid_points(axes, domain.axes, middle_of(domain, axes))
    if inside is None:
        return points, lambda values: values.reshape(shape)
    return points[inside.reshape(-1)], lambda values: spread(values, inside)
