"""How a residual depends on the derivatives of u: of which order they are, and with which coefficients they enter.

A residual is a function of x and of derivatives of u, in which it is linear in the highest, or nearly so. Here they are
given numbers that have nothing to do with each other and are the same at all points, so that what changes along a line
is what depends on x.
"""

from __future__ import annotations

from functools import cached_property
from typing import final

import torch
from torch import Tensor

from pinnreg.equations.jumps import lines_inside
from pinnreg.equations.points import Points
from pinnreg.equations.problem import Problem
from pinnreg.equations.residual import evaluate_residual
from pinnreg.equations.sweep import Elsewhere, Sweep, Table
from pinnreg.equations.trial import Trial
from pinnreg.errors import InputError
from pinnreg.randomness import generator
from pinnreg.taylor import Laplacian, Operator


@final
class Linearity:
    """How a residual depends on derivatives of u, with numbers in their place."""

    def __init__(self, problem: Problem, device: torch.device | None = None) -> None:
        self._problem = problem
        self._device = device
        outputs = tuple(problem.outputs)
        self._trial = Trial(problem.domain.axes, outputs, ((),) * len(outputs), parameters=tuple(problem.parameters))

    @cached_property
    def numbers(self) -> dict[Operator, Tensor]:
        """A number (outputs,) for each derivative that the residual asks for.

        Raises:
            InputError: as `evaluate_residual`.
        """
        lines = lines_inside(self._problem.domain, self._trial.axes[0])
        x = lines.at(torch.arange(len(lines)), torch.full((len(lines),), 0.4798, dtype=torch.float64))
        table = self._table(x, {})
        evaluate_residual(self._problem, table)
        draw = generator(0, "numbers for derivatives")
        shape = (len(self._trial.outputs),)
        # of one sign and below 1, where most functions of derivatives, as roots and logarithms, are defined
        here = [key for key in table.values if not isinstance(key, Elsewhere)]
        return {key: 0.3 + 0.6 * torch.rand(shape, generator=draw, dtype=torch.float64) for key in here}

    def residual(self, x: Tensor, changed: dict[Operator, Tensor]) -> dict[str, Tensor]:
        """The equations at points (n, d), with some numbers changed."""
        rows = {key: value.expand(len(x), -1) for key, value in {**self.numbers, **changed}.items()}
        return {name: each.detach().cpu().double() for name, each in self._evaluated(x, rows).items()}

    def coefficients(self, x: Tensor, operator: Operator, output: int) -> dict[str, Tensor]:
        """By how much the equations grow with one derivative of one output, at points (n, d)."""
        more = self.numbers[operator].clone()
        more[output] += 1
        before, after = self.residual(x, {}), self.residual(x, {operator: more})
        return {name: after[name] - before[name] for name in before}

    def order(self, axis: str) -> int:
        """The highest order along an axis; 0 if the residual cannot be asked."""
        try:
            return max((order_along(each, self._trial.axes.index(axis)) for each in self.numbers), default=0)
        except InputError:
            return 0  # which is said where the residual is checked

    def _evaluated(self, x: Tensor, rows: dict[Operator, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            return evaluate_residual(self._problem, self._table(x, rows))

    def _table(self, x: Tensor, rows: dict[Operator, Tensor]) -> Table:
        x = x.to(self._device)
        mixing = torch.linspace(0.3, 0.9, x.shape[1] * len(self._trial.outputs), dtype=x.dtype, device=x.device)
        waves = mixing.reshape(x.shape[1], -1)
        # any smooth function: only what the residual asks for matters
        sweep = Sweep(self._trial, lambda points: torch.sin(points @ waves), Points(x))
        return Table(sweep, Points(x), {key: value.to(x.device) for key, value in rows.items()})


def order_along(operator: Operator, axis: int) -> int:
    """The highest order of an operator's derivatives along an axis."""
    if isinstance(operator, Laplacian):
        return 2 * operator.power if axis in operator.axes else 0
    return operator[axis]
