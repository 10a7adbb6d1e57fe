"""The elementary functions on series, against closed forms of their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial, hermite_e
from scipy import special
from torch import Tensor
from torch.nn import functional

from pinnreg import derivatives
from pinnreg.networks import ACTIVATIONS
from pinnreg.taylor import Algebra, Laplacian, Series, elementary
from pinnreg.taylor.functions import Elementary

Function = Callable[[Tensor], Tensor]


pytestmark = pytest.mark.usefixtures("only_series")


def tanh_derivative(x: np.ndarray, order: int) -> np.ndarray:
    """tanh^(k) as a polynomial in tanh, from tanh' = 1 - tanh²."""
    p = Polynomial([0, 1])
    for _ in range(order):
        p = p.deriv() * Polynomial([1, 0, -1])
    return p(np.tanh(x))


def logistic_derivative(x: np.ndarray, order: int) -> np.ndarray:
    # σ(x) = (1 + tanh(x/2)) / 2
    return tanh_derivative(x / 2, order) / 2 ** (order + 1) if order else special.expit(x)


def normal_derivative(x: np.ndarray, order: int) -> np.ndarray:
    """Φ^(k) of the normal distribution by Hermite polynomials."""
    if order == 0:
        return special.ndtr(x)
    he = hermite_e.hermeval(x, [0] * (order - 1) + [1])
    return (-1.0) ** (order - 1) * he * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def erf_derivative(x: np.ndarray, order: int) -> np.ndarray:
    # erf(x) = 2 Φ(√2 x) - 1
    return 2 * math.sqrt(2) ** order * normal_derivative(math.sqrt(2) * x, order) if order else special.erf(x)


def circular(x: np.ndarray, order: int) -> np.ndarray:
    return [np.sin(x), np.cos(x), -np.sin(x), -np.cos(x)][order % 4]


def times_x(x: np.ndarray, order: int, factor: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
    """The derivatives of x F(x)."""
    return x * factor(x, order) + (order * factor(x, order - 1) if order else 0.0)


FUNCTIONS: dict[str, tuple[Function, Elementary, Callable[[np.ndarray, int], np.ndarray]]] = {
    "tanh": (torch.tanh, elementary.TANH, tanh_derivative),
    "sin": (torch.sin, elementary.SIN, circular),
    "cos": (torch.cos, elementary.COS, lambda x, k: circular(x, k + 1)),
    "exp": (torch.exp, elementary.EXP, lambda x, k: np.exp(x)),
    "sigmoid": (torch.sigmoid, elementary.SIGMOID, logistic_derivative),
    "softplus": (
        ACTIVATIONS["softplus"],
        elementary.SOFTPLUS,
        lambda x, k: logistic_derivative(x, k - 1) if k else np.logaddexp(0, x),
    ),
    "gelu": (functional.gelu, elementary.GELU, lambda x, k: times_x(x, k, normal_derivative)),
    "erf": (torch.erf, elementary.ERF, erf_derivative),
    "swish": (functional.silu, elementary.SWISH, lambda x, k: times_x(x, k, logistic_derivative)),
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)

ALGEBRAS = [
    Algebra.of([(2, 1, 1)], 3),
    Algebra.of([(3, 0), (0, 2)], 2),
    Algebra.of([Laplacian((0, 1, 2))], 3),
    Algebra.of([Laplacian((0, 1), 2), (1, 0, 1)], 3),
]


def test_every_activation_is_among_the_functions() -> None:
    assert all(FUNCTIONS[name][0] is function for name, function in ACTIVATIONS.items())


def assert_univariate_derivatives(name: str, x: Tensor) -> None:
    function, _, closed_form = FUNCTIONS[name]
    found = derivatives(function, x[:, None], [(order,) for order in range(7)])
    for (order,), values in found.items():
        expected = closed_form(x.numpy(), order)
        error = np.abs(values[:, 0].numpy() - expected).max()
        assert error <= (1e-12 if order <= 4 else 1e-10) * np.abs(expected).max(), order


@every_function
@settings(max_examples=40)
@given(st.floats(-15, 15), st.floats(0, 8), st.lists(st.floats(-15, 15), max_size=8))
def test_univariate_derivatives_equal_their_closed_forms(
    name: str, centre: float, width: float, more: list[float]
) -> None:
    # the size that errors are compared with is that on an interval about the origin; elsewhere most of these vanish
    grid = torch.cat([torch.linspace(-3, 3, 13), torch.linspace(centre - width, centre + width, 5), torch.tensor(more)])
    assert_univariate_derivatives(name, grid.double().clamp(-15, 15))


@every_function
def test_univariate_derivatives_at_and_near_zero(name: str) -> None:
    tiny = [0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e-160, -1e-20, 1e-12, -1e-8, 1e-4, 1.0]
    assert_univariate_derivatives(name, torch.tensor(tiny, dtype=torch.float64))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("sin", "cos", "exp")])
def test_far_out_functions_are_their_asymptotes(name: str) -> None:
    x = torch.tensor([50.0, 1e3, 1e8], dtype=torch.float64)
    steps = {"tanh": (1 + 0 * x, -1 + 0 * x), "erf": (1 + 0 * x, -1 + 0 * x), "sigmoid": (1 + 0 * x, 0 * x)}
    right, left = steps.get(name, (x, 0 * x))
    found = derivatives(FUNCTIONS[name][0], torch.cat([x, -x])[:, None], [(order,) for order in range(7)])
    assert torch.allclose(found[0,][:, 0], torch.cat([right, left]), rtol=1e-15, atol=1e-18)
    slope = 1.0 * (right / x == 1)
    assert torch.allclose(found[1,][:, 0], torch.cat([slope, 0 * x]), rtol=1e-15, atol=1e-18)
    for order in range(2, 7):
        assert float(found[order,].abs().max()) <= 1e-17


@every_function
def test_values_are_torch_s_own(name: str) -> None:
    function, x = FUNCTIONS[name][0], torch.linspace(-45, 45, 901, dtype=torch.float64)[:, None]
    found = derivatives(function, x, [(0,), (1,)])[0,]
    assert torch.allclose(found, function(x), rtol=2e-15, atol=1e-15)


def falling(power: float, order: int) -> float:
    """r (r - 1) ... (r - k + 1)."""
    return math.prod(power - each for each in range(order))


def power_derivative(power: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda x, order: falling(power, order) * x ** (power - order)


OF_POSITIVES: dict[str, tuple[Function, Callable[[np.ndarray, int], np.ndarray]]] = {
    "sqrt": (torch.sqrt, power_derivative(0.5)),
    "rsqrt": (torch.rsqrt, power_derivative(-0.5)),
    "reciprocal": (torch.reciprocal, power_derivative(-1)),
    "number over": (lambda x: 1 / x, power_derivative(-1)),
    "tensor over": (lambda x: torch.ones((), dtype=x.dtype) / x, power_derivative(-1)),
    "quotient": (lambda x: x**3 / (x * x), power_derivative(1)),
    "**": (lambda x: x**2.5, power_derivative(2.5)),
    "pow": (lambda x: torch.pow(x, -3), power_derivative(-3)),
    "log": (torch.log, lambda x, k: power_derivative(-1)(x, k - 1) if k else np.log(x)),
    "hypot": (lambda x: torch.hypot(0.6 * x, 0.8 * x), power_derivative(1)),
}


@pytest.mark.parametrize("name", OF_POSITIVES)
def test_powers_roots_and_logarithms_equal_their_closed_forms(name: str) -> None:
    function, closed_form = OF_POSITIVES[name]
    x = torch.tensor([1e-3, 0.1, 0.7, 1.0, 4.0, 1e3], dtype=torch.float64)
    found = derivatives(function, x[:, None], [(order,) for order in range(7)])
    for order in range(7):
        expected = closed_form(x.numpy(), order)
        size = np.abs(power_derivative(1)(x.numpy(), 0)) ** (1 - order)  # of what cancels where all is zero
        assert np.abs(found[order,][:, 0].numpy() - expected).max() <= 1e-10 * max(np.abs(expected).max(), size.max())


def test_outside_of_their_range_values_are_torch_s_own() -> None:
    x = torch.tensor([[-1.0], [0.0]], dtype=torch.float64)
    for function in (torch.log, torch.sqrt, torch.reciprocal):
        found = derivatives(function, x, [(0,), (1,)])[0,]
        assert torch.equal(found.nan_to_num(7.0), function(x).nan_to_num(7.0))


@every_function
@pytest.mark.parametrize("algebra", ALGEBRAS, ids=lambda algebra: f"{len(algebra)} streams")
@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), split=st.booleans())
def test_in_any_algebra_a_composition_is_the_univariate_series_of_powers(
    name: str, algebra: Algebra, seed: int, split: bool
) -> None:
    draws = torch.Generator().manual_seed(seed)
    support = (0, *(row for row in range(1, len(algebra)) if torch.rand((), generator=draws) < 0.7))
    stack = torch.randn((len(support), 5), generator=draws, dtype=torch.float64)
    if split:  # derivatives that are the same at all points, as those of the points themselves
        parts = (stack[:1], stack[1:, :1])
        stack = torch.cat([stack[:1], stack[1:, :1].expand(-1, 5)])
    a = Series(algebra, support, (stack,))
    function, rule, _ = FUNCTIONS[name]
    coefficients = derivatives(function, stack[0][:, None], [(order,) for order in range(5)])
    power = Series(algebra, (0,), (torch.ones((1, 5), dtype=torch.float64),))
    total = power * coefficients[0,][:, 0]
    for order in range(1, 5):
        power = power * (a - a.value)
        total = total + power * (coefficients[order,][:, 0] / math.factorial(order))
    found = Series(algebra, support, parts if split and len(support) > 1 else a.parts).compose(rule)
    expected = total.on(algebra.everything)
    assert found.support == algebra.everything
    assert torch.allclose(found.parts[0], expected, rtol=1e-11, atol=1e-12 * (1 + float(expected.abs().max())))


@pytest.mark.parametrize("options", [{}, {"threshold": 40}], ids=str)
def test_softplus_keeps_its_tail_where_torch_s_own_is_cut_off(options: dict[str, float]) -> None:
    x = torch.linspace(15, 60, 46, dtype=torch.float64)[:, None]
    found = derivatives(lambda p: functional.softplus(p, **options), x, [(0,), (1,)])[0,]
    assert np.allclose(found.numpy(), np.logaddexp(0, x.numpy()), rtol=3e-16, atol=0)
    assert float((found - functional.softplus(x)).abs().max()) > 1e-10
