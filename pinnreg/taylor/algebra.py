"""Which derivatives a truncated Taylor series carries, and how they multiply.

A series at a point x is the list of c_γ(u) = D_γ u(x) over a finite set of differential operators D_γ that is closed
under the product rule: D_γ(uv) = Σ c^γ_{αβ} D_α u D_β v with α and β from the same set. Such a set is a graded
commutative algebra, and the table of its structure constants c^γ_{αβ} is all that the arithmetic needs to know.

Monomials. For a multi-index α the operator is D^α/α!, the Taylor coefficient itself, and all constants are one. The
set is closed when it holds every multi-index below the wanted ones. Mixed derivatives are carried as they are: exact,
and with fewer streams than their interpolation from directions.

Collapsed operators. Where only a Laplacian is wanted, the d second derivatives need not be carried one by one:
Δ(uv) = u Δv + 2 ∇u·∇v + v Δu closes over {1, ∂_i, Δ}, which is d + 2 streams instead of 2d + 1. The biharmonic operator
closes over {1, ∂_i, ∂_i∂_j, Δ, ∂_iΔ, Δ²}. (Dangel et al. 2025, arXiv:2505.13644, collapse directional coefficients.)
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, final

MultiIndex = tuple[int, ...]
"""How often to differentiate along each axis: (2, 1) is u_xxt on the axes (x, t)."""

Support = tuple[int, ...]
"""The elements of an algebra that a series holds, ascending; the others are zero."""

Term = tuple[int, int, float]
"""(i, j, w): the product of row i of one series and row j of another, times w."""

Table = tuple[tuple[Term, ...], ...]
"""The terms of every row of a result."""


@final
@dataclass(frozen=True)
class Laplacian:
    """Δ = Σ ∂²/∂x_i² over the numbered axes, or Δ² with `power` 2."""

    axes: tuple[int, ...]
    power: Literal[1, 2] = 1


@final
@dataclass(frozen=True)
class _GradientOfLaplacian:
    """∂Δ/∂x_axis."""

    axes: tuple[int, ...]
    axis: int


Operator = MultiIndex | Laplacian
_Element = MultiIndex | Laplacian | _GradientOfLaplacian


@final
class Algebra:
    """The smallest set of operators that holds the wanted ones and is closed under the product rule.

    Attributes:
        dimension: d, the number of axes.
        elements: the operators; the first is the value, and degrees ascend.
        expansions: each element as a sum of weight times D^α.

    Use `Algebra.of`, which makes each algebra once: they are compared by identity.
    """

    def __init__(self, wanted: frozenset[Operator], dimension: int) -> None:
        self.dimension = dimension
        operators = {_single_axis(operator, dimension) for operator in wanted}
        powers = sorted((o for o in operators if isinstance(o, Laplacian)), key=lambda o: (o.power, o.axes))
        monomials = {o for o in operators if isinstance(o, tuple)} | {(0,) * dimension}
        collapsed: dict[_Element, dict[tuple[_Element, _Element], float]] = {}
        for operator in reversed(powers):  # the biharmonic ones bring second derivatives, which give the Laplacians
            pure = {_unit(dimension, i, i) for i in operator.axes}
            if operator.power == 2:
                monomials |= {_unit(dimension, i, j) for i in operator.axes for j in operator.axes}
                collapsed |= _biharmonic(operator.axes, dimension)
            elif operator not in collapsed and not pure <= _below_all(monomials):
                monomials |= {_unit(dimension, i) for i in operator.axes}
                collapsed[operator] = _laplacian(operator.axes, dimension)
        products: dict[_Element, dict[tuple[_Element, _Element], float]] = {
            index: {(below, _minus(index, below)): 1.0 for below in _below(index)} for index in _below_all(monomials)
        }
        products |= collapsed
        self.elements = tuple(sorted(products, key=lambda element: (_degree(element), str(element))))
        self._position = {element: row for row, element in enumerate(self.elements)}
        self._products = [
            {(self._position[a], self._position[b]): c for (a, b), c in products[element].items()}
            for element in self.elements
        ]
        self.expansions = tuple(tuple(_expansion(element, dimension).items()) for element in self.elements)

    @staticmethod
    def of(wanted: Iterable[Operator], dimension: int) -> Algebra:
        """The algebra of the wanted operators in d dimensions."""
        return _algebra(frozenset(wanted), dimension)

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def everything(self) -> Support:
        """The support of a series with all coefficients."""
        return tuple(range(len(self)))

    @property
    def axes(self) -> tuple[tuple[int, int], ...]:
        """(row, axis) of the first derivatives that the algebra holds."""
        units = {_unit(self.dimension, axis): axis for axis in range(self.dimension)}
        return tuple(
            (row, units[element])
            for row, element in enumerate(self.elements)
            if isinstance(element, tuple) and element in units
        )

    def weights(self, operator: Operator) -> dict[int, float]:
        """The operator as a sum of weight times row of a series."""
        operator = _single_axis(operator, self.dimension)
        if isinstance(operator, tuple):
            return {self._position[operator]: float(_factorial(operator))}
        if operator in self._position:
            return {self._position[operator]: 2.0 if operator.power == 1 else 1.0}
        return {self._position[_unit(self.dimension, i, i)]: 2.0 for i in operator.axes}

    @cache  # noqa: B019 - algebras are made once and kept
    def product(self, left: Support, right: Support) -> tuple[Support, Table]:
        """Where the product of two series is not zero, and the terms of each of its rows there."""
        rows = {
            row: tuple((left.index(a), right.index(b), c) for (a, b), c in pairs.items() if a in left and b in right)
            for row, pairs in enumerate(self._products)
        }
        rows = {row: terms for row, terms in rows.items() if terms}
        return tuple(rows), tuple(rows.values())

    @cache  # noqa: B019
    def transposed(self, left: Support, right: Support, result: Support) -> Table:
        """The adjoint of the product for a fixed right factor: a_α = Σ c^γ_{αβ} b_β g_γ, as terms (β, γ, c)."""
        rows: dict[int, list[Term]] = defaultdict(list)
        for place, row in enumerate(result):
            for (a, b), c in self._products[row].items():
                if a in left and b in right:
                    rows[a].append((right.index(b), place, c))
        return tuple(tuple(sorted(rows[row])) for row in left)

    @cache  # noqa: B019
    def square(self, factor: float) -> Table:
        """The terms of `factor` times the square of a full series, equal products taken together."""
        rows = []
        for pairs in self._products:
            merged: dict[tuple[int, int], float] = defaultdict(float)
            for (a, b), c in pairs.items():
                merged[min(a, b), max(a, b)] += factor * c
            rows.append(tuple((a, b, w) for (a, b), w in merged.items()))
        return tuple(rows)

    @cache  # noqa: B019
    def composition(self, inner: Support, factor: float = 1.0) -> Table:
        """The terms (α, β, w) of `factor` · f∘a in the rows of a and of s = f'∘a, all of lower degree but for a_γ s_0.

        From ∂(f∘a) = s ∂a. For a monomial the derivative along one axis i gives γ_i y_γ = Σ α_i a_α s_{γ-α}; with the
        axis of the smallest γ_i there are fewest terms. For a collapsed operator Euler's derivative, which multiplies
        each element by its degree, gives |γ| y_γ = Σ c^γ_{αβ} |α| a_α s_β.
        """
        rows: list[tuple[Term, ...]] = [()]
        for element, pairs in list(zip(self.elements, self._products, strict=True))[1:]:
            count = self._counter(element)
            terms = [
                (inner.index(a), b, factor * c * count(self.elements[a]) / count(element))
                for (a, b), c in pairs.items()
                if a in inner and count(self.elements[a])
            ]
            # the term with s_0 first: its weight is one, which saves a pass over memory
            rows.append(tuple(sorted(terms, key=lambda term: term[1])))
        return tuple(rows)

    @staticmethod
    def _counter(element: _Element) -> _Counter:
        if not isinstance(element, tuple):
            return _Counter(None)
        return _Counter(min((axis for axis, order in enumerate(element) if order), key=lambda axis: element[axis]))


@final
@dataclass(frozen=True)
class _Counter:
    """The eigenvalue of an element under x_i ∂/∂x_i, or under Euler's operator Σ x_i ∂/∂x_i if the axis is None."""

    axis: int | None

    def __call__(self, element: _Element) -> int:
        if self.axis is None:
            return _degree(element)
        assert isinstance(element, tuple)
        return element[self.axis]


@cache
def _algebra(wanted: frozenset[Operator], dimension: int) -> Algebra:
    return Algebra(wanted, dimension)


def _single_axis(operator: Operator, dimension: int) -> Operator:
    """Powers of the Laplacian over one axis are monomials."""
    if isinstance(operator, Laplacian) and len(operator.axes) == 1:
        return tuple(2 * operator.power * (axis == operator.axes[0]) for axis in range(dimension))
    return operator


def _laplacian(axes: tuple[int, ...], dimension: int) -> dict[tuple[_Element, _Element], float]:
    """The product rule of Δ/2."""
    value, own = (0,) * dimension, Laplacian(axes)
    table: dict[tuple[_Element, _Element], float] = {(value, own): 1.0, (own, value): 1.0}
    for i in axes:
        table[_unit(dimension, i), _unit(dimension, i)] = 1.0
    return table


def _biharmonic(axes: tuple[int, ...], dimension: int) -> dict[_Element, dict[tuple[_Element, _Element], float]]:
    """The product rules of Δ/2, ∂_iΔ and Δ² over monomials of degree two.

    ∂_iΔ(uv) = u ∂_iΔv + u_i Δv + Δu v_i + ∂_iΔu v + 2 Σ_j (u_ij v_j + u_j v_ij),
    Δ²(uv) = u Δ²v + v Δ²u + 4 ∇u·∇Δv + 4 ∇Δu·∇v + 2 Δu Δv + 4 Σ_ij u_ij v_ij; u_ii is twice its coefficient.
    """
    value, half, own = (0,) * dimension, Laplacian(axes), Laplacian(axes, 2)
    table: dict[_Element, dict[tuple[_Element, _Element], float]] = {half: _laplacian(axes, dimension)}
    top: dict[tuple[_Element, _Element], float] = {(value, own): 1.0, (own, value): 1.0, (half, half): 8.0}
    for i in axes:
        slope, gradient = _unit(dimension, i), _GradientOfLaplacian(axes, i)
        terms: dict[tuple[_Element, _Element], float] = {
            (value, gradient): 1.0,
            (gradient, value): 1.0,
            (slope, half): 2.0,
            (half, slope): 2.0,
        }
        for j in axes:
            second, weight = _unit(dimension, i, j), 4.0 if i == j else 2.0
            terms[second, _unit(dimension, j)] = terms[_unit(dimension, j), second] = weight
            top[second, second] = 16.0 if i == j else 8.0
        table[gradient] = terms
        top[slope, gradient] = top[gradient, slope] = 4.0
    table[own] = top
    return table


def _expansion(element: _Element, dimension: int) -> dict[MultiIndex, float]:
    if isinstance(element, tuple):
        return {element: 1 / _factorial(element)}
    twice = [(i, i) for i in element.axes]
    if isinstance(element, _GradientOfLaplacian):
        return {_unit(dimension, element.axis, *pair): 1.0 for pair in twice}
    if element.power == 1:
        return {_unit(dimension, *pair): 0.5 for pair in twice}
    total: dict[MultiIndex, float] = defaultdict(float)
    for one, other in itertools.product(twice, repeat=2):
        total[_unit(dimension, *one, *other)] += 1.0
    return dict(total)


def _unit(dimension: int, *axes: int) -> MultiIndex:
    return tuple(axes.count(axis) for axis in range(dimension))


def _factorial(index: MultiIndex) -> int:
    return math.prod(map(math.factorial, index))


def _degree(element: _Element) -> int:
    if isinstance(element, tuple):
        return sum(element)
    return 3 if isinstance(element, _GradientOfLaplacian) else 2 * element.power


def _below(index: MultiIndex) -> Iterable[MultiIndex]:
    return itertools.product(*(range(order + 1) for order in index))


def _below_all(indices: Iterable[MultiIndex]) -> set[MultiIndex]:
    return {below for index in indices for below in _below(index)}


def _minus(index: MultiIndex, other: MultiIndex) -> MultiIndex:
    return tuple(a - b for a, b in zip(index, other, strict=True))
