"""Quadratic networks: their formula, start, derivatives, Jacobian, and how a config names them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives import Placed, placed
from torch import Tensor, nn
from torch.func import jacrev

import pinnreg
from pinnreg.config import as_dict, resolve
from pinnreg.errors import InputError
from pinnreg.networks import MLPSettings, Quadratic, QuadraticSettings, weights_of_blocks
from pinnreg.objective import Evaluator, Objective, Replicas, regression
from pinnreg.optimisers import Adam
from pinnreg.randomness import generator
from pinnreg.regularisers import Orthogonality
from pinnreg.run.prepare import prepare
from pinnreg.training import History, train

F64 = torch.float64
VARIANTS = ("plain", "norm", "orth")
POINTS = 2 * torch.rand((500, 2), generator=generator(0, "points"), dtype=F64) - 1


def network(hidden: tuple[int, ...] = (7, 5), outputs: int = 2, *, seed: int = 0, **options: Any) -> Quadratic:
    made = Quadratic(2, hidden, outputs, generator=generator(seed, "network"), **{"dtype": F64, **options})
    with torch.no_grad():
        for block in made.blocks:
            if block.alpha is not None:  # zero at first, which would hide it
                block.alpha.add_(0.4)
    return made


def by_hand(made: Quadratic, x: Tensor) -> Tensor:
    """xᵀ A x with the matrix A = Wᵀ diag(λ) W + α I of each output, block by block."""
    seen = x
    for block in made.blocks:
        given = torch.cat([seen, torch.ones(len(x), 1, dtype=F64)], dim=1)
        matrices = torch.stack([block.weight.T @ torch.diag(lam) @ block.weight for lam in block.lam])
        if block.alpha is not None:
            matrices = matrices + block.alpha[:, :, None] * torch.eye(given.shape[1], dtype=F64)
        values = torch.einsum("ni,oij,nj->no", given, matrices, given)
        seen = torch.cat([x, values], dim=1)
    return values


# the network


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("hidden", [(1,), (6,), (7, 5), (4, 3, 6)])
def test_a_quadratic_network_is_its_formula(variant: str, hidden: tuple[int, ...]) -> None:
    made = network(hidden, variant=variant)
    with torch.no_grad():
        found, expected = made(POINTS), by_hand(made, POINTS)
    assert found.shape == (500, 2)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_blocks_are_a_polynomial_of_degree_two_to_their_number(blocks: int) -> None:
    made, degree = network((6,) * blocks), 2**blocks
    line = torch.linspace(-4, 4, degree + 2, dtype=F64)[:, None] * torch.tensor([0.7, -0.4], dtype=F64)
    with torch.no_grad():
        values = made(line)[:, 0]
    size = float(values.abs().max())
    for _ in range(degree):
        values = values.diff()
    assert float(values.abs().min()) > 1e-6 * size  # it has that degree
    assert float(values.diff().abs().max()) < 1e-11 * size  # and no higher one


def test_the_shapes_of_the_parameters_are_those_documented() -> None:
    made = Quadratic(3, [5, 4], 2, width=6, variant="norm")
    shapes = {name: tuple(each.shape) for name, each in made.named_parameters()}
    assert shapes == {
        **{"blocks.0.weight": (5, 4), "blocks.0.lam": (6, 5), "blocks.0.alpha": (6, 1)},
        **{"blocks.1.weight": (4, 10), "blocks.1.lam": (2, 4), "blocks.1.alpha": (2, 1)},
    }
    assert {each.dtype for each in made.parameters()} == {torch.get_default_dtype()}
    assert not any("alpha" in name for name, _ in network().named_parameters())
    default = Quadratic(3, [5, 4], 2)
    assert (default.blocks[0].lam.shape, default.blocks[1].weight.shape) == ((3, 5), (4, 7))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("blocks", [1, 3, 8])
def test_at_the_start_outputs_neither_explode_nor_vanish(variant: str, blocks: int) -> None:
    for seed in range(3):
        made = Quadratic(
            2, (9,) * blocks, 3, variant=variant, generator=generator(seed, "network"), dtype=F64
        )  # fresh: α is zero
        with torch.no_grad():
            squares = made(POINTS).square().mean(dim=0)
        # at other points than those that it was scaled by
        assert bool(((squares > 0.5) & (squares < 2)).all()), squares


def test_weights_begin_orthogonal_in_the_variant_of_that_name() -> None:
    for neurons in (2, 3, 8):
        weight = network((neurons,), variant="orth").blocks[0].weight.detach()
        gram = weight.T @ weight if neurons >= 3 else weight @ weight.T
        torch.testing.assert_close(gram, torch.eye(len(gram), dtype=F64), rtol=0, atol=1e-14)
    plain = network((4000,)).blocks[0].weight.detach()
    assert float(plain.square().sum(dim=1).mean()) == pytest.approx(1, rel=0.05)


def test_a_quadratic_network_is_a_function_of_its_generator() -> None:
    state = torch.get_rng_state()
    first, again, other = (network(seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.values(), again.values(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.values(), other.values(), strict=True))


def test_neurons_padded_with_zeros_change_nothing_and_stay() -> None:
    small, large = network((4,), outputs=1), network((6,), outputs=1)
    with torch.no_grad():
        for each in large.parameters():
            each.zero_()
        large.blocks[0].weight[:4] = small.blocks[0].weight
        large.blocks[0].lam[:, :4] = small.blocks[0].lam
    for made in (small, large):
        optimiser = torch.optim.Adam(made.parameters(), lr=1e-2)
        for _ in range(5):
            optimiser.zero_grad()
            (made(POINTS)[:, 0] - POINTS.prod(dim=1).sin()).square().mean().backward()
            optimiser.step()
    assert not large.blocks[0].weight[4:].any()
    assert not large.blocks[0].lam[:, 4:].any()
    torch.testing.assert_close(large.blocks[0].weight[:4], small.blocks[0].weight, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((2, [4], 1), {"variant": "orht"}, "unknown variant 'orht'; did you mean 'orth'"),
        ((2, [], 1), {}, "at least one block"),
        ((0, [4], 1), {}, "positive integers"),
        ((2, [4, 0], 1), {}, "positive integers"),
        ((2, [4.0], 1), {}, "positive integers"),
        ((2, [4], True), {}, "positive integers"),
        ((2, [4, 4], 1), {"width": 0}, "width 0"),
    ],
)
def test_an_impossible_network_is_refused(arguments: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Quadratic(*arguments, **options)


def test_the_weights_of_blocks_are_found_by_name_anywhere() -> None:
    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.last = nn.Sequential(nn.Tanh(), network()), nn.Linear(2, 1)

    assert weights_of_blocks(Around()) == ("inner.1.blocks.0.weight", "inner.1.blocks.1.weight")
    assert weights_of_blocks(network().blocks[0]) == ("weight",)
    assert weights_of_blocks(nn.Linear(2, 1)) == ()


# derivatives and the Jacobian


@pytest.mark.usefixtures("only_series")
@pytest.mark.parametrize("variant", VARIANTS)
def test_series_carry_its_derivatives(variant: str) -> None:
    made = network((5, 4, 3), outputs=1, variant=variant)
    x = POINTS[:6]
    found = pinnreg.derivatives(made, x, ["", "x", "xy", "yy", "xxx", "laplacian"], axes=("x", "y"))

    def value(point: Tensor) -> Tensor:
        return made(point[None])[0, 0]

    second = jacrev(jacrev(value))
    hessian = torch.stack([second(point) for point in x])
    third = torch.stack([jacrev(second)(point)[0, 0, 0] for point in x])
    expected = {
        "": made(x)[:, 0],
        "x": torch.stack([jacrev(value)(point)[0] for point in x]),
        **{"xy": hessian[:, 0, 1], "yy": hessian[:, 1, 1], "xxx": third},
        "laplacian": hessian.diagonal(dim1=1, dim2=2).sum(dim=1),
    }
    for name, each in found.items():
        torch.testing.assert_close(each[:, 0], expected[name], rtol=1e-11, atol=1e-10)


def objective(network: dict[str, Any], **sections: Any) -> Placed:
    config = {"problem": "burgers", "points": {"interior": 20, "boundary": 8}, "conditions": "soft", **sections}
    resolved = resolve({**config, "network": {"kind": "quadratic", **network}})
    return placed(prepare(resolved, with_reference=False).objective)


@pytest.mark.parametrize("variant", ["plain", "norm"])
@pytest.mark.parametrize("hidden", [[4], [4, 3, 3]])
def test_gauss_newton_has_its_jacobian_from_the_layers(
    variant: str, hidden: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    of = objective({"hidden": hidden, "variant": variant})
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        found = of.linearise(of.parameters)
    assert of.evaluator._by_layer
    assert not caplog.records
    rows = of.residuals(of.parameters)
    torch.testing.assert_close(found.residuals, rows, rtol=1e-12, atol=1e-12)
    step = {
        name: torch.randn(each.shape, generator=generator(1, name), dtype=F64) for name, each in of.parameters.items()
    }
    h = 1e-5
    ahead, behind = (
        of.residuals({name: each.detach() + sign * h * step[name] for name, each in of.parameters.items()})
        for sign in (1, -1)
    )
    expected = (ahead - behind) / (2 * h)
    slope = found.jacobian @ torch.cat([each.reshape(-1) for each in step.values()])
    torch.testing.assert_close(slope, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_replicas_are_trained_side_by_side_as_alone() -> None:
    def fitted(seed: int) -> Objective:
        made = network((4, 3), outputs=1, seed=seed, variant="norm")
        labels = (POINTS.prod(dim=1) + seed).sin()
        return regression(
            made, POINTS.numpy(), labels.numpy(), [(-1, 1)] * 2, regularisers=[Orthogonality(weight=0.1)], seed=seed
        )

    objectives = [fitted(seed) for seed in range(3)]
    stages = [Adam(steps=20, learning_rate=1e-2)]
    alone = [train(Evaluator(each), stages, History(each.names, (), None)).parameters for each in objectives]
    replicas = Replicas(objectives)
    together = train(replicas, stages, History(replicas.names, (), None)).parameters
    for number, one in enumerate(alone):
        for name, values in replicas.of_replica(number, together).items():
            torch.testing.assert_close(values, one[name], rtol=1e-9, atol=1e-11)
    assert not torch.allclose(alone[0]["blocks.0.lam"], network((4, 3), outputs=1, variant="norm").blocks[0].lam)


# the config


def test_another_kind_of_network_begins_with_its_own_defaults() -> None:
    assert resolve("poisson").config.network == MLPSettings(hidden=(24, 24), activation="sin", spread=2.0)
    for given, overrides in (
        ({"problem": "poisson", "network": {"kind": "quadratic"}}, {}),
        ({"problem": "poisson"}, {"network.kind": "quadratic"}),
        ({"problem": "poisson"}, {"network": {"kind": "quadratic"}}),
    ):
        assert resolve(given, overrides).config.network == QuadraticSettings()
    some = {"problem": "poisson", "network": {"kind": "quadratic", "hidden": [5, 4], "width": 3}}
    assert resolve(some).config.network == QuadraticSettings(hidden=(5, 4), width=3)
    again = resolve(as_dict(resolve(some).config)).config
    assert again == resolve(some).config


def test_the_kind_that_a_problem_is_solved_by_anyway_keeps_its_defaults() -> None:
    named = resolve({"problem": "poisson", "network": {"kind": "mlp", "activation": "tanh"}}).config.network
    assert named == MLPSettings(hidden=(24, 24), activation="tanh", spread=2.0)


QUADRATIC_BY_DEFAULT = '''
from dataclasses import dataclass
from pinnreg import Box, Problem, dirichlet

@dataclass(frozen=True)
class Parabola(Problem):
    """u'' = 2."""

    domain = Box(x=(0, 1))
    conditions = (dirichlet(0.0),)
    defaults = {"network": {"kind": "quadratic", "hidden": [3], "variant": "norm"}}

    def residual(self, u):
        return u.xx - 2
'''


def test_a_problem_can_have_a_quadratic_network_by_default(tmp_path: Path) -> None:
    (tmp_path / "parabola.py").write_text(QUADRATIC_BY_DEFAULT)
    plain, more, other = (
        resolve({"problem": "parabola", "network": network}, {}, [tmp_path]).config.network
        for network in ({}, {"variant": "plain"}, {"kind": "mlp"})
    )
    assert plain == QuadraticSettings(hidden=(3,), variant="norm")
    assert more == QuadraticSettings(hidden=(3,), variant="plain")
    assert other == MLPSettings()


@pytest.mark.parametrize(
    ("network", "overrides", "words"),
    [
        ({"kind": "quadratic", "activation": "sin"}, {}, ["key in network", "'activation'", "width, variant"]),
        ({"activation": "sin"}, {"network.kind": "quadratic"}, ["key in network", "'activation'"]),
        ({"kind": "quadratic", "spread": 1.0}, {}, ["'spread'"]),
        ({"variant": "norm"}, {}, ["key in network", "'variant'", "known: kind, hidden, activation"]),
        ({"kind": "quadratic", "widht": 3}, {}, ["did you mean 'width'"]),
        ({"kind": "quadratic", "hidden": [4], "width": 3}, {}, ["network", "no effect with one block"]),
        ({"kind": "quadratic", "hidden": []}, {}, ["network.hidden"]),
        ({"kind": "quadratic", "variant": "norn"}, {}, ["network.variant", "did you mean 'norm'"]),
        ({"kind": "quadratics"}, {}, ["did you mean 'quadratic'"]),
        ({"kind": 3}, {}, ["network: unknown kind '3'"]),
    ],
)
def test_keys_of_the_wrong_kind_are_refused(
    network: dict[str, Any], overrides: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        resolve({"problem": "poisson", "network": network}, overrides)
    assert len(str(caught.value).splitlines()) == 1
    assert all(word in str(caught.value) for word in words), caught.value


def test_features_stand_before_a_quadratic_network_too() -> None:
    of = objective({"hidden": [4], "features": {"fourier": {"count": 3}}, "symmetry": False})
    assert of.parameters["1.blocks.0.weight"].shape == (4, 2 + 6 + 1)
    assert of.network[0].get_buffer("frequencies").shape == (3, 2)
