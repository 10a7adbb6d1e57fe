"""Replicas: each is trained in a batch as it would be alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pinnreg.config import resolve
from pinnreg.errors import Diverged, InputError
from pinnreg.networks import MLP
from pinnreg.objective import Objective, Replicas, Trainable, regression
from pinnreg.optimisers import LBFGS, SGD, Adam, GaussNewton, Stage
from pinnreg.randomness import generator
from pinnreg.regularisers import KTV, Jacobian, NoiseStability, Regulariser, Ridge, WeightNoise
from pinnreg.reproductions.fit import fit
from pinnreg.run.prepare import prepare
from pinnreg.training import History, read_checkpoint, train

CONFIG = {
    "network": {"hidden": [5]},
    "points": {"interior": 12, "boundary": 6, "resample_every": 4},
    "conditions": "soft",
    "balance": False,
    "train": [{"optimiser": "adam", "steps": 10, "learning_rate": 1e-2}],
}


def fitted(
    seed: int, *regularisers: Regulariser, batch: int | None = None, trim: float = 0.0, hidden: int = 6
) -> Objective:
    draws = np.random.default_rng(seed)
    points = draws.uniform(-1, 1, (20, 2))
    values = points[:, 0] ** 2 + draws.standard_normal(20)
    network = MLP(2, [hidden], 1, generator=generator(seed, "network"), dtype=torch.float64)
    return regression(
        network, points, values, [(-1, 1)] * 2, regularisers=regularisers, batch=batch, trim=trim, seed=seed
    )


def solving(seed: int, **sections: Any) -> Objective:
    return prepare(resolve({"problem": {"name": "heat"}, **CONFIG, "seed": seed, **sections})).objective


def trained(objective: Trainable, stages: Sequence[Stage]) -> dict[str, Any]:
    history = History(objective.names, (), None)
    train(objective, stages, history)
    return history.columns()


def same(one: Objective, two: Objective) -> bool:
    return all(
        torch.allclose(one.parameters[name], two.parameters[name], rtol=1e-10, atol=0) for name in one.parameters
    )


@pytest.mark.parametrize(
    "regularisers",
    [
        [[], [], []],
        [[Ridge(weight=weight)] for weight in (0.0, 0.1, 1.0)],
        [[KTV(order=2, samples=4, weight=weight), Jacobian(weight=weight)] for weight in (0.0, 0.01, 0.1)],
        [[KTV(order=1, power=1, samples=4, weight=weight, schedule="linear")] for weight in (0.01, 0.1, 1.0)],
        [[NoiseStability(sigma=0.1, unperturbed=0.2)]] * 3,
        [[WeightNoise(sigma=0.1, scheme="layer")]] * 3,
    ],
    ids=["plain", "ridge", "penalties", "annealed", "two-sided noise", "layerwise noise"],
)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="all"),
        pytest.param({"batch": 5}, id="batch", marks=pytest.mark.slow),
        pytest.param({"trim": 0.1}, id="trimmed", marks=pytest.mark.slow),
    ],
)
def test_a_replica_is_trained_as_alone(regularisers: Any, data: dict[str, Any]) -> None:
    stages = [SGD(steps=6, learning_rate=1e-2, momentum=0.5), Adam(steps=6, learning_rate=1e-2)]
    alone = [fitted(seed, *each, **data) for seed, each in enumerate(regularisers)]
    losses = [trained(each, stages)["loss"] for each in alone]
    replicas = Replicas([fitted(seed, *each, **data) for seed, each in enumerate(regularisers)])
    history = trained(replicas, stages)
    assert all(map(same, replicas.objectives, alone))
    np.testing.assert_allclose(history["loss"], np.mean(losses, axis=0), rtol=1e-10)
    assert not same(alone[0], fitted(0, *regularisers[0], **data))


def test_a_pde_is_solved_by_replicas_as_alone() -> None:
    sections = {"regularisers": [{"kind": "gpinn", "samples": 5}, {"kind": "ktv", "samples": 5}]}
    stages = [Adam(steps=10, learning_rate=1e-2)]
    alone = [solving(seed, **sections) for seed in range(2)]
    for each in alone:
        trained(each, stages)
    replicas = Replicas([solving(seed, **sections) for seed in range(2)])
    trained(replicas, stages)
    assert all(map(same, replicas.objectives, alone))
    assert replicas.sweeps == sum(each.sweeps for each in alone)


@pytest.mark.parametrize("data", [{"batch": 5}, {"trim": 0.1}])
def test_resumed_replicas_equal_uninterrupted_ones(tmp_path: Path, data: dict[str, Any]) -> None:
    def made() -> Replicas:
        return Replicas([fitted(seed, KTV(samples=4), **data) for seed in range(2)])

    def go(replicas: Replicas, steps: int, **options: Any) -> int:
        stages = [Adam(steps=steps, learning_rate=1e-2)]
        return train(replicas, stages, History(replicas.names, (), None), **options).sweeps

    whole, resumed, file = made(), made(), tmp_path / "checkpoint.pt"
    swept = go(whole, 8)
    go(made(), 5, checkpoint=file)
    assert go(resumed, 8, resume=read_checkpoint(file, torch.device("cpu"))) == swept
    for one, two in zip(resumed.objectives, whole.objectives, strict=True):
        assert all(torch.equal(one.parameters[name], two.parameters[name]) for name in one.parameters)


def test_parameters_of_the_objectives_are_views() -> None:
    replicas = Replicas([fitted(seed) for seed in range(3)])
    with torch.no_grad():
        replicas.parameters["layers.0.bias"][1] = 7.0
    assert bool((replicas.objectives[1].parameters["layers.0.bias"] == 7).all())
    assert not bool((replicas.objectives[0].parameters["layers.0.bias"] == 7).any())
    each = replicas.each(replicas.parameters)["data"]
    alone = [objective.losses(objective.parameters)["data"] for objective in replicas.objectives]
    torch.testing.assert_close(each, torch.stack(alone))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: fitted(1, hidden=7), "shapes of parameters"),
        (lambda: fitted(1, Ridge()), "loss terms"),
        (lambda: fitted(1, batch=3), "numbers of points"),
        (lambda: fitted(1, NoiseStability()), "regularisers"),
        (lambda: solving(1), "loss terms"),
    ],
)
def test_what_has_another_structure_is_refused(other: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"replicas: all must have the same {message}"):
        Replicas([fitted(0), other()])


def test_a_penalty_of_another_order_and_other_buffers_are_refused() -> None:
    with pytest.raises(InputError, match="the same regularisers"):
        Replicas([fitted(0, KTV(order=1)), fitted(1, KTV(order=2))])
    with pytest.raises(InputError, match=r"the networks differ in 0\.frequencies"):
        Replicas([solving(seed, network={"features": {"fourier": {"count": 3}}}) for seed in range(2)])
    with pytest.raises(InputError, match="at least one"):
        Replicas([])


@pytest.mark.parametrize("stage", [GaussNewton(steps=2), LBFGS(steps=2)])
def test_optimisers_that_need_one_loss_are_refused(stage: Stage) -> None:
    with pytest.raises(InputError, match="adam and sgd only"):
        trained(Replicas([fitted(0)]), [stage])


def test_what_only_looks_alike_is_refused() -> None:
    def activated(activation: str) -> Objective:
        network = MLP(2, [6], 1, activation=activation, generator=generator(0, "network"), dtype=torch.float64)
        return regression(network, [[0.5, 0.1]], [1.0], [(-1, 1)] * 2)

    Replicas([activated("tanh"), activated("tanh")])
    with pytest.raises(InputError, match="number 1 computes 'data' otherwise than the first"):
        Replicas([activated("tanh"), activated("sin")])


def test_which_replica_diverged_is_said() -> None:
    class Cube(torch.nn.Module):
        def __init__(self, start: float) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))

        def forward(self, points: torch.Tensor) -> torch.Tensor:
            return self.a**3 * points

    starts = enumerate((0.5, 30.0))
    objectives = [regression(Cube(start), [[1.0]], [1.0], [(0, 2)], seed=seed) for seed, start in starts]
    with pytest.raises(Diverged, match=r"^two: training diverged .* of 2 replicas \[1\], seeds \[1\]"):
        fit(objectives, [SGD(steps=60, learning_rate=1e-3)], lambda *_: None, "two")


def test_a_replica_that_diverges_ends_the_training() -> None:
    with pytest.raises(Diverged, match="'data' became NaN or Inf"):
        trained(Replicas([fitted(0), fitted(1)]), [SGD(steps=500, learning_rate=1e3)])


def test_steps_do_not_depend_on_how_a_gradient_lies_in_memory() -> None:
    class Transposed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.arange(6, dtype=torch.float64).view(3, 2))

        def forward(self, points: torch.Tensor) -> torch.Tensor:
            return (self.weight.T.contiguous() * points[:, :1, None]).tanh().sum(dim=(1, 2))[:, None]

    objective = regression(Transposed(), [[0.5], [-1.0]], [1.0, 2.0], [(-1, 1)])
    start = objective.parameters["weight"].detach().clone()
    gradient = objective.gradient(objective.parameters)[1]["weight"]
    trained(objective, [SGD(steps=1, learning_rate=0.1)])
    torch.testing.assert_close(objective.parameters["weight"].detach(), start - 0.1 * gradient)
