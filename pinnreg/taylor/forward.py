"""The series of a function of the coordinates that has no Taylor rule, by nested forward mode.

Unlike reverse mode that works inside of torch's function transforms, by which Jacobians are taken. A derivative of
order k costs 2ᵏ evaluations. Points mostly stay from step to step, and what is known there is kept as long as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.utils.weak import WeakIdKeyDictionary

from pinnreg.taylor.algebra import Algebra
from pinnreg.taylor.series import Series

Function = Callable[[Tensor], Tensor]

_KNOWN = WeakIdKeyDictionary()


def by_forward_mode(function: Callable[[Tensor], Any], points: Series) -> Series:
    """The series of a function at points that are the coordinates, or an affine map of them, as their mirror images.

    Args:
        function: maps (n, d) to (n, m), each row from its own point only.
        points: the series of the points, (n, d).

    Raises:
        NotImplementedError: while operations are recorded to be compiled, which crashes with forward mode (torch
            2.13); derivatives are then taken by nested reverse mode.
    """
    if get_proxy_mode() is not None:
        raise NotImplementedError("a function of the coordinates without a Taylor rule, as at interfaces and corners")
    algebra, at = points.algebra, points.value
    known = None if at.requires_grad or torch.is_inference_mode_enabled() else _known_at(at)
    if known is None:
        return Series(algebra, _all_rows(algebra), (_stack(function, points),))
    if (function, algebra) not in known:
        with torch.no_grad():
            known[function, algebra] = _stack(function, points)
    return Series(algebra, _all_rows(algebra), (known[function, algebra],))


def _known_at(at: Tensor) -> dict[Any, Tensor] | None:
    """What is kept of points: of the tensor that they are a view of, as long as that lives and is not changed."""
    if torch._C._functorch.is_functorch_wrapped_tensor(at):
        return None
    owner = at if at._base is None else at._base
    place = (at.storage_offset(), at.shape, at.stride(), at._version)
    return _KNOWN.setdefault(owner, {}).setdefault(place, {})  # type: ignore[no-any-return]


def _all_rows(algebra: Algebra) -> tuple[int, ...]:
    return tuple(range(len(algebra.expansions)))


def _stack(function: Callable[[Tensor], Any], points: Series) -> Tensor:
    algebra, at = points.algebra, points.value
    wanted = {index for expansion in algebra.expansions for index, _ in expansion}
    # where the points go along each axis: second derivatives of an affine map are none
    axes = [axis for axis in range(algebra.dimension) if any(index[axis] for index in wanted)]
    units = [tuple(int(axis == each) for each in range(algebra.dimension)) for axis in axes]
    along = dict(zip(axes, points.derivatives(units), strict=True)) if axes else {}
    table = {index: _derivative(function, index, along)(at) for index in wanted}
    rows = []
    for expansion in algebra.expansions:
        total = torch.zeros_like(next(iter(table.values())))
        for index, weight in expansion:
            total = total + weight * table[index]
        rows.append(total)
    return torch.stack(rows)


def _derivative(function: Function, index: tuple[int, ...], along: Mapping[int, Tensor]) -> Function:
    found = function
    for axis, times in enumerate(index):
        for _ in range(times):
            found = _slope(found, along[axis])
    return found


def _slope(function: Function, along: Tensor) -> Function:
    def slope(points: Tensor) -> Tensor:
        derivative: Tensor = torch.func.jvp(function, (points,), (along.expand_as(points).contiguous(),))[1]
        return derivative

    return slope
