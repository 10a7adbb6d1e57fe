"""The derivative engine against the usual chain of reverse-mode differentiations.

The work is that of a training step: the mean squares of all derivatives up to order k along x, and the gradient of
their sum with respect to the parameters; and the same for the value and the Laplacian in many dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

import torch
from torch import Tensor, nn

from pinnreg.benchmarks.measure import Cost, compare, machine
from pinnreg.compilation import compiled
from pinnreg.differentiation import derivatives
from pinnreg.networks import MLP, bound
from pinnreg.randomness import generator
from pinnreg.taylor import Laplacian, Operator

logger = logging.getLogger("pinnreg")

Parameters = dict[str, Tensor]
Network = Callable[[Tensor], Tensor]
Chain = Callable[[Network, Tensor], list[Tensor]]


@final
@dataclass(frozen=True)
class Setting:
    """What is measured: a network of 2 inputs (`dimension` for the Laplacian) and one output, at so many points.

    `budget` bounds the seconds that are spent on timing a row.
    """

    device: torch.device
    dtype: torch.dtype = torch.float64
    points: int = 2048
    hidden: tuple[int, ...] = (64, 64, 64)
    activation: str = "tanh"
    orders: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    dimension: int = 20
    compiled: bool = True
    budget: float = 10.0


@final
@dataclass(frozen=True)
class Row:
    """One task: its cost by engine, and how far the gradients of each are from the nested ones.

    Errors are the largest difference relative to the largest entry.
    """

    task: str
    costs: dict[str, Cost]
    errors: dict[str, float]

    def speedup(self, engine: str) -> float:
        """How many times faster than the nested chain."""
        return self.costs["nested"].seconds / self.costs[engine].seconds


@final
@dataclass(frozen=True)
class Benchmark:
    """The rows, and all that is needed to repeat them."""

    rows: tuple[Row, ...]
    setting: dict[str, Any]
    machine: dict[str, str | int]
    date: str


def bench_derivatives(setting: Setting, on_row: Callable[[Row], None] = lambda _: None) -> Benchmark:
    """Measure all rows; `on_row` is called with each when it is done."""
    rows = []
    for task in _tasks(setting):
        rows.append(_measure(task, setting))
        on_row(rows[-1])
    described = {
        "network": "-".join(map(str, [2, *setting.hidden, 1])),
        "activation": setting.activation,
        "points": setting.points,
        "dtype": str(setting.dtype).removeprefix("torch."),
    }
    return Benchmark(tuple(rows), described, machine(setting.device), datetime.now(UTC).strftime("%Y-%m-%d"))


@final
@dataclass(frozen=True)
class _Task:
    """Derivatives, and the chain of `torch.autograd.grad` that gives the same list."""

    name: str
    inputs: int
    points: int
    operators: Sequence[Operator]
    chain: Chain


def _tasks(setting: Setting) -> list[_Task]:
    tasks = [
        _Task(f"order {order}", 2, setting.points, [(k, 0) for k in range(order + 1)], _along_x(order))
        for order in setting.orders
    ]
    dimension = setting.dimension
    operators: list[Operator] = [(0,) * dimension, Laplacian(tuple(range(dimension)))]
    # a quarter of the points, since the nested chain needs as many passes as there are dimensions
    tasks.append(_Task(f"Laplacian in {dimension}-D", dimension, max(setting.points // 4, 1), operators, _laplacian))
    return tasks


def _along_x(order: int) -> Chain:
    def chain(network: Network, points: Tensor) -> list[Tensor]:
        x = points.requires_grad_()
        found = [network(x)[:, 0]]
        for _ in range(order):
            (gradient,) = torch.autograd.grad(found[-1].sum(), x, create_graph=True)
            found.append(gradient[:, 0])
        return found

    return chain


def _laplacian(network: Network, points: Tensor) -> list[Tensor]:
    x = points.requires_grad_()
    values = network(x)[:, 0]
    (gradient,) = torch.autograd.grad(values.sum(), x, create_graph=True)
    second = [torch.autograd.grad(gradient[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(points.shape[1])]
    return [values, torch.stack(second).sum(dim=0)]


def _measure(task: _Task, setting: Setting) -> Row:
    network = MLP(
        task.inputs,
        setting.hidden,
        1,
        activation=setting.activation,
        generator=generator(0, "network"),
        dtype=setting.dtype,
    ).to(setting.device)
    parameters: Parameters = dict(network.named_parameters())
    points = torch.rand((task.points, task.inputs), generator=generator(0, "points"), dtype=setting.dtype).to(
        setting.device
    )
    works = _works(task, setting, network, parameters, points)
    expected = works["nested"]()
    errors = {name: _difference(work(), expected) for name, work in works.items()}
    return Row(task.name, compare(works, setting.device, budget=setting.budget), errors)


def _works(
    task: _Task, setting: Setting, network: nn.Module, parameters: Parameters, points: Tensor
) -> dict[str, Callable[[], list[Tensor]]]:
    def gradient(parameters: Parameters, found: Sequence[Tensor]) -> list[Tensor]:
        loss = torch.stack([values.square().mean() for values in found]).sum()
        return list(torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True))

    def nested(parameters: Parameters, points: Tensor) -> list[Tensor]:
        return gradient(parameters, task.chain(bound(network, parameters), points.detach().clone()))

    def taylor(parameters: Parameters, points: Tensor) -> list[Tensor]:
        found = derivatives(bound(network, parameters), points, task.operators)
        return gradient(parameters, [values[:, 0] for values in found.values()])

    works = {"nested": lambda: nested(parameters, points), "taylor": lambda: taylor(parameters, points)}
    if setting.compiled:
        try:
            fast = compiled(taylor, parameters, points)
            works["compiled"] = lambda: fast(parameters, points)
        except Exception as error:
            logger.warning("%s: not compiled: %s: %s", task.name, type(error).__name__, str(error).partition("\n")[0])
    return works


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    largest = max(float(values.abs().max()) for values in expected)
    return max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True)) / largest
