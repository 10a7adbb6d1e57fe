"""Tangent kernels against explicit Jacobians; infinite-width kernels against samples, derivatives and wide networks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from pinnreg import InputError, Laplacian
from pinnreg.analysis import Kernel, WideNetwork, infinite_kernels, ntk, stacked
from pinnreg.networks import MLP
from pinnreg.randomness import generator

F64 = torch.float64
PLANE = [(0, 0), (1, 0), (0, 1)]


def places(count: int, dimension: int = 2, seed: int = 0) -> Tensor:
    draws = generator(seed, "test points")
    return 2 * torch.rand((count, dimension), generator=draws, dtype=F64) - 1


def network(outputs: int = 1, seed: int = 0) -> MLP:
    return MLP(2, [5, 4], outputs, spread=1.0, generator=generator(seed, "test network"), dtype=F64)


# the neural tangent kernel


def explicit(net: nn.Module, points: Tensor, operators: Sequence[Callable[[Callable, Tensor], Tensor]]) -> Tensor:
    """Rows ∂_θ (D_a f)(x_i) by torch.func alone, the operators one after the other."""
    at = {name: each.detach() for name, each in net.named_parameters()}

    def value(parameters: dict[str, Tensor], point: Tensor) -> Tensor:
        return functional_call(net, parameters, (point[None],))[0]

    tables = [vmap(jacrev(lambda p, x, op=op: op(lambda y: value(p, y), x)), (None, 0))(at, points) for op in operators]
    rows = [torch.cat([each.flatten(2) for each in table.values()], dim=2).flatten(0, 1) for table in tables]
    return torch.cat(rows)


OPERATORS: dict[str, Callable[[Callable, Tensor], Tensor]] = {
    "": lambda f, x: f(x),
    "t": lambda f, x: jacrev(f)(x)[:, 1],
    "xx": lambda f, x: jacrev(jacrev(f))(x)[:, 0, 0],
    "xt": lambda f, x: jacrev(jacrev(f))(x)[:, 0, 1],
}


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_kernel_against_an_explicit_jacobian(outputs: int) -> None:
    net, points, other = network(outputs), places(40), places(3, seed=1)  # more points than are taken at once
    rows, columns = (explicit(net, at, list(OPERATORS.values())) for at in (points, other))
    own = ntk(net, points, OPERATORS, axes=("x", "t"))
    assert own.keys == tuple(OPERATORS)
    assert torch.allclose(own.matrix, rows @ rows.T, rtol=1e-10, atol=1e-10)
    cross = ntk(net, points, OPERATORS, axes=("x", "t"), other=other)
    assert torch.allclose(cross.matrix, rows @ columns.T, rtol=1e-10, atol=1e-10)
    height = 40 * outputs
    assert torch.equal(cross.block("t", "xx"), cross.matrix[height : 2 * height, 6 * outputs : 9 * outputs])


def test_operators_of_every_kind() -> None:
    """The Laplacian is the sum of its parts, whose kernels add up."""
    net, points = network(), places(4)
    parts = ntk(net, points, [(2, 0), (0, 2)])
    whole = ntk(net, points, [Laplacian((0, 1))])
    blocks = [parts.block(a, b) for a, b in itertools.product(parts.keys, repeat=2)]
    assert torch.allclose(whole.matrix, torch.stack(blocks).sum(dim=0), rtol=1e-10)
    assert torch.equal(ntk(net, points).matrix, ntk(net, points, [(0, 0)]).matrix)
    assert ntk(net, points, axes=("x", "y")).keys == ("",)


def test_some_parameters_elsewhere() -> None:
    """A kernel with respect to the last layer is that of its features."""
    net, points = network(), places(6)
    last = {"layers.2.bias": torch.full((1,), 7.0, dtype=F64), "layers.2.weight": torch.ones((1, 4), dtype=F64)}
    features = torch.tanh(net.layers[1](torch.tanh(net.layers[0](points))))
    found = ntk(net, points, parameters=last)
    assert torch.allclose(found.matrix, features @ features.T + 1, rtol=1e-12)
    slope = stacked(net, points, [(0, 0), (1, 0)], parameters=last)
    assert torch.allclose(slope[:6], features.sum(dim=1) + 7, rtol=1e-12)


def test_a_module_without_taylor_rules_and_frozen_parameters() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ELU(), nn.Linear(3, 1)).double()
    points = places(5)
    operators = [OPERATORS[name] for name in ("", "t")]
    rows = explicit(net, points, operators)
    assert torch.allclose(ntk(net, points, [(0, 0), (0, 1)]).matrix, rows @ rows.T, rtol=1e-10, atol=1e-12)
    net[0].requires_grad_(False)
    hidden = torch.nn.functional.elu(net[0](points))
    assert torch.allclose(ntk(net, points).matrix, hidden @ hidden.T + 1, rtol=1e-12)


def test_the_network_is_left_as_it_is() -> None:
    net, points = network(), places(3)
    before = [each.detach().clone() for each in net.parameters()]
    ntk(net, points, PLANE)
    after = list(net.parameters())
    assert all(torch.equal(a, b) and b.grad is None and b.requires_grad for a, b in zip(before, after, strict=True))


def test_eigenvalues_and_weights_of_rows() -> None:
    kernel = ntk(network(), places(4), PLANE)
    assert torch.allclose(kernel.eigenvalues.flip(0), torch.linalg.eigvalsh(kernel.matrix), rtol=1e-8, atol=1e-12)
    assert kernel.eigenvalues[0] > kernel.eigenvalues[-1]
    weights = kernel.spread({(0, 0): 1.0, (1, 0): 2.0, (0, 1): 3.0})
    assert weights.tolist() == [1.0] * 4 + [2.0] * 4 + [3.0] * 4


def test_what_is_no_kernel() -> None:
    net, points = network(), places(4)
    with pytest.raises(InputError, match="only that of points with themselves"):
        _ = ntk(net, points, other=places(4, seed=1)).eigenvalues
    with pytest.raises(InputError, match=r"unknown operator '\(1, 1\)'"):
        ntk(net, points).block((1, 1), (0, 0))
    with pytest.raises(InputError, match=r"a value for each operator, got none for \(1, 0\)"):
        ntk(net, points, PLANE).spread({(0, 0): 1.0})
    with pytest.raises(InputError, match="at least one operator"):
        ntk(net, points, [])
    with pytest.raises(InputError, match=r"unknown parameter of the network 'layers.9.bias'"):
        ntk(net, points, parameters={"layers.9.bias": torch.ones(1)})
    with pytest.raises(InputError, match=r"'layers.0.bias': expected \(5,\), got \(4,\)"):
        ntk(net, points, parameters={"layers.0.bias": torch.ones(4)})
    with pytest.raises(InputError, match="no parameter that is trained"):
        ntk(nn.Identity(), points)
    with pytest.raises(InputError, match="is not a sequence"):
        ntk(net, points, ["xz"], axes=("x", "t"))
    with pytest.raises(InputError, match=r"ntk: expected other points \(m, 2\), got \(4, 3\)"):
        ntk(network(), places(3), other=places(4, 3))


@pytest.mark.gpu
def test_cuda_agrees() -> None:
    net, points = network(), places(5)
    expected = ntk(net, points, PLANE).matrix
    assert torch.allclose(ntk(net.cuda(), points.cuda(), PLANE).matrix.cpu(), expected, rtol=1e-10)


# kernels of infinite width


def sampled(points: Tensor, activation: str, scales: tuple[float, float], count: int) -> tuple[Tensor, Tensor]:
    """Σ and Θ of (f, ∂f) as means over hidden neurons, by the definition of the network, and their standard errors."""
    draws, (of_weights, of_biases) = generator(1, "test sample"), scales
    weights = torch.randn((count, points.shape[1]), generator=draws, dtype=F64)
    biases = torch.randn(count, generator=draws, dtype=F64)
    scale = of_weights / math.sqrt(points.shape[1])
    z = scale * weights @ points.T + of_biases * biases[:, None]
    slope = 2 / math.sqrt(math.pi) * torch.exp(-z.square()) if activation == "erf" else (z > 0).double()
    phi = torch.erf(z) if activation == "erf" else torch.relu(z)
    rows = torch.cat([phi, *((slope * scale * w[:, None]) for w in weights.T)], dim=1)
    products = rows[:, :, None] * rows[:, None, :]
    return products.mean(dim=0), products.std(dim=0) / math.sqrt(count)


@pytest.mark.parametrize("activation", ["erf", "relu"])
def test_the_covariance_against_a_sample(activation: str) -> None:
    """With coincident, opposite and close points among the others."""
    points = places(3)
    points = torch.cat([points, points[:1], -points[1:2], points[:1] + 1e-5])
    for scales in ((1.5, 0.5), (1.0, 0.0)):
        found = infinite_kernels(
            points, PLANE, activation=activation, weight_scale=scales[0], bias_scale=scales[1]
        ).nngp.matrix
        expected, error = sampled(points, activation, scales, 20_000)
        assert torch.isfinite(found).all()
        assert bool(((found - expected).abs() < 4.5 * error + 1e-5).all())
        assert torch.allclose(found, found.T, rtol=1e-9, atol=1e-9)


def test_erf_derivatives_against_automatic_differentiation() -> None:
    """∂_{x_a} ∂_{x'_b} of both kernels, through two hidden layers."""
    points, other = places(3), places(2, seed=1)
    options = {"hidden": 2, "weight_scale": 1.3, "bias_scale": 0.4}
    found = infinite_kernels(points, PLANE, other=other, **options)

    def scalar(x: Tensor, y: Tensor) -> Tensor:
        """Σ and Θ by the recursion on values, whose formulas are written out anew."""
        variance, constant = 1.3**2, 0.4**2

        def affine(a: Tensor, b: Tensor) -> Tensor:
            return variance / 2 * a @ b + constant

        p, q, r = affine(x, x), affine(y, y), affine(x, y)
        theta = r
        for layer in range(2):
            if layer:
                p, q, r = (
                    variance * 2 / math.pi * torch.asin(2 * c / torch.sqrt((1 + 2 * a) * (1 + 2 * b))) + constant
                    for a, b, c in ((p, p, p), (q, q, q), (p, q, r))
                )
                theta = variance * theta + constant
            product = (1 + 2 * p) * (1 + 2 * q)
            sigma = 2 / math.pi * torch.asin(2 * r / torch.sqrt(product))
            theta = sigma + theta * 4 / math.pi / torch.sqrt(product - 4 * r**2)
        return torch.stack([sigma, theta])

    for (i, x), (j, y) in itertools.product(enumerate(points), enumerate(other)):
        values, left, right = scalar(x, y), jacrev(scalar)(x, y), jacrev(scalar, 1)(x, y)
        both = jacrev(jacrev(scalar), 1)(x, y)
        for number, kernel in enumerate((found.nngp, found.ntk)):
            assert kernel.block((0, 0), (0, 0))[i, j] == pytest.approx(float(values[number]), rel=1e-12)
            for a, b in itertools.product(range(2), repeat=2):
                assert kernel.block(PLANE[a + 1], PLANE[b + 1])[i, j] == pytest.approx(float(both[number, a, b]), 1e-9)
                assert kernel.block(PLANE[a + 1], (0, 0))[i, j] == pytest.approx(float(left[number, a]), rel=1e-9)
                assert kernel.block((0, 0), PLANE[b + 1])[i, j] == pytest.approx(float(right[number, b]), rel=1e-9)


def test_relu_at_coincident_points() -> None:
    """Half of what a linear network has, in every layer; and what lies next to it is no further off than its angle."""
    points = torch.tensor([[0.3, -0.8], [0.3, -0.8], [0.3 + 1e-9, -0.8], [0.3 + 1e-4, -0.8]], dtype=F64)
    for hidden in (1, 3):
        found = infinite_kernels(points, PLANE, activation="relu", weight_scale=2.0, bias_scale=0.5, hidden=hidden)
        slopes = torch.stack([found.nngp.block(key, key) for key in PLANE[1:]])
        # half of the variance in each hidden layer, times σ_w² between layers, σ_w²/d in the first
        assert torch.allclose(slopes[:, 0, :3], torch.full((2, 3), 2.0 / 2 * 2.0 ** (hidden - 1), dtype=F64), rtol=1e-6)
        assert found.nngp.block((1, 0), (0, 1))[0, 1] == pytest.approx(0, abs=1e-12)
        assert torch.allclose(slopes[:, 0, 3], slopes[:, 0, 0], rtol=1e-3)
        for kernel in (found.nngp, found.ntk):
            assert torch.isfinite(kernel.matrix).all()
            assert kernel.eigenvalues[-1] > -1e-6 * kernel.eigenvalues[0]


def test_parallel_points_without_biases() -> None:
    """A ReLU network is then homogeneous: Σ(x, cx) = c Σ(x, x) for c > 0, and 0 for c < 0."""
    points = torch.tensor([[0.5, 1.0], [1.5, 3.0], [-1.0, -2.0]], dtype=F64)
    nngp = infinite_kernels(points, PLANE, activation="relu", bias_scale=0.0).nngp
    value = nngp.block((0, 0), (0, 0))
    assert value[0].tolist() == pytest.approx([1.25 / 4, 3 * 1.25 / 4, 0.0])
    assert nngp.block((1, 0), (1, 0))[0].tolist() == pytest.approx([0.25, 0.25, 0.0])


@pytest.mark.first(2)
@pytest.mark.parametrize("activation", ["erf", "relu"])
@pytest.mark.parametrize("hidden", [1, 2])
def test_the_tangent_kernel_is_the_mean_of_that_of_networks(activation: str, hidden: int) -> None:
    """By a t-test for each entry, over networks of a moderate width, whose kernel is unbiased with one hidden layer."""
    points, other = places(3), places(2, seed=2)
    options = {"activation": activation, "hidden": hidden, "weight_scale": 1.4, "bias_scale": 0.3}
    limit = infinite_kernels(points, PLANE, other=other, **options).ntk.matrix
    width = 64 if hidden == 1 else 160
    found = torch.stack(
        [
            ntk(
                WideNetwork(2, width, generator=generator(seed, "wide"), dtype=F64, **options),
                points,
                PLANE,
                other=other,
            ).matrix
            for seed in range(25)
        ]
    )
    error = found.std(dim=0) / math.sqrt(len(found))
    assert bool(((found.mean(dim=0) - limit).abs() < 4.5 * error).all())
    assert float((error / limit.abs().max()).max()) < 0.06


def deviations(widths: Sequence[int], seeds: int, activation: str) -> np.ndarray:
    """max |finite - limit| of the joint kernel of (f, ∂f), mean over seeds, by width."""
    points = places(8)
    limit = infinite_kernels(points, PLANE, activation=activation).ntk.matrix
    found = [
        np.mean([float((_wide(width, seed, activation, points).matrix - limit).abs().max()) for seed in range(seeds)])
        for width in widths
    ]
    return np.array(found)


def _wide(width: int, seed: int, activation: str, points: Tensor) -> Kernel:
    net = WideNetwork(2, width, activation=activation, generator=generator(seed, "wide"), dtype=F64)
    return ntk(net, points, PLANE)


@pytest.mark.parametrize("activation", ["erf", "relu"])
def test_finite_networks_approach_the_limit(activation: str) -> None:
    widths = [64, 256, 1024]
    found = deviations(widths, 8, activation)
    assert np.polyfit(np.log(widths), np.log(found), 1)[0] == pytest.approx(-0.5, abs=0.12)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["erf", "relu"])
def test_the_rate_over_all_widths(activation: str) -> None:
    widths = [64, 256, 1024, 4096, 16384]
    found = deviations(widths, 20, activation)
    assert np.polyfit(np.log(widths), np.log(found), 1)[0] == pytest.approx(-0.5, abs=0.04)


def test_bad_input() -> None:
    points = places(3)
    with pytest.raises(InputError, match=r"the value and first derivatives, got \(2, 0\)"):
        infinite_kernels(points, [(0, 0), (2, 0)])
    with pytest.raises(InputError, match=r"the value and first derivatives, got 'laplacian'"):
        infinite_kernels(points, ["laplacian"], axes=("x", "y"))
    with pytest.raises(InputError, match="unknown activation 'tanh'"):
        infinite_kernels(points, activation="tanh")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1 hidden layer, got 0"):
        infinite_kernels(points, hidden=0)
    with pytest.raises(InputError, match=r"expected other points \(m, 2\), got \(3, 1\)"):
        infinite_kernels(points, other=places(3, 1))
    with pytest.raises(InputError, match="sizes of at least 1, got 2, 0 and 1 layers"):
        WideNetwork(2, 0)
    with pytest.raises(InputError, match="unknown activation 'sin'"):
        WideNetwork(2, 3, activation="sin")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1 hidden layer"):
        infinite_kernels(places(2), hidden=1.5)  # type: ignore[arg-type]
