"""k-TV with `mixed: full`: the norm of the tensor of all k-th derivatives, whatever the coordinates."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from objectives import Placed, penalty_rows, placed, value_of
from pydantic import ValidationError
from torch import Tensor
from torch.func import functional_call, jacfwd, vmap

from pinnreg import Box, InputError, Problem, dirichlet, initial
from pinnreg.config import resolve
from pinnreg.equations import Points, Sweep, Trial
from pinnreg.networks import MLP
from pinnreg.objective.sampling import uniform_points
from pinnreg.regularisers import KTV
from pinnreg.run.prepare import prepare

# torch's forward mode compiles something of its own in a deprecated way

F64 = torch.float64
AXES = ("x", "y", "z")

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Line(Problem):
    """One unknown function of x and t, with exact data of every order in both."""

    domain = Box(x=(-1, 1), t=(0, 1.5))
    conditions = (initial(lambda x: torch.cos(2 * x)), dirichlet(lambda x, t: torch.cos(2 * x + t), on="x"))

    def residual(self, u: Any) -> Any:
        return u.t - u.xx


@dataclass(frozen=True)
class Square(Problem):
    """Two unknown functions of x, y and t; only the first has exact data, and only some."""

    domain = Box(x=(0, 1), y=(-1, 1), t=(0, 2))
    outputs = ("u", "v")
    conditions = (
        initial(lambda x, y: torch.sin(x * y), of="u"),
        dirichlet(lambda y, t: torch.sin(y) * torch.exp(-t), on="x=max", of="u"),
    )

    def residual(self, u: Any, v: Any) -> Any:
        return {"first": u.t - v.x, "second": v.t - u.y}


def objective(problem: Problem, *, chunk: int | None = None, **regulariser: Any) -> Placed:
    config = {
        "problem": problem,
        "network": {"hidden": [5], "activation": "tanh"},
        "points": {"interior": 16, "boundary": 8, "chunk": chunk},
        "regularisers": [{"kind": "ktv", "mixed": "full", **regulariser}],
        "conditions": "exact",
        "balance": False,
        "seed": 4,
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def free(axes: tuple[str, ...], outputs: tuple[str, ...] = ("u",)) -> Trial:
    """A trial function that is the network itself, so that any function can be its network."""
    return Trial(axes, outputs, ((),) * len(outputs))


def box(dimension: int) -> Box:
    return Box(**{axis: (-1, number + 1) for number, axis in enumerate(AXES[:dimension])})


def network(dimension: int, outputs: int) -> MLP:
    return MLP(dimension, [6, 5], outputs, generator=torch.Generator().manual_seed(2), dtype=F64)


def drawn(domain: Box, count: int) -> Tensor:
    unit = torch.rand((count, domain.dimension), generator=torch.Generator().manual_seed(1), dtype=F64)
    return domain.interior(unit)


def density(ktv: KTV, function: Function, trial: Trial, domain: Box, points: Tensor) -> Tensor:
    """The penalty's integrand at each point, (n,): the estimates from single points, by the volume."""
    assert ktv.samples == 1
    sweeps = [Sweep(trial, function, Points(point)) for point in points.split(1)]
    problem: Any = SimpleNamespace(domain=domain)
    return torch.stack([value_of(penalty_rows(ktv, problem, sweep)) for sweep in sweeps]) / domain.volume


def tensor(function: Function, points: Tensor, order: int) -> Tensor:
    """The tensor of all k-th derivatives at each point, (n, outputs, d, ..., d), by nested forward mode."""
    one_point: Function = lambda point: function(point[None])[0]  # noqa: E731
    for _ in range(order):
        one_point = jacfwd(one_point)
    return vmap(one_point)(points)


def squared_norm(entries: Tensor) -> Tensor:
    return entries.square().flatten(start_dim=1).sum(dim=1)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_full_is_the_frobenius_norm_of_a_network_with_two_outputs(order: int, dimension: int) -> None:
    domain, of = box(dimension), network(dimension, 2)
    points = drawn(domain, 5)
    found = density(KTV(order=order, mixed="full", samples=1), of, free(domain.axes, ("u", "v")), domain, points)
    entries = tensor(of, points, order)
    assert entries.shape == (5, 2, *(dimension,) * order)
    torch.testing.assert_close(found, squared_norm(entries), rtol=1e-10, atol=0)


@pytest.mark.first(2)
@pytest.mark.parametrize("problem", [Line(), Square()])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_full_is_the_frobenius_norm_of_a_trial_function_with_exact_conditions(order: int, problem: Problem) -> None:
    domain, trial = problem.domain, objective(problem).trial
    assert isinstance(domain, Box)
    assert any(trial.data)
    of, points = network(domain.dimension, len(trial.outputs)), drawn(domain, 2)
    found = density(KTV(order=order, mixed="full", samples=1), of, trial, domain, points)
    entries = tensor(lambda at: trial(of, at), points, order)
    torch.testing.assert_close(found, squared_norm(entries), rtol=1e-10, atol=0)
    assert not torch.allclose(found, squared_norm(tensor(of, points, order)), rtol=0.1)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_the_factors_of_full_count_the_equal_entries_of_the_tensor(order: int, dimension: int) -> None:
    domain = box(dimension)
    words = itertools.product(range(dimension), repeat=order)
    counted = [tuple(word.count(axis) for axis in range(dimension)) for word in words]
    factors = KTV(order=order, mixed="full").indices(domain)
    assert factors == {index: counted.count(index) for index in counted}
    assert len(factors) == comb(order + dimension - 1, order)
    assert KTV(order=order).indices(domain) == {index: 1 for index in counted if max(index) == order}


def rotation(dimension: int) -> Tensor:
    """A fixed rotation that mixes all coordinates."""
    normal = torch.randn((dimension, dimension), generator=torch.Generator().manual_seed(5), dtype=F64)
    matrix: Tensor = torch.linalg.qr(normal).Q
    matrix[:, 0] *= torch.linalg.det(matrix)
    assert matrix.abs().min() > 0.05
    return matrix


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_rotation_of_the_coordinates_leaves_full_and_changes_pure(order: int, dimension: int) -> None:
    domain, of, turn = box(dimension), network(dimension, 1), rotation(dimension)
    points = drawn(domain, 6)

    def before_and_after(**settings: Any) -> tuple[Tensor, Tensor]:
        ktv, trial = KTV(order=order, samples=1, **settings), free(domain.axes)
        turned = density(ktv, lambda at: of(at @ turn.T), trial, domain, points)
        return density(ktv, of, trial, domain, points @ turn.T), turned

    torch.testing.assert_close(*before_and_after(mixed="full"), rtol=1e-10, atol=0)
    # of order 1 the sum of squares is |∇u|², so that only the sum of absolute values depends on the axes
    before, after = before_and_after(mixed="pure", power=1 if order == 1 else 2)
    assert (after / before - 1).abs().median() > 0.05


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_full_of_order_one_is_pure_of_order_one(dimension: int) -> None:
    domain, of = box(dimension), network(dimension, 2)
    points = drawn(domain, 7)

    def values(**settings: Any) -> Tensor:
        trial = free(domain.axes, ("u", "v"))
        sweep = Sweep(trial, of, Points(points))
        problem: Any = SimpleNamespace(domain=domain)
        return penalty_rows(KTV(samples=7, **settings), problem, sweep).values

    assert torch.equal(values(order=1, mixed="full"), values(order=1, mixed="pure"))
    same_count = len(values(order=2, mixed="full")) == len(values(order=2, mixed="pure"))
    assert same_count == (dimension == 1)


def test_full_over_chosen_axes_leaves_out_all_derivatives_along_others() -> None:
    domain = Box(x=(0, 2), y=(0, 1), t=(0, 3))
    points = drawn(domain, 4)
    x, y, t = points.unbind(dim=1)

    def product(at: Tensor) -> Tensor:
        return (at[:, 0] * at[:, 1] * at[:, 2])[:, None]

    def value(axes: Any, order: int = 2, mixed: Any = "full") -> Tensor:
        return density(KTV(order=order, axes=axes, mixed=mixed, samples=1), product, free(domain.axes), domain, points)

    close = torch.testing.assert_close
    close(value("all"), 2 * (x**2 + y**2 + t**2))  # each of u_xy = t, u_xt = y and u_yt = x stands twice
    close(value("space"), 2 * t**2)
    close(value(("x", "t")), 2 * y**2)
    close(value(("t", "x")), 2 * y**2)
    close(value(("y", "y")), torch.zeros(4, dtype=F64))
    close(value("all", order=3), torch.full((4,), 6.0, dtype=F64))
    close(value("space", order=3), torch.zeros(4, dtype=F64))
    close(value("all", mixed="pure"), torch.zeros(4, dtype=F64))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_full_over_space_is_the_norm_of_the_tensor_in_space(order: int) -> None:
    domain, trial = Square.domain, objective(Square()).trial
    of, points = network(3, 2), drawn(domain, 2)
    found = density(KTV(order=order, axes="space", mixed="full", samples=1), of, trial, domain, points)
    entries = tensor(lambda at: trial(of, at), points, order)
    in_space = entries[(..., *(slice(2),) * order)]
    torch.testing.assert_close(found, squared_norm(in_space), rtol=1e-10, atol=0)
    assert (found < squared_norm(entries)).all()


@pytest.mark.parametrize("axis", ["x", "t"])
def test_full_over_one_axis_is_pure_over_it(axis: str) -> None:
    domain = Box(x=(0, 2), t=(0, 3))
    full, pure = (KTV(order=3, axes=(axis,), mixed=mixed) for mixed in ("full", "pure"))
    assert full.indices(domain) == pure.indices(domain) == {(3, 0) if axis == "x" else (0, 3): 1}


def test_pure_is_the_default() -> None:
    assert KTV() == KTV(mixed="pure") != KTV(mixed="full")


def test_full_with_power_one_is_refused() -> None:
    message = "mixed: full is the squared norm of the tensor of derivatives; it needs power: 2"
    with pytest.raises(ValidationError, match=message):
        KTV(mixed="full", power=1)
    with pytest.raises(InputError, match=f"regularisers.*{message}"):
        objective(Line(), power=1)
    # with a smoothing, which only power 1 has
    with pytest.raises(ValidationError, match=message):
        KTV(mixed="full", power=1, smoothing=0.1)
    assert KTV(mixed="pure", power=1).power == 1


@pytest.mark.parametrize("mixed", ["Full", "all", True, None, 1])
def test_a_form_that_does_not_exist_is_refused(mixed: Any) -> None:
    with pytest.raises(ValidationError, match="mixed"):
        KTV(mixed=mixed)
    with pytest.raises(InputError, match="mixed"):
        objective(Line(), mixed=mixed)


@pytest.mark.first(2)
# each two of order, problem and chunk once; all three together if slow
@pytest.mark.parametrize(
    ("order", "problem", "chunk"),
    [
        pytest.param(order, problem, chunk, marks=() if (order + i + j) % 2 == 0 else pytest.mark.slow)
        for order in (1, 2, 3)
        for i, problem in enumerate((Line(), Square()))
        for j, chunk in enumerate((None, 5))
    ],
)
def test_an_objective_with_full_has_the_loss_and_gradient_of_the_formula(
    order: int, problem: Problem, chunk: int | None
) -> None:
    weight, step = 0.3, 7
    of = objective(problem, chunk=chunk, order=order, samples=12, weight=weight)
    of = of.redraw(step, progress=0.5, smooth=False)
    parameters = list(of.parameters.values())
    losses = of.losses(of.parameters)

    domain, trial = problem.domain, of.trial
    points = uniform_points(domain, 12, 4, "ktv", step, like=torch.empty(0, dtype=F64))
    u: Function = lambda at: trial(lambda p: functional_call(of.network, of.parameters, (p,)), at)  # noqa: E731
    formula = domain.volume * squared_norm(tensor(u, points, order)).mean()
    torch.testing.assert_close(losses["ktv"], formula, rtol=1e-10, atol=0)

    def gradient(value: Tensor) -> Tensor:
        # of order 2 and more the last bias can drop out
        gradients = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
        return torch.cat([each.reshape(-1) for each in gradients])

    expected = gradient(formula)
    assert torch.isfinite(expected).all()
    assert (expected.abs() > 1e-6 * expected.norm()).sum() > len(expected) / 2
    tolerance = {"rtol": 1e-9, "atol": 1e-11 * expected.norm().item()}
    torch.testing.assert_close(gradient(losses["ktv"]), expected, **tolerance)

    total, others = of.total(losses), sum(value for name, value in losses.items() if name != "ktv")
    torch.testing.assert_close(total, others + weight * formula, rtol=1e-10, atol=0)
    torch.testing.assert_close(gradient(total), gradient(others) + weight * expected, **tolerance)
