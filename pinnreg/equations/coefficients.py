"""Where coefficients of the highest derivatives jump.

A network has continuous derivatives. Where the coefficient of the highest one along an axis jumps, as k of k u_xx, a
smooth u can still obey the equation on either side; but that is another problem than (k u_x)_x, whose solution has a
continuous flux k u_x, and so a kink. Jumps of sources and of coefficients of lower derivatives make no kink.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pinnreg.domain import Shape
from pinnreg.equations.jumps import Gap, Jumps, Lines, Sample, jumps, lines_inside
from pinnreg.equations.linearity import Linearity, order_along
from pinnreg.equations.problem import Problem
from pinnreg.errors import InputError
from pinnreg.taylor import Laplacian, Operator

SMALLEST = 1e-2
"""The smallest jump that counts, of the coefficient; u_x is wrong by about as much."""
FLOOR = 1e-3
"""Below this part of its size, a coefficient is as good as zero, and its sign no jump."""

NEAR = 1e-3
"""How far beside a jump, of the line, is looked for an interface that it lies on."""


@final
@dataclass(frozen=True)
class _Entry:
    """A derivative of an output in an equation."""

    operator: Operator
    output: int
    equation: str


def jumping_coefficients(problem: Problem, device: torch.device | None = None) -> list[str]:
    """What to say about coefficients of highest derivatives that jump, along lines through the domain.

    Only where the order along an axis is 2 or more: across a jump of c in c u_x = f, u is continuous, as is the
    network. A factor of the whole equation may jump. A residual that takes no double precision is passed over.
    """
    if not isinstance(problem.domain, Shape):
        return []
    linearity = Linearity(problem, device)
    try:
        return [said for axis in problem.domain.axes for said in _along(linearity, problem, axis)]
    except InputError:
        return []


def _along(linearity: Linearity, problem: Problem, axis: str) -> Iterator[str]:
    lines = lines_inside(problem.domain, axis)
    edges = lines.edges()
    at = torch.arange(len(lines)).repeat_interleave(edges.shape[1])
    for entry in _highest(linearity, problem, axis, lines.at(at, edges.reshape(-1))):
        sample = _sample(linearity, lines, entry)
        known = sample(at, edges.reshape(-1)).reshape(*edges.shape, -1)
        found = jumps(sample, _gap(float(known[..., 0].abs().max())), edges, known)
        found = found.some(~_common_factor(found))
        if found := found.some(~_on_interface(problem, lines, found)):
            before, after = float(found.left[0, 1]), float(found.right[0, 1])
            yield _message(problem, entry, axis, f"from {before:.4g} to {after:.4g}, as at {lines.place(found)}")


def _gap(size: float) -> Gap:
    """By which part of itself a coefficient changes over a cell, in units of the smallest that counts."""

    def gap(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        local = torch.maximum(left[:, 1].abs(), right[:, 1].abs()).clamp(min=FLOOR * size)
        change = (right[:, 1] - left[:, 1]).abs() / (SMALLEST * local)
        return change, change

    return gap


def _highest(linearity: Linearity, problem: Problem, axis: str, x: Tensor) -> list[_Entry]:
    """Where derivatives of the highest order along an axis enter, of each output for itself, from order 2 on."""
    number = problem.domain.axes.index(axis)
    of_order = {key: order_along(key, number) for key in linearity.numbers}
    entries: list[_Entry] = []
    for output in range(len(problem.outputs)):
        there = [
            _Entry(key, output, name)
            for key, order in of_order.items()
            if order >= 2
            for name, values in linearity.coefficients(x, key, output).items()
            if bool((values != 0).any())
        ]
        most = max((of_order[each.operator] for each in there), default=0)
        entries += [each for each in there if of_order[each.operator] == most]
    return entries


def _sample(linearity: Linearity, lines: Lines, entry: _Entry) -> Sample:
    """Samples of a coefficient, and of what is left of its equation without all derivatives of order 2 and more."""
    orders = range(lines.start.shape[1])
    without = {
        key: torch.zeros_like(value)
        for key, value in linearity.numbers.items()
        if sum(order_along(key, axis) for axis in orders) >= 2
    }

    def sample(line: Tensor, s: Tensor) -> Tensor:
        x = lines.at(line, s)
        coefficient = linearity.coefficients(x, entry.operator, entry.output)[entry.equation]
        return torch.stack([coefficient, linearity.residual(x, without)[entry.equation]], dim=1)

    return sample


def _common_factor(cells: Jumps) -> Tensor:
    """Where the rest of the equation jumps by the same factor, (n,): the jump is then one of its weight."""
    before, after = cells.left, cells.right
    one, other = before[:, 1] * after[:, 2], after[:, 1] * before[:, 2]
    same = (one - other).abs() <= 1e-3 * torch.maximum(one.abs(), other.abs())
    return same & (before[:, 2] != 0) & (after[:, 2] != 0)


def _on_interface(problem: Problem, lines: Lines, cells: Jumps) -> Tensor:
    """Where the domain says itself that two materials meet, (n,)."""
    known = torch.zeros(len(cells), dtype=torch.bool)
    for kink in problem.domain.kinks if len(cells) else ():
        # on one side it falls towards its kink, on the other it rises
        here = [kink(lines.at(cells.line, cells.left[:, 0] + shift)) for shift in (-NEAR, 0.0, NEAR)]
        known |= (here[1] < here[0]) & (here[1] < here[2])
    return known


def _message(problem: Problem, entry: _Entry, axis: str, jump: str) -> str:
    axes, u = problem.domain.axes, problem.outputs[entry.output]
    order = order_along(entry.operator, axes.index(axis))
    inner, outer = axis * (order // 2), axis * (order - order // 2)
    return (
        f"{entry.equation}: the coefficient of {_written(entry.operator, u, axes)} jumps along {axis} {jump}. A "
        f"trained {u} has continuous derivatives there, while for (k {u}_{inner})_{outer} = f it is k {u}_{inner} that "
        f"is continuous: if that is meant, {u} will be wrong however small the loss. Then let two materials meet there "
        "by domain = Split(..., Box(...)) and the condition interface(k inside, k outside), or make the flux an output "
        f"q of its own, with the equations q - k * {u}.{inner} and q.{outer} - f"
    )


def _written(operator: Operator, u: str, axes: Iterable[str]) -> str:
    """A derivative as a residual writes it."""
    if isinstance(operator, Laplacian):
        return f"{u}.{'biharmonic' if operator.power == 2 else 'laplacian'}"
    return f"{u}.{''.join(axis * order for axis, order in zip(axes, operator, strict=True))}"
