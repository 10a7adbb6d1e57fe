"""Values and derivatives of an objective: functions of it, a batch and the parameters, and of nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from pinnreg.errors import InputError
from pinnreg.objective.batch import Batch
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective
from pinnreg.objective.shifts import shifted

Gradient = tuple[dict[str, Tensor], dict[str, Tensor]]
"""The unweighted value of each loss term, and the gradient of the weighted sum by parameter."""


def gradient(objective: Objective, batch: Batch, parameters: Parameters) -> Gradient:
    """The value of each loss term and the gradient of their weighted sum, means over the perturbations."""
    return over_shifts(batch, parameters, lambda at: plain_gradient(objective, batch, at))


def over_shifts(batch: Batch, parameters: Parameters, function: Callable[[Parameters], Gradient]) -> Gradient:
    """The mean of a function over the perturbations of the parameters."""
    found = [(shift.share, function(shifted(parameters, shift))) for shift in batch.shifts]
    if len(found) == 1:
        return found[0][1]
    losses, gradients = ([(share, each[part]) for share, each in found] for part in (0, 1))
    return _mean(losses), _mean(gradients)


def plain_gradient(objective: Objective, batch: Batch, parameters: Parameters) -> Gradient:
    """The same without perturbations; `parameters` require gradients."""
    losses = objective.losses(batch, parameters)
    total = torch.dot(batch.weight_vector, torch.stack(list(losses.values())))
    found = torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)
    values = {name: value.detach() for name, value in losses.items()}
    return values, dict(zip(parameters, found, strict=True))


def residuals(objective: Objective, batch: Batch, parameters: Parameters) -> Tensor:
    """All rows √(s_j w_i/n_i) r_i(W + U_j), (n,), without gradients, by loss term and then by perturbation.

    The loss is their sum of squares.

    Raises:
        InputError: a term of power 1, which is no sum of squares.
    """
    check_squares(objective)
    with torch.no_grad():
        found = [objective.rows(batch, shifted(parameters, shift)) for shift in batch.shifts]
        return torch.cat(
            [
                math.sqrt(shift.share * batch.weights[name] / batch.counts[name]) * rows[name].residuals
                for name in objective.names
                for shift, rows in zip(batch.shifts, found, strict=True)
            ]
        )


def check_squares(objective: Objective) -> None:
    """Refuse terms of power 1 where a sum of squares is asked for."""
    for term in objective.terms:
        if term.power == 1:
            raise InputError(f"{term.name}: the mean of |r| is no mean of squares, which Gauss-Newton steps need")


def total(batch: Batch, losses: Mapping[str, Tensor]) -> Tensor:
    """The weighted sum of some terms' values."""
    return torch.stack([batch.weights[name] * value for name, value in losses.items()]).sum()


def weighted(batch: Batch, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each term's share of the loss."""
    return {name: batch.weights[name] * value for name, value in losses.items()}


def sweep_points(objective: Objective, batch: Batch) -> int:
    """How many points the network is evaluated at for all terms, once for each perturbation."""
    shapes = {term.name: objective.shapes[term.name] for term in objective.terms}
    used = (batch.points[name].rows * shape.seen for name, shape in shapes.items() if shape.operators)
    return len(batch.shifts) * sum(used)


def _mean(weighted: Sequence[tuple[float, Mapping[str, Tensor]]]) -> dict[str, Tensor]:
    return {name: torch.stack([share * each[name] for share, each in weighted]).sum(dim=0) for name in weighted[0][1]}
