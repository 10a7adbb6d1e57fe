"""Drawing batches: which points, weights and perturbations a step sees, as functions of the seed and the step.

What depends on the parameters besides (points by the residual, what is trimmed, balanced weights) is decided here, so
that a step sees one fixed objective.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from pinnreg.equations import Points
from pinnreg.networks import trained
from pinnreg.objective.balance import balanced
from pinnreg.objective.batch import Batch, Placement, Tuned
from pinnreg.objective.functions import sweep_points
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.parting import parts
from pinnreg.objective.sampling import adapted_points, density_of, peak, stratified
from pinnreg.objective.terms import INTERIOR, Equations, Penalised, Soft, Term
from pinnreg.objective.tuning import tuned, tuning_due
from pinnreg.regularisers import UNSHIFTED, Shift, annealed

REFINED = 2.0
"""By so much the mean of r² where it is large is larger between the collocation points if there are too few."""
ADDED = 4
"""One part in so many of their first number is added at a time."""
CANDIDATES_PER_ADDED = 20


def first_batch(objective: Objective, parameters: Parameters) -> Batch:
    """The batch at step 0, before any training, with weights balanced at `parameters`."""
    batch = redraw(objective, place(objective, 0), parameters, 0, progress=0.0, smooth=False)
    return tune(objective, rebalanced(objective, batch, parameters), parameters, 0)


def place(objective: Objective, step: int, interior: Points | None = None, *, window: float = 1.0) -> Placement:
    """Points that stay until the next resampling; the collocation points are those of the sampler unless given."""
    points: dict[str, Points] = {}
    source = objective.source_in(window)
    for term in objective.terms:
        own = term.place(source, points.get(INTERIOR, interior), step)
        if own is not None:
            points[term.name] = objective.lifted(term, own)
    return Placement(points, step, step, window=window)


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
    points, source = {}, objective.source_in(placement.window)
    for term in objective.terms:
        placed = placement.points.get(term.name)
        drawn = term.draw(source, placed, step)
        points[term.name] = drawn if placed is not None else objective.lifted(term, drawn)
    weights = objective.weights(placement, progress)
    same = before is not None and before.weights == weights
    vector = before.weight_vector if same and before is not None else _vector(objective, weights)
    counts = objective.counts(points)
    shifts = _shifts(objective, step, progress)
    batch = Batch(points, counts, weights, vector, shifts, smooth, step, progress, placement)
    return _trimmed(objective, batch, parameters)


def resample(objective: Objective, batch: Batch, parameters: Parameters, step: int) -> Batch:
    """Other collocation points, as the settings say: more, or all anew, for conditions too."""
    before, interior, cost = batch.placement, None, 0
    match objective.settings.resample:
        case "refine":
            more, cost = _refined(objective, batch, parameters, step)
            if not more:
                return replace(batch, placement=replace(before, step=step, settled=True), cost=cost)
            placement = replace(_with_points(objective, before, more), step=step, settled=False)
        case "residual":
            interior, cost = _adapted(objective, batch, parameters, step)
            placement = place(objective, step, interior, window=before.window)
        case "fresh":
            placement = place(objective, step, window=before.window)
    moved = _moved(objective, batch, placement, parameters)
    return replace(moved, cost=moved.cost + cost)


def widen(objective: Objective, batch: Batch, parameters: Parameters, step: int, window: float) -> Batch:
    """All points anew, in a share of the time, from the start."""
    return _moved(objective, batch, place(objective, step, window=window), parameters)


def _moved(objective: Objective, batch: Batch, placement: Placement, parameters: Parameters) -> Batch:
    moved = redraw(
        objective,
        replace(placement, balanced=batch.placement.balanced, tuned=batch.placement.tuned),
        parameters,
        batch.step,
        progress=batch.progress,
        smooth=batch.smooth,
        before=batch,
    )
    return rebalanced(objective, moved, parameters)


def rebalanced(objective: Objective, batch: Batch, parameters: Parameters) -> Batch:
    """The batch with soft conditions that have no weight of their own weighed as the parameters act on them now."""
    if not objective.to_balance:
        return batch
    return _weighed(objective, batch, replace(batch.placement, balanced=balanced(objective, batch, parameters)))


def tune(
    objective: Objective, batch: Batch, parameters: Parameters, step: int, *, by_layer: bool | None = None
) -> Batch:
    """The batch with other weights of penalties whose weights are found, where these are to be looked at before a step;
    else the same."""
    if not tuning_due(objective, batch, step):
        return batch
    found = tuned(objective, batch, parameters, step, by_layer=objective.by_layer if by_layer is None else by_layer)
    sweeps = 2 if objective.model.coefficients else 1  # as of a linearisation
    return replace(
        _weighed(objective, batch, replace(batch.placement, tuned=found)), cost=sweeps * sweep_points(objective, batch)
    )


def _weighed(objective: Objective, batch: Batch, placement: Placement) -> Batch:
    weights = objective.weights(placement, batch.progress)
    return replace(batch, placement=placement, weights=weights, weight_vector=_vector(objective, weights))


def whole(objective: Objective, batch: Batch) -> Batch:
    """The batch with all measurements where steps see some of them."""
    shown = {term.name: batch.placement.points[term.name] for term in objective.terms if _is_batch(batch, term)}
    points = {**batch.points, **shown}
    return replace(batch, points=points, counts=objective.counts(points))


def residual_size(objective: Objective, batch: Batch, parameters: Parameters, x: Tensor) -> Tensor:
    """√(Σ_i w_i r_i²) over the PDE's equations at points (n, d), (n,), without gradients; w_i as in the loss."""
    return _size(objective, batch, objective.term(INTERIOR), Points(x), parameters)


def state_of(objective: Objective, batch: Batch) -> dict[str, Any]:
    """What a checkpoint needs to continue with the same batch."""
    placed = {name: batch.placement.points[name] for name in _chosen(objective)}
    return {
        "placed": {name: _as_state(points) for name, points in placed.items()},
        "resampled_at": batch.placement.step,
        "placed_at": batch.placement.drawn,
        "settled": batch.placement.settled,
        "window": batch.placement.window,
        "trimmed": {term.name: batch.points[term.name].importance for term in objective.terms if term.trim},
        "drawn_at": batch.step,
        "progress": batch.progress,
        "smooth": batch.smooth,
        "balanced": dict(batch.placement.balanced),
        "tuned": {name: asdict(each) for name, each in batch.placement.tuned.items()},
    }


def batch_of(objective: Objective, state: Mapping[str, Any], parameters: Parameters) -> Batch:
    """The batch that `state_of` was asked about."""
    drawn = place(objective, state["placed_at"], window=state["window"])
    like = objective.source.like
    found = {name: replace(drawn.points[name], **state["placed"][name]).on(like) for name in _chosen(objective)}
    placement = replace(
        _with_points(objective, drawn, found),
        step=state["resampled_at"],
        settled=state["settled"],
        balanced=dict(state["balanced"]),
        tuned={name: Tuned(**each) for name, each in state["tuned"].items()},
    )
    batch = redraw(
        objective, placement, parameters, state["drawn_at"], progress=state["progress"], smooth=state["smooth"]
    )
    # what was trimmed then depends on the parameters of then
    trimmed = {
        name: replace(batch.points[name], importance=importance.to(like))
        for name, importance in state["trimmed"].items()
    }
    return replace(batch, points={**batch.points, **trimmed})


def _vector(objective: Objective, weights: Mapping[str, float]) -> Tensor:
    """The weights as a tensor; filled where it is, so that no step waits for a copy to the device."""
    return torch.stack([objective.model.like.new_full((), weights[name]) for name in objective.names])


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
    source, cost = objective.source_in(batch.placement.window), 0

    def size(x: Tensor) -> Tensor:
        nonlocal cost
        cost += len(x)
        return residual_size(objective, batch, parameters, x)

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


def _refined(objective: Objective, batch: Batch, parameters: Parameters, step: int) -> tuple[dict[str, Points], int]:
    """The points of the terms that have too few, with more where the residual is large; and what it took."""
    source, found, cost = objective.source_in(batch.placement.window), {}, 0
    for term in objective.terms:
        here = batch.placement.points.get(term.name)
        first = objective.shapes[term.name].rows
        count = min(-(-first // ADDED), objective.settings.most_of(first) - (0 if here is None else here.rows))
        pool = term.candidates(source, CANDIDATES_PER_ADDED * count, step) if count > 0 else None
        if here is None or pool is None:
            continue
        size, known = (_size(objective, batch, term, points, parameters) for points in (pool, here))
        cost += len(pool) + len(here)
        if peak(size) > REFINED * peak(known):
            draws = source.generator(f"refinement of {term.name}", step)
            chosen = stratified(pool.x[: pool.rows], density_of(size), count, draws)
            found[term.name] = here.joined(pool.part(chosen.unique()))  # a point is of no use twice
    return found, cost


def _size(objective: Objective, batch: Batch, term: Term, points: Points, parameters: Parameters) -> Tensor:
    """√(Σ w r²) over the loss terms of a term at points, (rows,), without gradients; w as in the loss."""
    sizes = []
    with torch.no_grad():
        # of many candidates not even the rows are held all at once
        for part, _ in parts(points, objective.model.chunk):
            rows = objective.rows_at(term, part, parameters)
            squares = [batch.weights[name] * each.values.view(-1, part.rows).square() for name, each in rows.items()]
            sizes.append(torch.cat(squares).sum(dim=0).sqrt())
        return torch.cat(sizes)


def _with_points(objective: Objective, placement: Placement, found: Mapping[str, Points]) -> Placement:
    """The placement with other points of some terms, and of those that follow the collocation points."""
    points = dict(placement.points)
    for term in objective.terms:
        if term.name in found:
            points[term.name] = objective.lifted(term, found[term.name])
        elif INTERIOR in found and isinstance(term, Penalised) and term.name in points:
            own = term.place(objective.source, points[INTERIOR], placement.drawn)
            assert own is not None
            points[term.name] = objective.lifted(term, own)
    return replace(placement, points=points)


def _chosen(objective: Objective) -> list[str]:
    """The terms whose points depend on more than the seed and the step."""
    return [
        term.name
        for term in objective.terms
        if isinstance(term, Equations) or (isinstance(term, Soft) and term.measured is None)
    ]


def _as_state(points: Points) -> dict[str, Tensor | None]:
    tensors = {"x": points.x, "normals": points.normals, "importance": points.importance}
    return {name: None if each is None else each.clone() for name, each in tensors.items()}


def _is_batch(batch: Batch, term: Term) -> bool:
    placed = batch.placement.points.get(term.name)
    return placed is not None and len(placed) != len(batch.points[term.name])
