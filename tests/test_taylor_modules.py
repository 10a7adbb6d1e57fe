"""Which modules and functions series pass through: what `build` makes and most of what users write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pairs import pairwise
from torch import Tensor, nn
from torch.nn import functional

from pinnreg import derivatives, differentiation
from pinnreg.differentiation import nested
from pinnreg.networks import ACTIVATIONS, FeatureSettings, FourierSettings, MLPSettings, build
from pinnreg.randomness import generator
from pinnreg.taylor import Algebra, Laplacian, Operator

Function = Callable[[Tensor], Tensor]
OPERATORS: list[Operator] = [(0, 0), (1, 0), (0, 1), (1, 2), (4, 0), Laplacian((0, 1)), Laplacian((0, 1), 2)]
POINTS = 2 * torch.rand((6, 2), generator=generator(0, "points"), dtype=torch.float64) - 1
MATRIX = torch.randn((2, 3), generator=generator(0, "matrix"), dtype=torch.float64)
ROW = torch.tensor([2.0, -0.5], dtype=torch.float64)
CENTRES = torch.linspace(-1, 1, 4, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _fresh_notes() -> Iterator[None]:
    """Each reason is told once in a process; other tests may have met some of these already."""
    differentiation._say_slow.cache_clear()
    yield
    differentiation._say_slow.cache_clear()


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance * (1 + float(b.abs().max())))


class Custom(nn.Module):
    """A user's module: two layers and whatever is done between them."""

    def __init__(self, between: Callable[[nn.Module, Any], Any], *, inputs: int = 2, width: int = 4) -> None:
        super().__init__()
        draws = generator(1, "user")
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, 2)
        self.slope = nn.Parameter(torch.tensor(1.3))
        self.double()
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=draws, dtype=torch.float64))
        self._between = between

    def forward(self, points: Tensor) -> Tensor:
        return self._between(self, points)


def sequential(*between: nn.Module) -> nn.Module:
    return Custom(lambda m, x: nn.Sequential(m.first, *between, m.second)(x))


def weight_normed() -> nn.Module:
    module = Custom(lambda m, x: m.second(torch.tanh(m.first(x))))
    nn.utils.parametrizations.weight_norm(module.first)
    return module


SUPPORTED: dict[str, Function] = {
    "distance": lambda x: torch.hypot(x[:, :1] + 3, x[:, 1:] - 2),
    "logarithm of a quotient": lambda x: torch.log((x[:, :1] + 3) / (4 - x[:, 1:] * x[:, :1])) / (x[:, 1:] + 3),
    "nn.Tanh": sequential(nn.Tanh()),
    "nn.Sigmoid": sequential(nn.Sigmoid()),
    "nn.SiLU": sequential(nn.SiLU()),
    "nn.GELU": sequential(nn.GELU()),
    "nn.Softplus": sequential(nn.Softplus()),
    "nn.Identity": sequential(nn.Identity(), nn.Tanh()),
    "no activation": sequential(),
    "torch.cos": Custom(lambda m, x: m.second(torch.cos(m.first(x)))),
    "torch.exp": Custom(lambda m, x: m.second(torch.exp(m.first(x)))),
    "torch.sigmoid": Custom(lambda m, x: m.second(torch.sigmoid(m.first(x)))),
    "functional.tanh": Custom(lambda m, x: m.second(functional.tanh(m.first(x)))),
    "functional.sigmoid": Custom(lambda m, x: m.second(functional.sigmoid(m.first(x)))),
    "no bias": lambda x: torch.tanh(functional.linear(x, MATRIX.T)),
    "weight norm": weight_normed(),
    "residual": Custom(lambda m, x: x + m.second(torch.tanh(m.first(x)))),
    "residual the other way": Custom(lambda m, x: m.second(torch.tanh(m.first(x))) + x),
    "two residuals": Custom(lambda m, x: (h := x + m.second(torch.tanh(m.first(x)))) + m.second(torch.sin(m.first(h)))),
    "product of branches": Custom(lambda m, x: m.second(torch.tanh(m.first(x)) * torch.sin(m.first(2 * x)))),
    "gate": Custom(lambda m, x: (s := torch.sigmoid(m.second(m.first(x)))) * x + (1 - s) * torch.cos(x)),
    "adaptive slope": Custom(lambda m, x: m.second(torch.tanh(m.slope * m.first(x)))),
    "adaptive slope behind": Custom(lambda m, x: m.second(torch.tanh(m.first(x) * m.slope))),
    "shift by a parameter": Custom(lambda m, x: torch.sin(x - m.second.bias) + m.second.bias),
    "powers": lambda x: x**3 - 2 * x**5 + x**1 + torch.pow(x, 2),
    "square": lambda x: torch.square(torch.sin(x)) + torch.square(x),
    "division by a number": lambda x: x**2 / 3,
    "division by a tensor": lambda x: torch.sin(x) / ROW,
    "torch.div": lambda x: torch.div(torch.sin(x), ROW) + torch.true_divide(x, 2.0),
    "numbers on either side": lambda x: 2 * x * 0.5 + 3 + (1 + x) * x,
    "NumPy's numbers": lambda x: np.float64(2) * torch.sin(x) + x * np.float64(0.5) + np.float64(1),
    "tensors on either side": lambda x: ROW * torch.sin(x) + (x**2 * ROW) + (ROW + x) + (x + ROW),
    "tensors of all points": lambda x: POINTS * torch.sin(x) - POINTS,
    "a factor of its own at every point": lambda x: torch.cat([POINTS * x, x, torch.sin(x * POINTS + x)], dim=1),
    "integer tensors": lambda x: torch.tensor([1, -2]) * torch.sin(x),
    "subtraction both ways": lambda x: (1 - torch.sin(x)) * (x - 1) + (ROW - x**2) - (x - ROW) + (x - torch.sin(x)),
    "torch.sub": lambda x: torch.sub(x, torch.sin(x), alpha=3) + torch.subtract(x, 2) + torch.sub(ROW, x, alpha=2),
    "torch.rsub": lambda x: torch.rsub(torch.sin(x), x, alpha=2) + torch.rsub(x, 1),
    "torch.add": lambda x: torch.add(x, torch.sin(x), alpha=-2) + torch.add(x, 1) + torch.add(x, ROW, alpha=2),
    "torch.mul": lambda x: torch.mul(x, torch.sin(x)) + torch.multiply(ROW, x),
    "negation": lambda x: -torch.sin(-x) + torch.neg(x**2),
    "matrix product": lambda x: torch.tanh(x @ MATRIX) + torch.matmul(torch.sin(x), MATRIX),
    "slices": lambda x: x[:, :1] * torch.sin(x[:, 1:]) + x[:, -1:],
    "columns": lambda x: torch.stack([x[:, 0] * torch.cos(x[:, 1]), x[:, 1] ** 2], dim=1),
    "a new axis by an ellipsis": lambda x: (torch.sin(x)[..., None] * x[:, None, :])[:, 0],
    "a sum over features": lambda x: torch.sum(torch.sin(x) * x, dim=1).unsqueeze(-1) * x[:, :1].squeeze(1)[:, None],
    "division by a tensor of integers": lambda x: torch.sin(x) / torch.tensor([3, 7]) - torch.tensor([1, 2]).byte(),
    "division by a scalar of single precision": lambda x: torch.sin(x) / torch.tensor(3.0),
    "slices by an ellipsis": lambda x: +torch.sin(x[..., :1]) * x[..., 1:] ** 2.0,
    "methods": lambda x: x[:, :1].tanh() * x.sin().pow(2) + x.exp().square(),
    "cat of slices": lambda x: torch.cat([x[:, 1:], torch.sin(x[:, :1]) * x[:, 1:], x], dim=1),
    "cat along the last dimension": lambda x: torch.cat((torch.sin(x), x), dim=-1),
    "cat with a constant": lambda x: torch.cat([x, torch.ones(6, 1, dtype=x.dtype), x**2], dim=1),
    "stack with a constant": lambda x: torch.stack([x[:, 0] ** 2, torch.ones(6, dtype=x.dtype)], dim=-1),
    "a column of the size of the input": lambda x: torch.ones(x.shape[0], 1, dtype=x.dtype) * x[:, :1] ** 2,
    "a new dimension": lambda x: (torch.sin(x[:, None, :] * MATRIX.T))[:, :, 1] * x[:, :1],
    "a column times all": lambda x: x[:, :1] * torch.sin(x) + x[:, 1:] + x,
    "radial basis": lambda x: torch.exp(-((x[:, :1] - CENTRES) ** 2) - (x[:, 1:] - CENTRES) ** 2),
    "a shift that adds columns, then a layer": lambda x: torch.tanh((x[:, :1] - ROW) @ MATRIX),
    "a shift that adds columns, then a slice": lambda x: torch.tanh((x[:, :1] - CENTRES)[:, 2:]),
    "a shift that adds columns, then no more than a slice": lambda x: (x[:, :1] - CENTRES)[:, 1:3],
    "a shift that adds columns, then cat": lambda x: torch.cat([x[:, :1] - CENTRES, x], dim=1),
    "the points themselves": lambda x: x,
    "a constant": lambda x: POINTS * 2,
}


def assert_same_as_nested(function: Function) -> None:
    found = derivatives(function, POINTS, OPERATORS)
    expected = nested(function, POINTS, Algebra.of(OPERATORS, 2)).derivatives(OPERATORS)
    for operator, values in zip(OPERATORS, expected, strict=True):
        assert close(found[operator], values), operator
    if isinstance(function, nn.Module):
        mine, theirs = (gradients(function, list(way)) for way in (found.values(), expected))
        size = max(float(gradient.abs().max()) for gradient in theirs)
        assert size > 0
        assert all(float((a - b).abs().max()) <= 1e-10 * size for a, b in zip(mine, theirs, strict=True))


def gradients(module: nn.Module, values: list[Tensor]) -> tuple[Tensor, ...]:
    scalar = torch.stack([each.square().sum() for each in values]).sum()
    return torch.autograd.grad(scalar, list(module.parameters()), materialize_grads=True)


@pytest.mark.parametrize("name", SUPPORTED)
def test_series_pass_through_what_users_write(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nesting: list[Any] = []
    # recorded, since its results would be right
    monkeypatch.setattr(differentiation, "nested", lambda *given: nesting.append(1) or nested(*given))
    assert_same_as_nested(SUPPORTED[name])
    assert nesting == []
    assert caplog.records == []


@pairwise(
    activation=list(ACTIVATIONS),
    fourier=[None, FourierSettings(count=3)],
    periodic=[{}, {"x": 1}, {"x": 1, "t": 3}],
    chunk=[None, 4],
    dtype=[torch.float32, torch.float64],
)
def test_every_network_of_a_run_is_differentiated_by_series(
    activation: Any,
    fourier: FourierSettings | None,
    periodic: dict[str, int],
    chunk: int | None,
    dtype: torch.dtype,
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = build(
        MLPSettings(hidden=(5, 4), activation=activation, features=FeatureSettings(periodic, fourier)),
        {"x": (-1.0, 1.0), "t": (-2.0, 2.0)},
        2,
        periodic=list(periodic),
        seed=0,
        dtype=dtype,
        device=torch.device("cpu"),
    )
    found = derivatives(network, POINTS.to(dtype), OPERATORS, chunk=chunk)
    torch.stack([values.square().sum() for values in found.values()]).sum().backward()
    assert caplog.records == []
