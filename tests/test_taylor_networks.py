"""Series through the networks that a run builds, against torch.func's nested derivatives."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import jacfwd, jacrev, jvp, vjp, vmap

from pinnreg import derivatives
from pinnreg.differentiation import nested
from pinnreg.equations import Field, Points, Sweep, Trial, View
from pinnreg.equations.trial import AxisData
from pinnreg.errors import InputError
from pinnreg.networks import ACTIVATIONS, MLP, FeatureSettings, FourierSettings, MLPSettings, build
from pinnreg.randomness import generator
from pinnreg.taylor import Algebra, Laplacian, MultiIndex, Operator

BOUNDS = {"x": (-1.0, 3.0), "y": (0.5, 1.5), "t": (0.0, 2.0)}
FEATURES: dict[str, tuple[tuple[str, ...], FeatureSettings]] = {
    "scaling": ((), FeatureSettings()),
    "harmonics": (("y",), FeatureSettings(periodic={"y": 2})),
    "fourier": ((), FeatureSettings(fourier=FourierSettings(count=3, scale=0.7))),
    "both": (("x", "y"), FeatureSettings(periodic={"x": 2}, fourier=FourierSettings(count=2, scale=0.4))),
}
FOURTH = [index for index in itertools.product(range(5), repeat=3) if sum(index) <= 4]

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
few = settings(max_examples=3)
# features and activation do not know of each other: each of both once, and all pairs if slow
some_pairs = pytest.mark.parametrize(
    ("activation", "features"),
    [
        pytest.param(
            activation, features, marks=() if features == "scaling" or activation == "tanh" else pytest.mark.slow
        )
        for activation in ACTIVATIONS
        for features in FEATURES
    ],
)


pytestmark = pytest.mark.usefixtures("only_series")


def network(
    activation: str, features: str, *, seed: int = 0, hidden: tuple[int, ...] = (5, 5), outputs: int = 2
) -> nn.Module:
    """A network as a run builds it, its biases too away from zero."""
    periodic, chosen = FEATURES[features]
    built = build(
        MLPSettings(hidden=hidden, activation=activation, features=chosen),  # type: ignore[arg-type]
        BOUNDS,
        outputs,
        periodic=periodic,
        seed=seed,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )
    draws = generator(seed, "shifts")
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draws, dtype=torch.float64))
    return built


def points(count: int, seed: int = 0) -> Tensor:
    low, high = torch.tensor(list(BOUNDS.values()), dtype=torch.float64).unbind(dim=1)
    return low + (high - low) * torch.rand((count, 3), generator=generator(seed, "points"), dtype=torch.float64)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    """Within a tolerance relative to the largest magnitude."""
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and float((a - b).abs().max()) <= tolerance * float(b.abs().max())


def same_gradients(a: Tensor, b: Tensor, model: nn.Module, tolerance: float = 1e-10) -> bool:
    parameters = list(model.parameters())
    pairs = [torch.autograd.grad(each, parameters, retain_graph=True, materialize_grads=True) for each in (a, b)]
    size = max(float(gradient.abs().max()) for gradient in pairs[1])
    return size > 0 and all(float((x - y).abs().max()) <= tolerance * size for x, y in zip(*pairs, strict=True))


@some_pairs
def test_all_mixed_partials_to_order_four_equal_those_of_torch_func(activation: str, features: str) -> None:
    model, at = network(activation, features), points(4)
    found = derivatives(model, at, FOURTH)
    nest: Callable[[Tensor], Tensor] = lambda p: model(p[None])[0]  # noqa: E731
    for order in range(5):
        tensor = vmap(nest)(at)
        for index in (each for each in FOURTH if sum(each) == order):
            axes = [axis for axis, times in enumerate(index) for _ in range(times)]
            assert close(found[index], tensor[(slice(None), slice(None), *axes)]), index
        nest = jacrev(nest) if order < 2 else jacfwd(nest)


def one_by_one(model: nn.Module, index: MultiIndex) -> Callable[[Tensor], Tensor]:
    """A derivative of a network with one output: one axis after the other, by reverse and then by forward mode."""
    result: Callable[[Tensor], Tensor] = model
    axes = [axis for axis, times in enumerate(index) for _ in range(times)]
    for number, axis in enumerate(axes):
        result = (by_reverse_mode if number < len(axes) // 2 else by_forward_mode)(result, axis)
    return result


# points do not interact, so that one direction serves them all


def by_reverse_mode(function: Callable[[Tensor], Tensor], axis: int) -> Callable[[Tensor], Tensor]:
    def derivative(at: Tensor) -> Tensor:
        values, pull = vjp(function, at)
        return pull(torch.ones_like(values))[0][:, axis : axis + 1]

    return derivative


def by_forward_mode(function: Callable[[Tensor], Tensor], axis: int) -> Callable[[Tensor], Tensor]:
    return lambda at: jvp(function, (at,), (torch.eye(3, dtype=at.dtype)[axis].expand_as(at),))[1]


@settings(max_examples=20)
@given(
    activation=st.sampled_from(list(ACTIVATIONS)),
    features=st.sampled_from(list(FEATURES)),
    seed=st.integers(0, 10**6),
    hidden=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    wanted=st.lists(st.sampled_from(FOURTH), min_size=1, max_size=3, unique=True),
)
def test_any_set_of_partials_of_a_network_of_any_size_equals_that_of_torch_func(
    activation: str, features: str, seed: int, hidden: tuple[int, ...], wanted: list[MultiIndex]
) -> None:
    model, at = network(activation, features, seed=seed, hidden=hidden, outputs=1), points(3, seed)
    for index, values in derivatives(model, at, wanted).items():
        assert close(values, one_by_one(model, index)(at)), index


SIXTH = {"scaling": (0, 0, 6), "harmonics": (1, 4, 1), "fourier": (3, 0, 3), "both": (2, 2, 2)}


@pytest.mark.first(2)
@some_pairs
def test_fifth_and_sixth_partials_equal_those_of_torch_func(activation: str, features: str) -> None:
    model, at = network(activation, features, outputs=1), points(3)
    for index, values in derivatives(model, at, [(2, 1, 2), SIXTH[features]]).items():
        assert close(values, one_by_one(model, index)(at), 1e-10), index


@some_pairs
@few
@given(seed=st.integers(0, 10**6), index=st.sampled_from(FOURTH), more=st.sampled_from([(0, 0, 0), (1, 1, 0)]))
def test_gradients_in_the_parameters_equal_those_of_nested_differentiation(
    activation: str, features: str, seed: int, index: MultiIndex, more: MultiIndex
) -> None:
    model, at = network(activation, features, seed=seed), points(4, seed)
    wanted = list({index, more})
    found = derivatives(model, at, wanted)
    expected = nested(model, at, Algebra.of(wanted, 3)).derivatives(wanted)
    scalars = [sum(values.square().sum() for values in way) for way in (found.values(), expected)]
    assert same_gradients(*scalars, model)


OPERATORS: list[Operator] = [(0, 0, 0), (1, 1, 1), (0, 2, 2), Laplacian((0, 1)), Laplacian((0, 1), 2)]


# half of the pairs: the trial function does not know the activation
@pytest.mark.parametrize(
    ("operator", "activation"),
    [
        pytest.param(operator, activation, marks=() if (i + j) % 2 == 0 else pytest.mark.slow)
        for i, operator in enumerate(OPERATORS)
        for j, activation in enumerate(ACTIVATIONS)
    ],
)
def test_with_exact_conditions_derivatives_equal_those_of_the_trial_function(
    operator: Operator, activation: str
) -> None:
    values = AxisData(0, -1.0, 3.0, lambda y, t: torch.sin(y * t), 1.5)
    start = AxisData(2, 0.0, 2.0, lambda x, y: torch.cos(x) * y, slope_at_min=lambda x: torch.sin(2 * x))
    trial = Trial(("x", "y", "t"), ("u", "v"), ((values, start), (values,)))
    model, at = network(activation, "harmonics"), points(5)
    found = Sweep(trial, model, Points(at))(operator)
    (expected,) = nested(lambda p: trial(model, p), at, Algebra.of([operator], 3)).derivatives([operator])
    assert close(found, expected)
    assert same_gradients(found.square().sum(), expected.square().sum(), model)


def pure(dimension: int, *axes: int) -> MultiIndex:
    return tuple(2 * axes.count(axis) for axis in range(dimension))


@pytest.mark.parametrize(
    ("dimension", "activation"),
    [
        # each of both once, and all pairs if slow
        pytest.param(dimension, each, marks=() if dimension == 3 or each == "tanh" else pytest.mark.slow)
        for dimension in (1, 2, 3, 5)
        for each in ACTIVATIONS
    ],
)
@few
@given(seed=st.integers(0, 10**6), data=st.data())
def test_laplacians_are_the_sums_of_their_monomials(
    dimension: int, activation: str, seed: int, data: st.DataObject
) -> None:
    model = MLP(dimension, [6, 6], 2, activation=activation, generator=generator(seed, "w"), dtype=torch.float64)
    at = torch.rand((4, dimension), generator=generator(seed, "points"), dtype=torch.float64)
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, dimension - 1), min_size=1))))
    first, second = Laplacian(axes), Laplacian(axes, 2)
    seconds = [pure(dimension, i) for i in axes]
    fourths = [pure(dimension, i, j) for i in axes for j in axes]
    monomials = derivatives(model, at, [*seconds, *fourths])
    for wanted in ([first], [second], [first, second], [second, seconds[0]], [first, seconds[-1], (0,) * dimension]):
        found = derivatives(model, at, wanted)
        for operator, parts in ((first, seconds), (second, fourths)):
            if operator in found:
                expected = torch.stack([monomials[part] for part in parts]).sum(dim=0)
                assert close(found[operator], expected), operator
                assert same_gradients(found[operator].square().sum(), expected.square().sum(), model)


@every_activation
@pytest.mark.parametrize("axes", [("x",), ("x", "t"), ("t", "x"), ("x", "t", "y"), ("x", "y", "z")], ids=",".join)
def test_the_names_of_laplacians_leave_out_time(activation: str, axes: tuple[str, ...]) -> None:
    model = MLP(len(axes), [6], 1, activation=activation, generator=generator(2, "w"), dtype=torch.float64)
    at = torch.rand((4, len(axes)), generator=generator(2, "points"), dtype=torch.float64)
    space = [axis for axis in axes if axis != "t"]
    seconds, fourths = [2 * i for i in space], [2 * i + 2 * j for i in space for j in space]
    found = derivatives(model, at, ["biharmonic", "laplacian", "x"], axes=axes)
    names = derivatives(model, at, [*seconds, *fourths, "x"], axes=axes)
    assert list(found) == ["biharmonic", "laplacian", "x"]
    assert close(found["laplacian"], torch.stack([names[name] for name in seconds]).sum(dim=0))
    assert close(found["biharmonic"], torch.stack([names[name] for name in fourths]).sum(dim=0))
    assert close(found["x"], names["x"])


FREE = Trial(("x", "y", "t"), ("u", "v"), ((), ()))
FIXED = Trial(
    ("x", "y", "t"),
    ("u", "v"),
    ((AxisData(0, -1.0, 3.0, lambda y, t: torch.sin(y * t), 1.0), AxisData(2, 0.0, 2.0, lambda x: x**3)), ()),
)


def assert_laplacians_of_fields(trial: Trial, ask: Callable[[Field], object]) -> None:
    model, at = network("tanh", "scaling"), points(6)
    for u in View(Sweep(trial, model, Points(at))).fields().values():
        ask(u)
        laplacian, biharmonic = u.laplacian, u.biharmonic
        assert laplacian.shape == biharmonic.shape == (6,)
        assert close(laplacian, u.xx + u.yy)
        assert close(biharmonic, u.xxxx + 2 * u.xxyy + u.yyyy)


@pytest.mark.parametrize("trial", [FREE, FIXED], ids=["free", "with exact conditions"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda u: u.value,
        lambda u: u.xx,
        lambda u: (u.biharmonic, u.yyyy),
        lambda u: (u.xxyy, u.laplacian),
        lambda u: u.t + u.laplacian,
    ],
    ids=["value", "second", "biharmonic", "mixed", "heat"],
)
def test_laplacians_of_fields_are_sums_of_derivatives_whatever_else_is_asked_for(
    trial: Trial, ask: Callable[[Field], object]
) -> None:
    assert_laplacians_of_fields(trial, ask)


def test_a_field_of_time_alone_has_no_laplacian() -> None:
    trial = Trial(("t",), ("u",), ((),))
    model = MLP(1, [3], 1, generator=generator(0, "w"), dtype=torch.float64)
    (u,) = View(Sweep(trial, model, Points(torch.rand((3, 1), dtype=torch.float64)))).fields().values()
    for name in ("laplacian", "biharmonic"):
        with pytest.raises(InputError, match=f"u.{name} leaves out time, and there is no other axis"):
            getattr(u, name)
