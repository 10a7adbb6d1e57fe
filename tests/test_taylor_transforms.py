"""Gradients of derivatives to any order, torch.func's transforms, and where and in what precision results are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, hessian, jacrev, vmap
from torch.nn import functional

from pinnreg import derivatives, differentiation
from pinnreg.differentiation import nested
from pinnreg.networks import ACTIVATIONS, MLP
from pinnreg.randomness import generator
from pinnreg.taylor import Algebra, Laplacian, Operator

Parameters = dict[str, Tensor]
OPERATORS: list[Operator] = [(0, 0), (1, 0), (1, 1), (0, 3), Laplacian((0, 1)), Laplacian((0, 1), 2)]

FUNCTIONS = {
    **ACTIVATIONS,
    **{"cos": torch.cos, "exp": torch.exp, "sigmoid": torch.sigmoid, "erf": torch.erf},
    "log": lambda x: torch.log(x**2 + 2),
    "root": lambda x: torch.sqrt(x**2 + 2),
    "quotient": lambda x: x / (x**2 + 2),
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


pytestmark = pytest.mark.usefixtures("only_series")


def points(count: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand((count, 2), generator=generator(seed, "points"), dtype=torch.float64) - 1


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance * (1 + float(b.abs().max())))


def small_network(name: str) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """A layer, a product of two expressions of the points and a second layer, as a function of its parameters."""
    draws = generator(3, name)
    parameters = [torch.randn(shape, generator=draws, dtype=torch.float64) for shape in ((2, 2), (2,), (1, 2))]

    def network(at: Tensor, first: Tensor, shift: Tensor, second: Tensor) -> Tensor:
        hidden = FUNCTIONS[name](functional.linear(at, first, shift))
        return functional.linear(hidden * (at - shift), second)

    return network, tuple(parameter.requires_grad_() for parameter in parameters)


OPERATORS: list[Operator] = [(1, 1), (0, 2), Laplacian((0, 1)), Laplacian((0, 1), 2)]


@pytest.mark.first(6)
# the last operator takes slopes of all orders of every function; the others take them for two
@pytest.mark.parametrize(
    ("name", "operator"),
    [
        pytest.param(
            name, operator, marks=() if operator == OPERATORS[-1] or name in ("tanh", "gelu") else pytest.mark.slow
        )
        for name in FUNCTIONS
        for operator in OPERATORS
    ],
)
def test_gradients_and_gradients_of_gradients_pass_torch_s_numerical_check(name: str, operator: Operator) -> None:
    network, parameters = small_network(name)

    def values(at: Tensor, *given: Tensor) -> Tensor:
        return derivatives(lambda p: network(p, *given), at, [operator])[operator]

    arguments = (points(2).requires_grad_(), *parameters)
    assert gradcheck(values, arguments)
    assert gradgradcheck(values, arguments, fast_mode=True)  # all second gradients are compared below


@every_function
def test_third_gradients_equal_those_of_nested_differentiation(name: str) -> None:
    network, parameters = small_network(name)
    wanted: list[Operator] = [(1, 1), Laplacian((0, 1))]
    found = []
    for way in (differentiation.sweep, nested):
        series = way(lambda p: network(p, *parameters), points(3), Algebra.of(wanted, 2))
        scalar = sum(values.sin().sum() for values in series.derivatives(wanted))
        for _ in range(3):
            gradients = torch.autograd.grad(scalar, parameters, create_graph=True)
            scalar = sum(gradient.square().sum() for gradient in gradients)
        found.append(gradients)
    assert all(close(a, b, 1e-10) for a, b in zip(*found, strict=True))


def mlp(activation: str) -> tuple[Callable[[Parameters, Tensor], dict[Operator, Tensor]], Parameters]:
    """Derivatives as a function of a network's parameters and the points, and the parameters."""
    network = MLP(2, [3, 3], 2, activation=activation, generator=generator(1, "w"), dtype=torch.float64)
    call = lambda given, at: derivatives(lambda p: functional_call(network, given, (p,)), at, OPERATORS)  # noqa: E731
    return call, {name: parameter.detach() + 0.1 for name, parameter in network.named_parameters()}


def energy(found: dict[Operator, Tensor]) -> Tensor:
    return torch.stack([values.square().mean() for values in found.values()]).sum()


@every_activation
def test_vmap_over_points_equals_all_points_at_once(activation: str) -> None:
    call, parameters = mlp(activation)
    expected = call(parameters, points(5))
    for found in (
        vmap(lambda p: call(parameters, p[None]))(points(5)),
        vmap(lambda p: call(parameters, p[None]), in_dims=1)(points(5).T),
        vmap(vmap(lambda p: call(parameters, p[None])))(points(5)[:, None]),
    ):
        for operator in OPERATORS:
            assert close(found[operator].flatten(0, -2), expected[operator]), operator


@every_activation
def test_gradients_by_sample_equal_a_loop_over_the_points(activation: str) -> None:
    call, parameters = mlp(activation)
    by_sample = vmap(grad(lambda given, p: energy(call(given, p[None]))), in_dims=(None, 0))(parameters, points(4))
    for row, at in enumerate(points(4).split(1)):
        leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        expected = torch.autograd.grad(energy(call(leaves, at)), list(leaves.values()))
        assert all(close(by_sample[name][row], each) for name, each in zip(leaves, expected, strict=True))


ALL = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "layers.2.weight", "layers.2.bias"]
BATCHED = [ALL, ["layers.0.weight"], ["layers.0.bias"], ["layers.1.weight", "layers.2.bias"], ["layers.2.bias"]]


# rules of functions see all parameters batched; which ones are is a matter of layers, the same for every function
@pytest.mark.parametrize(
    ("activation", "batched"),
    [
        pytest.param(
            activation, batched, marks=() if batched == ALL or activation in ("tanh", "gelu") else pytest.mark.slow
        )
        for activation in ACTIVATIONS
        for batched in BATCHED
    ],
    ids=lambda value: value if isinstance(value, str) else ", ".join(value),
)
def test_a_batch_of_networks_equals_a_loop_over_them(activation: str, batched: list[str]) -> None:
    call, parameters = mlp(activation)
    at = points(4)
    given = {
        name: torch.stack([value, 0.7 * value, 1 - value]) if name in batched else value
        for name, value in parameters.items()
    }
    axes = {name: 0 if name in batched else None for name in parameters}
    values = vmap(lambda p: call(p, at), in_dims=(axes,))(given)
    slopes = vmap(grad(lambda p: energy(call(p, at))), in_dims=(axes,))(given)
    for row in range(3):
        one = {name: value[row] if name in batched else value for name, value in given.items()}
        assert all(close(values[operator][row], expected) for operator, expected in call(one, at).items())
        expected = grad(lambda p: energy(call(p, at)))(one)
        assert all(close(slopes[name][row], expected[name]) for name in parameters)


@every_activation
def test_a_batch_of_networks_each_at_its_own_points_equals_a_loop(activation: str) -> None:
    call, parameters = mlp(activation)
    batch = {name: torch.stack([value, -0.5 * value]) for name, value in parameters.items()}
    at = torch.stack([points(4, seed) for seed in (1, 2)])
    found = vmap(call)(batch, at)
    for row in range(2):
        expected = call({name: value[row] for name, value in batch.items()}, at[row])
        assert all(close(found[operator][row], expected[operator]) for operator in OPERATORS)


@every_activation
def test_jacobians_in_the_parameters_equal_those_of_autograd(activation: str) -> None:
    call, parameters = mlp(activation)
    found = jacrev(lambda given: torch.stack([*call(given, points(3)).values()]))(parameters)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    values = torch.stack([*call(leaves, points(3)).values()])
    for place in itertools.product(*map(range, values.shape)):
        expected = torch.autograd.grad(values[place], list(leaves.values()), retain_graph=True, materialize_grads=True)
        assert all(close(found[name][place], each) for name, each in zip(leaves, expected, strict=True)), place


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "torch.func.hessian": hessian,
    "jacrev of jacrev": lambda f: jacrev(jacrev(f)),
    "jacrev of grad": lambda f: jacrev(grad(f)),
}


@pytest.mark.first(4)
# the first uses forward and reverse mode of every function
@pytest.mark.parametrize(
    ("activation", "transform"),
    [
        pytest.param(
            activation,
            transform,
            id=f"{name}-{activation}",
            marks=() if transform is hessian or activation in ("tanh", "gelu") else pytest.mark.slow,
        )
        for activation in ACTIVATIONS
        for name, transform in TRANSFORMS.items()
    ],
)
def test_hessians_in_the_parameters_equal_those_of_autograd(
    activation: str, transform: Callable[[Callable[[Parameters], Tensor]], Callable[[Parameters], Any]]
) -> None:
    call, parameters = mlp(activation)
    at = points(3)  # torch.func forbids random numbers inside
    found = transform(lambda given: energy(call(given, at)))(parameters)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    gradients = torch.autograd.grad(energy(call(leaves, at)), list(leaves.values()), create_graph=True)
    for name, gradient in zip(leaves, gradients, strict=True):
        for place in itertools.product(*map(range, gradient.shape)):
            row = torch.autograd.grad(gradient[place], list(leaves.values()), retain_graph=True, materialize_grads=True)
            assert all(close(found[name][other][place], each) for other, each in zip(leaves, row, strict=True)), place


@every_activation
def test_single_precision_stays_single_in_values_and_gradients(activation: str) -> None:
    network = MLP(2, [5, 5], 2, activation=activation, generator=generator(0, "w"), dtype=torch.float32)
    found = derivatives(network, points(4).float(), OPERATORS)
    assert {values.dtype for values in found.values()} == {torch.float32}
    gradients = torch.autograd.grad(energy(found), list(network.parameters()))
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    expected = derivatives(network.double(), points(4), OPERATORS)
    assert all(close(found[operator].double(), expected[operator], 1e-4) for operator in OPERATORS)


@every_activation
@pytest.mark.parametrize("target", ["meta", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_results_are_on_the_device_of_the_points(activation: str, target: str) -> None:
    # a tensor made on the CPU on the way would not mix with those of the meta device either
    network = MLP(2, [5, 5], 2, activation=activation, generator=generator(0, "w"), dtype=torch.float64)
    expected = derivatives(network, points(4), OPERATORS)
    found = derivatives(network.to(target), points(4).to(target), OPERATORS)
    for operator, values in found.items():
        assert values.device.type == target
        assert values.dtype == torch.float64
        assert values.shape == (4, 2)
        assert target == "meta" or close(values.cpu(), expected[operator])


@every_activation
def test_without_gradients_values_are_the_same_and_hold_no_graph(activation: str) -> None:
    call, parameters = mlp(activation)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    expected = call(leaves, points(4))
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            found = call(leaves, points(4))
        for operator, values in found.items():
            assert expected[operator].requires_grad
            assert not values.requires_grad
            assert torch.equal(values, expected[operator].detach())


@every_activation
@pytest.mark.parametrize("count", [0, 1])
def test_few_points_and_none_keep_the_shapes(activation: str, count: int) -> None:
    call, parameters = mlp(activation)
    found, expected = call(parameters, points(4)[:count]), call(parameters, points(4))
    for operator, values in found.items():
        assert values.shape == (count, 2)
        assert close(values, expected[operator][:count]) if count else values.numel() == 0


@every_activation
def test_the_memory_layout_of_the_points_does_not_matter(activation: str) -> None:
    call, parameters = mlp(activation)
    wide = torch.rand((8, 4), generator=generator(5, "points"), dtype=torch.float64)
    for at in (points(6).T.contiguous().T, wide[::2, 1:3], wide[:1, :2].expand(6, -1), wide[:6, :1].expand(-1, 2)):
        dense = call(parameters, at.clone(memory_format=torch.contiguous_format))
        found = call(parameters, at)
        assert all(close(found[operator], dense[operator]) for operator in OPERATORS)
