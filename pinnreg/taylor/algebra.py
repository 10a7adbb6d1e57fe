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
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, wraps
from typing import TypeVar, cast, final

from pinnreg.taylor.operators import (
    Element,
    Laplacian,
    MultiIndex,
    Operator,
    biharmonic_rules,
    degree,
    expansion,
    factorial,
    laplacian_rule,
    unit,
)

Support = tuple[int, ...]
"""The elements of an algebra that a series holds, ascending; the others are zero."""

Term = tuple[int, int, float]
"""(i, j, w): the product of row i of one series and row j of another, times w."""

Table = tuple[tuple[Term, ...], ...]
"""The terms of every row of a result."""


Result = TypeVar("Result")


def _remembered(method: Callable[..., Result]) -> Callable[..., Result]:
    """A method whose results an algebra keeps: its tables are asked for at every layer of every sweep."""

    @wraps(method)
    def wrapped(self: Algebra, *arguments: object) -> Result:
        key = (method.__name__, arguments)
        if key not in self._tables:
            self._tables[key] = method(self, *arguments)
        return cast("Result", self._tables[key])

    return wrapped


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
        self._tables: dict[object, object] = {}
        operators = {_single_axis(operator, dimension) for operator in wanted}
        powers = sorted((o for o in operators if isinstance(o, Laplacian)), key=lambda o: (o.power, o.axes))
        monomials = {o for o in operators if isinstance(o, tuple)} | {(0,) * dimension}
        collapsed: dict[Element, dict[tuple[Element, Element], float]] = {}
        for operator in reversed(powers):  # the biharmonic ones bring second derivatives, which give the Laplacians
            pure = {unit(dimension, i, i) for i in operator.axes}
            if operator.power == 2:
                monomials |= {unit(dimension, i, j) for i in operator.axes for j in operator.axes}
                collapsed |= biharmonic_rules(operator.axes, dimension)
            elif operator not in collapsed and not pure <= _below_all(monomials):
                monomials |= {unit(dimension, i) for i in operator.axes}
                collapsed[operator] = laplacian_rule(operator.axes, dimension)
        products: dict[Element, dict[tuple[Element, Element], float]] = {
            index: {(below, _minus(index, below)): 1.0 for below in _below(index)} for index in _below_all(monomials)
        }
        products |= collapsed
        self.elements = tuple(sorted(products, key=lambda element: (degree(element), str(element))))
        self._position = {element: row for row, element in enumerate(self.elements)}
        self._products = [
            {(self._position[a], self._position[b]): c for (a, b), c in products[element].items()}
            for element in self.elements
        ]
        self.expansions = tuple(tuple(expansion(element, dimension).items()) for element in self.elements)

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
        units = {unit(self.dimension, axis): axis for axis in range(self.dimension)}
        return tuple(
            (row, units[element])
            for row, element in enumerate(self.elements)
            if isinstance(element, tuple) and element in units
        )

    def weights(self, operator: Operator) -> dict[int, float]:
        """The operator as a sum of weight times row of a series."""
        operator = _single_axis(operator, self.dimension)
        if isinstance(operator, tuple):
            return {self._position[operator]: float(factorial(operator))}
        if operator in self._position:
            return {self._position[operator]: 2.0 if operator.power == 1 else 1.0}
        return {self._position[unit(self.dimension, i, i)]: 2.0 for i in operator.axes}

    @_remembered
    def product(self, left: Support, right: Support) -> tuple[Support, Table]:
        """Where the product of two series is not zero, and the terms of each of its rows there."""
        rows = {
            row: tuple((left.index(a), right.index(b), c) for (a, b), c in pairs.items() if a in left and b in right)
            for row, pairs in enumerate(self._products)
        }
        rows = {row: terms for row, terms in rows.items() if terms}
        return tuple(rows), tuple(rows.values())

    @_remembered
    def transposed(self, left: Support, right: Support, result: Support) -> Table:
        """The adjoint of the product for a fixed right factor: a_α = Σ c^γ_{αβ} b_β g_γ, as terms (β, γ, c)."""
        rows: dict[int, list[Term]] = defaultdict(list)
        for place, row in enumerate(result):
            for (a, b), c in self._products[row].items():
                if a in left and b in right:
                    rows[a].append((right.index(b), place, c))
        return tuple(tuple(sorted(rows[row])) for row in left)

    @_remembered
    def square(self, factor: float) -> Table:
        """The terms of `factor` times the square of a full series, equal products taken together."""
        rows = []
        for pairs in self._products:
            merged: dict[tuple[int, int], float] = defaultdict(float)
            for (a, b), c in pairs.items():
                merged[min(a, b), max(a, b)] += factor * c
            rows.append(tuple((a, b, w) for (a, b), w in merged.items()))
        return tuple(rows)

    @_remembered
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
    def _counter(element: Element) -> _Counter:
        if not isinstance(element, tuple):
            return _Counter(None)
        return _Counter(min((axis for axis, order in enumerate(element) if order), key=lambda axis: element[axis]))


@final
@dataclass(frozen=True)
class _Counter:
    """The eigenvalue of an element under x_i ∂/∂x_i, or under Euler's operator Σ x_i ∂/∂x_i if the axis is None."""

    axis: int | None

    def __call__(self, element: Element) -> int:
        if self.axis is None:
            return degree(element)
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


def _below(index: MultiIndex) -> Iterable[MultiIndex]:
    return itertools.product(*(range(order + 1) for order in index))


def _below_all(indices: Iterable[MultiIndex]) -> set[MultiIndex]:
    return {below for index in indices for below in _below(index)}


def _minus(index: MultiIndex, other: MultiIndex) -> MultiIndex:
    return tuple(a - b for a, b in zip(index, other, strict=True))
