"""k-TV's estimate: unbiased in value and gradient, by t-tests against quadrature, for all orders, powers and forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from objectives import Placed, penalty_rows, placed, value_of
from scipy import stats
from torch import Tensor
from torch.func import functional_call

from pinnreg import Box, Problem, dirichlet, initial
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.objective.sampling import uniform_points
from pinnreg.regularisers import KTV
from pinnreg.run.prepare import prepare

F64 = torch.float64
STEPS, SAMPLES = 30, 2048

Function = Callable[[Tensor], Tensor]
Parameters = dict[str, Tensor]
Word = tuple[int, ...]
"""The axes of one entry of the tensor of all k-th derivatives, in the order of differentiation."""

FORMS = [("pure", 1), ("pure", 2), ("full", 2)]
forms = pytest.mark.parametrize(("mixed", "power"), FORMS)


@dataclass(frozen=True)
class Travelling(Problem):
    """A domain of volume 3, on which a forgotten volume shows, and data with derivatives of every order."""

    domain = Box(x=(-1, 1), t=(0, 1.5))
    conditions = (
        initial(lambda x: torch.cos(2 * x)),
        dirichlet(lambda x, t: torch.cos(2 * x + t), on="x"),
    )

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


def objective(conditions: str) -> Placed:
    config = {
        "problem": Travelling(),
        # a gentle function: the estimates vary so little that the t-tests below find small mistakes
        "network": {"hidden": [4], "activation": "tanh", "spread": None},
        "points": {"interior": 4, "boundary": 4},
        "conditions": conditions,
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def flat_gradient(value: Tensor, parameters: Parameters) -> Tensor:
    # a high derivative can lose the last bias: its gradient is then zero, not missing
    gradients = torch.autograd.grad(value, list(parameters.values()), materialize_grads=True)
    return torch.cat([gradient.reshape(-1) for gradient in gradients])


def gauss(domain: Box, nodes: int, panels: int) -> tuple[Tensor, Tensor]:
    """Composite Gauss-Legendre points (n, d) and weights (n,), which sum to the volume."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    columns, weights = [], []
    for lower, upper in domain.bounds.values():
        edges = np.linspace(lower, upper, panels + 1)
        half = (edges[1] - edges[0]) / 2
        columns.append(torch.from_numpy(((edges[:-1] + half)[:, None] + half * x).reshape(-1)))
        weights.append(torch.from_numpy(np.tile(half * w, panels)))
    points = torch.cartesian_prod(*columns).reshape(-1, domain.dimension)
    return points, torch.cartesian_prod(*weights).reshape(-1, domain.dimension).prod(dim=1)


def entries(function: Function, points: Tensor, words: Iterable[Word]) -> list[Tensor]:
    """Derivatives of a scalar function of each point, (n,) each, one `torch.autograd.grad` after the other."""
    points = points.detach().requires_grad_()
    values, gradients = function(points), dict[Word, Tensor]()

    def entry(word: Word) -> Tensor:
        if not word:
            return values
        *before, axis = word
        prefix = tuple(before)
        if prefix not in gradients:
            lower = entry(prefix).sum()
            (gradients[prefix],) = torch.autograd.grad(lower, points, create_graph=True, materialize_grads=True)
        return gradients[prefix][:, axis]

    return [entry(word) for word in words]


def quadrature(of: Placed, words: Iterable[Word], power: int) -> Tensor:
    """The sum over words of ∫|∂_word u|^q, differentiating the trial function as a whole, without the engine."""
    domain = of.problem.domain
    assert isinstance(domain, Box)
    # |s| has kinks, which only many panels resolve
    points, weights = gauss(domain, *((20, 1) if power == 2 else (4, 40)))

    def u(at: Tensor) -> Tensor:
        return of.trial(lambda p: functional_call(of.network, of.parameters, (p,)), at)[:, 0]

    return sum((weights * value.abs() ** power).sum() for value in entries(u, points, words))  # type: ignore[return-value]


def pure_words(order: int) -> list[Word]:
    return [(axis,) * order for axis in range(2)]


def all_words(order: int) -> list[Word]:
    """Those of all 2ᵏ entries of the tensor, equal ones included."""
    return list(itertools.product(range(2), repeat=order))


def ascending_words(order: int) -> list[Word]:
    """Each mixed derivative once, as if its factor k!/α! were forgotten."""
    return list(itertools.combinations_with_replacement(range(2), order))


@cache
def estimates(
    conditions: str, order: int, power: Literal[1, 2], mixed: Literal["pure", "full"]
) -> tuple[Tensor, Tensor]:
    """The values (steps, 1) and the gradients (steps, parameters) of independent steps."""
    of, ktv = objective(conditions), KTV(order=order, power=power, mixed=mixed, samples=SAMPLES)
    domain, wanted = of.problem.domain, set(ktv.indices(of.problem.domain))
    values, gradients = [], []
    for step in range(STEPS):
        points = uniform_points(domain, ktv.samples, 3, "ktv", step, like=torch.empty(0, dtype=F64))
        sweep = Sweep(of.trial, lambda p: functional_call(of.network, of.parameters, (p,)), Points(points), wanted)
        value = value_of(penalty_rows(ktv, of.problem, sweep))
        values.append(value.detach().reshape(1))
        gradients.append(flat_gradient(value, of.parameters))
    return torch.stack(values), torch.stack(gradients)


def rejected(drawn: Tensor, expected: Tensor) -> bool:
    """Whether t-tests of the columns' means reject the expected ones, at a level of 1e-4 for all together."""
    steps, columns = drawn.shape
    # a gradient that vanishes up to rounding is compared by the size of the others
    error = drawn.std(dim=0) / steps**0.5 + 1e-9 * expected.norm()
    largest = ((drawn.mean(dim=0) - expected).abs() / error).max()
    return bool(largest > stats.t.ppf(1 - 1e-4 / (2 * columns), df=steps - 1))


# with exact conditions Leibniz' rule, which test_exact asks for all orders, makes high orders expensive; of the others
# each order and each form is taken once
QUICK = [(1, "exact", "pure", 1), (2, "exact", "pure", 2), (3, "exact", "full", 2)]
EVERY = [(order, conditions, *form) for order in range(1, 6) for conditions in ("exact", "soft") for form in FORMS]


@pytest.mark.first(6)
@pytest.mark.parametrize(
    ("order", "conditions", "mixed", "power"),
    [pytest.param(*case, marks=() if case in QUICK or "soft" in case else pytest.mark.slow) for case in EVERY],
)
def test_the_estimate_is_unbiased_in_value_and_gradient(
    order: int, power: Literal[1, 2], mixed: Literal["pure", "full"], conditions: str
) -> None:
    of = objective(conditions)
    assert any(of.trial.data) == (conditions == "exact")
    truth = quadrature(of, (all_words if mixed == "full" else pure_words)(order), power)
    slope = flat_gradient(truth, of.parameters)
    truth = truth.detach().reshape(1)
    values, gradients = estimates(conditions, order, power, mixed)

    assert not rejected(values, truth)
    assert not rejected(gradients, slope)
    # along the true gradient too, where all its components count together
    along, one = gradients @ slope[:, None] / slope.square().sum(), torch.ones(1, dtype=F64)
    assert not rejected(along, one)

    # the tests have power: each finds a factor that is 5 % off, and a forgotten volume
    for factor in (0.95, 1.05, 1 / of.problem.domain.volume):
        assert rejected(factor * values, truth)
        assert rejected(factor * gradients, slope)
        assert rejected(factor * along, one)


@pytest.mark.parametrize(
    ("order", "conditions"),
    [
        *((order, "soft") for order in (2, 3, 4, 5)),
        (3, "exact"),
        *(pytest.param(order, "exact", marks=pytest.mark.slow) for order in (2, 4, 5)),
    ],
)
def test_the_t_test_tells_the_full_tensor_from_incomplete_ones(order: int, conditions: str) -> None:
    of = objective(conditions)
    values, gradients = estimates(conditions, order, 2, "full")
    for words in (pure_words(order), ascending_words(order)):
        truth = quadrature(of, words, 2)
        assert rejected(values, truth.detach().reshape(1))
        assert rejected(gradients, flat_gradient(truth, of.parameters))


def test_the_quadrature_is_exact_for_polynomials_and_its_derivatives_are_right() -> None:
    points, weights = gauss(Box(x=(-1, 1), t=(0, 1.5)), 4, 3)
    x, t = points.unbind(dim=1)
    assert (weights * x**6 * t**7).sum().item() == pytest.approx(2 / 7 * 1.5**8 / 8)

    def polynomial(at: Tensor) -> Tensor:
        return at[:, 0] ** 3 * at[:, 1] ** 2

    found = entries(polynomial, points, [(0, 0), (1, 0), (0, 1), (1, 1, 0)])
    for value, expected in zip(found, [6 * x * t**2, 6 * x**2 * t, 6 * x**2 * t, 6 * x**2], strict=True):
        torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("order", [1, 3])
@forms
def test_the_estimate_is_the_average_of_those_from_single_points(
    mixed: Literal["pure", "full"], power: Literal[1, 2], order: int
) -> None:
    # with this, an estimate that is unbiased for one number of points is so for every other
    domain = Box(x=(0, 2), y=(-1, 0), t=(0, 3))
    trial = Trial(domain.axes, ("u", "v"), ((), ()))
    points = domain.interior(torch.rand((6, 3), generator=torch.Generator().manual_seed(1), dtype=F64))
    matrix = torch.tensor([[1.0, -2.0], [0.5, 1.5], [2.0, 1.0]], dtype=F64)

    def estimate(at: Tensor) -> Tensor:
        ktv = KTV(order=order, power=power, mixed=mixed, samples=len(at))
        sweep = Sweep(trial, lambda p: torch.sin(p @ matrix), Points(at))
        return value_of(penalty_rows(ktv, SimpleNamespace(domain=domain), sweep))  # type: ignore[arg-type]

    single = torch.stack([estimate(point) for point in points.split(1)])
    assert single.std() > 0.1 * single.mean()
    assert estimate(points).item() == pytest.approx(single.mean().item(), rel=1e-12)
