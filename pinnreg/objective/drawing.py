"""Drawing batches: which points, weights and perturbations a step sees, as functions of the seed and the step.

What depends on the parameters besides (points by the residual, what is trimmed, balanced weights) is decided here, so
that a step sees one fixed objective.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pinnreg.equations import Points
from pinnreg.networks import trained
from pinnreg.objective.balance import balanced
from pinnreg.objective.batch import Batch, Placement
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.sampling import adapted_points
from pinnreg.objective.terms import INTERIOR, Term
from pinnreg.regularisers import UNSHIFTED, Shift, annealed
from pinnreg.taylor import Algebra


def first_batch(objective: Objective, parameters: Parameters) -> Batch:
    """The batch at step 0, before any training, with weights balanced at `parameters`."""
    batch = redraw(objective, place(objective, 0), parameters, 0, progress=0.0, smooth=False)
    return rebalanced(objective, batch, parameters)


def place(objective: Objective, step: int, interior: Points | None = None) -> Placement:
    """Points that stay until the next resampling; the collocation points are those of the sampler unless given."""
    points: dict[str, Points] = {}
    for term in objective.terms:
        own = term.place(objective.source, points.get(INTERIOR, interior), step)
        if own is not None:
            points[term.name] = _lifted(objective, term, own)
    return Placement(points, step)


def redraw(
    objective: Objective,
    placement: Placement,
    parameters: Parameters,
    step: int,
    *,
    progress: float,
    smooth: bool,
    before: Batch | None = None,
) -> Batch:
    """New points for the penalties, new batches and noise, and another look at which measurements are the worst.

    Args:
        objective: the terms.
        placement: the points that stay.
        parameters: those of now, by which measurements are trimmed.
        step: the training step, on which alone (with the seed) the random draws depend.
        progress: the fraction of all training steps done, for the schedules of regularisers.
        smooth: whether the optimiser needs |s| smoothed.
        before: the last batch, whose tensor of weights is used again where they are the same.
    """
    points = {}
    for term in objective.terms:
        placed = placement.points.get(term.name)
        drawn = term.draw(objective.source, placed, step)
        points[term.name] = drawn if placed is not None else _lifted(objective, term, drawn)
    weights = objective.weights(placement.balanced, progress)
    same = before is not None and before.weights == weights
    vector = before.weight_vector if same and before is not None else _vector(objective, weights)
    counts = _counts(objective, points)
    shifts = _shifts(objective, step, progress)
    batch = Batch(points, counts, weights, vector, shifts, smooth, step, progress, placement)
    return _trimmed(objective, batch, parameters)


def resample(objective: Objective, batch: Batch, parameters: Parameters, step: int) -> Batch:
    """New collocation points, for conditions too; interior ones by the residual if the settings say so."""
    interior, cost = None, 0
    if objective.settings.resample == "residual":
        interior, cost = _adapted(objective, batch, parameters, step)
    placement = place(objective, step, interior)
    moved = redraw(
        objective,
        replace(placement, balanced=batch.placement.balanced),
        parameters,
        batch.step,
        progress=batch.progress,
        smooth=batch.smooth,
        before=batch,
    )
    moved = rebalanced(objective, moved, parameters)
    return replace(moved, cost=moved.cost + cost)


def rebalanced(objective: Objective, batch: Batch, parameters: Parameters) -> Batch:
    """The batch with soft conditions that have no weight of their own weighed as the parameters act on them now."""
    if not objective.to_balance:
        return batch
    placement = replace(batch.placement, balanced=balanced(objective, batch, parameters))
    weights = objective.weights(placement.balanced, batch.progress)
    return replace(batch, placement=placement, weights=weights, weight_vector=_vector(objective, weights))


def whole(objective: Objective, batch: Batch) -> Batch:
    """The batch with all measurements where steps see some of them."""
    shown = {term.name: batch.placement.points[term.name] for term in objective.terms if _is_batch(batch, term)}
    points = {**batch.points, **shown}
    return replace(batch, points=points, counts=_counts(objective, points))


def residual_size(objective: Objective, parameters: Parameters, x: Tensor) -> Tensor:
    """√(Σ_i w_i r_i²) over the PDE's equations at points (n, d), (n,), without gradients; w_i as they were given."""
    with torch.no_grad():
        rows = objective.rows_at(objective.term(INTERIOR), Points(x), parameters)
        squares = [objective.given[name] * each.values.square() for name, each in rows.items()]
        return torch.stack(squares).sum(dim=0).sqrt()


def state_of(objective: Objective, batch: Batch) -> dict[str, Any]:
    """What a checkpoint needs to continue with the same batch."""
    interior = batch.placement.points[INTERIOR]
    return {
        "interior": interior.x.clone(),
        "importance": None if interior.importance is None else interior.importance.clone(),
        "resampled_at": batch.placement.step,
        "trimmed": {term.name: batch.points[term.name].importance for term in objective.terms if term.trim},
        "drawn_at": batch.step,
        "progress": batch.progress,
        "smooth": batch.smooth,
        "balanced": dict(batch.placement.balanced),
    }


def batch_of(objective: Objective, state: Mapping[str, Any], parameters: Parameters) -> Batch:
    """The batch that `state_of` was asked about."""
    interior = Points(state["interior"], importance=state["importance"]).on(objective.source.like)
    placement = replace(place(objective, state["resampled_at"], interior), balanced=dict(state["balanced"]))
    batch = redraw(
        objective, placement, parameters, state["drawn_at"], progress=state["progress"], smooth=state["smooth"]
    )
    # what was trimmed then depends on the parameters of then
    like = objective.source.like
    trimmed = {
        name: replace(batch.points[name], importance=importance.to(like))
        for name, importance in state["trimmed"].items()
    }
    return replace(batch, points={**batch.points, **trimmed})


def _lifted(objective: Objective, term: Term, points: Points) -> Points:
    """The points with g and φ, which all steps that see them then share."""
    operators = objective.shapes[term.name].operators if term.name in objective.shapes else frozenset()
    if not operators:
        return points
    return points.lifted(objective.model.trial, Algebra.of(operators, len(objective.model.trial.axes)))


def _vector(objective: Objective, weights: Mapping[str, float]) -> Tensor:
    """The weights as a tensor; filled where it is, so that no step waits for a copy to the device."""
    return torch.stack([objective.model.like.new_full((), weights[name]) for name in objective.names])


def _counts(objective: Objective, points: Mapping[str, Points]) -> dict[str, int]:
    at_points = {
        name: runs * points[term.name].rows
        for term in objective.terms
        for name, runs in objective.shapes[term.name].runs.items()
    }
    return at_points | dict(objective.sizes)


def _shifts(objective: Objective, step: int, progress: float) -> tuple[Shift, ...]:
    noise = objective.noise
    if noise is None:
        return UNSHIFTED
    like = {name: each.detach() for name, each in trained(objective.model.network).items()}
    factor = annealed(noise.schedule, progress)
    return tuple(noise.shifts(like, factor, objective.source.generator(noise.kind, step), step))


def _trimmed(objective: Objective, batch: Batch, parameters: Parameters) -> Batch:
    """The batch without the share of the largest residuals of some terms.

    That is trimmed least squares by its concentration steps (Rousseeuw & Van Driessen 2006).
    """
    points, cost = dict(batch.points), 0
    for term in objective.terms:
        if not term.trim:
            continue
        at = batch.points[term.name]
        with torch.no_grad():
            values = objective.rows_at(term, at, parameters)[term.name].values
        left_out = round(term.trim * len(values))
        importance = torch.full_like(values, len(values) / (len(values) - left_out))
        importance[values.abs().argsort(descending=True, stable=True)[:left_out]] = 0.0
        points[term.name] = replace(at, importance=importance)
        cost += len(at)
    return replace(batch, points=points, cost=batch.cost + cost) if cost else batch


def _adapted(objective: Objective, batch: Batch, parameters: Parameters, step: int) -> tuple[Points, int]:
    """Collocation points that prefer large residuals, and the sweeps times points that choosing them took."""
    source, cost = objective.source, 0

    def size(x: Tensor) -> Tensor:
        nonlocal cost
        cost += len(x)
        return residual_size(objective, parameters, x)

    x, importance = adapted_points(
        size,
        source.domain,
        len(batch.points[INTERIOR]),
        source.seed,
        step,
        device=source.like.device,
        dtype=source.like.dtype,
    )
    return Points(x, importance=importance if objective.settings.importance else None), cost


def _is_batch(batch: Batch, term: Term) -> bool:
    placed = batch.placement.points.get(term.name)
    return placed is not None and len(placed) != len(batch.points[term.name])
