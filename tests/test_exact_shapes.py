"""Exact conditions on balls, annuli, ellipses and cylinders, and which on shapes cannot be exact."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_exact import initial, network, problem
from torch import Tensor

from pinnreg import Annulus, Ball, Box, Ellipse, InputError, Polygon, Star, dirichlet, neumann
from pinnreg.differentiation import derivatives
from pinnreg.domain import Domain
from pinnreg.equations import Points, Sweep, split_conditions


def smooth(x: Tensor, y: Tensor) -> Tensor:
    return torch.sin(2 * x + y) + x * y**2


def moving(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return smooth(x, y) * torch.exp(-t)


DISC, RING = Ball(x=1, y=0, radius=2), Annulus(x=0, y=1, inner=0.5, outer=1.5)
TILTED = Ellipse(2, 0.7, angle=0.4, x=0, y=1)
CASES: dict[str, tuple[Domain, tuple[Any, ...]]] = {
    "disc": (DISC, (dirichlet(smooth),)),
    "ball": (Ball(x=0, y=1, z=0, radius=0.3), (dirichlet(lambda x, z: x * torch.exp(z)),)),
    "five dimensions": (Ball(x1=0, x2=0, x3=0, x4=0, x5=0, radius=1), (dirichlet(1.5),)),
    "ellipse": (TILTED, (dirichlet(smooth),)),
    "both sides": (RING, (dirichlet(smooth, on="inner"), dirichlet(2.0, on="outer", name="rim"))),
    "inner side": (RING, (dirichlet(smooth, on="inner"), neumann(0.0, on="outer"))),
    "outer side": (RING, (dirichlet(smooth, on="outer"),)),
    "cylinder": (DISC.over(z=(0, 2)), (dirichlet(smooth),)),
    "over time": (DISC.over(t=(0, 2)), (dirichlet(moving), initial(smooth))),
    "ring over time": (RING.over(t=(0, 2)), (dirichlet(moving, on="outer"), initial(smooth))),
}


@pytest.mark.parametrize("case", CASES)
def test_conditions_hold_whatever_the_network(case: str) -> None:
    domain, conditions = CASES[case]
    given = problem(domain, *conditions)
    split = split_conditions(given, "default")
    assert {each.name for each in split.soft} == {"neumann"} & {each.kind for each in conditions}
    model = network(given, split, 0, size=0.3)
    for each in split.exact:
        points = each.sample(domain, 200, "sobol", 1)
        rows = each.residual(Sweep(split.trial, model, points), given)
        assert float(rows.detach().abs().max()) < 1e-12
    # and elsewhere u is what the network makes of it
    inside = domain.sample(200)
    assert float((split.trial.phi(inside) > 1e-4).double().mean()) > 0.9
    assert float(split.trial.phi(inside).max()) <= 1 + 1e-12


@pytest.mark.parametrize("case", CASES)
def test_derivatives_by_leibniz_rule_equal_nested_automatic_ones(case: str) -> None:
    domain, conditions = CASES[case]
    given = problem(domain, *conditions)
    split = split_conditions(given, "default")
    model = network(given, split, 0, size=0.3)
    points = domain.sample(20, "uniform", 3)
    sweep = Sweep(split.trial, model, Points(points))
    wanted = [tuple(int(k == axis) * order for k in range(domain.dimension)) for axis in (0, 1) for order in (1, 2)]
    wanted.append((1, 1, *(domain.dimension - 2) * [0]))
    direct = derivatives(lambda at: split.trial(model, at), points, wanted)
    for index in wanted:
        assert torch.allclose(sweep(index), direct[index], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("domain", "condition", "why"),
    [
        (Star(lambda theta: 1 + 0.2 * torch.cos(3 * theta), x=0, y=0), dirichlet(0.0), "only boxes, balls"),
        (Polygon([(0, 0), (1, 0), (0, 1)]), dirichlet(0.0), "only boxes, balls"),
        (Box(x=(0, 1), y=(0, 1)) - Ball(x=0, y=0, radius=0.5), dirichlet(0.0), "only boxes, balls"),
        (DISC, dirichlet(lambda x, y: torch.abs(y)), "its data have a kink at"),
        (DISC, dirichlet(lambda x, y: torch.atan2(y, x - 1)), "its data jump"),
        (DISC, dirichlet(lambda x, y: torch.where(x > 1, 1.0, 0.0) + 0 * y), "its data"),
    ],
    ids=["star", "polygon", "combined", "kink", "jump", "step"],
)
def test_what_cannot_be_exact_is_soft_and_says_why(domain: Domain, condition: Any, why: str) -> None:
    split = split_conditions(problem(domain, condition), "default")
    assert split.exact == ()
    assert why in split.reasons["dirichlet"]


def test_data_that_disagree_at_an_edge_leave_the_later_condition_out() -> None:
    given = problem(DISC.over(t=(0, 1)), dirichlet(moving), initial(lambda x, y: smooth(x, y) + 1))
    with pytest.raises(InputError, match=r"exact=True is impossible: initial: its data disagree"):
        split_conditions(given, "default")


def radius(x: Tensor, y: Tensor) -> Tensor:
    return torch.sqrt((x - 1) ** 2 + y**2)


@pytest.mark.parametrize(
    ("domain", "data"),
    [
        (DISC, lambda x, y: torch.log(radius(x, y))),
        (DISC, lambda x, y: torch.log(torch.hypot(x - 1.5, y + 0.7))),
        (DISC, lambda x, y: (x - 1) / radius(x, y) ** 2),
        (DISC, lambda x, y: ((x - 1) ** 2 - y**2) / radius(x, y) ** 4),
        (DISC, lambda x, y: (x - 1) / radius(x, y)),
        (DISC, radius),
        (Ball(x=0, y=0, z=0, radius=1), lambda x, y, z: 1 / torch.sqrt(x**2 + y**2 + z**2)),
        (TILTED, lambda x, y: torch.log(torch.hypot(x, y - 1))),
        (DISC.over(t=(0, 1)), lambda x, y, t: torch.exp(-t) * torch.log(radius(x, y))),
    ],
    ids=["log", "log off centre", "dipole", "quadrupole", "angle", "cone", "in space", "ellipse", "over time"],
)
def test_data_that_are_singular_inside_are_soft(domain: Domain, data: Any) -> None:
    split = split_conditions(problem(domain, dirichlet(data)), "default")
    assert split.exact == ()
    assert "its data" in split.reasons["dirichlet"]


def test_what_is_singular_in_a_hole_is_exact() -> None:
    ring = Annulus(x=1, y=0, inner=0.5, outer=2)
    given = problem(ring, dirichlet(lambda x, y: torch.log(radius(x, y))))
    assert [each.name for each in split_conditions(given, "default").exact] == ["dirichlet"]


def test_a_curved_side_beside_too_many_flat_ones_is_not_exact() -> None:
    far = DISC.over(z=(0, 1)).over(w=(0, 1)).over(t=(0, 1))
    with pytest.raises(InputError, match=r"exact=True is impossible: initial: .* cannot be exact together"):
        split_conditions(problem(far, dirichlet(0.0), initial(0.0)), "default")
    conditions = (dirichlet(0.0), initial(0.0, exact=None))
    split = split_conditions(problem(far, *conditions), "default")
    model = network(problem(far, *conditions), split, 0)
    for each in split.exact:
        points = each.sample(far, 200, "sobol", 1)
        rows = each.residual(Sweep(split.trial, model, points), problem(far, *conditions))
        assert float(rows.detach().abs().max()) < 1e-12
    assert [each.name for each in split.exact] == ["dirichlet"]
