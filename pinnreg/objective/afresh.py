"""An objective's equations and conditions again: without penalties, for another network, at points of its own."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from pinnreg.objective.objective import Objective
from pinnreg.objective.settings import PointSettings
from pinnreg.objective.terms import Penalised


def afresh(objective: Objective, network: nn.Module, *, interior: int, boundary: int, seed: int) -> Objective:
    """The same equations, conditions and measurements of another network.

    Args:
        objective: what was minimised.
        network: with the parameters that are to be found.
        interior: points for the equations.
        boundary: points for each condition.
        seed: of all draws.
    """
    model = replace(objective.model, network=network)
    settings = PointSettings(interior=interior, boundary=boundary, resample_every=None)
    return replace(
        objective,
        model=model,
        terms=tuple(term for term in objective.terms if not isinstance(term, Penalised)),
        on_parameters=(),
        penalties={},
        noise=None,
        regularisers=(),
        settings=settings,
        seed=seed,
        source=replace(objective.source, settings=settings, seed=seed, like=model.like),
        sizes={},
        by_layer=None,
    )
