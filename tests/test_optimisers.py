"""Optimisers: they reach minima, do what torch's own do, resume bit for bit, and say why they stop."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from pydantic import ValidationError
from torch import Tensor
from torch.func import functional_call

import pinnreg
from pinnreg import Box, Problem, dirichlet
from pinnreg.config import resolve
from pinnreg.objective import Batch, Target
from pinnreg.optimisers import (
    LBFGS,
    SGD,
    Adam,
    Advance,
    GaussNewton,
    Optimiser,
    SSBroyden,
    Stage,
    learning_rate,
)
from pinnreg.optimisers.lbfgs import LBFGSSteps
from pinnreg.run.prepare import prepare
from pinnreg.training import History, Outcome, train

STAGES: list[Stage] = [
    Adam(learning_rate=1e-2),
    SGD(learning_rate=1e-4, momentum=0.9),
    LBFGS(history=10),
    SSBroyden(),
    GaussNewton(),
]
NAMES = [stage.optimiser for stage in STAGES]


@dataclass(frozen=True)
class Sine(Problem):
    """u'' = -π² sin πx, u(0) = u(1) = 0, solved by sin πx."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)

    def residual(self, u: Any, x: Tensor) -> Any:
        return u.xx + pi**2 * torch.sin(pi * x)


def objective(**sections: Any) -> Placed:
    config = {"problem": Sine(), "network": {"hidden": [6], "scale": 1.0}, **sections}
    config["points"] = {"interior": 12, "resample_every": None} | config.get("points", {})
    return placed(prepare(resolve(config), with_reference=False).objective)


def loss(of: Placed) -> float:
    return of.total(of.losses(of.parameters)).item()


def copied(of: Placed) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in of.parameters.items()}


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


def advance(optimiser: Optimiser, of: Placed, start: int, steps: int) -> int:
    done = start
    while done < start + steps:
        done += optimiser.advance(of.fixed, done, start + steps - done).steps
    return done


def run(of: Placed, *stages: Stage) -> tuple[Placed, Outcome[Batch], History]:
    history = History(of.names, (), None)
    outcome = train(of.evaluator, stages, history)
    return of.after(outcome), outcome, history


# minima


@pytest.mark.first(3)
@pytest.mark.parametrize(
    ("stage", "limit"),
    [
        (Adam(steps=200, learning_rate=5e-2, schedule="cosine"), 5e-2),
        (SGD(steps=300, learning_rate=2e-3, momentum=0.95), 1.0),
        (LBFGS(steps=150), 1e-6),
        (SSBroyden(steps=150), 1e-7),
        (GaussNewton(steps=60), 1e-20),
    ],
    ids=NAMES,
)
def test_an_optimiser_reaches_a_known_minimum(stage: Stage, limit: float) -> None:
    of = objective()
    start = loss(of)
    assert start > 30
    of, *_ = run(of, stage)
    assert loss(of) < limit
    x = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
    u = of.trial(lambda points: functional_call(of.network, of.parameters, (points,)), x).detach()
    assert (u - torch.sin(pi * x)).abs().max() < 0.1


# torch's own


@pytest.mark.parametrize("fused", [True, False])
def test_adam_is_torchs_adam_step_for_step(fused: bool) -> None:
    of = objective()
    mine = Adam(learning_rate=3e-3).start(of.parameters)
    theirs = {name: value.clone().requires_grad_() for name, value in copied(of).items()}
    adam = torch.optim.Adam(list(theirs.values()), lr=3e-3, fused=fused)
    for step in range(15):
        made = mine.advance(of.fixed, step, 100)
        adam.zero_grad()
        losses = of.losses(theirs)
        of.total(losses).backward()
        adam.step()
        assert (made.steps, made.stop) == (1, None)
        for name, value in of.parameters.items():
            if fused:
                assert torch.equal(value, theirs[name])
            else:
                assert torch.allclose(value, theirs[name], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_sgd_is_the_textbook_rule(momentum: float) -> None:
    of = objective()
    mine = SGD(learning_rate=1e-4, momentum=momentum).start(of.parameters)
    theirs = {name: value.clone().requires_grad_() for name, value in copied(of).items()}
    velocity = {name: torch.zeros_like(value) for name, value in theirs.items()}
    for step in range(10):
        mine.advance(of.fixed, step, 1)
        gradients = torch.autograd.grad(of.total(of.losses(theirs)), list(theirs.values()), materialize_grads=True)
        with torch.no_grad():
            for (name, value), gradient in zip(theirs.items(), gradients, strict=True):
                velocity[name] = momentum * velocity[name] + gradient
                value.sub_(1e-4 * velocity[name])
        assert all(torch.allclose(value, theirs[name], rtol=1e-10) for name, value in of.parameters.items())


@pytest.mark.parametrize("blocks", [200, 7])
def test_lbfgs_is_torchs_lbfgs_run_in_one_go(blocks: int) -> None:
    # a few iterations at a time, so that a run can stop between them, change nothing
    of = objective()
    theirs = {name: value.clone().requires_grad_() for name, value in copied(of).items()}
    stage = LBFGS(history=10, redraw_every=blocks)
    # the loss is scaled, see the class; L-BFGS itself does not depend on the scale
    scale = LBFGSSteps.INITIAL_LOSS / loss(of)
    assert advance(stage.start(of.parameters), of, 0, 45) == 45
    inner = torch.optim.LBFGS(
        list(theirs.values()),
        max_iter=45,
        max_eval=10**6,
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )

    def closure() -> Tensor:
        inner.zero_grad()
        value = of.total(of.losses(theirs))
        value.backward()
        for each in theirs.values():
            if each.grad is not None:
                each.grad.mul_(scale)
        return scale * value

    inner.step(closure)
    assert inner.state[next(iter(theirs.values()))]["n_iter"] == 45
    assert same(of.parameters, theirs)


@pytest.mark.parametrize("kind", [LBFGS, SSBroyden])
def test_a_quasi_newton_method_makes_few_iterations_at_a_time(kind: Any) -> None:
    of = objective()
    optimiser = kind().start(of.parameters)
    assert optimiser.advance(of.fixed, 0, 500).steps == 10
    assert optimiser.advance(of.fixed, 10, 3).steps == 3


def test_advance_reports_the_losses_where_it_began() -> None:
    for stage in STAGES:
        of = objective(regularisers=[{"kind": "ktv", "weight": 1e-3}])
        before = {name: value.detach() for name, value in of.losses(of.parameters).items()}
        made = stage.start(of.parameters).advance(of.fixed, 0, 5)
        assert list(made.losses) == list(of.names)
        assert all(torch.equal(made.losses[name], before[name]) for name in before)


# stalling


def test_lbfgs_says_that_it_stalls_in_float32() -> None:
    of = objective(dtype="float32", network={"hidden": [3]}, points={"interior": 5})
    of, outcome, history = run(of, LBFGS(steps=4000))
    assert outcome.stop_reason == "L-BFGS found no further decrease in float32"
    assert outcome.steps < 4000
    assert history.columns()["step"][-1] == outcome.steps
    settled = loss(of)
    # honest: a fresh attempt gains nothing either
    again = LBFGS().start(of.parameters).advance(of.fixed, 0, 10)
    assert again.stop is not None
    assert loss(of) == settled


def test_lbfgs_does_not_stop_while_the_parameters_change() -> None:
    of = objective()
    optimiser = LBFGS().start(of.parameters)
    for step in range(0, 50, 10):
        before = copied(of)
        made = optimiser.advance(of.fixed, step, 10)
        assert made.stop is None
        assert not same(before, of.parameters)


def test_lbfgs_tries_the_gradient_once_before_it_gives_up() -> None:
    of = objective(dtype="float32", network={"hidden": [3]}, points={"interior": 5})
    optimiser = LBFGS().start(of.parameters)
    stuck = []
    for step in range(0, 4000, 10):
        before = copied(of)
        made = optimiser.advance(of.fixed, step, 10)
        if same(before, of.parameters):
            stuck.append((made.stop, _pairs(optimiser)))
        if made.stop is not None:
            break
    assert stuck[0] == (None, 0)  # the pairs are dropped
    assert stuck[-1] == ("L-BFGS found no further decrease in float32", 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lbfgs_started_at_its_own_minimum_stays_there(dtype: str) -> None:
    of = objective(dtype=dtype, network={"hidden": [3]}, points={"interior": 5})
    for _ in range(4):
        fresh, done = LBFGS().start(of.parameters), 0
        while done < 300:
            made = fresh.advance(of.fixed, done, 300 - done)
            done += made.steps
            if made.stop is not None:
                break
    assert loss(of) < (1e-10 if dtype == "float32" else 1e-20)


# learning rates


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_learning_rates_at_start_middle_and_end(kind: Any) -> None:
    def rates(**settings: Any) -> list[float]:
        stage = kind(steps=100, learning_rate=1e-2, **settings)
        return [learning_rate(stage, share) for share in (0.0, 0.5, 1.0, 1.0)]

    assert rates() == [1e-2] * 4
    assert rates(schedule="cosine") == pytest.approx([1e-2, 1e-2 * (1 + 1e-3) / 2, 1e-5, 1e-5])
    assert rates(schedule="exponential") == pytest.approx([1e-2, 1e-2 * 1e-3**0.5, 1e-5, 1e-5])
    assert rates(schedule="cosine", final_learning_rate=2e-3) == pytest.approx([1e-2, 6e-3, 2e-3, 2e-3])
    assert rates(schedule="exponential", final_learning_rate=1e-4) == pytest.approx([1e-2, 1e-3, 1e-4, 1e-4])


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_the_learning_rate_of_a_step_is_the_one_applied(kind: Any) -> None:
    stage = kind(steps=100, learning_rate=1e-4, schedule="cosine")
    of, other = objective(), objective()
    start = copied(of)
    stage.start(of.parameters).advance(of.fixed, 80, 1, share=0.8)
    rate = learning_rate(stage, 0.8)
    kind(learning_rate=rate).start(other.parameters).advance(other.fixed, 0, 1)
    assert same(of.parameters, other.parameters)
    assert not same(of.parameters, start)


# state


@pytest.mark.first(3)
@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_a_saved_state_resumes_bit_for_bit(stage: Stage) -> None:
    one, two = objective(), objective()
    whole = stage.start(one.parameters)
    first, then = (7, 5) if isinstance(stage, GaussNewton) else (23, 20)  # not beyond the minimum
    done = advance(whole, one, 0, first)
    state = whole.state()
    half = copied(one)
    # as a checkpoint would: a copy, since later steps change the tensors in a state
    saved = torch.load(_stored(state), weights_only=True)
    advance(whole, one, done, then)

    with torch.no_grad():
        for name, value in two.parameters.items():
            value.copy_(half[name])
    resumed = stage.start(two.parameters)
    resumed.load_state(saved)
    advance(resumed, two, done, then)
    assert same(one.parameters, two.parameters)

    # and the state matters: without it the same steps lead elsewhere
    with torch.no_grad():
        for name, value in two.parameters.items():
            value.copy_(half[name])
    advance(stage.start(two.parameters), two, done, then)
    assert not same(one.parameters, two.parameters)


def _stored(state: dict[str, Any]) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def _pairs(optimiser: Optimiser) -> int:
    state = optimiser.state()["inner"]["state"]
    return sum(len(each["old_dirs"]) for each in state.values())


def test_forget_drops_the_pairs_of_lbfgs() -> None:
    of, other = objective(), objective()
    optimiser = LBFGS().start(of.parameters)
    advance(optimiser, of, 0, 20)
    assert _pairs(optimiser) > 5
    with torch.no_grad():
        for name, value in other.parameters.items():
            value.copy_(of.parameters[name])
    optimiser.forget()
    assert _pairs(optimiser) == 0
    optimiser.advance(of.fixed, 20, 10)
    LBFGS().start(other.parameters).advance(other.fixed, 0, 10)
    assert same(of.parameters, other.parameters)


def test_forget_leaves_the_averages_of_adam() -> None:
    of, other = objective(), objective()
    for each, forgets in ((of, True), (other, False)):
        optimiser = Adam().start(each.parameters)
        advance(optimiser, each, 0, 5)
        if forgets:
            optimiser.forget()
        advance(optimiser, each, 5, 5)
    assert same(of.parameters, other.parameters)


# limits


@pytest.mark.serial
@pytest.mark.parametrize("kind", [Adam, SGD, LBFGS, SSBroyden, GaussNewton])
def test_max_seconds_ends_a_stage_and_says_so(kind: Any) -> None:
    of = objective()
    settings = {"learning_rate": 1e-6} if kind in {Adam, SGD} else {}
    started = time.monotonic()
    of, outcome, _ = run(of, kind(steps=10**9, max_seconds=0.2, **settings))
    assert time.monotonic() - started < 5
    assert outcome.stop_reason == f"{kind(**settings).optimiser}: max_seconds 0.2 reached"
    assert 0 < outcome.steps < 10**6


@pytest.mark.serial
def test_max_seconds_counts_each_stage_alone() -> None:
    of = objective()
    of, outcome, _ = run(of, Adam(steps=10**9, max_seconds=0.02), SGD(steps=2, max_seconds=60, learning_rate=1e-9))
    assert outcome.stop_reason == "sgd: all 2 steps done"


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_steps_end_a_stage_and_say_so(stage: Stage) -> None:
    settings = {"optimiser": stage.optimiser, "steps": 13}
    _, outcome, _ = run(objective(), type(stage)(**settings))  # type: ignore[arg-type]
    assert outcome.steps == 13
    assert outcome.stop_reason == f"{stage.optimiser}: all 13 steps done"


# refusals


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Adam, {"final_learning_rate": 1e-5}),
        (SGD, {"final_learning_rate": 1e-5, "schedule": "constant"}),
        (Adam, {"learning_rate": 0}),
        (Adam, {"learning_rate": -1e-3}),
        (Adam, {"learning_rate": float("nan")}),
        (Adam, {"steps": 0}),
        (Adam, {"steps": True}),
        (Adam, {"schedule": "cosin"}),
        (Adam, {"momentum": 0.9}),
        (SGD, {"momentum": 1.0}),
        (SGD, {"momentum": -0.1}),
        (SGD, {"momentum": False}),
        (LBFGS, {"history": 0}),
        (LBFGS, {"redraw_every": 0}),
        (LBFGS, {"learning_rate": 1.0}),
        (LBFGS, {"max_seconds": 0}),
        (SSBroyden, {"update": "bfgs"}),
        (SSBroyden, {"redraw_every": 0}),
        (SSBroyden, {"history": 10}),
        (GaussNewton, {"ratio": 0}),
        (GaussNewton, {"ratio": 1}),
        (GaussNewton, {"ratio": float("nan")}),
        (GaussNewton, {"ratio": True}),
        (GaussNewton, {"corrections": -1}),
        (GaussNewton, {"corrections": True}),
        (GaussNewton, {"corrections": 1.5}),
        (GaussNewton, {"acceleration": 1}),
        (GaussNewton, {"mixed_precision": "yes"}),
        (GaussNewton, {"sketch": 0}),
        (GaussNewton, {"redraw_every": 5}),
        (GaussNewton, {"history": 10}),
    ],
)
def test_settings_without_effect_or_sense_are_refused(kind: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        kind(**settings)
    assert next(iter(settings)) in str(caught.value)


# a stage of one's own, and settings without torch


@dataclass(frozen=True)
class Descent:
    """Gradient descent of one's own: nothing but what the protocol asks for."""

    length: float = 1e-3
    optimiser: str = "descent"
    steps: int = 7
    max_seconds: float | None = None
    max_sweeps: float | None = None
    windows: int = 1
    redraw_every: int = 1
    log_every: int = 5
    evaluate_every: int = 5
    first_order: bool = True
    needs_smooth: bool = False
    needs_squares: bool = False

    def start(self, parameters: dict[str, Tensor]) -> Optimiser:
        return Descending(parameters, self.length)


@dataclass
class Descending:
    parameters: dict[str, Tensor]
    length: float

    def advance(self, objective: Target, step: int, limit: int, *, share: float = 0.0) -> Advance:
        losses, gradient = objective.gradient(self.parameters)
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.sub_(self.length * gradient[name])
        return Advance(1, losses)

    def forget(self) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        pass


def test_a_stage_of_ones_own_trains_as_the_others_do() -> None:
    mine, theirs = objective(), objective()
    mine, outcome, history = run(mine, Descent(length=1e-4))
    theirs, *_ = run(theirs, SGD(steps=7, learning_rate=1e-4))
    assert outcome.stop_reason == "descent: all 7 steps done"
    assert history.columns()["step"].tolist() == [0, 5, 7]
    for name, value in mine.parameters.items():
        assert torch.allclose(value, theirs.parameters[name], rtol=1e-12)


def test_settings_and_protocols_need_no_torch() -> None:
    """They are read where nothing is computed."""
    code = """
import sys, types
package = types.ModuleType("pinnreg")  # without all that pinnreg itself exports
package.__path__ = [sys.argv[1]]
sys.modules["pinnreg"] = package
from pinnreg.optimisers import LBFGS, SGD, Adam, GaussNewton, SSBroyden, learning_rate
stages = [kind(steps=3) for kind in (LBFGS, SGD, Adam, GaussNewton, SSBroyden)]
assert learning_rate(Adam(schedule="cosine"), 0.5) < 1e-3
heavy = {"torch", "numpy", "scipy", "threadpoolctl"} & sys.modules.keys()
assert not heavy, heavy
"""
    package = str(Path(pinnreg.__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, package], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sound", [0, 3])
def test_lbfgs_does_not_search_on_in_nan(sound: int) -> None:
    parameters = {"x": torch.full((3,), 2.0, requires_grad=True)}
    calls = 0

    class Lost:
        annealing = False

        def gradient(self, at: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            nonlocal calls
            calls += 1
            x = at["x"].detach()
            value, slope = (x**4).sum(), 4 * x**3
            if calls > sound:
                value, slope = value * torch.nan, slope * torch.nan
            return {"loss": value}, {"x": slope}

        def total(self, losses: dict[str, Tensor]) -> Tensor:
            return losses["loss"]

    optimiser = LBFGSSteps(parameters, 5)
    target: Any = Lost()
    made = 0
    while made < 50:
        made += optimiser.advance(target, made, 50 - made).steps
    # one search, and then once a step until the training loop looks
    assert calls <= sound + 25 + 50
    # it stands where the loss was lowest, and not where its search has led
    assert parameters["x"].isfinite().all()
    assert (parameters["x"].abs() < 2).all() == (sound > 1)


def test_lbfgs_ends_where_nothing_but_nan_lies_ahead() -> None:
    parameters = {"x": torch.full((1,), 1.0, requires_grad=True)}

    class Cliff:
        annealing = False

        def gradient(self, at: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            x = at["x"].detach()
            return {"loss": torch.where(x < 1, torch.nan, x).sum()}, {"x": torch.ones_like(x)}

        def total(self, losses: dict[str, Tensor]) -> Tensor:
            return losses["loss"]

    target: Any = Cliff()
    done = LBFGSSteps(parameters, 5).advance(target, 0, 50)
    assert done.stop == "L-BFGS found no further decrease in float32"
    assert parameters["x"].item() == 1
