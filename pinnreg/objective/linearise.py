"""Residual rows of an objective and their Jacobian with respect to all parameters.

Row i of a term depends on its own point (for a periodic condition on its pair of points) only. So the gradient of the
sum of all rows with respect to the output of a linear layer is, at point i, that of row i; its outer product with what
went into the layer there is the row's gradient with respect to the weights. One backward pass for each equation gives
the whole Jacobian, with no loop over rows and nothing traced anew (2500 rows and 921 parameters: 12 ms, where
`torch.func.vmap` of the gradient takes 108 ms).

That covers networks whose parameters all sit in linear layers. Others take the batched backward passes of
`torch.func.jacrev`, a few points at a time since a row needs its own only, or, where derivatives are nested, one
backward pass a row.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor

from pinnreg.differentiation import slope
from pinnreg.equations import Asked, Points, Sweep
from pinnreg.jacobians import jacobian_of
from pinnreg.objective.batch import Batch
from pinnreg.objective.filling import OtherParametersError, fill_by_layer, fill_diagonal, fill_from
from pinnreg.objective.functions import check_squares
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.parting import at_once, parts
from pinnreg.objective.rows import Rows
from pinnreg.objective.shifts import shifted
from pinnreg.objective.terms import OnParameters, Term
from pinnreg.regularisers import UNSHIFTED, Shift
from pinnreg.taylor import LinearRecord

logger = logging.getLogger("pinnreg")

TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-2}
POINTS_OF_JACREV = 32


@final
@dataclass(frozen=True, eq=False)
class Linearised:
    """An objective Σ r² at given parameters, to first order.

    Attributes:
        losses: the unweighted value of each term.
        rows: where the rows of each term are.
        residuals: all rows √(w/n) r, (n,).
        jacobian: their derivatives by all parameters, (n, p), columns in the order of the parameters; it lies one
            parameter after the other, as LAPACK wants it.
    """

    losses: dict[str, Tensor]
    rows: dict[str, slice]
    residuals: Tensor
    jacobian: Tensor


def linearise(
    objective: Objective,
    batch: Batch,
    parameters: Parameters,
    *,
    by_layer: bool | None = None,
    buffer: Tensor | None = None,
) -> Linearised:
    """The objective of a batch at `parameters`, to first order; the rows of all perturbed networks.

    Args:
        objective: what is minimised.
        batch: with the points and weights.
        parameters: where.
        by_layer: what `by_layer_suffices` says; None asks it.
        buffer: (p, n), which the Jacobian is written into and then lies in; None for a new one.

    Raises:
        InputError: a term of power 1, which is no sum of squares.
    """
    check_squares(objective)
    if by_layer is None:
        by_layer = by_layer_suffices(objective, batch.points, parameters)
    scales = {name: math.sqrt(batch.weights[name] / count) for name, count in batch.counts.items()}
    what = What(objective, batch.points, batch.counts, scales, objective.on_parameters, batch.shifts)
    return linearised(what, parameters, by_layer=by_layer, chunk=objective.model.chunk, buffer=buffer)


def linearise_rows(
    objective: Objective, points: Mapping[str, Points], parameters: Parameters, *, by_layer: bool | None = None
) -> Linearised:
    """The rows r of some terms themselves, unweighted, without noise and without penalties on the parameters."""
    if by_layer is None:
        by_layer = by_layer_suffices(objective, points, parameters)
    return linearised(_plain(objective, points), parameters, by_layer=by_layer)


def by_layer_suffices(objective: Objective, points: Mapping[str, Points], parameters: Parameters) -> bool:
    """Whether the parameters act through recorded linear layers only: then Jᵀ c is the gradient of c · rows.

    For rows c that are no residuals: those vanish at a minimum, from where a run may be resumed.
    """
    what = _plain(objective, points)
    leaves = {name: values.detach().requires_grad_() for name, values in parameters.items()}
    with torch.enable_grad():
        found_rows: dict[str, Rows] = {}
        for name, at in points.items():
            found_rows |= objective.rows_at(objective.term(name), at, leaves)
        rows = torch.cat([each.residuals for each in found_rows.values()])
        c = torch.linspace(1, 2, len(rows), dtype=rows.dtype, device=rows.device)
        gradient = torch.autograd.grad(c @ rows, list(leaves.values()), materialize_grads=True)
    expected = torch.cat([each.reshape(-1) for each in gradient])
    if not expected.isfinite().all():
        return True  # it makes no difference, and training will say what is not finite
    try:
        found = linearised(what, parameters, by_layer=True, chunk=objective.model.chunk)
    except OtherParametersError:
        difference = math.inf
    else:
        difference = float((found.jacobian.T @ c - expected).abs().max())
    if difference <= TOLERANCES[expected.dtype] * float(expected.abs().max()):
        return True
    logger.warning("not all of the network's parameters sit in linear layers: its Jacobian takes longer")
    return False


@final
@dataclass(frozen=True, eq=False)
class What:
    """What is to be linearised: which terms at which points, with the number and the scale of the rows of each."""

    objective: Objective
    points: Mapping[str, Points]
    counts: Mapping[str, int]
    scales: Mapping[str, float]
    on_parameters: Sequence[OnParameters] = ()
    shifts: Sequence[Shift] = UNSHIFTED


@final
@dataclass(frozen=True, eq=False)
class _Piece:
    """Some rows of a term; `fill` writes their Jacobian, (parameters, runs, points), given runs and scale."""

    term: str
    rows: Rows
    at: slice
    fill: Callable[[Tensor, Tensor, float], None]


def _plain(objective: Objective, points: Mapping[str, Points]) -> What:
    counts = {name: runs * at.rows for term, at in points.items() for name, runs in objective.shapes[term].runs.items()}
    return What(objective, points, counts, dict.fromkeys(counts, 1.0))


def linearised(
    what: What, parameters: Parameters, *, by_layer: bool, chunk: int | None = None, buffer: Tensor | None = None
) -> Linearised:
    """Some terms to first order, at most `chunk` points at a time; `buffer` as of `linearise`."""
    copies, like = len(what.shifts), what.objective.model.like
    width = sum(values.numel() for values in parameters.values())
    count = copies * sum(what.counts.values())
    if buffer is None:
        buffer = like.new_empty((width, count))
    residuals = like.new_empty(count)
    here = slices({term: copies * size for term, size in what.counts.items()})
    losses = {term: like.new_zeros(()) for term in what.counts}
    for number, shift in enumerate(what.shifts):
        leaves = {name: each.detach().requires_grad_() for name, each in shifted(parameters, shift).items()}
        for piece in _pieces(what, leaves, by_layer=by_layer, chunk=chunk):
            size = what.counts[piece.term]
            losses[piece.term] += shift.share / size * piece.rows.squares.detach().sum()
            scale = math.sqrt(shift.share) * what.scales[piece.term]
            start = here[piece.term].start + number * size
            at = piece.at
            # several rows a point: each run goes over all points
            runs = (scale * piece.rows.residuals).view(-1, at.stop - at.start)
            residuals[start : start + size].view(len(runs), -1)[:, at] = runs.detach()
            target = buffer[:, start : start + size].view(width, len(runs), -1)[:, :, at]
            piece.fill(target, runs, scale)
    return Linearised(losses, here, residuals, buffer.T)


def _pieces(what: What, leaves: Parameters, *, by_layer: bool, chunk: int | None) -> Iterator[_Piece]:
    """The rows of all terms at some parameters, some points at a time."""
    objective = what.objective
    network = objective.model.network_part(leaves)
    for name, points in what.points.items():
        term = objective.term(name)
        for part, at in parts(points, at_once(objective.shapes[name].seen, chunk) if by_layer else POINTS_OF_JACREV):
            record, found, operators = _recorded(objective, term, leaves, part)
            table = {} if by_layer else _by_rows(objective, term, part, leaves, operators)
            slopes = _slopes(objective, term, leaves, part, operators) if by_layer else {}
            for loss_term, rows in found.items():
                fill = (
                    partial(fill_by_layer, calls=record.calls, leaves=network, slopes=slopes.get(loss_term))
                    if by_layer
                    else partial(fill_from, table=table[loss_term])
                )
                yield _Piece(loss_term, rows, at, fill)
    for each in what.on_parameters:
        rows = each.rows(objective.model.network, network)
        yield _Piece(each.name, rows, slice(0, len(rows.values)), _filling(objective, each, leaves))


def _recorded(
    objective: Objective, term: Term, leaves: Parameters, points: Points
) -> tuple[LinearRecord, dict[str, Rows], frozenset[Asked]]:
    """The rows of a term, the layers between them and the parameters, and the operators that were asked for."""
    problem, operators = objective.model.problem_at(leaves), objective.shapes[term.name].operators
    while True:
        record = LinearRecord()
        with torch.enable_grad(), record:
            sweep = objective.model.sweep(leaves, points, operators, whole=True)
            found = term.rows(problem, sweep)
        # an operator first asked for inside a torch function was computed by layers out of the recording's sight
        if sweep.operators == operators:
            return record, found, operators
        operators = sweep.operators


def _by_rows(
    objective: Objective, term: Term, points: Points, leaves: Parameters, operators: frozenset[Asked]
) -> dict[str, Tensor]:
    """The Jacobian of the rows of each loss term at some points, (rows, p), for any dependence on the parameters."""
    model = objective.model
    # g and φ by nested differentiation, which transforms of functions refuse
    known = objective.lifted(term, points)

    def residuals(parameters: Parameters) -> dict[str, Tensor]:
        sweep = model.sweep(parameters, known, operators, whole=True)
        found = term.rows(model.problem_at(parameters), sweep)
        return {name: rows.residuals for name, rows in found.items()}

    return jacobian_of(residuals, leaves)


def _slopes(
    objective: Objective, term: Term, leaves: Parameters, points: Points, operators: frozenset[Asked]
) -> dict[str, Tensor]:
    """The derivatives of the residuals by the unknown coefficients, (rows, coefficients) by loss term.

    Nothing where there are no coefficients. Forward through the residual's arithmetic only, which is cheap.
    """
    model = objective.model
    if not model.coefficients:
        return {}
    with torch.no_grad():
        sweep = model.sweep(leaves, points, operators, whole=True)
    columns = []
    for coefficient in model.coefficients:
        theta = leaves[coefficient].detach()
        residuals = partial(_of_coefficient, objective, term, leaves, coefficient, sweep)
        columns.append(slope(residuals, (theta,), (torch.ones_like(theta),)))
    return {name: torch.stack([column[name].detach() for column in columns], dim=1) for name in columns[0]}


def _of_coefficient(
    objective: Objective, term: Term, leaves: Parameters, coefficient: str, sweep: Sweep, theta: Tensor
) -> dict[str, Tensor]:
    problem = objective.model.problem_at({**leaves, coefficient: theta})
    return {name: rows.residuals for name, rows in term.rows(problem, sweep).items()}


def _filling(objective: Objective, term: OnParameters, leaves: Parameters) -> Callable[[Tensor, Tensor, float], None]:
    """What writes the Jacobian of a penalty on the parameters themselves."""
    if term.penalty.diagonal:
        return fill_diagonal
    model = objective.model
    found = jacobian_of(lambda at: {term.name: term.rows(model.network, model.network_part(at)).residuals}, leaves)
    return partial(fill_from, table=found[term.name])


def slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Ranges of the given lengths, one after the other."""
    ends = list(itertools.accumulate(sizes.values()))
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}
