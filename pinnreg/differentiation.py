"""Partial derivatives of a network at points, all wanted ones in one sweep.

Each derivative is one reverse-mode differentiation of a lower one, and lower ones are shared: u_xx and u_xt both start
from u_x. Points must not interact in the network (no batch normalisation), since row i of the gradient of a sum is then
the gradient at point i.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from pinnreg.errors import InputError

MultiIndex = tuple[int, ...]
"""How often to differentiate along each axis: (2, 1) is u_xxt on the axes (x, t)."""

Key = TypeVar("Key", bound=Hashable)


def derivatives(
    network: Callable[[Tensor], Tensor],
    points: Tensor,
    wanted: Iterable[Key],
    *,
    axes: Sequence[str] | None = None,
    chunk: int | None = None,
) -> dict[Key, Tensor]:
    """Partial derivatives D^α of a network's outputs at points, differentiable in parameters and points.

    Args:
        network: maps (n, d) to (n, outputs), each row from its own point only.
        points: (n, d); gradients flow to them if they require it.
        wanted: multi-indices α such as (2, 0), (0, 0) for the value; or, with `axes`, names such as "xx" and "".
        axes: the names of the d columns, when `wanted` holds names.
        chunk: at most so many points at once, to bound memory; the result is the same.

    Returns:
        One (n, outputs) tensor per key, in the order of `wanted`.

    Raises:
        InputError: an index of the wrong length, a negative one, or a name that is no sequence of axes.
    """
    indices = {key: _multi_index(key, points.shape[1], axes) for key in wanted}
    if chunk is not None and chunk < 1:
        raise InputError(f"derivatives: chunk must be a positive integer, got {chunk}")
    pieces = [points] if chunk is None or points.shape[0] <= chunk else list(points.split(chunk))
    tables = [_sweep(network, piece, set(indices.values())) for piece in pieces]
    return {key: torch.cat([table[index] for table in tables]) for key, index in indices.items()}


def parse_name(name: str, axes: Sequence[str]) -> MultiIndex | None:
    """The multi-index of a name such as "xxt", or None if it is not a sequence of axis names."""
    counts = dict.fromkeys(axes, 0)
    rest = name
    while rest:
        # the longest name first, so that x10 is not read as x1 and a stray 0
        axis = max((axis for axis in axes if rest.startswith(axis)), key=len, default=None)
        if axis is None:
            return None
        counts[axis] += 1
        rest = rest[len(axis) :]
    return tuple(counts.values())


def _multi_index(key: Hashable, dimension: int, axes: Sequence[str] | None) -> MultiIndex:
    if isinstance(key, str):
        if axes is None or len(axes) != dimension:
            raise InputError(f"derivatives: the name {key!r} needs axes=, one name for each of the {dimension} columns")
        index = parse_name(key, axes)
        if index is None:
            raise InputError(f"derivatives: {key!r} is not a sequence of the axes {', '.join(axes)}")
        return index
    if (
        not isinstance(key, tuple)
        or len(key) != dimension
        or not all(isinstance(order, int) and order >= 0 for order in key)
    ):
        raise InputError(f"derivatives: expected {dimension} orders of at least 0 as a tuple, got {key!r}")
    return key


def _sweep(network: Callable[[Tensor], Tensor], points: Tensor, wanted: set[MultiIndex]) -> dict[MultiIndex, Tensor]:
    if not any(sum(index) for index in wanted):
        values = network(points)
        return dict.fromkeys(wanted, values)
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = points if keep and points.requires_grad else points.detach().requires_grad_()
        columns = [_nested(column, inputs, wanted) for column in network(inputs).unbind(dim=1)]
        table = {index: torch.stack([column[index] for column in columns], dim=1) for index in wanted}
    return table if keep else {index: values.detach() for index, values in table.items()}


def _nested(values: Tensor, points: Tensor, wanted: set[MultiIndex]) -> dict[MultiIndex, Tensor]:
    table = {(0,) * points.shape[1]: values}
    gradients: dict[MultiIndex, tuple[Tensor, ...]] = {}

    def compute(index: MultiIndex) -> Tensor:
        if index not in table:
            # lower the last axis: all pure and mixed derivatives of one axis then share their chain
            axis = max(i for i, order in enumerate(index) if order)
            parent = tuple(order - (i == axis) for i, order in enumerate(index))
            if parent not in gradients:
                gradients[parent] = _gradient(compute(parent), points).unbind(dim=1)
            table[index] = gradients[parent][axis]
        return table[index]

    return {index: compute(index) for index in sorted(wanted)}


def _gradient(values: Tensor, points: Tensor) -> Tensor:
    if not values.requires_grad:  # constant in the points, hence so are all its derivatives
        return torch.zeros_like(points)
    (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=True, materialize_grads=True)
    return gradient
