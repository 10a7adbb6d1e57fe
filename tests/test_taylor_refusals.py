"""What series have no rule for is refused, differentiated by nesting with the same results, and said once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pinnreg import derivatives, differentiation
from pinnreg.differentiation import nested
from pinnreg.networks import MLP
from pinnreg.randomness import generator
from pinnreg.taylor import Algebra, Laplacian, MultiIndex, Series, Unsupported

Function = Callable[[Tensor], Tensor]
POINTS = 2 * torch.rand((6, 2), generator=generator(0, "points"), dtype=torch.float64) - 1
MATRIX = torch.randn((2, 3), generator=generator(0, "matrix"), dtype=torch.float64)
ROW = torch.tensor([2.0, -0.5], dtype=torch.float64)


@pytest.fixture(autouse=True)
def _fresh_notes() -> Iterator[None]:
    """Each reason is told once in a process; other tests may have met some of these already."""
    differentiation._say_slow.cache_clear()
    yield
    differentiation._say_slow.cache_clear()


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance * (1 + float(b.abs().max())))


def second_derivatives(function: Function) -> dict[MultiIndex, Tensor]:
    """By plain reverse mode, one point and output after the other."""
    table: dict[MultiIndex, list[list[Tensor]]] = {index: [] for index in ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2))}
    for point in POINTS:
        inputs = point[None].clone().requires_grad_()
        outputs = function(inputs)[0]
        rows: dict[MultiIndex, list[Tensor]] = {index: [] for index in table}
        for output in outputs:
            (slope,) = torch.autograd.grad(output, inputs, create_graph=True)
            curvature = [torch.autograd.grad(s, inputs, retain_graph=True, materialize_grads=True)[0] for s in slope[0]]
            rows[0, 0].append(output)
            rows[1, 0].append(slope[0, 0])
            rows[0, 1].append(slope[0, 1])
            rows[1, 1].append(curvature[0][0, 1])
            rows[0, 2].append(curvature[1][0, 1])
        for index, row in rows.items():
            table[index].append(row)
    return {index: torch.stack([torch.stack(row) for row in rows]) for index, rows in table.items()}


def layers(between: Callable[[Any], Any], x: Any) -> Any:
    return between(x @ MATRIX + 1) @ MATRIX.T


def branch(x: Any) -> Any:
    y = torch.tanh(x @ MATRIX)
    return y if bool((y == y + 1).any()) else -y


def written(x: Any) -> Any:
    y = torch.sin(x)
    y[:, 0] = torch.cos(x[:, 1])
    return y


def changed_in_place(x: Any) -> Any:
    h = torch.sin(x)
    skip = h
    h *= 2
    return h + skip**2


FOREIGN: dict[str, tuple[Function, str]] = {
    "torch.atan": (lambda x: layers(torch.atan, x), "atan"),
    "nn.LayerNorm": (lambda x: layers(nn.LayerNorm(3, dtype=x.dtype), x), "layer_norm"),
    "nn.Softsign": (nn.Softsign(), ""),
    "prod": (lambda x: torch.cat([x.prod(dim=1, keepdim=True), torch.sin(x)], dim=1), "prod"),
    "torch.where": (lambda x: torch.where(x[:, :1] > 0, torch.sin(x), x**3), ""),
    "abs": (lambda x: abs(x + 2) ** 3, ""),
    "torch.abs": (lambda x: torch.abs(x + 2) ** 3, "abs"),
    "branch on values": (branch, ""),
    "iteration": (lambda x: torch.cat([torch.sin(row)[None] for row in x]), ""),
    "transposition": (lambda x: torch.stack([torch.sin(column) for column in x.T], dim=1), "'T'"),
    "fancy columns": (lambda x: torch.sin(x[:, [1, 0]]) * x, "indexing"),
    "columns by a tensor": (lambda x: torch.sin(x[:, torch.tensor([1, 0])]) * x, "indexing"),
    "points by a slice": (lambda x: torch.cat([torch.sin(x[:1]), torch.sin(x[1:])]), "indexing"),
    "writing into columns": (written, ""),
    "in place, with the old name used": (changed_in_place, "in place"),
    "silu in place": (lambda x: functional.silu(h := torch.sin(x), inplace=True) * h, "in place"),
    "more dimensions of a tensor": (lambda x: (torch.sin(x) * torch.ones(1, 1, 2, dtype=x.dtype))[0], "dimensions"),
    "cat along the points": (lambda x: torch.cat([torch.sin(x), x], dim=0)[: len(x)], "dimension of the points"),
    "stack along the points": (lambda x: torch.stack([torch.sin(x), x]).sum(dim=0), "dimension of the points"),
    "stack from the end": (lambda x: torch.stack([torch.sin(x), x], -3).sum(dim=0), "dimension of the points"),
    "softplus with another beta": (lambda x: functional.softplus(3 * x, beta=2), "beta"),
    "softplus with another threshold": (lambda x: functional.softplus(3 * x, threshold=0.5), ""),
    "gelu by tanh": (lambda x: functional.gelu(3 * x, approximate="tanh"), "tanh"),
    "the power 0": (lambda x: (x + 3) ** 0 * torch.sin(x), "power"),
    "a tensor as exponent": (lambda x: (x + 3) ** torch.tensor(2.0, dtype=x.dtype), "power"),
    "number to the power": (lambda x: 2.0**x, ""),
    "torch.pow of a number": (lambda x: torch.pow(2.0, x), "power"),
    "matrix on the left": (lambda x: (MATRIX.T @ torch.sin(x)[:, :, None])[:, :, 0], ""),
    "matrix product of three dimensions": (lambda x: (torch.sin(x)[:, None] @ MATRIX)[:, 0], "matrix product"),
    "layer with three dimensions": (lambda x: functional.linear(x[:, None] ** 2, MATRIX.T)[:, 0], "linear layer"),
    "a method of tensors": (lambda x: torch.sin(x).cumsum(dim=1) * x, "cumsum"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_without_a_rule_results_are_those_of_reverse_mode_and_a_note_says_so_once(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    function, reason = FOREIGN[name]
    expected = second_derivatives(function)
    found = derivatives(function, POINTS, expected)
    for index, values in expected.items():
        assert close(found[index], values), index
    for _ in range(2):
        derivatives(function, POINTS, [(0, 1)])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "derivatives by nested automatic differentiation" in record.getMessage()
    assert reason in record.getMessage()


def test_each_reason_has_its_own_note(caplog: pytest.LogCaptureFixture) -> None:
    for function in (torch.atan, torch.asinh, torch.atan, lambda x: torch.asinh(2 * x)):
        derivatives(function, POINTS, [(1, 0)])
    assert ["atan" in caplog.records[0].getMessage(), "asinh" in caplog.records[1].getMessage()] == [True, True]
    assert len(caplog.records) == 2


def test_values_alone_need_no_rule(caplog: pytest.LogCaptureFixture) -> None:
    assert torch.equal(derivatives(torch.atan, POINTS, [(0, 0)])[0, 0], torch.atan(POINTS))
    assert caplog.records == []


@pytest.mark.parametrize("chunk", [None, 4, 1])
def test_modules_without_a_rule_have_the_gradients_of_reverse_mode_in_chunks_too(chunk: int | None) -> None:
    network = MLP(2, [4], 2, generator=generator(1, "w"), dtype=torch.float64)
    wanted, parameters = [(0, 0), (1, 2), Laplacian((0, 1))], list(network.parameters())
    found = derivatives(lambda x: network(torch.atan(x)), POINTS, wanted, chunk=chunk)
    expected = nested(lambda x: network(torch.atan(x)), POINTS, Algebra.of(wanted, 2)).derivatives(wanted)
    gradients = []
    for way, values in zip(found.values(), expected, strict=True):
        assert close(way, values)
    for ways in (found.values(), expected):
        scalar = torch.stack([values.square().sum() for values in ways]).sum()
        gradients.append(torch.autograd.grad(scalar, parameters))
    assert all(close(a, b) for a, b in zip(*gradients, strict=True))


def test_an_error_of_the_user_s_own_is_raised_as_it_is() -> None:
    def broken(x: Tensor) -> Tensor:
        raise ValueError("no such network")

    with pytest.raises(ValueError, match="no such network"):
        derivatives(broken, POINTS, [(1, 0)])


REFUSED: dict[str, Callable[[Series], Any]] = {
    "<": lambda s: s < 0,
    ">=": lambda s: s >= s + 1,
    "==": lambda s: s == s + 1,
    "!=": lambda s: s != 0,
    "tensor <": lambda s: s.value < s,
    "bool": bool,
    "float": float,
    "int": int,
    "iteration": list,
    "in": lambda s: 0.0 in s,
    "abs": abs,
    "%": lambda s: s % 2,
    "//": lambda s: s // 2,
    "reversed //": lambda s: 2 // s,
    "reversed **": lambda s: 2**s,
    "** 0": lambda s: s**0,
    "** True": lambda s: s**True,
    "** itself": lambda s: s**s,
    "reversed @": lambda s: MATRIX @ s,
    "@ itself": lambda s: s @ s,
    "@ a vector": lambda s: s @ ROW,
    "a row": lambda s: s[0],
    "a mask": lambda s: s[s.value > 0],
    "a list": lambda s: s * [1.0, 2.0],
    "a NumPy array": lambda s: s * np.ones(2),
    "a NumPy array in front": lambda s: np.ones(2) * s,
    "a complex number": lambda s: s * 1j,
    "other dimensions": lambda s: s[:, 0] * s,
    "a larger tensor": lambda s: s + torch.ones(1, 6, 2),
    "an unknown attribute": lambda s: s.T,
    "numpy()": lambda s: s.numpy(),
    "detach": lambda s: s.detach(),
    "torch.relu": torch.relu,
    "torch.sum": torch.sum,
    "torch.cat along the points": lambda s: torch.cat([s, s]),
    "torch.cat along the points, from the end": lambda s: torch.cat([s, s], dim=-2),
    "torch.stack along the points": lambda s: torch.stack([s, s], dim=-3),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_series_refuses_what_it_has_no_rule_for(name: str) -> None:
    series = Series.of_points(POINTS, Algebra.of([(2, 1)], 2))
    with pytest.raises(Unsupported):
        REFUSED[name](series)


def test_a_series_cannot_be_written_into() -> None:
    series = Series.of_points(POINTS, Algebra.of([(2, 1)], 2))
    with pytest.raises(Unsupported):
        series[:, 0] = 1.0


def test_a_series_has_the_shape_the_type_and_the_place_of_its_values() -> None:
    series = Series.of_points(POINTS.float(), Algebra.of([(2, 1)], 2))
    for each in (series, series @ MATRIX.float(), series[:, 0], torch.tanh(series)[:, None]):
        assert (each.shape, each.ndim, len(each)) == (each.value.shape, each.value.ndim, 6)
        assert (each.dtype, each.device) == (torch.float32, POINTS.device)
    assert {series: 1}[series] == 1


def test_operands_that_would_raise_the_precision_are_refused() -> None:
    single = Series.of_points(POINTS.float(), Algebra.of([(2, 1)], 2))
    for operation in (lambda: single * ROW, lambda: single + ROW, lambda: single / ROW, lambda: ROW - single):
        with pytest.raises(Unsupported, match="precision"):
            operation()
    assert (single * ROW.float()).dtype == torch.float32
