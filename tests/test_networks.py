"""Networks: their formulas, seeds, input features and settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from pinnreg.differentiation import derivatives
from pinnreg.errors import InputError
from pinnreg.networks import (
    ACTIVATIONS,
    MLP,
    FeatureSettings,
    FourierSettings,
    InputFeatures,
    MLPSettings,
    bound,
    build,
)
from pinnreg.randomness import generator

F64 = torch.float64
BOUNDS = {"x": (-1.0, 3.0), "y": (0.5, 1.5), "t": (0.0, 2.0)}
POINTS = torch.rand((40, 3), generator=generator(0, "points"), dtype=torch.float64) * torch.tensor(
    [4.0, 1.0, 2.0], dtype=torch.float64
) + torch.tensor([-1.0, 0.5, 0.0], dtype=torch.float64)

FORMULAS: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sin": math.sin,
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "softplus": lambda z: math.log1p(math.exp(z)),
    "swish": lambda z: z / (1 + math.exp(-z)),
}


def network(
    features: FeatureSettings | None = None,
    *,
    periodic: tuple[str, ...] = (),
    seed: int = 0,
    outputs: int = 2,
    dtype: torch.dtype = torch.float64,
    **options: Any,
) -> nn.Module:
    chosen = MLPSettings(**{"hidden": (8, 8), "features": features or FeatureSettings(), **options})
    return build(chosen, BOUNDS, outputs, periodic=periodic, seed=seed, dtype=dtype, device=torch.device("cpu"))


def by_hand(mlp: MLP, activation: Callable[[float], float], points: list[list[float]]) -> list[list[float]]:
    """The network's formula in Python's own numbers."""
    values = points
    for number, layer in enumerate(mlp.layers):
        assert isinstance(layer, nn.Linear)
        weight, bias = layer.weight.tolist(), layer.bias.tolist()
        values = [
            [
                math.fsum([b, *(w * v for w, v in zip(row, point, strict=True))])
                for row, b in zip(weight, bias, strict=True)
            ]
            for point in values
        ]
        if number < len(mlp.layers) - 1:
            values = [[activation(v) for v in point] for point in values]
    return values


def test_every_activation_has_a_formula_here() -> None:
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", FORMULAS)
@pytest.mark.parametrize("hidden", [(), (4,), (5, 3, 6)])
def test_an_mlp_is_its_formula(activation: str, hidden: tuple[int, ...]) -> None:
    mlp = MLP(3, hidden, 2, activation=activation, generator=generator(1, "w"), dtype=torch.float64)
    with torch.no_grad():
        for parameter in mlp.parameters():  # biases are zero at first and would hide a lost one
            parameter.add_(0.3)
        computed = mlp(POINTS[:5])
    expected = torch.tensor(by_hand(mlp, FORMULAS[activation], POINTS[:5].tolist()), dtype=torch.float64)
    assert computed.shape == (5, 2)
    assert torch.allclose(computed, expected, rtol=1e-13, atol=1e-13)


def test_initial_weights_are_xavier_normal_and_biases_zero() -> None:
    mlp = MLP(200, [300], 200, generator=generator(3, "w"), dtype=torch.float64)
    for layer in mlp.layers:
        assert isinstance(layer, nn.Linear)
        weight = layer.weight.detach()
        assert bool((layer.bias == 0).all())
        # 60000 weights: the mean is within 5 standard errors, the deviation within 2 %
        assert abs(float(weight.mean())) < 5 * math.sqrt(2 / 500 / 60000)
        assert float(weight.std()) == pytest.approx(math.sqrt(2 / 500), rel=0.02)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_spread_sets_the_first_layer_apart_and_moves_every_neuron(activation: str, spread: float) -> None:
    mlp = MLP(200, [300, 150], 400, activation=activation, spread=spread, generator=generator(3, "w"), dtype=F64)
    deviations = [spread * math.sqrt(4 / 200), 300**-0.5, math.sqrt(2 / 550)]
    for number, (layer, deviation) in enumerate(zip(mlp.layers, deviations, strict=True)):
        assert isinstance(layer, nn.Linear)
        weight, bias = layer.weight.detach(), layer.bias.detach()
        # at least 45000 weights: the mean is within 5 standard errors, the deviation within 2 %
        assert abs(float(weight.mean())) < 5 * deviation / math.sqrt(weight.numel())
        assert float(weight.std()) == pytest.approx(deviation, rel=0.02)
        # normal: a share of 4.6 % beyond two deviations
        assert float((weight.abs() > 2 * deviation).to(F64).mean()) == pytest.approx(0.0455, abs=0.005)
        if number == 2:
            assert bool((bias == 0).all())
            continue
        reach = math.pi if activation == "sin" else 1.0
        assert float(bias.abs().max()) <= reach
        assert float(bias.abs().max()) > 0.95 * reach
        # uniform, of at least 150 biases
        assert float(bias.std()) == pytest.approx(reach / math.sqrt(3), rel=0.15)
        assert abs(float(bias.mean())) < 5 * reach / math.sqrt(3 * len(bias))


def test_without_spread_or_hidden_layers_all_is_as_before() -> None:
    plain, none = (MLP(3, [5, 4], 2, generator=generator(3, "w"), **each) for each in ({}, {"spread": None}))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), none.parameters(), strict=True))
    linear = [MLP(3, [], 2, spread=each, generator=generator(3, "w")) for each in (None, 2.0)]
    assert all(torch.equal(a, b) for a, b in zip(linear[0].parameters(), linear[1].parameters(), strict=True))


def test_spread_scales_the_first_weights_and_nothing_else() -> None:
    one, two = (MLP(3, [5, 4], 2, spread=each, generator=generator(3, "w"), dtype=F64) for each in (1.0, 2.5))
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(b, 2.5 * a if name == "layers.0.weight" else a, rtol=1e-14)


def test_the_spread_of_a_config_reaches_the_network() -> None:
    default, given, none = (network(**each)[1] for each in ({}, {"spread": 1.0}, {"spread": None}))
    assert isinstance(default, MLP)
    assert isinstance(none, MLP)
    for a, b in zip(default.parameters(), given.parameters(), strict=True):
        assert torch.equal(a, b)
    assert float(default.layers[0].bias.detach().abs().max()) > 0.5
    assert all(float(layer.bias.detach().abs().max()) == 0 for layer in none.layers)


def test_an_mlp_without_a_generator_follows_torch_s_seed_and_default_dtype() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first, second = MLP(2, [4], 1), MLP(2, [4], 1)
        torch.manual_seed(5)
        again = MLP(2, [4], 1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
    assert {p.dtype for p in first.parameters()} == {torch.get_default_dtype()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((2, [4], 1), {"activation": "tanhh"}), "unknown activation 'tanhh'; did you mean 'tanh'"),
        (((2, [4], 1), {"activation": "relu"}), "unknown activation 'relu'"),
        (((0, [4], 1), {}), "positive integers"),
        (((2, [4, 0], 1), {}), "positive integers"),
        (((2, [4.0], 1), {}), "positive integers"),
        (((2, [True], 1), {}), "positive integers"),
        (((2, [4], -1), {}), "positive integers"),
    ],
)
def test_an_impossible_mlp_is_refused(arguments: tuple[tuple[Any, ...], dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MLP(*arguments[0], **arguments[1])


def variants() -> list[tuple[FeatureSettings, tuple[str, ...]]]:
    fourier = FourierSettings(count=5, scale=0.7)
    return [
        (FeatureSettings(), ()),
        (FeatureSettings(), ("x",)),
        (FeatureSettings(periodic={"x": 3}), ("x", "y")),
        (FeatureSettings(fourier=fourier), ()),
        (FeatureSettings(periodic={"y": 2}, fourier=fourier), ("x", "y")),
    ]


@pytest.mark.parametrize(("features", "periodic"), variants())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_network_is_a_function_of_its_seed(
    features: FeatureSettings, periodic: tuple[str, ...], dtype: torch.dtype
) -> None:
    state = torch.get_rng_state()
    first, again, other = (network(features, periodic=periodic, seed=seed, dtype=dtype) for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), state)
    values = first(POINTS.to(dtype))
    assert values.shape == (40, 2)
    assert values.dtype == dtype
    assert bool(torch.isfinite(values).all())
    assert torch.equal(values, again(POINTS.to(dtype)))
    assert not torch.allclose(values, other(POINTS.to(dtype)))
    tensors = [*first.state_dict().values()]
    assert tensors
    assert all(t.dtype == dtype for t in tensors)
    assert all(torch.equal(a, b) for a, b in zip(tensors, again.state_dict().values(), strict=True))


def test_fourier_features_change_the_function_and_not_its_shape() -> None:
    plain, fourier = network(), network(FeatureSettings(fourier=FourierSettings(count=3)))
    assert plain(POINTS).shape == fourier(POINTS).shape
    assert not torch.allclose(plain(POINTS), fourier(POINTS))


def test_axes_are_scaled_onto_minus_one_to_one() -> None:
    features = InputFeatures(BOUNDS, periodic={}, frequencies=None, dtype=torch.float64)
    corners = torch.tensor(list(itertools.product(*BOUNDS.values())), dtype=torch.float64)
    expected = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)), dtype=torch.float64)
    assert torch.allclose(features(corners), expected, atol=1e-15)


def test_harmonics_are_cosines_and_sines_of_the_axis_s_own_period() -> None:
    harmonics = {"x": 2, "t": 1}
    features = InputFeatures(BOUNDS, periodic=harmonics, frequencies=None, dtype=torch.float64)(POINTS)
    x, y, t = POINTS.unbind(dim=1)

    def waves(k: int, at: Tensor, lower: float, upper: float) -> set[tuple[float, ...]]:
        phase = 2 * math.pi * k * (at - lower) / (upper - lower)
        return {tuple((sign * f(phase)).round(decimals=9).tolist()) for f in (torch.cos, torch.sin) for sign in (1, -1)}

    allowed = [waves(1, x, -1, 3), waves(1, x, -1, 3), waves(2, x, -1, 3), waves(2, x, -1, 3), None]
    allowed += [waves(1, t, 0, 2)] * 2
    assert features.shape == (40, InputFeatures.width_before_fourier(["x", "y", "t"], harmonics)) == (40, 7)
    assert torch.allclose(features[:, 4], 2 * (y - 1), atol=1e-15)
    for column, waves_of_column in zip(features.T, allowed, strict=True):
        if waves_of_column is not None:
            assert tuple(column.round(decimals=9).tolist()) in waves_of_column
    assert torch.linalg.matrix_rank(features) == 7  # no two of them are the same wave


@settings(max_examples=12)
@given(st.integers(0, 1000), st.integers(1, 4), st.sampled_from(sorted(ACTIVATIONS)), st.booleans())
def test_periodic_features_make_every_derivative_periodic(
    seed: int, harmonics: int, activation: str, fourier: bool
) -> None:
    features = FeatureSettings(periodic={"x": harmonics}, fourier=FourierSettings(count=4) if fourier else None)
    model = network(features, periodic=("x",), seed=seed, activation=activation)
    low, high = POINTS[:10].clone(), POINTS[:10].clone()
    low[:, 0], high[:, 0] = -1.0, 3.0
    shifted = POINTS[:10] + torch.tensor([4.0, 0.0, 0.0], dtype=torch.float64)
    wanted = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (2, 1, 1)]
    for a, b in ((low, high), (POINTS[:10], shifted)):
        left, right = derivatives(model, a, wanted), derivatives(model, b, wanted)
        for index in wanted:
            assert torch.allclose(left[index], right[index], rtol=1e-10, atol=1e-11), index
            assert float(left[index].detach().std()) > 1e-9, index
    moved = POINTS[:10] + torch.tensor([0.0, 0.3, 0.0], dtype=torch.float64)
    assert not torch.allclose(model(POINTS[:10]), model(moved), rtol=1e-6)


def test_more_harmonics_are_more_inputs() -> None:
    one, three = network(periodic=("x",)), network(FeatureSettings(periodic={"x": 3}), periodic=("x",))
    assert next(three.parameters()).shape[1] == next(one.parameters()).shape[1] + 4
    assert not torch.allclose(one(POINTS), three(POINTS))


def test_fourier_features_are_sines_and_cosines_of_the_frequencies() -> None:
    frequencies = torch.randn((6, 3), generator=generator(2, "b"), dtype=torch.float64)
    bounds = {"x": (-1.0, 1.0), "y": (-1.0, 1.0), "t": (-1.0, 1.0)}
    features = InputFeatures(bounds, periodic={}, frequencies=frequencies, dtype=torch.float64)(POINTS)
    phases = math.pi * torch.einsum("nk,mk->nm", POINTS, frequencies)
    assert features.shape == (40, 15)
    assert torch.allclose(features[:, :3], POINTS)
    assert torch.allclose(features[:, 3:9], phases.sin(), atol=1e-12)
    assert torch.allclose(features[:, 9:], phases.cos(), atol=1e-12)


def test_count_and_scale_of_fourier_features_have_effect() -> None:
    def frequencies(count: int, scale: float) -> Tensor:
        model = network(FeatureSettings(fourier=FourierSettings(count=count, scale=scale)))
        return model[0].get_buffer("frequencies")

    assert frequencies(7, 1.0).shape == (7, 3)
    assert torch.allclose(frequencies(7, 3.0), 3 * frequencies(7, 1.0), rtol=1e-14)
    assert float(frequencies(3000, 2.0).std()) == pytest.approx(2.0, rel=0.05)
    models = [network(FeatureSettings(fourier=FourierSettings(count=c, scale=s))) for c, s in ((4, 1), (5, 1), (4, 2))]
    for a, b in itertools.combinations(models, 2):
        assert not torch.allclose(a(POINTS), b(POINTS))


def test_fourier_frequencies_are_not_trained_but_saved() -> None:
    model = network(FeatureSettings(fourier=FourierSettings(count=4)))
    assert not any("frequencies" in name for name, _ in model.named_parameters())
    assert any("frequencies" in name for name in model.state_dict())


def test_harmonics_need_an_exact_periodic_condition() -> None:
    with pytest.raises(InputError, match=r"network.features.periodic: 'y'.*periodic: x"):
        network(FeatureSettings(periodic={"y": 2}), periodic=("x",))
    with pytest.raises(InputError, match=r"periodic: none"):
        network(FeatureSettings(periodic={"x": 2}))


def test_rows_do_not_interact() -> None:
    model = network(FeatureSettings(fourier=FourierSettings(count=4)), periodic=("x",))
    assert torch.allclose(model(POINTS)[7:9], model(POINTS[7:9]), atol=1e-14)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (MLPSettings, {"hidden": ()}),
        (MLPSettings, {"hidden": (0,)}),
        (MLPSettings, {"hidden": (True,)}),
        (MLPSettings, {"hidden": (2.5,)}),
        (MLPSettings, {"kind": "cnn"}),
        (MLPSettings, {"activation": "relu"}),
        (MLPSettings, {"depth": 3}),
        (MLPSettings, {"spread": 0.0}),
        (MLPSettings, {"spread": -1.0}),
        (MLPSettings, {"spread": True}),
        (MLPSettings, {"spread": math.inf}),
        (FourierSettings, {"count": 0}),
        (FourierSettings, {"scale": 0.0}),
        (FourierSettings, {"scale": math.nan}),
        (FourierSettings, {"scale": math.inf}),
        (FeatureSettings, {"periodic": {"x": 0}}),
        (FeatureSettings, {"periodic": {"x": True}}),
    ],
)
def test_impossible_settings_are_refused(cls: Callable[..., object], options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        cls(**options)


def test_a_network_at_other_parameters_is_left_as_it_is() -> None:
    net = network()
    before, own = net(POINTS).detach(), {name: each.detach().clone() for name, each in net.named_parameters()}
    torch.testing.assert_close(bound(net, own)(POINTS), before, rtol=0, atol=0)
    moved = {name: (each + 0.1).requires_grad_() for name, each in own.items()}
    values = bound(net, moved)(POINTS)
    assert not torch.equal(values, before)
    values.sum().backward()
    assert all(each.grad is not None for each in moved.values())
    assert all(each.grad is None for each in net.parameters())
    assert torch.equal(net(POINTS), before)
