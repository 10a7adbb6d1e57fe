"""Replicas: each is trained in a batch as it would be alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objectives import placed

from pinnreg.config import resolve
from pinnreg.errors import Diverged, InputError
from pinnreg.networks import MLP
from pinnreg.objective import Batches, Evaluator, Objective, Replicas, Trainable, regression
from pinnreg.optimisers import LBFGS, SGD, Adam, GaussNewton, Stage
from pinnreg.randomness import generator
from pinnreg.regularisers import KTV, Jacobian, NoiseStability, Regulariser, Ridge, WeightNoise, custom
from pinnreg.reproductions.fit import fit
from pinnreg.run.prepare import prepare
from pinnreg.training import History, Outcome, read_checkpoint, train

Parameters = dict[str, torch.Tensor]

CONFIG = {
    "network": {"hidden": [5]},
    "points": {"interior": 12, "boundary": 6, "resample": "fresh", "resample_every": 4},
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


def trained(objective: Trainable[Any], stages: Sequence[Stage]) -> tuple[Parameters, dict[str, Any]]:
    history = History(objective.names, (), None)
    outcome = train(objective, stages, history)
    return outcome.parameters, history.columns()


def same(one: Parameters, two: Parameters) -> bool:
    return all(torch.allclose(one[name], two[name], rtol=1e-10, atol=0) for name in one)


def separate(replicas: Replicas, parameters: Parameters) -> list[Parameters]:
    return [replicas.of_replica(number, parameters) for number in range(len(replicas.objectives))]


@pytest.mark.first(2)
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
    objectives = [fitted(seed, *each, **data) for seed, each in enumerate(regularisers)]
    alone = [trained(Evaluator(each), stages) for each in objectives]
    replicas = Replicas(objectives)
    together, history = trained(replicas, stages)
    assert all(map(same, separate(replicas, together), (parameters for parameters, _ in alone)))
    np.testing.assert_allclose(history["loss"], np.mean([own["loss"] for _, own in alone], axis=0), rtol=1e-10)
    assert not same(alone[0][0], objectives[0].model.initial())


@pytest.mark.slow
def test_a_pde_is_solved_by_replicas_as_alone() -> None:
    sections = {"regularisers": [{"kind": "gpinn", "samples": 5}, {"kind": "ktv", "samples": 5}]}
    stages = [Adam(steps=6, learning_rate=1e-2)]
    objectives = [solving(seed, **sections) for seed in range(2)]
    alone = [Evaluator(each) for each in objectives]
    expected = [trained(each, stages)[0] for each in alone]
    replicas = Replicas(objectives)
    together, _ = trained(replicas, stages)
    assert all(map(same, separate(replicas, together), expected))
    assert replicas.sweeps == sum(each.sweeps for each in alone) > 0


@pytest.mark.parametrize(
    ("data", "regularisers"),
    [pytest.param({"batch": 5}, [KTV(samples=4)], marks=pytest.mark.slow), ({"trim": 0.1}, [])],
)
def test_resumed_replicas_equal_uninterrupted_ones(
    tmp_path: Path, data: dict[str, Any], regularisers: list[Regulariser]
) -> None:
    def made() -> Replicas:
        return Replicas([fitted(seed, *regularisers, **data) for seed in range(2)])

    def go(steps: int, **options: Any) -> Outcome[Batches]:
        replicas, stages = made(), [Adam(steps=steps, learning_rate=1e-2)]
        return train(replicas, stages, History(replicas.names, (), None), **options)

    whole, file = go(8), tmp_path / "checkpoint.pt"
    go(5, checkpoint=file)
    resumed = go(8, resume=read_checkpoint(file, torch.device("cpu")))
    assert resumed.sweeps == whole.sweeps
    for name, values in whole.parameters.items():
        assert values.shape[0] == 2
        assert torch.equal(resumed.parameters[name], values)


def test_each_replica_has_its_own_part_of_the_parameters_and_batches() -> None:
    replicas = Replicas([fitted(seed) for seed in range(3)])
    parameters = replicas.initial()
    with torch.no_grad():
        parameters["layers.0.bias"][1] = 7.0
    assert not bool((replicas.initial()["layers.0.bias"] == 7).any())  # tensors of their own
    own = separate(replicas, parameters)
    assert [bool((each["layers.0.bias"] == 7).all()) for each in own] == [False, True, False]
    batch = replicas.first(parameters)
    with torch.no_grad():
        own[0]["layers.0.bias"].fill_(9.0)
    assert not bool((parameters["layers.0.bias"] == 9).any())
    each = replicas.each(batch, parameters)["data"]
    triples = zip(replicas.objectives, batch.each, separate(replicas, parameters), strict=True)
    torch.testing.assert_close(each, torch.stack([objective.losses(*at)["data"] for objective, *at in triples]))


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


def test_points_that_come_one_by_one_are_refused_and_there_are_no_windows() -> None:
    refined = {**CONFIG["points"], "resample": "refine"}  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"resample: refine adds to each another number .*: resample_every: null"):
        Replicas([solving(seed, points=refined) for seed in range(2)])
    fixed = refined | {"resample_every": None}
    one, two = (trained(Replicas([solving(0, points=fixed)]), [Adam(steps=4, windows=n)])[0] for n in (1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)


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
    of = placed(objective)
    gradient = of.gradient(of.parameters)[1]["weight"]
    found, _ = trained(of.evaluator, [SGD(steps=1, learning_rate=0.1)])
    torch.testing.assert_close(found["weight"].detach(), of.parameters["weight"].detach() - 0.1 * gradient)


@pytest.mark.slow
def test_gradients_of_gradients_are_recorded_in_every_process_more_than_once() -> None:
    gpinn = [{"kind": "gpinn", "weight": 1e-3}]
    line = {"name": "poisson", "dimension": 1}
    objectives = [solving(seed, problem=line, regularisers=gpinn) for seed in range(2)]
    alone = [placed(objective) for objective in objectives]
    expected = [each.gradient(each.parameters)[1] for each in alone]
    for _ in range(2):
        replicas = Replicas(objectives)
        parameters = replicas.initial()
        _, found = replicas.gradient(replicas.first(parameters), parameters)
        assert all(map(same, separate(replicas, found), expected))


def test_weights_of_ones_own_penalty_may_differ() -> None:
    def objectives(*slopes: float) -> list[Objective]:
        return [
            fitted(seed, custom("steep", Steep(weight, slope=slope)))
            for seed, (weight, slope) in enumerate(zip((0.1, 0.2), slopes, strict=True))
        ]

    replicas = Replicas(objectives(1.0, 1.0))
    parameters = replicas.initial()
    _, found = replicas.gradient(replicas.first(parameters), parameters)
    for number, objective in enumerate(replicas.objectives):
        alone = placed(objective)
        assert same(replicas.of_replica(number, found), alone.gradient(alone.parameters)[1])
    with pytest.raises(InputError, match="replicas: all must have the same regularisers"):
        Replicas(objectives(1.0, 2.0))


@dataclass(frozen=True)
class Steep:
    """A penalty of one's own, on the parameters."""

    weight: float
    slope: float

    def rows(self, parameters: Parameters) -> torch.Tensor:
        return self.slope * torch.cat([each.reshape(-1) for each in parameters.values()])
