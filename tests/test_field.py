"""A Field is its value, with derivatives as attributes."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinnreg.differentiation import MultiIndex, derivatives
from pinnreg.equations import Field, Points, Sweep, Trial, View
from pinnreg.equations.field import FIELD_ATTRIBUTES
from pinnreg.equations.trial import AxisData
from pinnreg.errors import InputError
from pinnreg.networks import MLP
from pinnreg.randomness import generator
from pinnreg.taylor import Algebra

NETWORK = MLP(3, [6, 6], 2, generator=generator(0, "test"), dtype=torch.float64)
POINTS = torch.rand((9, 3), generator=generator(0, "points"), dtype=torch.float64)
FREE = Trial(("x", "y", "t"), ("u", "v"), ((), ()))
FIXED = Trial(
    ("x", "y", "t"),
    ("u", "v"),
    ((AxisData(0, 0.0, 1.0, lambda y, t: torch.sin(y * t), 1.0), AxisData(2, 0.0, 1.0, lambda x: x)), ()),
)


def fields(
    trial: Trial = FREE,
    network: Callable[[Tensor], Tensor] = NETWORK,
    points: Tensor = POINTS,
) -> dict[str, Field]:
    return View(Sweep(trial, network, Points(points))).fields()


def same(a: Any, b: Any) -> bool:
    assert isinstance(a, Tensor)
    assert isinstance(b, Tensor)
    return (a.dtype, a.shape) == (b.dtype, b.shape) and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)


BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]


@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
def test_binary_operators_act_on_the_value(function: Callable[[Any, Any], Any]) -> None:
    u, v = fields().values()
    other = POINTS[:, 0] + 0.5
    assert same(function(u, v), function(u.value, v.value))
    # equal to itself at every point: tells == and <= from the identity of objects and from strictness
    assert same(function(u, u.value), function(u.value, u.value))
    assert same(function(u.value, u), function(u.value, u.value))
    for operand in (other, 2.0, 3, float(u.value[0].detach())):
        assert same(function(u, operand), function(u.value, operand))
        assert same(function(operand, u), function(operand, u.value))


@pytest.mark.parametrize("function", [operator.neg, operator.pos, abs], ids=lambda f: f.__name__)
def test_unary_operators_act_on_the_value(function: Callable[[Any], Any]) -> None:
    (u, _) = fields().values()
    assert same(function(u), function(u.value))


@pytest.mark.parametrize("function", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_numpy_numbers_mix_and_numpy_arrays_fail_rather_than_detach(function: Callable[[Any, Any], Any]) -> None:
    u, _ = fields().values()
    for operands in ((u, np.ones(9)), (np.ones(9), u)):
        with pytest.raises((TypeError, RuntimeError), match=r"numpy|NumPy"):
            function(*operands)
    assert same(function(u, np.float64(1.5)), function(u.value, 1.5))
    result = function(np.float64(1.5), u)
    assert same(result, function(1.5, u.value))
    assert result.requires_grad


CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda u, v: torch.sin(u),
    "exp": lambda u, v: torch.exp(u),
    "where": lambda u, v: torch.where(u > v, u, v),
    "stack": lambda u, v: torch.stack([u, v], dim=1),
    "cat": lambda u, v: torch.cat((u, v)),
    "maximum": torch.maximum,
    "clamp": lambda u, v: torch.clamp(u, min=0.1),
    "keyword": lambda u, v: torch.add(input=u, other=v, alpha=2),
    "einsum": lambda u, v: torch.einsum("n,n->n", u, v),
    "softplus": lambda u, v: torch.nn.functional.softplus(u),
    "zeros_like": lambda u, v: torch.zeros_like(u),
    "linalg": lambda u, v: torch.linalg.vector_norm(u),
    "method": lambda u, v: torch.ones(9, dtype=torch.float64).mul(u),
    "index": lambda u, v: torch.arange(9)[u > v],
    "special": lambda u, v: torch.special.erf(u),
    "broadcast": lambda u, v: torch.broadcast_tensors(u, v)[1],
}


@pytest.mark.parametrize("name", CALLS)
def test_torch_functions_act_on_the_value(name: str) -> None:
    u, v = fields().values()
    assert same(CALLS[name](u, v), CALLS[name](u.value, v.value))


def test_length_and_indexing_are_those_of_the_value() -> None:
    u, _ = fields().values()
    assert len(u) == 9
    assert same(u[2:5], u.value[2:5])
    assert same(u[u > 0], u.value[u.value > 0])


ATTRIBUTES: dict[str, tuple[Callable[[Field], Tensor], MultiIndex]] = {
    "x": (lambda u: u.x, (1, 0, 0)),
    "t": (lambda u: u.t, (0, 0, 1)),
    "xx": (lambda u: u.xx, (2, 0, 0)),
    "xxt": (lambda u: u.xxt, (2, 0, 1)),
    "txx": (lambda u: u.txx, (2, 0, 1)),
    "xyt": (lambda u: u.xyt, (1, 1, 1)),
    "yyyy": (lambda u: u.yyyy, (0, 4, 0)),
    'd("x")': (lambda u: u.d("x"), (1, 0, 0)),
    'd("x", 3)': (lambda u: u.d("x", 3), (3, 0, 0)),
    'd("x", 0)': (lambda u: u.d("x", 0), (0, 0, 0)),
    'd("x", 2, "t", 1)': (lambda u: u.d("x", 2, "t", 1), (2, 0, 1)),
    'd("x", 1, "y", 1, "x", 1)': (lambda u: u.d("x", 1, "y", 1, "x", 1), (2, 1, 0)),
}


@pytest.mark.parametrize("trial", [FREE, FIXED], ids=["free", "with exact conditions"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_are_the_derivatives_of_the_trial_function(name: str, trial: Trial) -> None:
    attribute, index = ATTRIBUTES[name]
    expected = derivatives(lambda p: trial(NETWORK, p), POINTS, [index])[index]
    for number, u in enumerate(fields(trial).values()):
        found = attribute(u)
        assert found.shape == (9,)
        assert torch.allclose(found, expected[:, number], rtol=1e-10, atol=1e-10)
        assert found.requires_grad


def test_laplacian_and_grad_leave_out_time() -> None:
    u, _ = fields().values()
    assert torch.allclose(u.laplacian, u.xx + u.yy, rtol=1e-14)
    assert u.grad.shape == (9, 2)
    assert torch.equal(u.grad, torch.stack([u.x, u.y], dim=1))


def test_without_time_the_laplacian_sums_over_all_axes() -> None:
    trial = Trial(("x", "y", "z"), ("u", "v"), ((), ()))
    u, _ = fields(trial).values()
    assert torch.allclose(u.laplacian, u.xx + u.yy + u.zz, rtol=1e-14)
    assert u.grad.shape == (9, 3)


@settings(max_examples=10)
@given(
    st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=5),
    st.permutations(range(5)),
    st.sampled_from([FREE, FIXED]),
)
def test_the_order_in_which_derivatives_are_asked_for_does_not_matter(
    indices: list[MultiIndex], order: Sequence[int], trial: Trial
) -> None:
    at_once = Sweep(trial, NETWORK, Points(POINTS), indices)
    one_by_one = Sweep(trial, NETWORK, Points(POINTS))
    for index in (indices[i] for i in order if i < len(indices)):
        assert torch.allclose(one_by_one(index), at_once(index), rtol=1e-12, atol=1e-12)
    assert one_by_one.operators == at_once.operators == set(indices)


def test_a_branch_that_asks_for_more_gets_the_same_as_from_the_start() -> None:
    def residual(u: Field) -> Tensor:
        result = u.t + u * u.x
        if float(u.value.detach().max()) > -1e9:  # a data-dependent branch
            result = result - u.xx + u.d("y", 3)
        return result

    calls: list[int] = []

    def watched(at: Tensor) -> Tensor:
        calls.append(len(at))
        return NETWORK(at)

    sweep = Sweep(FIXED, watched, Points(POINTS))
    first = residual(View(sweep).fields()["u"])
    assert sweep.operators == {(0, 0, 0), (0, 0, 1), (1, 0, 0), (2, 0, 0), (0, 3, 0)}
    recorded = len(calls)
    second = residual(View(Sweep(FIXED, watched, Points(POINTS), sweep.operators)).fields()["u"])
    assert recorded > 1
    assert len(calls) == recorded + 1  # all in one sweep now
    assert torch.allclose(first, second, rtol=1e-12, atol=1e-12)
    parameters = list(NETWORK.parameters())
    for a, b in zip(*(torch.autograd.grad(r.sum(), parameters) for r in (first, second)), strict=True):
        assert torch.allclose(a, b, rtol=1e-11, atol=1e-11)


def test_the_lift_is_computed_once_for_a_point_set() -> None:
    calls: list[int] = []

    def data(y: Tensor) -> Tensor:
        calls.append(1)
        return torch.sin(y)

    trial = Trial(("x", "y", "t"), ("u", "v"), ((AxisData(0, 0.0, 1.0, data),), ()))
    points, wanted = Points(POINTS), {(0, 0, 0), (2, 0, 0)}
    lifted = points.lifted(trial, Algebra.of(wanted, 3))
    for _ in range(3):
        assert Sweep(trial, NETWORK, lifted, wanted)((2, 0, 0)).shape == (9, 2)
    assert lifted.lifted(trial, Algebra.of(wanted, 3)) is lifted
    assert len(calls) == 1
    assert not points.lifts  # a value, which nothing changes


@pytest.mark.parametrize("rows", [slice(0, 4), slice(3, 4), slice(2, 9, 3)], ids=str)
@pytest.mark.parametrize("trial", [FREE, FIXED], ids=["free", "fixed"])
def test_a_part_of_the_points_has_the_derivatives_there(trial: Trial, rows: slice) -> None:
    points, wanted = Points(POINTS), {(0, 0, 0), (2, 0, 0), (1, 0, 1)}
    whole = Sweep(trial, NETWORK, points, wanted)
    values = {index: whole(index) for index in wanted}
    for part in (points.lifted(trial, Algebra.of(wanted, 3)).part(rows), points.part(rows)):
        assert len(part) == len(POINTS[rows])
        assert torch.equal(part.x, POINTS[rows])
        some = Sweep(trial, NETWORK, part, wanted)
        for index in wanted:
            assert torch.allclose(some(index), values[index][rows], rtol=1e-12, atol=1e-13)


def test_a_part_takes_over_what_is_known_of_the_lift() -> None:
    calls: list[int] = []

    def data(y: Tensor) -> Tensor:
        calls.append(len(y))
        return torch.sin(y)

    trial = Trial(("x", "y", "t"), ("u", "v"), ((AxisData(0, 0.0, 1.0, data),), ()))
    wanted = {(0, 0, 0), (2, 0, 0)}
    points = Points(POINTS).lifted(trial, Algebra.of(wanted, 3))
    Sweep(trial, NETWORK, points, wanted)
    assert calls == [9]
    part = points.part(slice(2, 5))
    Sweep(trial, NETWORK, part, wanted)
    assert calls == [9]
    Sweep(trial, NETWORK, part, wanted | {(0, 1, 0)})  # known nowhere
    assert calls == [9, 3]


def test_a_sweep_is_run_once_for_all_that_is_wanted() -> None:
    calls: list[int] = []

    def watched(at: Tensor) -> Tensor:
        calls.append(len(at))
        return NETWORK(at)

    wanted = {(0, 0, 0), (2, 0, 0), (0, 1, 0)}
    assert not Sweep(FIXED, watched, Points(POINTS)).operators
    assert not calls
    sweep = Sweep(FIXED, watched, Points(POINTS), wanted)
    assert calls == [9]
    assert sweep.operators == wanted
    lazily = Sweep(FIXED, NETWORK, Points(POINTS), wanted)
    for index in wanted:
        assert torch.equal(sweep(index), lazily(index))
    assert calls == [9]


@pytest.mark.parametrize("name", ["sin", "z", "xz", "shape", "xX", "x_x", "abs"])
def test_an_unknown_attribute_is_named_with_the_axes(name: str) -> None:
    u, _ = fields().values()
    with pytest.raises(AttributeError, match=f"'u'.*{name!r}.*axes x, y, t") as caught:
        getattr(u, name)
    assert (f"torch.{name}(u)" in str(caught.value)) == (name in vars(torch))


def test_a_field_can_be_copied() -> None:
    u, _ = fields().values()
    assert torch.equal(copy.copy(u).xx, u.xx)


def test_an_attribute_cannot_be_invented() -> None:
    u, _ = fields().values()
    assert getattr(u, "nothing", None) is None


@pytest.mark.parametrize(
    "function", [np.sin, np.exp, np.abs, lambda u: np.add(u, 1.0), lambda u: np.maximum(np.ones(9), u)]
)
def test_a_numpy_function_of_a_field_fails_rather_than_detach_it(function: Callable[[Field], object]) -> None:
    u, _ = fields().values()
    with pytest.raises(TypeError):
        function(u)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("z",), "axis names and orders in turn.*the axes are x, y, t"),
        (("x", -1), "axis names and orders in turn"),
        (("x", 1.0), "axis names and orders in turn"),
        (("x", "y"), "axis names and orders in turn"),
        (("xx",), "axis names and orders in turn"),
        (("x", 1, "t"), "the last axis has no order"),
    ],
)
def test_impossible_derivatives_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    u, _ = fields().values()
    with pytest.raises(InputError, match=message):
        u.d(*arguments)


def test_axis_names_of_several_letters() -> None:
    names = ("x1", "x10", "t")
    wanted = {"x1": (1, 0, 0), "x10": (0, 1, 0), "x1x1": (2, 0, 0), "x1x10t": (1, 1, 1), "x10x10": (0, 2, 0)}
    expected = derivatives(NETWORK, POINTS, wanted.values())
    u, v = fields(Trial(names, ("u", "v"), ((), ()))).values()
    for name, index in wanted.items():
        assert torch.allclose(getattr(u, name), expected[index][:, 0], rtol=1e-12, atol=1e-12)
        assert torch.allclose(getattr(v, name), expected[index][:, 1], rtol=1e-12, atol=1e-12)


def test_a_field_has_no_truth_value() -> None:
    u, _ = fields().values()
    with pytest.raises(RuntimeError, match="Boolean value of Tensor"):
        bool(u > 0)
    with pytest.raises(RuntimeError, match="Boolean value of Tensor"):
        bool(u)


RESERVED = ("value", "grad", "laplacian", "biharmonic", "d", "at", "normal", "inside", "outside")


def test_reserved_names_are_exactly_the_public_attributes() -> None:
    assert set(RESERVED) == FIELD_ATTRIBUTES


def test_fields_can_be_keys_although_equality_is_pointwise() -> None:
    u, v = fields().values()
    assert {u: "u", v: "v"}[v] == "v"
