"""Gauss-Newton: it reaches minima and says so, on functions with known ones and on small networks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from math import pi
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor
from torch.func import functional_call

from pinnreg import Box, Diverged, InputError, Interrupted, Problem, dirichlet, neumann, robin
from pinnreg.config import resolve
from pinnreg.objective import Batch, Linearised, PointSettings
from pinnreg.objective.sampling import interior_points
from pinnreg.optimisers import GaussNewton, gauss_newton, trust_region
from pinnreg.optimisers import step as stepping
from pinnreg.optimisers.damped import DampedLeastSquares
from pinnreg.optimisers.trust_region import BOLDER, CAUTIOUS, FACTOR, Rules, TrustRegion
from pinnreg.run.prepare import prepare
from pinnreg.training import History, Hooks, Outcome, read_checkpoint, train

F64 = torch.float64
ROUNDING = "gauss_newton: no step lowers the loss by more than rounding"
SLOW = f"gauss_newton: the last 20 steps lowered the loss by less than {gauss_newton.SLOW:.0%}"

Residuals = Callable[[Tensor], Tensor]


@dataclass
class Function:
    """What the optimiser sees of an objective, for residuals of one tensor x."""

    of: Residuals
    annealing: bool = False
    stochastic: bool = False
    keeps_points: bool = True
    seed: int = 0
    asked: list[Tensor] = field(default_factory=list)

    def residuals(self, parameters: dict[str, Tensor]) -> Tensor:
        self.asked.append(parameters["x"].detach().clone())
        return self.of(self.asked[-1])

    def linearise(self, parameters: dict[str, Tensor]) -> Linearised:
        x = parameters["x"].detach()
        residuals = self.of(x)
        jacobian = torch.func.jacrev(self.of)(x).T.contiguous().T
        losses = {"loss": residuals.square().mean()}
        return Linearised(losses, {"loss": slice(0, len(residuals))}, residuals, jacobian)

    def loss(self, x: Tensor) -> float:
        return float(self.of(x).square().sum())


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@dataclass
class Way:
    """Where an optimiser went, and why it stopped."""

    points: list[Tensor]
    stop: str | None


def minimised(of: Residuals | Function, start: Tensor, steps: int = 200, **settings: Any) -> Way:
    function = of if isinstance(of, Function) else Function(of)
    parameters = {"x": start.clone().requires_grad_()}
    optimiser, way = GaussNewton(**settings).start(parameters), Way([start], None)
    while len(way.points) <= steps and way.stop is None:
        made = optimiser.advance(function, len(way.points) - 1, 1)  # type: ignore[arg-type]
        assert made.steps == 1
        assert list(made.losses) == ["loss"]
        way.stop = made.stop
        way.points.append(parameters["x"].detach().clone())
    return way


# functions with known minima (Moré, Garbow & Hillstrom 1981, doi:10.1145/355934.355936)


def rosenbrock(x: Tensor) -> Tensor:
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


BARD = vector(0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)


def bard(x: Tensor) -> Tensor:
    u = torch.arange(1, 16, dtype=F64)
    v = 16 - u
    return BARD - (x[0] + u / (v * x[1] + torch.minimum(u, v) * x[2]))


def powell(x: Tensor) -> Tensor:
    """Singular at its minimum."""
    return torch.stack([x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2])


def beale(x: Tensor) -> Tensor:
    return vector(1.5, 2.25, 2.625) - x[0] * (1 - x[1] ** torch.arange(1, 4, dtype=F64))


def product(x: Tensor) -> Tensor:
    """Rank-deficient everywhere: only x0 x1 matters, and x3 does not."""
    return torch.stack([x[0] * x[1] - 2, 3 * x[0] * x[1] - 6, x[2] - x[0] * x[1], 0 * x[3]])


def few(x: Tensor) -> Tensor:
    """Fewer residuals than parameters."""
    return torch.stack([x[0] ** 2 + x[1] + x[2] - 3, torch.sin(x[0]) * x[3] + x[4] ** 3 - 1])


def logarithm(x: Tensor) -> Tensor:
    """A full step from the right ends where the function is NaN."""
    return torch.stack([torch.log(x[0]), 0.1 * (x[1] - 1)])


A, B = normal(30, 6, seed=3), normal(30, seed=4)
SOLUTION = torch.linalg.lstsq(A, B[:, None]).solution[:, 0]


def straight(x: Tensor) -> Tensor:
    return A @ x - B


MINIMA: dict[str, tuple[Residuals, Tensor, float, str]] = {
    "Rosenbrock": (rosenbrock, vector(-1.2, 1), 0.0, ROUNDING),
    "Bard": (bard, vector(1, 1, 1), 8.214877306578995e-3, ROUNDING),
    "Powell's singular function": (powell, vector(3, -1, 0, 1), 0.0, ROUNDING),
    "Beale": (beale, vector(1, 1), 0.0, ROUNDING),
    "rank-deficient": (product, vector(0.3, 0.4, 5, 1), 0.0, ROUNDING),
    "fewer residuals than parameters": (few, vector(0.1, 0.2, 0.3, 0.4, 0.5), 0.0, ROUNDING),
    "NaN beyond": (logarithm, vector(50, -3), 0.0, ROUNDING),
    "linear": (
        straight,
        vector(1, 2, 3, 4, 5, 6),
        float((A @ SOLUTION - B).square().sum()),
        ROUNDING,
    ),
}
minima = pytest.mark.parametrize("name", MINIMA)


@minima
@pytest.mark.parametrize(
    "rules", [{}, pytest.param({"acceleration": False, "corrections": 0}, marks=pytest.mark.slow)], ids=str
)
def test_a_known_minimum_is_reached_and_announced(name: str, rules: dict[str, Any]) -> None:
    of, start, least, reason = MINIMA[name]
    way = minimised(of, start, **rules)
    reached = Function(of).loss(way.points[-1])
    assert least * (1 - 1e-12) <= reached < least * (1 + 1e-10) + 1e-20
    assert way.stop == reason
    losses = [Function(of).loss(x) for x in way.points]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert len(way.points) < 100
    # honest: a fresh attempt gains nothing either
    again = minimised(of, way.points[-1], steps=3)
    assert Function(of).loss(again.points[-1]) >= reached * (1 - 1e-9) - 1e-25


@pytest.mark.parametrize("name", ["Rosenbrock", "Bard", "fewer residuals than parameters"])
@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_the_scale_of_the_residuals_does_not_matter(name: str, scale: float) -> None:
    of, start, _, _ = MINIMA[name]
    one, two = minimised(of, start), minimised(lambda x: scale * of(x), start)
    assert len(one.points) == len(two.points)
    assert all(torch.equal(a, b) for a, b in zip(one.points, two.points, strict=True))  # powers of two do not round


def test_a_linear_problem_is_solved_by_growing_the_region() -> None:
    way = minimised(straight, torch.zeros(6, dtype=F64))
    errors = [float((x - SOLUTION).norm()) for x in way.points]
    assert errors[3] < 1e-4 * errors[0]
    assert errors[-1] < 1e-10 * errors[0]


# stopping


def test_a_function_that_does_not_change_is_left_at_once() -> None:
    way = minimised(lambda x: 1 + 0 * x, vector(1, 2), steps=5)
    assert way.stop == ROUNDING
    assert way.points[-1].tolist() == [1, 2]


def test_a_function_that_is_zero_is_left_at_once() -> None:
    way = minimised(lambda x: x - vector(1, 2), vector(1, 2), steps=5)
    assert way.stop == ROUNDING
    assert way.points[-1].tolist() == [1, 2]


@pytest.mark.parametrize("deep", [False, True])
def test_slow_progress_ends_it(monkeypatch: pytest.MonkeyPatch, deep: bool) -> None:
    """Sooner where the loss has come down far."""
    monkeypatch.setattr(gauss_newton, "SLOW_STEPS" if deep else "PATIENCE", 8)
    monkeypatch.setattr(gauss_newton, "DEEP", 1.0 if deep else 1e-18)

    # beside the constant the other residual, which a step divides by e, soon does not count
    def slow(x: Tensor) -> Tensor:
        return torch.cat([vector(1.0), 1e-8 * torch.sinh(x)])

    way = minimised(slow, vector(23.0), acceleration=False, corrections=0)
    assert way.stop == SLOW.replace("20", "8")
    losses = [Function(slow).loss(x) for x in way.points]
    shares = [after / before for before, after in zip(losses, losses[8:], strict=False)]
    least = 1 - gauss_newton.SLOW
    assert shares[-1] > least >= max(shares[:-1])  # at the first step that is a reason


@pytest.mark.parametrize("start", [vector(1, 1), vector(-1.2, 1)])
def test_nothing_ends_while_a_weight_is_annealed(start: Tensor) -> None:
    way = minimised(Function(rosenbrock, annealing=True), start, steps=24)
    assert way.stop is None
    assert len(way.points) == 25
    assert Function(rosenbrock).loss(way.points[-1]) < 1e-25


def test_gains_are_counted_after_the_annealing_only() -> None:
    function = Function(lambda x: torch.cat([vector(1.0), 1e-2 * torch.sinh(x)]), annealing=True)
    parameters = {"x": vector(9.0).requires_grad_()}
    optimiser = GaussNewton(acceleration=False, corrections=0).start(parameters)
    for step in range(5):
        assert optimiser.advance(function, step, 1).stop is None  # type: ignore[arg-type]
        assert optimiser.state()["gains"] == []
    function.annealing = False
    optimiser.advance(function, 5, 1)  # type: ignore[arg-type]
    assert len(optimiser.state()["gains"]) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_left_to_the_training_loop(value: float) -> None:
    parameters = {"x": vector(1, 2).requires_grad_()}
    made = GaussNewton().start(parameters).advance(Function(lambda x: value * x), 0, 1)  # type: ignore[arg-type]
    assert (made.steps, made.stop) == (1, None)
    assert not made.losses["loss"].isfinite()
    assert parameters["x"].tolist() == [1, 2]


def test_a_derivative_that_is_not_finite_is_left_to_the_training_loop_too() -> None:
    parameters = {"x": vector(1, 2).requires_grad_()}
    function = Function(lambda x: torch.cat([x, torch.sqrt(x[:1] - x[:1])]))
    made = GaussNewton().start(parameters).advance(function, 0, 1)  # type: ignore[arg-type]
    assert (made.steps, made.stop) == (1, None)
    assert not made.losses["loss"].isfinite()
    assert parameters["x"].tolist() == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"stochastic": True},
        {"keeps_points": False},
    ],
)
def test_a_failed_step_is_not_the_end_where_the_next_objective_is_another(changes: dict[str, Any]) -> None:
    parameters = {"x": vector(0.0, 0.0).requires_grad_()}
    function = Function(lambda x: 1 + 0 * x, **changes)
    optimiser = GaussNewton().start(parameters)
    stops = [optimiser.advance(function, step, 1).stop for step in range(60)]  # type: ignore[arg-type]
    assert stops[:59] == [None] * 59
    assert "the last 60 steps" in (stops[59] or "")


# one search


def region(of: Residuals, at: Tensor, **rules: Any) -> tuple[TrustRegion, Linearised, Function]:
    function = Function(of)
    linearised = function.linearise({"x": at})
    problem = DampedLeastSquares(linearised.jacobian, linearised.residuals)
    chosen = Rules(**{"ratio": 0.075, "acceleration": False, "corrections": 0, **rules})
    search = TrustRegion(function, {"x": at}, linearised, problem, chosen, function.loss(at))
    return search, linearised, function


def test_a_trial_is_the_damped_step_and_what_it_gains() -> None:
    at = vector(0.3, 0.4)
    search, linearised, _ = region(rosenbrock, at)
    J, r = linearised.jacobian, linearised.residuals
    step = -torch.linalg.solve(J.T @ J + 0.5 * torch.eye(2, dtype=F64), J.T @ r)
    trial = search._try(0.5)
    assert torch.allclose(trial.step, step)
    assert trial.loss == pytest.approx(Function(rosenbrock).loss(at + step))
    predicted = float(r @ r - (r + J @ step).square().sum())
    assert trial.ratio == pytest.approx((float(r @ r) - trial.loss) / predicted)
    assert (trial.damping, trial.predicted) == (0.5, pytest.approx(predicted))
    assert torch.equal(trial.residuals, rosenbrock(search.end(trial.step)["x"]))


def test_the_boldest_step_that_does_is_taken() -> None:
    search, _, function = region(straight, torch.zeros(6, dtype=F64))
    _, found = search.search(1e-3)
    assert found is not None
    assert found.ratio == pytest.approx(1)  # always, for a linear function
    assert found.damping == pytest.approx(1e-3 / FACTOR**BOLDER)
    assert len(function.asked) == 1 + BOLDER
    # and where a bolder one fails, the last that did not fail
    for start in (1e-8, 1e2):
        search, _, _ = region(rosenbrock, vector(-1.2, 1))
        _, found = search.search(start)
        assert found is not None
        assert found.ratio >= 0.075
        assert search._try(found.damping / FACTOR).ratio < 0.075
        powers = math.log(found.damping / start, FACTOR)
        assert powers == pytest.approx(round(powers))
        assert (powers > 0) == (start == 1e-8)


@pytest.mark.parametrize("start", [0.25, 64.0])
@pytest.mark.parametrize(("target", "expected"), [(0.01, 1.0), (0.5, 1.0), (0.9, 4.0)])
def test_the_step_taken_keeps_to_the_target(start: float, target: float, expected: float) -> None:
    # here the ratio is 0.99 for λ = 4, 0.86 for λ = 1, and below zero for λ = 1/4
    search, _, _ = region(rosenbrock, vector(-1.2, 1), ratio=target)
    _, found = search.search(start)
    assert found is not None
    assert found.damping == expected


def test_a_search_without_success_ends() -> None:
    # whatever the step, the loss rises
    at = vector(1, 2)
    search, _, function = region(lambda x: x + 1e6 * (x - vector(1, 2)).abs(), at)
    search._at = Linearised({}, {}, vector(1, 2), torch.eye(2, dtype=F64))
    assert search.search(1.0)[1] is None
    assert len(function.asked) == 1 + CAUTIOUS


def quadratic(x: Tensor) -> Tensor:
    return torch.stack([x[0] - 0.1 * x[1] ** 2, x[1] - 1 + 0.05 * x[0] ** 2, 0.2 * x[0] * x[1]])


def test_the_acceleration_is_half_the_second_derivative_of_the_path() -> None:
    at, damping = vector(0.5, 0.2), 0.1
    search, linearised, _ = region(quadratic, at, acceleration=True)
    J, r = linearised.jacobian, linearised.residuals
    inverse = torch.linalg.inv(J.T @ J + damping * torch.eye(2, dtype=F64))
    step = -inverse @ J.T @ r
    second = torch.func.jacrev(torch.func.jacrev(quadratic))(at)
    half = -inverse @ J.T @ torch.einsum("nij,i,j->n", second, step, step) / 2
    assert 0.01 * float(step.norm()) < float(half.norm()) < 0.75 * float(step.norm())
    # the difference quotient is exact for a quadratic
    assert torch.allclose(search._try(damping).step, step + half, rtol=1e-10)


def test_an_acceleration_that_is_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    at, damping = vector(0.5, 0.2), 0.1
    step = region(quadratic, at)[0]._try(damping).step
    half = region(quadratic, at, acceleration=True)[0]._try(damping).step - step
    share = float(half.norm() / step.norm())
    for limit, left_out in ((1.01 * share, False), (0.99 * share, True)):
        monkeypatch.setattr(trust_region, "ACCELERATION", limit)
        assert torch.equal(region(quadratic, at, acceleration=True)[0]._try(damping).step, step) == left_out


def test_an_acceleration_that_is_nan_is_left_out() -> None:
    def of(x: Tensor) -> Tensor:
        return torch.cat([x - 100, 1e-3 * torch.log(1.05 - x)])

    found = region(of, vector(0.1), acceleration=True)[0]._try(1e-8)
    assert bool(found.step.isfinite().all())
    assert found.ratio == -math.inf


def test_corrections_return_to_the_floor_of_the_valley() -> None:
    def steep(x: Tensor) -> Tensor:
        return torch.stack([1e4 * (x[1] - x[0] ** 2), 1 - x[0]])

    at = vector(-0.9, 0.81)
    trials = [region(steep, at, corrections=count)[0]._try(10.0) for count in range(4)]
    losses = [trial.loss for trial in trials]
    assert all(after < before for before, after in itertools.pairwise(losses))
    assert losses[0] > 100  # far up the side, and below the start at the end
    assert losses[3] < Function(steep).loss(at)
    # along the valley it is the same step
    assert float(trials[3].step[0]) == pytest.approx(float(trials[0].step[0]), rel=0.1)


def test_a_correction_that_does_not_help_is_not_made() -> None:
    search, _, function = region(straight, torch.zeros(6, dtype=F64), corrections=3)
    plain, _, _ = region(straight, torch.zeros(6, dtype=F64))
    damping = 1e-12
    assert search._try(damping).loss <= plain._try(damping).loss
    assert len(function.asked) <= 1 + 3


# small networks


@dataclass(frozen=True)
class Sine(Problem):
    """u'' = -π² sin πx, u(0) = u(1) = 0, solved by sin πx."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return u.xx + pi**2 * torch.sin(pi * x)


@dataclass(frozen=True)
class Exponential(Problem):
    """u'' = u with ends of the other two kinds, solved by exp x."""

    domain = Box(x=(0, 1))
    conditions = (neumann(-1.0, on="x=min"), robin(1.0, 1.0, 2 * math.e, on="x=max"))

    def residual(self, u: Any) -> Any:
        return u.xx - u


def objective(problem: Problem | None = None, **sections: Any) -> Placed:
    config = {
        "problem": problem or Sine(),
        "network": {"hidden": [6], "scale": 1.0},
        **sections,
        "points": {"interior": 12, "resample_every": None, **sections.get("points", {})},
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


def loss(of: Placed) -> float:
    return of.total(of.losses({name: value.detach() for name, value in of.parameters.items()})).item()


def run(of: Placed, stage: GaussNewton, **options: Any) -> tuple[Placed, Outcome[Batch], History]:
    history = History(of.names, (), None)
    outcome = train(of.evaluator, [stage], history, **options)
    return of.after(outcome), outcome, history


def advanced(of: Placed, steps: int, **settings: Any) -> list[float]:
    """The loss before and after each of some steps on fixed points."""
    optimiser, losses = GaussNewton(**settings).start(of.parameters), [loss(of)]
    for step in range(steps):
        optimiser.advance(of.fixed, step, 1)
        losses.append(loss(of))
    return losses


def same(one: Placed, two: Placed) -> bool:
    return all(torch.equal(values, two.parameters[name]) for name, values in one.parameters.items())


def values(of: Placed) -> tuple[Tensor, Tensor]:
    """x, and the trial function there."""
    x = torch.linspace(0, 1, 41, dtype=F64)[:, None]
    at = {name: value.detach() for name, value in of.parameters.items()}
    return x[:, 0], of.trial(lambda points: functional_call(of.network, at, (points,)), x)[:, 0].detach()


def error(of: Placed, solution: Callable[[Tensor], Tensor]) -> float:
    x, u = values(of)
    return float((u - solution(x)).abs().max())


def sine(x: Tensor) -> Tensor:
    return torch.sin(pi * x)


def test_a_network_is_trained_to_rounding_in_a_few_dozen_steps() -> None:
    of = objective(points={"interior": 10})
    assert loss(of) > 30
    of, outcome, history = run(of, GaussNewton(steps=60))
    assert loss(of) < 1e-20
    assert outcome.steps < 50
    assert outcome.stop_reason == ROUNDING
    assert history.columns()["step"][-1] == outcome.steps
    assert error(of, sine) < 1e-3


@pytest.mark.slow
def test_more_points_than_parameters_give_a_solution_and_not_only_a_small_loss() -> None:
    of = objective(network={"hidden": [10]}, points={"interior": 60})
    of, *_ = run(of, GaussNewton(steps=20))
    assert error(of, sine) < 1e-8


@pytest.mark.slow
def test_soft_conditions_of_robin_and_neumann() -> None:
    of = objective(Exponential(), network={"hidden": [8]}, points={"interior": 20})
    assert set(of.names) == {"residual", "neumann", "robin"}
    of, *_ = run(of, GaussNewton(steps=15))
    assert error(of, torch.exp) < 1e-7


def test_the_loss_never_rises_on_fixed_points() -> None:
    rules: list[tuple[int, dict[str, Any]]] = [
        (6, {}),
        (10, {"acceleration": False, "corrections": 0}),
        (7, {"sketch": 10}),
    ]
    for steps, settings in rules:
        losses = advanced(objective(Exponential()), steps, **settings)
        assert all(after <= before for before, after in itertools.pairwise(losses))
        assert losses[-1] < 1e-2 * losses[0]


def test_each_rule_changes_where_it_goes() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"ratio": 0.6},
        {"acceleration": False},
        {"corrections": 0},
        {"corrections": 1},
    ]
    changes += [{"sketch": 10}, {"mixed_precision": True}]
    runs = [objective(Exponential()) for _ in changes]
    for of, settings in zip(runs, changes, strict=True):
        advanced(of, 1, **settings)
    assert not any(same(one, two) for one, two in itertools.combinations(runs, 2))
    again = objective(Exponential())
    advanced(again, 1)
    assert same(again, runs[0])


def test_mixed_precision_leads_to_the_same_end() -> None:
    ends = []
    for mixed in (False, True):
        of = objective(network={"hidden": [8]}, points={"interior": 60})
        of, *_ = run(of, GaussNewton(steps=10, mixed_precision=mixed))
        ends.append(values(of)[1])
        assert error(of, sine) < 1e-6
    assert float((ends[0] - ends[1]).abs().max()) < 1e-6


def test_a_chunk_does_not_change_the_way() -> None:
    whole, parts = objective(Exponential()), objective(Exponential(), points={"interior": 12, "chunk": 5})
    for one, two in zip(advanced(whole, 3), advanced(parts, 3), strict=True):
        assert two == pytest.approx(one, rel=1e-10)
    for name, value in whole.parameters.items():
        assert torch.allclose(parts.parameters[name], value, rtol=1e-9, atol=1e-10)


def test_single_precision_ends_at_its_own_rounding() -> None:
    of = objective(dtype="float32", network={"hidden": [4]}, points={"interior": 6})
    of, outcome, _ = run(of, GaussNewton(steps=200))
    assert outcome.steps < 200
    assert outcome.stop_reason in (ROUNDING, SLOW)
    assert loss(of) < 1e-6


# regularisers


def with_ktv(interior: int = 60, **settings: Any) -> Placed:
    ktv = {"kind": "ktv", "order": 2, "weight": 0.5, "samples": 64, **settings}
    return objective(network={"hidden": [8]}, points={"interior": interior}, regularisers=[ktv])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "interior", "steps", "limit"), [("linear", 60, 40, 1e-2), ("cosine", 30, 24, 1e-3)]
)
def test_an_annealed_penalty_leads_to_the_solution(schedule: str, interior: int, steps: int, limit: float) -> None:
    of = with_ktv(interior, schedule=schedule)
    of, outcome, history = run(of, GaussNewton(steps=steps))
    assert outcome.steps == steps  # not before the weight is zero, though there is little gain on the way
    assert of.weights["ktv"] == 0
    assert history.columns()["ktv_weighted"][0] > 1
    assert error(of, sine) < limit


@pytest.mark.slow
def test_a_constant_penalty_leads_to_its_own_minimum() -> None:
    """(u'' + f)² + w u''² is least, at each point, where u'' = -f/(1 + w)."""
    of = with_ktv(samples=512)
    of, *_ = run(of, GaussNewton(steps=12))
    x, u = values(of)
    assert float((u - sine(x) / 1.5).abs().max()) < 0.03
    assert error(of, sine) > 0.25


def test_a_penalty_is_drawn_anew_each_step_and_fixed_within() -> None:
    of = with_ktv()
    drawn, linearised = [], []
    evaluator = of.evaluator
    original_residuals, original_linearise = evaluator.residuals, evaluator.linearise

    def residuals(batch: Batch, parameters: dict[str, Tensor]) -> Tensor:
        drawn.append((len(linearised), batch.points["ktv"].x))
        return original_residuals(batch, parameters)

    def linearise(batch: Batch, parameters: dict[str, Tensor]) -> Linearised:
        linearised.append(batch.points["ktv"].x)
        return original_linearise(batch, parameters)

    evaluator.residuals, evaluator.linearise = residuals, linearise  # type: ignore[method-assign]
    of, *_ = run(of, GaussNewton(steps=5))
    assert len(linearised) == 5
    assert all(points is linearised[number - 1] for number, points in drawn)
    for one, two in itertools.combinations(linearised, 2):
        assert not torch.equal(one, two)


def test_a_penalty_of_power_one_is_refused() -> None:
    ktv = [{"kind": "ktv"}, {"kind": "ktv", "power": 1}]
    with pytest.raises(InputError, match=r"regularisers\.1\.power.*gauss_newton"):
        objective(regularisers=ktv, train=[{"optimiser": "adam"}, {"optimiser": "gauss_newton"}])
    with pytest.raises(InputError, match=r"regularisers\.0\.power.*gauss_newton"):
        objective(regularisers=ktv[1:], train=[{"optimiser": "gauss_newton"}])
    objective(regularisers=ktv, train=[{"optimiser": "adam"}])


# new points


@pytest.mark.slow
def test_adapted_points_with_importance() -> None:
    points = {"interior": 60, "resample_every": 7, "resample": "residual", "importance": True}
    of = objective(network={"hidden": [8]}, points=points)
    of, outcome, _ = run(of, GaussNewton(steps=22))
    assert outcome.steps > 7
    assert of.points[""].importance is not None
    assert error(of, sine) < 1e-6


def test_a_loss_that_becomes_nan_is_reported(tmp_path: Path) -> None:
    """New points reach where the residual is not defined."""
    settings = PointSettings(interior=12)
    ends = [float(interior_points(settings, Sine().domain, None, 0, step).max()) for step in (0, 5)]
    assert ends[0] != ends[1]
    limit, falls_out = sum(ends) / 2, (ends[1] > ends[0])

    @dataclass(frozen=True)
    class Torn(Problem):
        domain = Box(x=(0, 1))
        conditions = (dirichlet(0.0),)

        def residual(self, u: Any, x: Tensor) -> Any:
            return u.xx + pi**2 * torch.sin(pi * x) + 0 * torch.sqrt(limit - x)

    if not falls_out:
        pytest.fail("choose another number of points: those of step 5 must reach further")
    of = objective(Torn(), points={"interior": 12, "resample": "fresh", "resample_every": 5})
    with pytest.raises(Diverged, match="'residual' became NaN or Inf"):
        run(of, GaussNewton(steps=20), checkpoint=tmp_path / "checkpoint.pt")
    good = read_checkpoint(tmp_path / "checkpoint.pt", torch.device("cpu"))["parameters"]
    assert all(bool(value.isfinite().all()) for value in good.values())


# sketches


@pytest.mark.slow
def test_a_sketch_lowers_the_loss_steadily() -> None:
    of = objective(network={"hidden": [8, 8]}, points={"interior": 60})
    assert sum(value.numel() for value in of.parameters.values()) == 97
    losses = advanced(of, 14, sketch=20)
    assert all(after < before for before, after in itertools.pairwise(losses))
    assert losses[7] < 1e-5 * losses[0]
    assert losses[14] < 0.3 * losses[7]


def test_a_sketch_of_all_parameters_is_none() -> None:
    one, two = objective(), objective()
    advanced(one, 2)
    advanced(two, 2, sketch=19)
    assert same(one, two)


@pytest.mark.slow
def test_networks_with_many_parameters_are_sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {"interior": 30, "resample_every": None}
    one, two, three = (objective(points=many) for _ in range(3))
    advanced(one, 2, sketch=10)
    advanced(two, 2)
    monkeypatch.setattr(stepping, "SKETCHED_ABOVE", 18)
    monkeypatch.setattr(stepping, "SKETCH", 10)
    advanced(three, 2)
    assert same(one, three)
    assert not same(one, two)
    monkeypatch.setattr(stepping, "SKETCHED_ABOVE", 19)
    four = objective(points=many)
    advanced(four, 2)
    assert same(four, two)


@pytest.mark.slow
def test_many_parameters_are_not_sketched_where_rows_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"interior": 9, "resample_every": None}
    one, two, three = (objective(points=few) for _ in range(3))
    advanced(one, 2)
    monkeypatch.setattr(stepping, "SKETCH", 5)
    monkeypatch.setattr(stepping, "SKETCHED_ABOVE", 9)
    advanced(two, 2)
    assert same(one, two)
    monkeypatch.setattr(stepping, "SKETCHED_ABOVE", 8)
    advanced(three, 2)
    assert not same(one, three)


# state


RESUMED: dict[str, dict[str, Any]] = {
    "plain": {},
    "penalty": {"regularisers": [{"kind": "ktv", "weight": 1e-2, "samples": 8, "schedule": "cosine"}]},
    "importance": {
        "points": {"interior": 16, "resample_every": 2, "resample": "residual", "importance": True},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sections", "settings", "stop"),
    [
        ("plain", {}, 1),
        ("penalty", {"sketch": 8}, 3),
        ("importance", {"mixed_precision": True}, 3),
    ],
)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    tmp_path: Path, sections: str, settings: dict[str, Any], stop: int
) -> None:
    stage = GaussNewton(steps=5, **settings)
    whole, first, second = (objective(Exponential(), **RESUMED[sections]) for _ in range(3))
    whole, *_ = run(whole, stage)
    calls = iter(range(100))
    hooks = Hooks(interrupted=lambda: 15 if next(calls) == stop else None)
    with pytest.raises(Interrupted):
        run(first, stage, checkpoint=tmp_path / "checkpoint.pt", hooks=hooks)
    state = read_checkpoint(tmp_path / "checkpoint.pt", torch.device("cpu"))
    assert not all(torch.equal(state["parameters"][name], each) for name, each in whole.parameters.items())
    second, *_ = run(second, stage, resume=state)
    assert same(second, whole)


def test_the_damping_is_kept_and_what_it_is_used_for() -> None:
    of = objective()
    optimiser = GaussNewton().start(of.parameters)
    assert optimiser.state()["damping"] is None
    optimiser.advance(of.fixed, 0, 1)
    state = optimiser.state()
    assert state["damping"] > 0
    assert len(state["gains"]) == 1
    assert 0 < state["gains"][0] < 1
    state["gains"].append(0.5)  # a copy
    optimiser.forget()
    assert optimiser.state()["damping"] == state["damping"]
    assert len(optimiser.state()["gains"]) == 1


@pytest.mark.parametrize("shared", [True, False])
def test_threads_are_as_many_after_a_resumption_as_before(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or sums would be rounded in another order."""
    monkeypatch.setattr(gauss_newton, "SHARED", 0 if shared else 10**9)
    seen: list[int] = []

    class Watched(Function):
        def linearise(self, parameters: dict[str, Tensor]) -> Linearised:
            seen.append(torch.get_num_threads())
            return super().linearise(parameters)

    function, threads = Watched(rosenbrock), torch.get_num_threads()
    parameters = {"x": vector(-1.2, 1).requires_grad_()}
    torch.set_num_threads(2)
    try:
        optimiser = GaussNewton().start(parameters)
        for step in range(2):
            optimiser.advance(function, step, 1)  # type: ignore[arg-type]
        resumed = GaussNewton().start(parameters)
        resumed.load_state(optimiser.state())
        resumed.advance(function, 2, 1)  # type: ignore[arg-type]
        assert seen[2] == seen[1] == (2 if shared else 1)
        assert torch.get_num_threads() == 2
        function.of = lambda x: 1 / 0  # type: ignore[assignment,return-value]
        with pytest.raises(ZeroDivisionError):
            resumed.advance(function, 3, 1)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.gpu
@pytest.mark.parametrize("settings", [{}, {"sketch": 10}, {"mixed_precision": True}], ids=str)
def test_cuda_follows_the_cpu(settings: dict[str, Any]) -> None:
    reached = [advanced(objective(Exponential(), device=device), 6, **settings) for device in ("cpu", "cuda")]
    assert reached[1] == pytest.approx(reached[0], rel=1e-3)


def test_mixed_precision_is_refused_where_all_is_single() -> None:
    stage = {"optimiser": "gauss_newton", "mixed_precision": True}
    with pytest.raises(InputError, match=r"train\.0\.mixed_precision has no effect"):
        prepare(resolve({"problem": {"name": "heat"}, "dtype": "float32", "train": [stage]}), with_reference=False)
