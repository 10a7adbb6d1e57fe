"""The arithmetic of series against exact polynomials: which derivatives they carry and how they multiply."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.polynomial import polynomial
from torch import Tensor

from pinnreg.taylor import Algebra, Laplacian, MultiIndex, Operator, Series
from pinnreg.taylor.elementary import EXP
from pinnreg.taylor.kernels import multiply

Polynomial = np.ndarray
"""Coefficients by powers, one array dimension an axis."""

Wanted = tuple[int, tuple[Operator, ...]]
"""A dimension and operators in it."""


@st.composite
def wanted_operators(draw: st.DrawFn) -> Wanted:
    """Up to four operators in one to three dimensions: monomials to order four, Laplacians and their squares."""
    dimension = draw(st.integers(1, 3))
    monomials = st.tuples(*[st.integers(0, 4)] * dimension).filter(lambda index: sum(index) <= 4)
    axes = st.sets(st.integers(0, dimension - 1), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
    laplacians = st.builds(Laplacian, axes, st.sampled_from([1, 2]))
    return dimension, tuple(draw(st.lists(monomials | laplacians, min_size=1, max_size=4)))


seeds = st.integers(0, 10**6)
some = settings(max_examples=30)


def polynomials(dimension: int, count: int, seed: int, degree: int = 3) -> list[Polynomial]:
    draws = np.random.default_rng(seed)
    return [draws.integers(-3, 4, (degree + 1,) * dimension).astype(float) for _ in range(count)]


def times(u: Polynomial, v: Polynomial) -> Polynomial:
    result = np.zeros([a + b - 1 for a, b in zip(u.shape, v.shape, strict=True)])
    for powers, coefficient in np.ndenumerate(u):
        result[tuple(slice(p, p + size) for p, size in zip(powers, v.shape, strict=True))] += coefficient * v
    return result


def derivative(u: Polynomial, index: MultiIndex, points: np.ndarray) -> np.ndarray:
    for axis, order in enumerate(index):
        u = polynomial.polyder(u, order, axis=axis)
    values = []
    for point in points:
        rest = u
        for coordinate in point:
            rest = polynomial.polyval(coordinate, rest)
        values.append(float(rest))
    return np.array(values)


def places(dimension: int, seed: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed + 1).uniform(-1, 1, (count, dimension))


def exact(algebra: Algebra, u: Polynomial, points: np.ndarray) -> Series:
    """The series of a polynomial by what each element is defined to be."""
    rows = [sum(w * derivative(u, index, points) for index, w in expansion) for expansion in algebra.expansions]
    return Series(algebra, algebra.everything, (torch.from_numpy(np.array(rows)),))


def random_series(algebra: Algebra, count: int, seed: int, *, restricted: bool = False) -> list[Series]:
    """Series of noise; `restricted` ones hold the value and only some of the other rows."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        keep = torch.rand(len(algebra), generator=generator) < (0.5 if restricted else 2)
        support = tuple(row for row in algebra.everything if row == 0 or keep[row])
        stack = torch.randn((len(support), 4), generator=generator, dtype=torch.float64)
        found.append(Series(algebra, support, (stack,)))
    return found


def rows(series: Series) -> Tensor:
    return series.on(series.algebra.everything)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance * (1 + float(b.abs().max())))


def below(index: MultiIndex) -> set[MultiIndex]:
    return set(itertools.product(*(range(order + 1) for order in index)))


@some
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=5))
def test_monomials_are_exactly_those_below_the_wanted_ones(indices: list[MultiIndex]) -> None:
    algebra = Algebra.of(indices, 3)
    assert len(set(algebra.elements)) == len(algebra.elements) == len(algebra)
    assert set(algebra.elements) == set().union({(0, 0, 0)}, *map(below, indices))
    for element, expansion in zip(algebra.elements, algebra.expansions, strict=True):
        assert expansion == ((element, 1 / math.prod(map(math.factorial, element))),)


@some
@given(wanted_operators())
def test_the_value_comes_first_and_degrees_ascend(wanted: Wanted) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    degrees = [{sum(index) for index, _ in expansion} for expansion in algebra.expansions]
    assert all(len(each) == 1 for each in degrees)
    assert algebra.elements[0] == (0,) * dimension
    assert [min(each) for each in degrees] == sorted(min(each) for each in degrees)
    monomials = {element for element in algebra.elements if isinstance(element, tuple)}
    assert monomials >= set().union(*map(below, monomials))


@some
@given(wanted_operators(), seeds)
def test_products_of_polynomials_are_those_of_the_expanded_derivatives(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra, points = Algebra.of(operators, dimension), places(dimension, seed)
    u, v = polynomials(dimension, 2, seed)
    product = exact(algebra, u, points) * exact(algebra, v, points)
    assert close(rows(product), rows(exact(algebra, times(u, v), points)))


@some
@given(wanted_operators(), seeds)
def test_operators_of_a_product_are_the_exact_derivatives_of_the_polynomial(wanted: Wanted, seed: int) -> None:
    # `derivatives` and `weights` on top of the product, against operators written out by hand
    dimension, operators = wanted
    algebra, points = Algebra.of(operators, dimension), places(dimension, seed)
    u, v = polynomials(dimension, 2, seed)
    found = (exact(algebra, u, points) * exact(algebra, v, points)).derivatives(operators)
    for operator, values in zip(operators, found, strict=True):
        expected = sum(derivative(times(u, v), index, points) for index in written_out(operator, dimension))
        assert close(values, torch.from_numpy(np.asarray(expected))), operator


def written_out(operator: Operator, dimension: int) -> list[MultiIndex]:
    """The multi-indices whose sum an operator is."""
    if isinstance(operator, tuple):
        return [operator]
    axes = itertools.product(operator.axes, repeat=operator.power)
    return [tuple(2 * each.count(axis) for axis in range(dimension)) for each in axes]


@some
@given(wanted_operators())
def test_weights_and_expansions_together_are_the_operator(wanted: Wanted) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    for operator in operators:
        total: dict[MultiIndex, float] = {}
        for row, weight in algebra.weights(operator).items():
            for index, share in algebra.expansions[row]:
                total[index] = total.get(index, 0.0) + weight * share
        indices = written_out(operator, dimension)
        assert total == pytest.approx({index: indices.count(index) for index in indices}, rel=1e-15)


@some
@given(wanted_operators(), seeds)
def test_the_product_is_commutative_and_associative_and_distributes(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    a, b, c = random_series(algebra, 3, seed)
    assert close(rows(a * b), rows(b * a))
    assert close(rows((a * b) * c), rows(a * (b * c)))
    assert close(rows((a + b) * c), rows(a * c + b * c))
    one = Series(algebra, (0,), (torch.ones((1, 4), dtype=torch.float64),))
    assert torch.equal(rows(one * a), rows(a))


@some
@given(wanted_operators(), seeds)
def test_rows_that_a_series_lacks_count_as_zero(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    a, b = random_series(algebra, 2, seed, restricted=True)
    full_a, full_b = (Series(algebra, algebra.everything, (rows(each),)) for each in (a, b))
    for found, expected in ((a * b, full_a * full_b), (a + b, full_a + full_b), (a - b, full_a - full_b)):
        assert torch.equal(rows(found), rows(expected))
        assert set(found.support) <= set(algebra.everything)
        assert len(found.parts[0]) == len(found.support)
    for one, other in zip(a.derivatives(operators), full_a.derivatives(operators), strict=True):
        assert torch.equal(one, other)


@some
@given(wanted_operators(), seeds)
def test_the_transposed_product_is_its_adjoint(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    a, b, g = random_series(algebra, 3, seed, restricted=True)
    transposed = multiply(algebra.transposed(a.support, b.support, g.support), b.parts[0].unbind(), g.parts[0].unbind())
    left = (rows(a * b) * rows(g)).sum()
    assert close((a.parts[0] * transposed).sum(), left)


@some
@given(wanted_operators(), seeds, st.sampled_from([1.0, -0.5]))
def test_the_square_is_the_product_with_itself(wanted: Wanted, seed: int, factor: float) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    (a,) = random_series(algebra, 1, seed)
    table, full = algebra.square(factor), a.parts[0].unbind()
    assert close(multiply(table, full, full), factor * rows(a * a))
    assert all(i <= j for terms in table for i, j, _ in terms)


@some
@given(wanted_operators(), seeds)
def test_the_exponential_is_its_power_series_in_products(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra, points = Algebra.of(operators, dimension), places(dimension, seed)
    (p,) = polynomials(dimension, 1, seed, degree=2)
    a = exact(algebra, p / (1 + np.abs(p).sum()), points)
    varying = a - a.value  # the powers of this end, since its value is zero
    power = total = Series(algebra, (0,), (torch.ones((1, len(points)), dtype=torch.float64),))
    for k in range(1, 6):
        power = power * varying * (1 / k)
        total = total + power
    assert close(rows(a.compose(EXP)), rows(total * a.value.exp()))


@some
@given(wanted_operators(), seeds)
def test_the_exponential_of_a_sum_is_the_product(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    a, b = random_series(algebra, 2, seed, restricted=True)
    assert close(rows((a + b).compose(EXP)), rows(a.compose(EXP) * b.compose(EXP)), 1e-11)


@some
@given(wanted_operators(), seeds)
def test_a_composition_needs_slopes_of_earlier_rows_only(wanted: Wanted, seed: int) -> None:
    # the recurrences write row after row, so each must need what is there already
    dimension, operators = wanted
    algebra = Algebra.of(operators, dimension)
    (a,) = random_series(algebra, 1, seed, restricted=True)
    table = algebra.composition(a.support)
    assert table[0] == ()
    for row, terms in enumerate(table):
        assert all(slope < row and a.support[inner] <= row for inner, slope, _ in terms)


@some
@given(st.tuples(*[st.integers(0, 4)] * 3).filter(any))
def test_a_composition_of_monomials_takes_the_axis_with_the_fewest_terms(index: MultiIndex) -> None:
    algebra = Algebra.of([index], 3)
    terms = algebra.composition(algebra.everything)[algebra.elements.index(index)]
    along = [len([each for each in below(index) if each[axis]]) for axis in range(3) if index[axis]]
    assert len(terms) == min(along)


@pytest.mark.parametrize("dimension", [1, 2, 3, 5, 8])
def test_numbers_of_streams(dimension: int) -> None:
    every = tuple(range(dimension))
    laplacian, biharmonic = (Algebra.of([Laplacian(every, power)], dimension) for power in (1, 2))
    # 1, ∂_i, Δ and 1, ∂_i, ∂_i∂_j, Δ, ∂_iΔ, Δ²; along one axis the monomials to order two and four
    collapsed = 1 + dimension + dimension * (dimension + 1) // 2 + 1 + dimension + 1
    assert len(laplacian) == (dimension + 2 if dimension > 1 else 3)
    assert len(biharmonic) == (collapsed if dimension > 1 else 5)
    # the smaller one costs nothing beside the larger, nor over fewer axes
    for axes in (every, every[1:] or every):
        assert len(Algebra.of([Laplacian(axes), Laplacian(every, 2)], dimension)) == len(biharmonic)


def test_axes_that_are_not_differentiated_cost_nothing() -> None:
    assert len(Algebra.of([Laplacian((1, 3))], 6)) == 4
    assert len(Algebra.of([Laplacian((1, 3), 2)], 6)) == 10
    assert len(Algebra.of([(0, 0, 2, 0, 0, 1)], 6)) == 6


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_along_a_single_axis_the_laplacian_is_a_monomial(axis: int, power: int) -> None:
    index = tuple(2 * power * (axis == each) for each in range(3))
    collapsed, monomial = Algebra.of([Laplacian((axis,), power)], 3), Algebra.of([index], 3)
    assert collapsed.elements == monomial.elements
    assert (
        collapsed.weights(Laplacian((axis,), power))
        == monomial.weights(index)
        == {2 * power: math.factorial(2 * power)}
    )


def test_a_laplacian_whose_second_derivatives_are_there_already_takes_no_stream() -> None:
    seconds: Sequence[Operator] = [(2, 0, 0), (0, 2, 0)]
    both = Algebra.of([*seconds, Laplacian((0, 1))], 3)
    assert both.elements == Algebra.of(seconds, 3).elements
    assert both.weights(Laplacian((0, 1))) == {both.elements.index(index): 2.0 for index in seconds}
    one_is_missing = Algebra.of([(2, 0, 0), Laplacian((0, 1))], 3)
    assert Laplacian((0, 1)) in one_is_missing.elements
    assert (0, 2, 0) not in one_is_missing.elements


@some
@given(wanted_operators(), st.data())
def test_each_algebra_is_made_once_whatever_the_order_of_the_operators(wanted: Wanted, data: st.DataObject) -> None:
    dimension, operators = wanted
    shuffled = data.draw(st.permutations([*operators, operators[0]]))
    assert Algebra.of(iter(shuffled), dimension) is Algebra.of(operators, dimension)
    other = data.draw(st.tuples(*[st.integers(0, 4)] * dimension))
    assume(other not in operators)
    assert Algebra.of([*operators, other], dimension) is not Algebra.of(operators, dimension)


@some
@given(wanted_operators(), seeds)
def test_the_series_of_the_points_is_that_of_the_coordinates(wanted: Wanted, seed: int) -> None:
    dimension, operators = wanted
    algebra, points = Algebra.of(operators, dimension), places(dimension, seed)
    series = Series.of_points(torch.from_numpy(points), algebra)
    assert series.shape == points.shape
    for axis in range(dimension):
        coordinate = np.zeros((2,) * dimension)
        coordinate[tuple(int(each == axis) for each in range(dimension))] = 1.0
        assert torch.equal(rows(series)[..., axis], rows(exact(algebra, coordinate, points)))
