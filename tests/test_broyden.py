"""Self-scaled Broyden: its updates against formulas in H, minima, its limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from math import pi
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives import Placed, placed
from torch import Tensor

from pinnreg import Box, InputError, Problem, dirichlet
from pinnreg.config import resolve
from pinnreg.optimisers import LBFGS, Optimiser, SSBroyden
from pinnreg.optimisers.broyden import MOST_PARAMETERS, scaling, update_
from pinnreg.optimisers.settings import Update
from pinnreg.run.prepare import prepare

UPDATES = get_args(Update)


@dataclass(frozen=True)
class Sine(Problem):
    """u'' = -π² sin πx, u(0) = u(1) = 0, solved by sin πx."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return u.xx + pi**2 * torch.sin(pi * x)


@dataclass
class Function:
    """What an optimiser sees of an objective, for a loss of one tensor x."""

    loss: Callable[[Tensor], Tensor]
    annealing: bool = False
    asked: list[Tensor] = field(default_factory=list)

    def gradient(self, parameters: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        self.asked.append(parameters["x"].detach().clone())
        loss = self.loss(parameters["x"])
        return {"loss": loss.detach()}, {"x": torch.autograd.grad(loss, parameters["x"])[0]}

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        return losses["loss"]


def pinn(**sections: Any) -> Placed:
    config = {"problem": Sine(), "network": {"hidden": [6]}, "points": {"interior": 12}, **sections}
    return placed(prepare(resolve(config), with_reference=False).objective)


def loss(of: Placed) -> float:
    return of.total(of.losses({name: value.detach() for name, value in of.parameters.items()})).item()


def minimised(function: Function, start: Tensor, steps: int, **settings: Any) -> tuple[float, str | None]:
    """The loss reached from `start`, and why it stopped."""
    parameters = {"x": start.clone().requires_grad_()}
    optimiser, stop, done = SSBroyden(**settings).start(parameters), None, 0
    while done < steps and stop is None:
        made = optimiser.advance(function, done, steps - done)  # type: ignore[arg-type]
        assert 1 <= made.steps <= min(10, steps - done)
        done, stop = done + made.steps, made.stop
    return float(function.loss(parameters["x"].detach())), stop


def advance(optimiser: Optimiser, of: Placed, steps: int, block: int = 10) -> None:
    done = 0
    while done < steps:
        done += optimiser.advance(of.fixed, done, min(block, steps - done)).steps


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# one update


def urban(H: Tensor, B: Tensor, s: Tensor, y: Tensor, update: str) -> Tensor:
    """The update as Urban et al. write it, with H and B = H⁻¹."""
    n = len(s)
    h, b = float(y @ H @ y / (s @ y)), float(s @ B @ s / (s @ y))
    a = h * b - 1
    rho = min(1, 1 / b)
    tau, phi = rho, 1.0
    if update == "ssbroyden":
        rho_minus = min(1, h * (1 - math.sqrt(a / (1 + a))))
        theta_minus, theta_plus = (rho_minus - 1) / a, 1 / rho_minus
        theta = max(theta_minus, min(theta_plus, (1 - b) / b))
        sigma = 1 + a * theta
        root = sigma ** (1 / (1 - n))
        tau = min(rho * root, sigma) if theta <= 0 else rho * min(root, 1 / theta)
        phi = (1 - theta) / (1 + a * theta)
    Hy = H @ y
    v = (y @ Hy).sqrt() * (s / (s @ y) - Hy / (y @ Hy))
    return (H - torch.outer(Hy, Hy) / (y @ Hy) + phi * torch.outer(v, v)) / tau + torch.outer(s, s) / (s @ y)


@dataclass(frozen=True)
class Pair:
    factor: Tensor
    step: Tensor
    change: Tensor

    def updated(self, update: Any) -> Tensor:
        factor = self.factor.clone()
        update_(factor, self.step, self.change, torch.linalg.solve(self.factor, self.step), update)
        return factor


@st.composite
def pairs(draw: st.DrawFn, smallest: int = 1) -> Pair:
    """A factor and a pair of positive curvature, of any size and scale; H is wrong by a factor of up to about 1e3."""
    size, seed = draw(st.integers(smallest, 9)), draw(st.integers(0, 10**6))
    scale, long = 10.0 ** draw(st.integers(-8, 8)), 10.0 ** draw(st.integers(-12, 12))
    wrong = 10.0 ** draw(st.integers(-3, 3))
    factor = scale * (torch.eye(size, dtype=torch.float64) + 0.5 * normal(size, size, seed=seed) / math.sqrt(size))
    step, change = normal(size, seed=seed + 1), normal(size, seed=seed + 2)
    change += step * (max(0.0, -float(step @ change)) + draw(st.floats(0.1, 3))) / float(step @ step)
    return Pair(factor, long * step, wrong * long / scale**2 * change)


def close(one: Tensor, two: Tensor, tolerance: float) -> bool:
    return float((one - two).norm()) <= tolerance * float(two.norm())


@pytest.mark.parametrize("update", [*UPDATES, "bfgs"])
@given(pair=pairs())
def test_an_update_satisfies_the_secant_equation_and_stays_positive_definite(update: str, pair: Pair) -> None:
    factor = pair.updated(update)
    singular = torch.linalg.svdvals(factor)
    rounding = 1e-12 * (singular[0].square() * pair.change.norm() + pair.step.norm())
    assert (factor @ (factor.T @ pair.change) - pair.step).norm() <= rounding
    assert singular[-1] > 0


@given(pair=pairs())
def test_bfgs_is_the_textbook_formula(pair: Pair) -> None:
    factor = pair.updated("bfgs")
    H, s, y = pair.factor @ pair.factor.T, pair.step, pair.change
    rho, identity = 1 / (s @ y), torch.eye(len(s), dtype=s.dtype)
    expected = (identity - rho * torch.outer(s, y)) @ H @ (identity - rho * torch.outer(y, s)) + rho * torch.outer(s, s)
    assert close(factor @ factor.T, expected, 1e-7)


@pytest.mark.parametrize("update", UPDATES)
@given(pair=pairs(smallest=2))
def test_an_update_is_that_of_the_paper(update: str, pair: Pair) -> None:
    factor = pair.updated(update)
    H = pair.factor @ pair.factor.T
    expected = urban(H, torch.linalg.inv(H), pair.step, pair.change, update)
    assert close(factor @ factor.T, expected, 1e-5)  # the paper's 1 - c cancels


@pytest.mark.parametrize("update", UPDATES)
def test_parallel_pairs_only_scale(update: Update) -> None:
    # H y is parallel to s, so that there is no plane
    factor, step = 2 * torch.eye(4, dtype=torch.float64), normal(4, seed=0)
    new = Pair(factor, step, 0.5 * step).updated(update)
    assert close(new @ (new.T @ step), 2 * step, 1e-12)
    others = 4 / scaling(2.0, 0.5, 0.0, 4, update)[0]
    assert torch.linalg.eigvalsh(new @ new.T).tolist() == pytest.approx([2, others, others, others])


def test_the_scaling_of_a_perfect_matrix_is_none() -> None:
    for update in UPDATES:
        assert scaling(1.0, 1.0, 0.0, 5, update)[0] == 1.0


@pytest.mark.parametrize("update", UPDATES)
@given(log_b=st.floats(-8, 8), log_a=st.one_of(st.just(-math.inf), st.floats(-16, 12)), parameters=st.integers(1, 5000))
def test_scalings_lie_between_their_limits(update: Update, log_b: float, log_a: float, parameters: int) -> None:
    a, b = 10**log_a, 10**log_b
    tau, phi = scaling((1 + a) / b, b, a, parameters, update)
    assert 0 < tau <= 1
    assert phi >= 0


@pytest.mark.parametrize("update", UPDATES)
def test_a_thousand_updates_keep_the_matrix_positive_definite(update: Update) -> None:
    factor = torch.eye(6, dtype=torch.float64)
    hessian = torch.diag(10.0 ** torch.linspace(-8, 8, 6, dtype=torch.float64))
    for number in range(1000):
        whitened = normal(6, seed=number)
        step = factor @ whitened
        update_(factor, step, hessian @ step, whitened, update)
        assert close(factor @ (factor.T @ (hessian @ step)), step, 1e-6)
    # on a quadratic it also finds the inverse Hessian, whose condition is the limit of H in float64
    assert torch.linalg.svdvals(factor @ factor.T @ hessian) == pytest.approx([1.0] * 6, rel=1e-3)


# minima


@pytest.mark.parametrize("update", UPDATES)
def test_a_quadratic_is_minimised(update: Update) -> None:
    basis = torch.linalg.qr(normal(12, 12, seed=1))[0]
    A = basis @ torch.diag(10.0 ** torch.linspace(-2, 2, 12, dtype=torch.float64)) @ basis.T
    at = normal(12, seed=2)
    function = Function(lambda x: 0.5 * (x - at) @ A @ (x - at))
    assert minimised(function, torch.zeros(12, dtype=torch.float64), 90, update=update)[0] < 1e-20


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
@pytest.mark.parametrize("update", UPDATES)
def test_rosenbrocks_valley_is_followed_to_its_end_at_any_scale_of_the_loss(update: Update, scale: float) -> None:
    def rosenbrock(x: Tensor) -> Tensor:
        return scale * (100 * (x[1:] - x[:-1].square()).square() + (1 - x[:-1]).square()).sum()

    start = torch.tensor([-1.2, 1.0, -0.5, 0.8, 1.1], dtype=torch.float64)
    assert minimised(Function(rosenbrock), start, 150, update=update)[0] < 1e-20 * scale


@pytest.mark.slow
def test_a_pinn_is_trained_far_beyond_lbfgs_in_as_many_iterations() -> None:
    reached = {}
    for stage in (LBFGS(history=100), SSBroyden(update="ssbfgs"), SSBroyden()):
        of = pinn(problem={"name": "poisson"}, network={"hidden": [8, 8], "scale": 1.0}, points={"interior": 60})
        advance(stage.start(of.parameters), of, 150)
        reached[stage] = loss(of)
    lbfgs, ssbfgs, ssbroyden = reached.values()
    assert ssbroyden < 0.05 * lbfgs
    assert ssbfgs < 0.3 * lbfgs


# advancing


def test_each_point_is_evaluated_once_in_an_advance() -> None:
    function = Function(lambda x: (x**4 - 3 * x**2 + x).sum() + x.prod())
    parameters = {"x": normal(3, seed=4).requires_grad_()}
    made = SSBroyden().start(parameters).advance(function, 0, 10)  # type: ignore[arg-type]
    assert made.steps == 10
    assert len({tuple(each.tolist()) for each in function.asked}) == len(function.asked)
    assert len(function.asked) < 25


def test_where_a_run_stops_between_iterations_changes_nothing() -> None:
    one, two = pinn(), pinn()
    advance(SSBroyden().start(one.parameters), one, 40)
    advance(SSBroyden().start(two.parameters), two, 40, block=3)
    assert all(torch.equal(value, two.parameters[name]) for name, value in one.parameters.items())


def test_a_loss_that_is_not_finite_is_left_to_the_training_loop() -> None:
    parameters = {"x": torch.ones(2, dtype=torch.float64).requires_grad_()}
    made = SSBroyden().start(parameters).advance(Function(lambda x: x.sum() * math.nan), 0, 5)  # type: ignore[arg-type]
    assert (made.steps, made.stop) == (1, None)
    assert made.losses["loss"].isnan()
    assert parameters["x"].tolist() == [1, 1]


# forgetting, beginning anew


def trained(of: Placed, steps: int = 20) -> Optimiser:
    optimiser = SSBroyden().start(of.parameters)
    advance(optimiser, of, steps)
    return optimiser


def test_forget_keeps_the_matrix_but_not_the_last_decrease() -> None:
    of = pinn()
    optimiser = trained(of)
    before = optimiser.state()["factor"].clone()
    assert optimiser.state()["previous_loss"] > loss(of)
    optimiser.forget()
    assert torch.equal(optimiser.state()["factor"], before)
    assert optimiser.state()["previous_loss"] is None
    assert optimiser.advance(of.fixed, 20, 10).steps == 10


@pytest.mark.parametrize("value", [math.nan, 1e200, 1e8, 0.0])
def test_a_matrix_that_does_not_help_is_dropped_once(value: float) -> None:
    of, other = pinn(), pinn()
    optimiser = SSBroyden().start(of.parameters)
    optimiser.load_state({"factor": torch.full((19, 19), value, dtype=torch.float64), "previous_loss": None})
    made = optimiser.advance(of.fixed, 0, 10)
    assert (made.steps, made.stop) == (10, None)
    # as if there had been none
    SSBroyden().start(other.parameters).advance(other.fixed, 0, 10)
    assert all(torch.equal(values, other.parameters[name]) for name, values in of.parameters.items())


# limits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_says_that_no_further_decrease_is_found(dtype: str) -> None:
    of = pinn(dtype=dtype, network={"hidden": [3]}, points={"interior": 5})
    optimiser = SSBroyden().start(of.parameters)
    made = [optimiser.advance(of.fixed, 0, 10) for _ in range(20)]
    stops = [each.stop for each in made if each.stop is not None]
    assert set(stops) == {f"ssbroyden found no further decrease in {dtype}"}
    assert 0 < loss(of) < (1e-10 if dtype == "float32" else 1e-26)
    # honest: a fresh attempt gains nothing either
    settled = loss(of)
    again = SSBroyden().start(of.parameters).advance(of.fixed, 0, 10)
    assert (again.steps, again.stop) == (1, stops[0])
    assert loss(of) == settled


def test_it_waits_while_a_weight_is_annealed() -> None:
    at_minimum = torch.zeros(3, dtype=torch.float64)
    stops = [minimised(Function(lambda x: x.square().sum(), each), at_minimum, 3)[1] for each in (False, True)]
    assert stops == ["ssbroyden found no further decrease in float64", None]


def test_too_many_parameters_are_refused() -> None:
    parameters = {"x": torch.zeros(MOST_PARAMETERS), "y": torch.zeros(2)}
    with pytest.raises(InputError, match=r"20002 parameters need a dense matrix of 1\.6 GB.*at most 20000.*lbfgs"):
        SSBroyden().start(parameters)
    SSBroyden().start({"x": torch.zeros(MOST_PARAMETERS)})


@pytest.mark.gpu
def test_cuda_follows_the_cpu() -> None:
    reached = []
    for device in ("cpu", "cuda"):
        of = pinn(device=device)
        optimiser = trained(of, 30)
        assert optimiser.state()["factor"].device.type == device
        reached.append(loss(of))
    assert reached[1] == pytest.approx(reached[0], rel=1e-3)
