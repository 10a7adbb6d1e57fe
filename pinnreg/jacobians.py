"""Jacobians of any function of tensors that autograd can differentiate."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Parameters = dict[str, Tensor]


def jacobian_of(
    function: Callable[[Parameters], dict[str, Tensor]], parameters: Parameters, *, chunk: int | None = None
) -> dict[str, Tensor]:
    """The Jacobian of each vector that a function of parameters returns, (rows, p), for any dependence on them.

    By batched backward passes, at most `chunk` rows at a time, or, where derivatives are nested, which `torch.func`
    does not reach, one for each row.

    Raises:
        RuntimeError, TypeError: where autograd cannot follow the function.
    """
    try:
        tables = torch.func.jacrev(function, chunk_size=chunk)(parameters)
    except torch.OutOfMemoryError:
        raise  # one by one would need no less
    except RuntimeError:
        leaves = {name: values.detach().requires_grad_() for name, values in parameters.items()}
        with torch.enable_grad():
            return {name: one_by_one(rows, leaves) for name, rows in function(leaves).items()}
    return {
        name: torch.cat([each.detach().reshape(len(each), -1) for each in by_parameter.values()], dim=1)
        for name, by_parameter in tables.items()
    }


def one_by_one(rows: Tensor, leaves: Parameters) -> Tensor:
    """The Jacobian of rows, (rows, parameters), by one backward pass each; zeros where they depend on no leaf."""
    parameters = list(leaves.values())
    if not rows.requires_grad:
        return rows.new_zeros(len(rows), sum(each.numel() for each in parameters))
    gradients = (torch.autograd.grad(row, parameters, retain_graph=True, materialize_grads=True) for row in rows)
    return torch.stack([torch.cat([each.reshape(-1) for each in gradient]) for gradient in gradients])
