"""`Kernel`: a kernel between differential operators at points, as one matrix of blocks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.differentiation import operators_of
from pinnreg.errors import InputError, unknown
from pinnreg.taylor import Operator

ASYMMETRY = 1e-5
"""Relative; products in single precision are no more symmetric than this."""


@final
@dataclass(frozen=True)
class Kernel:
    """K_ab[i, j] between the operators D_a at x_i and D_b at x'_j, for all a and b.

    Attributes:
        matrix: (k n, k m) for k operators; the operators stand one after the other, for each all points in their order,
            for each point all outputs of the network, if it has several.
        keys: the operators, as they were asked for.
    """

    matrix: Tensor
    keys: tuple[Hashable, ...]

    def block(self, row: Hashable, column: Hashable) -> Tensor:
        """K_ab for the operators a = `row` and b = `column`, (n, m).

        Raises:
            InputError: an operator that is not among the keys.
        """
        height, width = (size // len(self.keys) for size in self.matrix.shape)
        i, j = self._number(row), self._number(column)
        return self.matrix[i * height : (i + 1) * height, j * width : (j + 1) * width]

    def spread(self, values: Mapping[Hashable, float]) -> Tensor:
        """One number for each row, (k n,), given one for each operator, such as the weights in a loss.

        Raises:
            InputError: an operator without a number, or a number of none of the keys.
        """
        for key in values:
            self._number(key)
        if missing := [key for key in self.keys if key not in values]:
            raise InputError(f"kernel: expected a value for each operator, got none for {missing[0]!r}")
        each = self.matrix.new_tensor([values[key] for key in self.keys])
        return each.repeat_interleave(len(self.matrix) // len(self.keys))

    @property
    def eigenvalues(self) -> Tensor:
        """The eigenvalues of the matrix, (k n,), the largest first, in double precision.

        Raises:
            InputError: a kernel between points and others, which is not symmetric.
        """
        matrix = self.matrix.double()
        square = matrix.shape[0] == matrix.shape[1]
        if not square or float((matrix - matrix.T).abs().max()) > ASYMMETRY * float(matrix.abs().max()):
            raise InputError("kernel: only that of points with themselves is symmetric and has eigenvalues")
        values: Tensor = torch.linalg.eigvalsh((matrix + matrix.T) / 2).flip(0)
        return values

    def _number(self, key: Hashable) -> int:
        if key not in self.keys:
            raise unknown("operator", str(key), [str(each) for each in self.keys])
        return self.keys.index(key)


def operators_or_value(
    derivatives: Iterable[Hashable] | None, points: Tensor, axes: Sequence[str] | None
) -> dict[Hashable, Operator]:
    """The operators that keys mean, as for `pinnreg.derivatives`; the value alone if none are given.

    Raises:
        InputError: keys that mean nothing, no key at all, or points that are no matrix.
    """
    value: Hashable = "" if axes is not None else (0,) * points.shape[-1]
    operators = operators_of([value] if derivatives is None else derivatives, points, axes)
    if not operators:
        raise InputError("kernel: expected at least one operator, as in derivatives=[(0,)]")
    return operators
