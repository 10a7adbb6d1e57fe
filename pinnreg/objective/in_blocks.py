"""An objective to first order, with its Jacobian in blocks where that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.objective.balance import looked_at
from pinnreg.objective.batch import Batch
from pinnreg.objective.blocks import Block, Blocks, Jacobian
from pinnreg.objective.functions import check_squares
from pinnreg.objective.linearise import Linearised, by_layer_suffices, linearise
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective


@final
@dataclass(frozen=True, eq=False)
class InBlocks:
    """An objective Σ r² at given parameters, to first order; as `Linearised`, but for its Jacobian.

    Attributes:
        losses: the unweighted value of each term.
        rows: where the rows of each term are.
        residuals: all rows √(w/n) r, (n,).
        jacobian: their derivatives by all parameters.
    """

    losses: dict[str, Tensor]
    rows: dict[str, slice]
    residuals: Tensor
    jacobian: Jacobian


def goes_in_blocks(objective: Objective, batch: Batch, parameters: Parameters) -> bool:
    """Whether a Jacobian is to be taken in blocks: where that was asked for, and it is the largest matrix of a step."""
    rows = len(batch.shifts) * sum(batch.counts.values())
    return objective.model.chunk is not None and rows > sum(each.numel() for each in parameters.values())


def in_blocks(
    objective: Objective,
    batch: Batch,
    parameters: Parameters,
    *,
    by_layer: bool | None = None,
    counted: Callable[[], None] = lambda: None,
) -> InBlocks:
    """The objective of a batch at `parameters`, to first order; the rows of all perturbed networks.

    Args:
        objective: what is minimised.
        batch: with the points and weights.
        parameters: where.
        by_layer: what `by_layer_suffices` says; None asks it.
        counted: called at the start of each pass over the rows.

    Raises:
        InputError: a term of power 1, which is no sum of squares.
    """
    check_squares(objective)
    if by_layer is None:
        by_layer = by_layer_suffices(objective, looked_at(batch, parameters, tuple(batch.points)), parameters)
    at = {name: each.detach().clone() for name, each in parameters.items()}
    jacobian = Blocks(objective, batch, at, by_layer, counted)
    losses, residuals = jacobian.values()
    return InBlocks(losses, jacobian.rows, residuals, jacobian)


def linearised_for(
    objective: Objective, batch: Batch, parameters: Parameters, *, by_layer: bool | None = None
) -> Linearised | InBlocks:
    """The objective to first order, in blocks where that was asked for; arguments as of `in_blocks`."""
    if goes_in_blocks(objective, batch, parameters):
        return in_blocks(objective, batch, parameters, by_layer=by_layer)
    return linearise(objective, batch, parameters, by_layer=by_layer)


def residuals_in_blocks(objective: Objective, batch: Batch, parameters: Parameters) -> Tensor:
    """All rows of a batch, (n,), as of `residuals`: no more of them at once than of the Jacobian."""
    check_squares(objective)
    return Blocks(objective, batch, parameters, by_layer=True).values()[1]


def blocks_of(at: Linearised | InBlocks) -> Iterable[Block]:
    """The blocks of a Jacobian, one of a whole one."""
    if isinstance(at, InBlocks):
        return at.jacobian
    return [Block(torch.arange(len(at.residuals), device=at.residuals.device), at.rows, at.jacobian)]
