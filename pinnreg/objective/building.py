"""Building an objective: from a problem, its conditions, a network and regularisers, all checked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import torch
from torch import Tensor, nn

from pinnreg.equations import (
    Asked,
    Equation,
    Points,
    Problem,
    Split,
    Unknown,
    check_residual,
    check_unknown,
    own_operators,
    trained_conditions,
)
from pinnreg.equations.measured import Measurements
from pinnreg.errors import InputError
from pinnreg.objective.balance import looked_at
from pinnreg.objective.demand import Tried, check_gradient, tried_on
from pinnreg.objective.drawing import place, redraw
from pinnreg.objective.linearise import by_layer_suffices
from pinnreg.objective.model import Model, Parameters
from pinnreg.objective.names import check_finite, check_names, named, weights_of
from pinnreg.objective.objective import Objective
from pinnreg.objective.settings import PointSettings
from pinnreg.objective.terms import INTERIOR, Equations, OnParameters, Penalised, Shape, Soft, Source, Term
from pinnreg.randomness import generator
from pinnreg.regularisers import Noise, Penalty, Regulariser

logger = logging.getLogger("pinnreg")

SOME = 1000
"""So many points are enough to see whether the residual changes with a coefficient."""


def objective_of(
    problem: Problem,
    split: Split,
    network: nn.Module,
    *,
    points: PointSettings,
    weights: Mapping[str, float],
    regularisers: Sequence[Regulariser],
    seed: int,
    unknown: Mapping[str, Unknown] | None = None,
    balance: bool = False,
    trains: bool = True,
) -> Objective:
    """What is to be minimised.

    Args:
        problem: with the equations.
        split: its conditions.
        network: the architecture, with the parameters that training begins with.
        points: how many, and how they are drawn.
        weights: those of equations and soft conditions that are not 1.
        regularisers: penalties and noise.
        seed: of all draws.
        unknown: the coefficients of the problem that are to be found.
        balance: whether soft conditions, and equations if there are several, get a weight by how the parameters act on
            them where none is given.
        trains: whether gradients will be taken, for which there has to be memory.

    Raises:
        InputError: a residual that is not what the engine needs, a weight of no term, two terms of one name, nothing to
            minimise, a regulariser that does not fit the problem, several kinds of noise, an unknown coefficient that
            cannot be trained.
    """
    penalties, noise = _sorted(regularisers)
    points = points.for_parameters(sum(each.numel() for each in network.parameters()) // len(problem.outputs))
    for each in penalties.values():
        if each.role == "points":
            each.check(problem, split.trial)
    check_unknown(problem, unknown or {})
    trained = trained_conditions(problem, unknown or {})
    model = Model(problem, split.trial, network, dict(unknown or {}), points.chunk)
    terms: tuple[Term, ...] = (
        Equations(),
        *(Soft(condition, condition.name in trained) for condition in split.soft),
        *(Penalised(name, each) for name, each in penalties.items() if each.role == "points"),
    )
    on_parameters = tuple(OnParameters(name, each) for name, each in penalties.items() if each.role == "parameters")
    # the points of an integral stand for a line
    measured = [each.points for each in split.soft if isinstance(each, Measurements) and not each.over]
    source = Source(
        problem.domain, points, seed, len(problem.outputs), model.like, torch.cat(measured) if measured else None
    )
    bare = Objective(
        model, terms, on_parameters, penalties, noise, tuple(regularisers), points, seed, source, {}, {}, {}
    )
    shaped = _shaped(bare, split, weights, trains=trains)
    # how much measured data count is for the user to say
    terms_to_weigh = [each.name for each in split.soft if each.kind != "measurements"]
    terms_to_weigh += shaped.equations if len(shaped.equations) > 1 else ()
    unweighted = [name for name in terms_to_weigh if name not in weights]
    checked = replace(shaped, to_balance=tuple(unweighted) if balance and shaped.equations else ())
    parameters = model.initial()
    batch = redraw(checked, place(checked, 0), parameters, 0, progress=0.0, smooth=False)
    with torch.no_grad():
        check_finite(checked.losses(batch, parameters))
    if not checked.to_balance:
        return checked
    some = looked_at(batch, parameters, tuple(batch.points))
    return replace(checked, by_layer=by_layer_suffices(checked, some, parameters))


def _sorted(regularisers: Sequence[Regulariser]) -> tuple[dict[str, Penalty], Noise | None]:
    """Penalties by the names of their loss terms, those at points first, and the noise."""
    penalties = named([each for each in regularisers if each.role != "noise"])
    noises = [each for each in regularisers if each.role == "noise"]
    if len(noises) > 1:
        raise InputError(
            f"regularisers: {noises[0].kind} and {noises[1].kind} both perturb the parameters; independent noise "
            "adds up to noise of a larger sigma: give one"
        )
    return penalties, noises[0] if noises else None


def _shaped(bare: Objective, split: Split, weights: Mapping[str, float], *, trains: bool) -> Objective:
    """The objective with the shapes of its terms and their weights, checked at the first parameters."""
    parameters = bare.model.initial()
    placed = place(bare, 0).points
    points = {term.name: term.draw(bare.source, placed.get(term.name), 0) for term in bare.terms}
    tried = {term.name: tried_on(bare, term, points[term.name], parameters) for term in bare.terms}
    if trains:
        check_gradient(bare, tried, points)
    shapes = {INTERIOR: _shape_of_equations(bare, points[INTERIOR], parameters, tried[INTERIOR])}
    given = (*shapes[INTERIOR].runs, *(condition.name for condition in split.soft))
    problem = bare.model.problem
    if not given:
        raise InputError(f"nothing to minimise: {type(problem).__name__} has no residual, and there are no data")
    if bare.settings.resample == "residual" and not shapes[INTERIOR].runs:
        raise InputError(f"points.resample: residual: {type(problem).__name__} has no residual to draw points by")
    network = bare.model.network_part(parameters)
    sizes = {each.name: each.rows(bare.model.network, network).values.numel() for each in bare.on_parameters}
    check_names((*given, *(term.name for term in bare.terms if isinstance(term, Penalised)), *sizes))
    for term in bare.terms[1:]:
        assert isinstance(term, Soft | Penalised)
        shapes[term.name] = _shape(bare, term, points[term.name], parameters, tried[term.name])
    _note_idle(bare, points, parameters, shapes)
    _note_outside(bare, points, parameters, shapes)
    given_weights = weights_of(weights, given, [condition.name for condition in split.exact])
    return replace(bare, shapes=shapes, sizes=sizes, given=given_weights)


def _shape_of_equations(bare: Objective, points: Points, parameters: Parameters, tried: Tried) -> Shape:
    """The PDE's equations, checked."""
    model = bare.model
    problem, network = model.problem_at(parameters), model.network_at(parameters)
    with torch.no_grad():
        # the equations may see only derivatives of what carries exact data, which can vanish
        if model.trial.has_data() and not model.trial.g(points.x).isfinite().all():
            raise InputError(f"conditions: exact data of {type(problem).__name__} are NaN or Inf")
        otherwise = model.network_at(_moved(parameters))
        operators, names = check_residual(
            problem, model.trial, network, points, tried.operators, chunk=model.chunk, otherwise=otherwise
        )
    _check_dependence(tried)
    return Shape(operators, dict.fromkeys(names, 1), points.rows, tried.kept, tried.seen)


def _shape(bare: Objective, term: Soft | Penalised, points: Points, parameters: Parameters, tried: Tried) -> Shape:
    """What a condition or a penalty has, checked."""
    with torch.no_grad():
        sweep = bare.model.sweep(parameters, points, tried.operators)
        found = term.rows(bare.model.problem_at(parameters), sweep)
        if isinstance(term, Penalised) or isinstance(term.condition, Equation):
            at = (parameters, _moved(parameters))
            if not any(_is_pointwise(bare, term, points, each, sweep.operators) for each in at):
                _refuse_rows(term)
    _check_dependence(tried)
    runs = {name: rows.values.numel() // points.rows for name, rows in found.items()}
    return Shape(sweep.operators, runs, points.rows, tried.kept, sweep.seen // points.rows)


def _is_pointwise(
    bare: Objective, term: Soft | Penalised, points: Points, parameters: Parameters, operators: frozenset[Asked]
) -> bool:
    """Whether rows at some points are the same without the others: the engine takes the points in parts."""
    half = points.part(slice((points.rows + 1) // 2))
    problem = bare.model.problem_at(parameters)
    part, whole = (
        term.rows(problem, bare.model.sweep(parameters, at, operators))[term.name].values for at in (half, points)
    )
    if not whole.isfinite().all():
        return True  # which is refused by its value
    found, expected = part.view(-1, half.rows), whole.view(-1, points.rows)[:, : half.rows]
    tolerance = 1e-3 if whole.dtype == torch.float32 else 1e-8
    size = float(expected.abs().max())
    return found.shape == expected.shape and torch.allclose(found, expected, rtol=tolerance, atol=tolerance * size)


def _refuse_rows(term: Soft | Penalised) -> NoReturn:
    what = "regulariser" if isinstance(term, Penalised) else "condition"
    instead = "" if isinstance(term, Penalised) else "; a mean is integral(..., equals=...)"
    raise InputError(
        f"{what} {term.name!r}: its rows at a point change with the other points; they must be pointwise (no means, "
        f"sums or sorting over the points){instead}"
    )


def _moved(parameters: Parameters) -> Parameters:
    """Other parameters, to tell what depends on what where these solve the problem to rounding."""
    draws = generator(0, "other parameters")
    return {
        name: each.detach() + 0.1 * torch.randn(each.shape, generator=draws, dtype=torch.float64).to(each)
        for name, each in parameters.items()
    }


def _check_dependence(tried: Tried) -> None:
    """Refuse rows that do not depend on anything that is trained."""
    for name in tried.constant:
        raise InputError(
            f"{name} does not depend on what is trained, as far as torch can see: it is a constant, or a detach(), "
            "no_grad() or NumPy cuts it off; use torch.* functions of u"
        )


def _note_outside(
    bare: Objective, points: Mapping[str, Points], parameters: Parameters, shapes: Mapping[str, Shape]
) -> None:
    """Say so if u is asked for outside of the domain, where nothing is known of it."""
    model, bounds = bare.model, bare.model.problem.domain.bounds
    for term in bare.terms:
        asked = shapes[term.name].operators
        if len(own_operators(asked)) == len(asked):
            continue
        with torch.no_grad():
            sweep = model.sweep(parameters, points[term.name].thinned(SOME), asked)
            term.rows(model.problem_at(parameters), sweep)
        for at in sweep.places():
            for number, (axis, (lower, upper)) in enumerate(bounds.items()):
                low, high = float(at.x[:, number].min()), float(at.x[:, number].max())
                slack = 1e-6 * (upper - lower)
                if axis not in model.trial.periodic and (low < lower - slack or high > upper + slack):
                    logger.warning(
                        "%s: u is asked for at %s from %g to %g, outside of the domain, where nothing trains it; a "
                        "torch.where may leave that out",
                        "the residual" if term.name == INTERIOR else repr(term.name),
                        axis,
                        low,
                        high,
                    )


def _note_idle(
    bare: Objective, points: Mapping[str, Points], parameters: Parameters, shapes: Mapping[str, Shape]
) -> None:
    """Say so if neither the residual nor a condition changes with a coefficient, which nothing then trains."""
    model = bare.model
    if not model.coefficients:
        return
    thetas = [parameters[name] for name in model.coefficients]
    # weighted, so that rows of opposite slopes do not cancel; and never nothing to differentiate
    total: Tensor = torch.zeros_like(thetas[0], requires_grad=True)
    for term in bare.terms:
        if isinstance(term, Penalised):
            continue
        sweep = model.sweep(parameters, points[term.name].thinned(SOME), shapes[term.name].operators, whole=True)
        for rows in term.rows(model.problem_at(parameters), sweep).values():
            total = total + rows.values @ torch.linspace(1, 2, len(rows.values)).to(rows.values)
    slopes = torch.autograd.grad(total, thetas, materialize_grads=True)
    for name, each in zip(model.coefficients, slopes, strict=True):
        if not each:
            logger.warning(
                "%s: at the start the residual of %s does not change with it, nor do its conditions, and it may keep "
                "its start for good; they must use it as a tensor, in torch.* functions",
                name,
                type(model.problem).__name__,
            )
