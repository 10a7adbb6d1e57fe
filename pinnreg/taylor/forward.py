"""The series of a function of the coordinates that has no Taylor rule, by nested forward mode.

Unlike reverse mode that works inside of torch's function transforms, by which Jacobians are taken. A derivative of
order k costs 2ᵏ evaluations, so that it is for functions that are cheap beside a network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pinnreg.taylor.series import Series

Function = Callable[[Tensor], Tensor]


def by_forward_mode(function: Callable[[Tensor], Any], points: Series) -> Series:
    """The series of a function at points that are the coordinates themselves.

    Args:
        function: maps (n, d) to (n, m), each row from its own point only.
        points: the series of the coordinates, (n, d).
    """
    algebra, at = points.algebra, points.value
    wanted = {index for expansion in algebra.expansions for index, _ in expansion}
    table = {index: _derivative(function, index, at)(at) for index in wanted}
    rows = []
    for expansion in algebra.expansions:
        total = torch.zeros_like(next(iter(table.values())))
        for index, weight in expansion:
            total = total + weight * table[index]
        rows.append(total)
    return Series(algebra, tuple(range(len(rows))), (torch.stack(rows),))


def _derivative(function: Function, index: tuple[int, ...], at: Tensor) -> Function:
    found = function
    for axis, times in enumerate(index):
        along = torch.zeros_like(at)
        along[:, axis] = 1
        for _ in range(times):
            found = _slope(found, along)
    return found


def _slope(function: Function, along: Tensor) -> Function:
    def slope(points: Tensor) -> Tensor:
        derivative: Tensor = torch.func.jvp(function, (points,), (along,))[1]
        return derivative

    return slope
