"""Partial derivatives against closed forms and against torch.func."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from pinnreg import derivatives
from pinnreg.differentiation import MultiIndex, parse_name
from pinnreg.errors import InputError
from pinnreg.networks import MLP
from pinnreg.randomness import generator
from pinnreg.taylor import Laplacian, Operator

ORDERS_3D = [index for index in itertools.product(range(4), repeat=3) if sum(index) <= 4]


def points(count: int, dimension: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand((count, dimension), generator=generator(seed, "test"), dtype=torch.float64) - 1


def mlp(inputs: int, outputs: int, activation: str = "tanh") -> MLP:
    return MLP(inputs, [7, 7], outputs, activation=activation, generator=generator(1, "test"), dtype=torch.float64)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance * (1 + float(b.abs().max())))


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.floats(-3, 3), st.tuples(*[st.integers(0, 4)] * 3)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.tuples(*[st.integers(0, 3)] * 3).filter(lambda a: sum(a) <= 5), min_size=1, max_size=5, unique=True),
)
def test_derivatives_of_polynomials(terms: list[tuple[float, MultiIndex]], wanted: list[MultiIndex]) -> None:
    def monomial(at: Tensor, powers: Iterable[int]) -> Tensor:
        return torch.stack([at[:, axis] ** power for axis, power in enumerate(powers)]).prod(dim=0)

    def polynomial(at: Tensor) -> Tensor:
        return torch.stack([c * monomial(at, powers) for c, powers in terms]).sum(dim=0)[:, None]

    at = points(5, 3)
    found = derivatives(polynomial, at, wanted)
    for index in wanted:
        expected = torch.zeros(5, dtype=torch.float64)
        for coefficient, powers in terms:
            if all(p >= k for p, k in zip(powers, index, strict=True)):
                factor = math.prod(math.perm(p, k) for p, k in zip(powers, index, strict=True))
                lowered = [p - k for p, k in zip(powers, index, strict=True)]
                expected = expected + coefficient * factor * monomial(at, lowered)
        assert close(found[index].detach(), expected[:, None]), index


def test_derivatives_of_products_of_sines_of_several_outputs() -> None:
    waves = torch.tensor([[1.0, 2.0, 0.5], [3.0, -1.0, 1.5]], dtype=torch.float64)
    at = points(9, 3)
    found = derivatives(lambda p: torch.sin(p[:, None, :] * waves).prod(dim=2), at, ORDERS_3D)
    for index, values in found.items():
        order = torch.tensor(index, dtype=torch.float64)
        factors = waves**order * torch.sin(at[:, None, :] * waves + order * math.pi / 2)
        assert close(values.detach(), factors.prod(dim=2)), index


@pytest.mark.parametrize("activation", ["tanh", "sin", "gelu", "softplus", "swish"])
def test_first_and_second_derivatives_of_a_network_equal_those_of_torch_func(activation: str) -> None:
    network, at = mlp(3, 2, activation), points(11, 3)
    found = derivatives(network, at, ORDERS_3D)
    one_point = lambda p: network(p[None])[0]  # noqa: E731
    jacobians, hessians = vmap(jacfwd(one_point))(at), vmap(hessian(one_point))(at)
    assert close(found[0, 0, 0], network(at))
    unit = torch.eye(3, dtype=torch.int64)
    for i, j in itertools.product(range(3), repeat=2):
        assert close(found[tuple(unit[i].tolist())], jacobians[:, :, i])
        assert close(found[tuple((unit[i] + unit[j]).tolist())], hessians[:, :, i, j])


def test_higher_mixed_derivatives_of_a_network_equal_nested_forward_ones() -> None:
    network, at = mlp(3, 2), points(6, 3)
    table: dict[MultiIndex, Callable[[Tensor], Tensor]] = {(0, 0, 0): lambda p: network(p[None])[0]}

    def nested(index: MultiIndex) -> Callable[[Tensor], Tensor]:
        if index not in table:
            axis = next(i for i, order in enumerate(index) if order)
            lower = nested(tuple(order - (i == axis) for i, order in enumerate(index)))
            table[index] = lambda p: jacfwd(lower)(p)[..., axis]
        return table[index]

    wanted = [(3, 0, 0), (2, 1, 0), (1, 1, 1), (0, 2, 2), (4, 0, 0), (0, 0, 3), (1, 3, 0)]
    for index, values in derivatives(network, at, wanted).items():
        assert close(values, vmap(nested(index))(at)), index


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(ORDERS_3D), max_size=6),
    st.integers(1, 15),
    st.booleans(),
)
def test_keys_their_order_and_the_result_do_not_depend_on_chunk_or_grad(
    wanted: list[MultiIndex], chunk: int, grad: bool
) -> None:
    network, at = mlp(3, 2), points(12, 3)
    whole = derivatives(network, at, ORDERS_3D)
    with torch.set_grad_enabled(grad):
        found = derivatives(network, at, iter(wanted), chunk=chunk)
    assert list(found) == list(dict.fromkeys(wanted))
    for index, values in found.items():
        assert close(values, whole[index])
        assert values.requires_grad == grad


def test_chunks_bound_how_many_points_the_network_sees() -> None:
    network, sizes = mlp(2, 1), []

    def watched(at: Tensor) -> Tensor:
        sizes.append(len(at))
        return network(at)

    derivatives(watched, points(10, 2), [(1, 0)], chunk=4)
    assert sizes == [4, 4, 2]


WITH_LAPLACIANS: list[Operator] = [(0, 0), (1, 2), (0, 1), Laplacian((0, 1), 2), (4, 0), Laplacian((0, 1))]


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@pytest.mark.parametrize("chunk", [1, 3, 5, 10, 11])
def test_chunks_have_the_values_and_the_gradients_of_all_points_at_once(activation: str, chunk: int) -> None:
    network, results = mlp(2, 2, activation), []
    for size in (None, chunk):
        at = points(10, 2).requires_grad_()
        found = derivatives(network, at, WITH_LAPLACIANS, chunk=size)
        scalar = torch.stack([values.square().sum() for values in found.values()]).sum()
        first = torch.autograd.grad(scalar, [at, *network.parameters()], create_graph=True)
        second = torch.autograd.grad(first[1].square().sum(), [at, *network.parameters()], materialize_grads=True)
        results.append([*found.values(), *first, *second])
    for a, b in zip(*results, strict=True):
        assert close(a, b)


def test_gradients_in_chunks_cost_a_second_forward_pass_and_values_alone_do_not() -> None:
    network, sizes = mlp(2, 1), []

    def watched(at: Tensor) -> Tensor:
        sizes.append(len(at))
        return network(at)

    found = derivatives(watched, points(10, 2), [(1, 1)], chunk=4)
    assert sizes == [4, 4, 2]
    found[1, 1].sum().backward()
    assert sorted(sizes) == [2, 2, 4, 4, 4, 4]
    sizes.clear()
    with torch.no_grad():
        derivatives(watched, points(10, 2), [(1, 1)], chunk=4)
    assert sizes == [4, 4, 2]


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["laplacian", "biharmonic", "", "x", "xxy", Laplacian((0, 1)), (1, 1, 1)]), max_size=5))
def test_names_indices_and_laplacians_may_be_mixed_as_keys(wanted: list[Any]) -> None:
    network, at = mlp(3, 2), points(4, 3)
    meaning = {
        "laplacian": ["xx", "yy"],
        Laplacian((0, 1)): ["xx", "yy"],
        "biharmonic": ["xxxx", "xxyy", "xxyy", "yyyy"],
        (1, 1, 1): ["xyt"],
    }
    found = derivatives(network, at, wanted, axes=("x", "y", "t"))
    assert list(found) == list(dict.fromkeys(wanted))
    for key, values in found.items():
        parts = meaning.get(key, [key])
        single = derivatives(network, at, parts, axes=("x", "y", "t"))
        assert close(values, torch.stack([single[part] for part in parts]).sum(dim=0)), key


def test_one_sweep_evaluates_the_network_once() -> None:
    calls = []
    derivatives(lambda p: (calls.append(1), torch.sin(p)[:, :1] * p[:, 1:])[1], points(3, 3), ORDERS_3D)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        (("x", "t"), {"": (0, 0), "x": (1, 0), "t": (0, 1), "xxt": (2, 1), "txx": (2, 1), "xtx": (2, 1)}),
        (("x1", "x10"), {"x1": (1, 0), "x10": (0, 1), "x10x1": (1, 1), "x1x1x10": (2, 1)}),
        (("theta", "t"), {"theta": (1, 0), "t": (0, 1), "ttheta": (1, 1), "thetat": (1, 1)}),
    ],
)
def test_names_mean_multi_indices(axes: tuple[str, ...], names: dict[str, MultiIndex]) -> None:
    network, at = mlp(2, 2), points(5, 2)
    found = derivatives(network, at, names, axes=axes)
    assert list(found) == list(names)
    by_index = derivatives(network, at, names.values(), axes=axes)
    for name, index in names.items():
        assert torch.equal(found[name], by_index[index])
        assert parse_name(name, axes) == index


@given(st.lists(st.sampled_from(["x", "y1", "y10", "theta", "t"]), max_size=8))
def test_any_sequence_of_axes_is_parsed_and_nothing_else(sequence: list[str]) -> None:
    axes = ("x", "y1", "y10", "theta", "t")
    assert parse_name("".join(sequence), axes) == tuple(map(sequence.count, axes))
    assert parse_name("".join([*sequence, "q"]), axes) is None
    assert parse_name("".join(["1", *sequence]), axes) is None


def test_gradients_flow_to_parameters() -> None:
    network, at = mlp(2, 2), points(8, 2)
    (key, values), *_ = derivatives(network, at, [(2, 1)]).items()
    assert key == (2, 1)
    gradients = torch.autograd.grad(values.square().sum(), list(network.parameters())[:-1])
    step = 1e-6
    for parameter, gradient in zip(network.parameters(), gradients, strict=False):
        direction = torch.randn(parameter.shape, generator=generator(2, "d"), dtype=torch.float64)

        def loss(sign: int, p: Tensor = parameter, d: Tensor = direction) -> float:
            with torch.no_grad():
                p += sign * step * d
                value = derivatives(network, at, [(2, 1)])[2, 1].square().sum()
                p -= sign * step * d
            return float(value)

        numerical = (loss(1) - loss(-1)) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(numerical, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("chunk", [None, 3])
def test_gradients_flow_to_points_that_require_them(chunk: int | None) -> None:
    at = points(7, 2).requires_grad_()
    network = mlp(2, 1)
    wanted = derivatives(network, at, [(1, 0), (2, 0), (1, 1)], chunk=chunk)
    (gradient,) = torch.autograd.grad(wanted[1, 0].sum(), at, retain_graph=True)
    assert close(gradient, torch.cat([wanted[2, 0], wanted[1, 1]], dim=1).detach())
    scaled = points(7, 2).requires_grad_()
    through = derivatives(network, 0.5 * scaled, [(1, 0), (2, 0)], chunk=chunk)
    (gradient,) = torch.autograd.grad(through[1, 0].sum(), scaled)
    assert close(gradient[:, :1], 0.5 * through[2, 0].detach())


def test_the_caller_s_points_are_left_as_they_were() -> None:
    at = points(4, 2)
    derivatives(mlp(2, 1), at, [(1, 1)])
    assert not at.requires_grad
    assert at.grad is None
    assert torch.equal(at, points(4, 2))


@pytest.mark.parametrize(
    ("network", "survivors"),
    [
        (lambda p: torch.full((len(p), 2), 3.0, dtype=p.dtype), {(0, 0): 3.0}),
        (lambda p: (2 * p[:, :1] - p[:, 1:]).expand(-1, 2), {(1, 0): 2.0, (0, 1): -1.0}),
        (lambda p: torch.cat([p[:, :1] * p[:, 1:], p[:, :1] * p[:, 1:]], dim=1), {(1, 1): 1.0}),
        (lambda p: p[:, :1].square().repeat(1, 2), {(2, 0): 2.0}),
    ],
    ids=["constant", "linear", "bilinear", "square"],
)
@pytest.mark.parametrize("grad", [True, False])
def test_derivatives_that_vanish_are_zero(
    network: Callable[[Tensor], Tensor], survivors: dict[MultiIndex, float], grad: bool
) -> None:
    wanted = [*survivors, (3, 0), (0, 3), (2, 1), (1, 2)]
    with torch.set_grad_enabled(grad):
        found = derivatives(network, points(4, 2), wanted)
    for index in wanted:
        assert torch.equal(found[index], torch.full((4, 2), survivors.get(index, 0.0), dtype=torch.float64)), index


def test_a_constant_of_the_parameters_has_zero_derivatives() -> None:
    constant = torch.ones(1, dtype=torch.float64, requires_grad=True)
    found = derivatives(lambda p: constant.expand(len(p), 1), points(3, 2), [(0, 0), (1, 0), (1, 1)])
    assert [float(values.detach().abs().max()) for values in found.values()] == [1.0, 0.0, 0.0]


def test_single_precision_stays_single() -> None:
    network = MLP(2, [5], 1, generator=generator(0, "w"), dtype=torch.float32)
    found = derivatives(network, points(4, 2).float(), [(0, 0), (1, 0), (2, 2)])
    assert {values.dtype for values in found.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("wanted", "options", "message"),
    [
        ([(1,)], {}, r"expected 2 orders.*got \(1,\)"),
        ([(1, 0, 0)], {}, "expected 2 orders"),
        ([(-1, 0)], {}, "at least 0"),
        ([(0.5, 0)], {}, "expected 2 orders"),
        ([None], {}, "expected 2 orders"),
        (["x"], {}, "'x' needs axes="),
        (["x"], {"axes": ("x",)}, "one name for each of the 2 columns"),
        (["xz"], {"axes": ("x", "t")}, "'xz' is not a sequence of the axes x, t"),
        ([Laplacian(())], {}, "ascending numbers of the 2 columns"),
        ([Laplacian((1, 0))], {}, r"Laplacian\(axes=\(1, 0\), power=1\): expected ascending"),
        ([Laplacian((0, 0))], {}, "ascending numbers"),
        ([Laplacian((0, 2))], {}, "ascending numbers of the 2 columns"),
        ([Laplacian((-1, 0), 2)], {}, "ascending numbers"),
        ([Laplacian((0, 1), 3)], {}, "power"),  # type: ignore[arg-type]
        (["laplacian"], {}, "'laplacian' needs axes="),
        (["biharmonic"], {"axes": ("x", "y", "t")}, "one name for each of the 2 columns"),
        (["laplacianx"], {"axes": ("x", "t")}, "'laplacianx' is not a sequence of the axes x, t"),
        ([(0, 1)], {"chunk": 0}, "chunk must be a positive integer"),
        ([(0, 1)], {"chunk": -3}, "chunk must be a positive integer"),
    ],
)
def test_impossible_requests_are_refused(wanted: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        derivatives(mlp(2, 1), points(3, 2), wanted, **options)


@pytest.mark.parametrize("name", ["laplacian", "biharmonic"])
def test_time_alone_has_no_laplacian(name: str) -> None:
    with pytest.raises(InputError, match=name):
        derivatives(mlp(1, 1), points(3, 1), [name], axes=("t",))


def test_inference_mode_changes_nothing() -> None:
    network, at = mlp(2, 1), points(4, 2)
    for function in (network, lambda p: torch.atan(network(p))):
        expected = derivatives(function, at, [(0, 0), (2, 0), (1, 1)])
        with torch.inference_mode():
            found = derivatives(function, points(4, 2), [(0, 0), (2, 0), (1, 1)])
        assert all(close(found[index], values) for index, values in expected.items())


@pytest.mark.parametrize("wanted", [[(0, 0)], [(1, 0)]])
@pytest.mark.parametrize(
    "network",
    [lambda p: p[:, 0], lambda p: torch.atan(p)[:, 0], lambda p: torch.ones(3, 1, dtype=p.dtype), lambda p: (p, p)],
    ids=["column", "column of a foreign function", "another number of rows", "tuple"],
)
def test_outputs_that_are_no_matrix_of_the_points_are_refused(network: Any, wanted: list[MultiIndex]) -> None:
    with pytest.raises(InputError, match=r"the network must map points \(n, d\) to \(n, outputs\)"):
        derivatives(network, points(4, 2), wanted)


def test_numpy_s_integers_are_orders_too() -> None:
    network, at = mlp(2, 1), points(4, 2)
    index = (np.int64(1), np.int32(0))
    assert close(derivatives(network, at, [index])[index], derivatives(network, at, [(1, 0)])[1, 0])


def test_points_that_are_no_matrix_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected points \(n, d\), got \(5,\)"):
        derivatives(mlp(1, 1), torch.zeros(5, dtype=torch.float64), [(1,)])
