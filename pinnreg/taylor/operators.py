"""Differential operators that a series can carry, and the product rules of those that are no monomials."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal, final

MultiIndex = tuple[int, ...]
"""How often to differentiate along each axis: (2, 1) is u_xxt on the axes (x, t)."""


@final
@dataclass(frozen=True)
class Laplacian:
    """Δ = Σ ∂²/∂x_i² over the numbered axes, or Δ² with `power` 2."""

    axes: tuple[int, ...]
    power: Literal[1, 2] = 1


@final
@dataclass(frozen=True)
class GradientOfLaplacian:
    """∂Δ/∂x_axis."""

    axes: tuple[int, ...]
    axis: int


Operator = MultiIndex | Laplacian
Element = MultiIndex | Laplacian | GradientOfLaplacian


def laplacian_rule(axes: tuple[int, ...], dimension: int) -> dict[tuple[Element, Element], float]:
    """The product rule of Δ/2."""
    value, own = (0,) * dimension, Laplacian(axes)
    table: dict[tuple[Element, Element], float] = {(value, own): 1.0, (own, value): 1.0}
    for i in axes:
        table[unit(dimension, i), unit(dimension, i)] = 1.0
    return table


def biharmonic_rules(axes: tuple[int, ...], dimension: int) -> dict[Element, dict[tuple[Element, Element], float]]:
    """The product rules of Δ/2, ∂_iΔ and Δ² over monomials of degree two.

    ∂_iΔ(uv) = u ∂_iΔv + u_i Δv + Δu v_i + ∂_iΔu v + 2 Σ_j (u_ij v_j + u_j v_ij),
    Δ²(uv) = u Δ²v + v Δ²u + 4 ∇u·∇Δv + 4 ∇Δu·∇v + 2 Δu Δv + 4 Σ_ij u_ij v_ij; u_ii is twice its coefficient.
    """
    value, half, own = (0,) * dimension, Laplacian(axes), Laplacian(axes, 2)
    table: dict[Element, dict[tuple[Element, Element], float]] = {half: laplacian_rule(axes, dimension)}
    top: dict[tuple[Element, Element], float] = {(value, own): 1.0, (own, value): 1.0, (half, half): 8.0}
    for i in axes:
        slope, gradient = unit(dimension, i), GradientOfLaplacian(axes, i)
        terms: dict[tuple[Element, Element], float] = {
            (value, gradient): 1.0,
            (gradient, value): 1.0,
            (slope, half): 2.0,
            (half, slope): 2.0,
        }
        for j in axes:
            second, weight = unit(dimension, i, j), 4.0 if i == j else 2.0
            terms[second, unit(dimension, j)] = terms[unit(dimension, j), second] = weight
            top[second, second] = 16.0 if i == j else 8.0
        table[gradient] = terms
        top[slope, gradient] = top[gradient, slope] = 4.0
    table[own] = top
    return table


def expansion(element: Element, dimension: int) -> dict[MultiIndex, float]:
    if isinstance(element, tuple):
        return {element: 1 / factorial(element)}
    twice = [(i, i) for i in element.axes]
    if isinstance(element, GradientOfLaplacian):
        return {unit(dimension, element.axis, *pair): 1.0 for pair in twice}
    if element.power == 1:
        return {unit(dimension, *pair): 0.5 for pair in twice}
    total: dict[MultiIndex, float] = defaultdict(float)
    for one, other in itertools.product(twice, repeat=2):
        total[unit(dimension, *one, *other)] += 1.0
    return dict(total)


def unit(dimension: int, *axes: int) -> MultiIndex:
    return tuple(axes.count(axis) for axis in range(dimension))


def factorial(index: MultiIndex) -> int:
    return math.prod(map(math.factorial, index))


def degree(element: Element) -> int:
    if isinstance(element, tuple):
        return sum(element)
    return 3 if isinstance(element, GradientOfLaplacian) else 2 * element.power
