"""k-TV on shapes: unbiased in value and gradient, by t-tests against quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, penalty_rows, placed, value_of
from test_ktv_estimator import SAMPLES, STEPS, entries, flat_gradient, rejected
from torch import Tensor
from torch.func import functional_call

from pinnreg import Ball, Polygon, Problem, dirichlet
from pinnreg.config import resolve
from pinnreg.domain import Domain
from pinnreg.equations import Points, Sweep
from pinnreg.objective.sampling import uniform_points
from pinnreg.regularisers import KTV
from pinnreg.run.prepare import prepare

F64 = torch.float64
CORNERS = ((-1.2, -1.0), (1.5, -1.0), (0.2, 1.6))
HOLE = Ball(x=0, y=-0.2, radius=0.4, name="hole")
Rule = tuple[Tensor, Tensor]


def gauss(count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def disc_rule(x: float, y: float, radius: float) -> Rule:
    r, w = gauss(24)
    theta = 2 * math.pi * np.arange(48) / 48
    points = np.stack([x + radius * np.outer(r, np.cos(theta)), y + radius * np.outer(r, np.sin(theta))], axis=-1)
    weights = np.outer(radius**2 * w * r, np.full(48, 2 * math.pi / 48))
    return torch.from_numpy(points.reshape(-1, 2)), torch.from_numpy(weights.reshape(-1))


def triangle_rule() -> Rule:
    a, b, c = map(np.array, CORNERS)
    s, w = gauss(24)
    far, across = (each.reshape(-1, 1) for each in np.meshgrid(s, s, indexing="ij"))
    points = a + far * ((1 - across) * (b - a) + across * (c - a))
    area = abs(float(np.linalg.det(np.stack([b - a, c - a]))))
    return torch.from_numpy(points), torch.from_numpy((area * np.outer(w * s, w)).reshape(-1))


def holed_rule() -> Rule:
    """The triangle less the disc: u is smooth in both."""
    (whole, more), (hole, less) = triangle_rule(), disc_rule(0.0, -0.2, 0.4)
    return torch.cat([whole, hole]), torch.cat([more, -less])


SHAPES: dict[str, tuple[Domain, Callable[[], Rule]]] = {
    "disc": (Ball(x=0.5, y=0, radius=1.3), lambda: disc_rule(0.5, 0.0, 1.3)),
    "polygon with a hole": (Polygon(CORNERS) - HOLE, holed_rule),
}


@cache
def objective(shape: str) -> Placed:
    @dataclass(frozen=True)
    class Given(Problem):
        domain = SHAPES[shape][0]
        conditions = (dirichlet(lambda x, y: torch.cos(x + y)),)

        def residual(self, u: Any) -> Any:
            return u.laplacian

    config = {"problem": Given(), "network": {"hidden": [4], "spread": None}, "points": {"interior": 4, "boundary": 4}}
    return placed(prepare(resolve(config), with_reference=False).objective)


def solution(of: Placed) -> Callable[[Tensor], Tensor]:
    return lambda at: of.trial(lambda p: functional_call(of.network, of.parameters, (p,)), at)[:, 0]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rules_integrate_what_they_should(shape: str) -> None:
    domain, rule = SHAPES[shape]
    assert float(rule()[1].sum()) == pytest.approx(domain.volume, rel=1e-7)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_is_unbiased_in_value_and_gradient(shape: str, order: int) -> None:
    of, ktv = objective(shape), KTV(order=order, power=2, mixed="pure", samples=SAMPLES)
    domain, wanted = of.problem.domain, set(ktv.indices(of.problem.domain))
    values, gradients = [], []
    for step in range(STEPS):
        points = uniform_points(domain, ktv.samples, 3, "ktv", step, like=torch.empty(0, dtype=F64))
        assert len(points) == SAMPLES
        sweep = Sweep(of.trial, lambda p: functional_call(of.network, of.parameters, (p,)), Points(points), wanted)
        value = value_of(penalty_rows(ktv, of.problem, sweep))
        values.append(value.detach().reshape(1))
        gradients.append(flat_gradient(value, of.parameters))
    points, weights = SHAPES[shape][1]()
    found = entries(solution(of), points, [(axis,) * order for axis in range(2)])
    exact = sum((weights * each**2).sum() for each in found)
    assert isinstance(exact, Tensor)
    assert not rejected(torch.stack(values), exact.detach().reshape(1))
    slope = flat_gradient(exact, of.parameters)
    assert not rejected(torch.stack(gradients), slope)
    # a measure that is 5 % off would show
    assert rejected(1.05 * torch.stack(values), exact.detach().reshape(1))
    assert rejected(1.05 * torch.stack(gradients), slope)
