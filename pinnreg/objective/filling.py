"""Writing the Jacobian of rows into its place, (parameters, runs, points)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from pinnreg.taylor import LinearCall

Parameters = dict[str, Tensor]


@final
class OtherParametersError(Exception):
    """A parameter that no recorded layer has."""


def fill_from(target: Tensor, runs: Tensor, scale: float, table: Tensor) -> None:
    """The Jacobian from a table (rows, parameters) without the scale."""
    target.copy_(scale * table.T.view(target.shape))


def fill_diagonal(target: Tensor, runs: Tensor, scale: float) -> None:
    """The Jacobian of rows that are √n times the first n parameters, in their order."""
    count = runs.numel()
    target.zero_()
    target[:count, 0].fill_diagonal_(scale * math.sqrt(count))


def fill_by_layer(
    target: Tensor,
    runs: Tensor,
    scale: float,
    calls: Sequence[LinearCall],
    leaves: Parameters,
    slopes: Tensor | None,
) -> None:
    """The Jacobian of rows from the layers between them and the network's parameters.

    Args:
        target: (parameters, runs, points), any content; coefficients stand after the network's parameters.
        runs: (runs, points), row i of each from point i, or from i, i + points, ... of several times as many.
        scale: of the rows.
        calls: the linear layers between parameters and rows.
        leaves: the network's parameters.
        slopes: the derivatives by the coefficients, (rows, coefficients), without the scale; None if there are none.
    """
    size = sum(leaf.numel() for leaf in leaves.values())
    for values, each in zip(runs, target[:size].unbind(dim=1), strict=True):
        _fill_run(each, values, calls, leaves)
    if slopes is not None:
        target[size:] = scale * slopes.T.view(-1, *runs.shape)


def _fill_run(target: Tensor, values: Tensor, calls: Sequence[LinearCall], leaves: Parameters) -> None:
    if not values.requires_grad:  # an equation without the network
        target.zero_()
        return
    gradients = torch.autograd.grad(values.sum(), [call.y for call in calls], retain_graph=True, materialize_grads=True)
    found: dict[int, Tensor] = {}
    for call, gradient in zip(calls, gradients, strict=True):
        weight, bias = call.gradients(gradient)
        for parameter, each in ((call.weight, weight), (call.bias, bias)):
            if parameter is not None:
                by_run = each.reshape(parameter.numel(), -1, len(values))
                by_row = by_run[:, 0] if by_run.shape[1] == 1 else by_run.sum(dim=1)
                found[id(parameter)] = found[id(parameter)] + by_row if id(parameter) in found else by_row
    # a layer's weight can be none of them: one that is not trained
    if not found.keys() >= {id(leaf) for leaf in leaves.values()}:
        raise OtherParametersError
    torch.cat([found[id(leaf)] for leaf in leaves.values()], out=target)
