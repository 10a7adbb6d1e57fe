"""Regression: the objective of a network that is fitted to data, without an equation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import nn

from pinnreg.domain import Box
from pinnreg.equations import Problem, measurements, split_conditions
from pinnreg.errors import InputError
from pinnreg.objective.objective import Objective
from pinnreg.objective.settings import PointSettings
from pinnreg.regularisers import Regulariser


@final
@dataclass(frozen=True)
class Data(Problem):
    """Values to fit on a box, and no equation."""

    bounds: tuple[tuple[float, float], ...]
    residual = None  # type: ignore[assignment]

    @cached_property
    def domain(self) -> Box:
        """The box; its axes are x, or x1, x2, ..."""
        names = ["x"] if len(self.bounds) == 1 else [f"x{number}" for number in range(1, len(self.bounds) + 1)]
        return Box(**dict(zip(names, self.bounds, strict=True)))


def regression(
    network: nn.Module,
    points: ArrayLike,
    values: ArrayLike,
    bounds: Sequence[tuple[float, float]],
    *,
    regularisers: Sequence[Regulariser] = (),
    batch: int | None = None,
    trim: float = 0.0,
    seed: int = 0,
) -> Objective:
    """mean_i (network(xᵢ) - yᵢ)² and regularisers, to be trained as the objective of a PDE is.

    Args:
        network: any module, (n, d) to (n, 1).
        points: x, (n, d).
        values: y, (n,).
        bounds: the interval of each of the d coordinates, in which the points lie and k-TV is taken.
        regularisers: with weights or sigma; those at collocation points are taken at the data.
        batch: how many of the values, chosen afresh, each step sees; None for all.
        trim: the share of the largest residuals to leave out.
        seed: of all draws.

    Raises:
        InputError: shapes that do not fit, points outside of the bounds, a regulariser that needs an equation.
    """
    _check_shapes(network, points)
    problem = Data(tuple((float(low), float(high)) for low, high in bounds))
    data = measurements(points, values, batch=batch, trim=trim, name="data")
    return Objective(
        problem,
        split_conditions(problem, "soft", [data]),
        network,
        points=PointSettings(interior="data"),
        weights={},
        regularisers=regularisers,
        seed=seed,
    )


def _check_shapes(network: nn.Module, points: ArrayLike) -> None:
    like = next(network.parameters())
    some = torch.as_tensor(points)[:2].to(like)
    try:
        with torch.no_grad():
            found = tuple(network(some).shape)
    except RuntimeError as error:
        raise InputError(f"regression: the network does not take points {tuple(some.shape)}: {error}") from None
    if found != (len(some), 1):
        raise InputError(f"regression: expected a network to (n, 1), it maps {tuple(some.shape)} to {found}")
