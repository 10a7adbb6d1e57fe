"""Lazy training against integrators and matrix functions of SciPy, a linear model, and networks of growing width."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from torch import Tensor, nn

from pinnreg import InputError
from pinnreg.analysis import Drift, Kernel, WideNetwork, drift, ntk, predict, stacked, trajectory
from pinnreg.networks import MLP
from pinnreg.randomness import generator

F64 = torch.float64
PLANE = [(0, 0), (1, 0), (0, 1)]
TIMES = [0.0, 0.3, 2.0, 50.0]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed, "test lazy"), dtype=F64)


def system(size: int = 6, others: int = 3) -> tuple[Kernel, Kernel, Tensor, Tensor, Tensor, Tensor]:
    """A joint kernel of points and others, weights, starts at both and targets."""
    features = drawn(size + others, 20) / 4
    joint = features @ features.T
    kernel, cross = (Kernel(part, ("",)) for part in (joint[:size, :size], joint[size:, :size]))
    weights, start, targets = (
        torch.rand(size, generator=generator(1, "w"), dtype=F64),
        drawn(size, seed=2),
        drawn(size, seed=3),
    )
    return kernel, cross, weights, start, targets, drawn(others, seed=4)


def test_gradient_flow_against_an_integrator_and_the_matrix_exponential() -> None:
    kernel, cross, weights, start, targets, initial = system()
    theta, between = kernel.matrix.numpy(), cross.matrix.numpy()
    found = trajectory(kernel, weights, start, targets, TIMES)
    elsewhere = predict(kernel, weights, start, targets, TIMES, cross=cross, initial=initial)
    rate = 2 * theta @ np.diag(weights.numpy())
    for time, at in zip(TIMES, found, strict=True):
        expected = targets.numpy() + expm(-time * rate) @ (start - targets).numpy()
        assert np.allclose(at, expected, rtol=1e-10, atol=1e-10)

    def slope(_: float, u: np.ndarray) -> np.ndarray:
        pull = 2 * weights.numpy() * (u[:6] - targets.numpy())
        return -np.concatenate([theta @ pull, between @ pull])

    whole = solve_ivp(slope, (0, 50), torch.cat([start, initial]).numpy(), "LSODA", TIMES, rtol=1e-11, atol=1e-12)
    assert np.allclose(torch.cat([found, elsewhere], dim=1), whole.y.T, rtol=1e-7, atol=1e-7)


def test_the_limit_is_kernel_regression() -> None:
    kernel, cross, weights, start, targets, initial = system()
    for rate in (None, 0.05):
        fitted = trajectory(kernel, weights, start, targets, [math.inf], rate=rate)[0]
        assert torch.allclose(fitted, targets, rtol=1e-9, atol=1e-9)
        found = predict(kernel, weights, start, targets, [math.inf], cross=cross, initial=initial, rate=rate)[0]
        expected = initial + cross.matrix @ torch.linalg.solve(kernel.matrix, targets - start)
        assert torch.allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_what_no_weight_pulls_moves_with_the_rest() -> None:
    """Rows of weight zero are as points that one only looks at; with a singular kernel there is still a limit."""
    kernel, _, weights, start, targets, _ = system()
    weights[4:] = 0.0
    some = Kernel(kernel.matrix[:4, :4], ("",))
    between = Kernel(kernel.matrix[4:, :4], ("",))
    for times in (TIMES, [math.inf]):
        whole = trajectory(kernel, weights, start, targets, times)
        looked_at = predict(some, weights[:4], start[:4], targets[:4], times, cross=between, initial=start[4:])
        assert torch.allclose(whole[:, 4:], looked_at, rtol=1e-9, atol=1e-9)
    flat = Kernel(torch.ones((2, 2), dtype=F64), ("",))  # both rows move alike: they end at the mean gap
    ones, zeros = torch.ones(2, dtype=F64), torch.zeros(2, dtype=F64)
    found = trajectory(flat, ones, zeros, torch.tensor([1.0, 3.0], dtype=F64), [math.inf])
    assert found[0].tolist() == pytest.approx([2.0, 2.0])


def test_a_linear_model_follows_the_steps_exactly() -> None:
    """Fixed features, a trained readout, and a loss with mean |∇f|² in it: values and slopes, seen and not."""
    net = MLP(2, [12], 1, spread=1.5, generator=generator(0, "test lazy net"), dtype=F64)
    net.layers[0].requires_grad_(False)
    points, others, rate, strength = drawn(5, 2, seed=5), drawn(4, 2, seed=6), 0.1, 0.3
    kernel, cross = ntk(net, points, PLANE), ntk(net, others, PLANE, other=points)
    start, initial = stacked(net, points, PLANE).detach(), stacked(net, others, PLANE).detach()
    weights = kernel.spread({(0, 0): 1 / 5, (1, 0): strength / 5, (0, 1): strength / 5})
    targets = torch.cat([drawn(5, seed=7), torch.zeros(10, dtype=F64)])
    trained = [each for each in net.parameters() if each.requires_grad]
    found, elsewhere = [], []
    for _ in range(21):
        u = stacked(net, points, PLANE)
        found.append(u.detach())
        elsewhere.append(stacked(net, others, PLANE).detach())
        loss = (u[:5] - targets[:5]).square().mean() + strength * u[5:].view(2, 5).square().sum(dim=0).mean()
        gradients = torch.autograd.grad(loss, trained)
        with torch.no_grad():
            for each, gradient in zip(trained, gradients, strict=True):
                each.sub_(rate * gradient)
    steps = list(range(21))
    assert torch.allclose(trajectory(kernel, weights, start, targets, steps, rate=rate), torch.stack(found), rtol=1e-9)
    predicted = predict(kernel, weights, start, targets, steps, cross=cross, initial=initial, rate=rate)
    assert torch.allclose(predicted, torch.stack(elsewhere), rtol=1e-8, atol=1e-10)


def test_small_steps_are_the_flow() -> None:
    kernel, _, weights, start, targets, _ = system()
    flow = trajectory(kernel, weights, start, targets, [3.0])[0]
    errors = [
        float((trajectory(kernel, weights, start, targets, [n], rate=3.0 / n)[0] - flow).norm())
        for n in (200, 400, 800)
    ]
    assert np.polyfit(np.log([200, 400, 800]), np.log(errors), 1)[0] == pytest.approx(-1, abs=0.05)


def lazily(width: int, steps: int, seed: int, rate: float = 0.5, strength: float = 0.1) -> tuple[float, Drift]:
    """How far from the linear prediction a network ends, relative to its way, and its drift; trained on (f, ∇f)."""
    net = WideNetwork(2, width, generator=generator(seed, "test wide"), dtype=F64)
    points = 2 * torch.rand((8, 2), generator=generator(0, "test lazy points"), dtype=F64) - 1
    kernel, start = ntk(net, points, PLANE), stacked(net, points, PLANE).detach()
    weights = kernel.spread({(0, 0): 1 / 8, (1, 0): strength / 8, (0, 1): strength / 8})
    targets = torch.cat([torch.sin(3 * points[:, 0]), torch.zeros(16, dtype=F64)])
    parameters = {name: each.detach().clone().requires_grad_() for name, each in net.named_parameters()}
    before = {name: each.detach().clone() for name, each in parameters.items()}
    for _ in range(steps):
        weight, bias, readout = (parameters[name] for name in ("weights.0", "biases.0", "readout"))
        # f and ∇f written out, which is faster than nesting
        z = points @ weight.T / math.sqrt(2) + bias
        slope = 2 / math.sqrt(math.pi) * torch.exp(-z.square()) * readout / math.sqrt(width)
        jacobian = slope @ weight / math.sqrt(2)
        u = torch.cat([(torch.erf(z) @ readout.T / math.sqrt(width))[:, 0], jacobian[:, 0], jacobian[:, 1]])
        loss = weights @ (u - targets).square()
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        with torch.no_grad():
            for each, gradient in zip(parameters.values(), gradients, strict=True):
                each.sub_(rate * gradient)
    end = stacked(net, points, PLANE, parameters=parameters).detach()
    expected = trajectory(kernel, weights, start, targets, [steps], rate=rate)[0]
    after = {name: each.detach() for name, each in parameters.items()}
    return float((end - expected).norm() / (expected - start).norm()), drift(net, before, after, points, PLANE)


def test_wider_networks_are_lazier() -> None:
    narrow, wide = (lazily(width, 200, 0) for width in (64, 2048))
    assert wide[0] < narrow[0] / 3
    assert wide[1].kernel < narrow[1].kernel / 3
    assert wide[1].parameters < narrow[1].parameters / 3


@pytest.mark.slow
def test_the_deviation_and_the_drift_fall_with_the_width() -> None:
    """Parameters move by 1/√m, the kernel with them, and the trained network approaches the linear prediction."""
    widths = [64, 256, 1024, 4096]
    found = [[lazily(width, 2000, seed) for seed in range(3)] for width in widths]
    deviation, kernel, parameters = (
        np.array([np.mean([get(each) for each in row]) for row in found])
        for get in (lambda each: each[0], lambda each: each[1].kernel, lambda each: each[1].parameters)
    )
    slopes = [np.polyfit(np.log(widths), np.log(values), 1)[0] for values in (deviation, kernel, parameters)]
    assert slopes[2] == pytest.approx(-0.5, abs=0.12)
    assert slopes[1] < -0.4
    assert slopes[0] < -0.25
    assert kernel[-1] < 0.06
    assert kernel[0] > 0.4


def test_drift_in_numbers() -> None:
    """The kernel of a readout is that of its features, which stay; that of a square grows as the parameters squared."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1, bias=False)).double()
    points = drawn(4, 2)
    last = {"2.weight": torch.ones((1, 3), dtype=F64)}
    still = drift(net, last, {"2.weight": torch.full((1, 3), 3.0, dtype=F64)}, points)
    assert (still.parameters, still.kernel) == (2.0, 0.0)
    assert still.smallest[0] == still.smallest[1] == float(ntk(net, points, parameters=last).eigenvalues[-1])

    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 1, bias=False, dtype=F64)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) ** 2

    once, twice = ({"inner.weight": torch.full((1, 2), value, dtype=F64)} for value in (1.0, 2.0))
    found = drift(Square(), once, twice, points)
    assert found.kernel == pytest.approx(
        3.0
    )  # the gradient of the square doubles: its products are four times as large
    assert found.parameters == pytest.approx(1.0)


def test_bad_input() -> None:
    kernel, cross, weights, start, targets, initial = system()
    with pytest.raises(InputError, match=r"expected targets \(6,\), got \(5,\)"):
        trajectory(kernel, weights, start, targets[:5], TIMES)
    with pytest.raises(InputError, match=r"expected initial \(3,\), got \(6,\)"):
        predict(kernel, weights, start, targets, TIMES, cross=cross, initial=start)
    with pytest.raises(InputError, match=r"expected kernels \(r, r\) and \(q, r\), got \(3, 6\)"):
        predict(cross, weights[:3], start[:3], targets[:3], TIMES, cross=cross, initial=initial)
    with pytest.raises(InputError, match="a weight is negative"):
        trajectory(kernel, -weights, start, targets, TIMES)
    with pytest.raises(InputError, match=r"a time of at least 0, in whole steps with a rate, got 0.3"):
        trajectory(kernel, weights, start, targets, [0.3], rate=0.1)
    with pytest.raises(InputError, match=r"a time of at least 0.*got -1"):
        trajectory(kernel, weights, start, targets, [-1.0])
    with pytest.raises(InputError, match=r"a rate of 1e.06 does not converge; it must be below"):
        trajectory(kernel, weights, start, targets, [math.inf], rate=1e6)
    net = MLP(2, [3], 1)
    bias = {"layers.0.bias": torch.ones(3)}
    with pytest.raises(InputError, match=r"the same parameters, got layers.0.bias before"):
        drift(net, bias, {**bias, "layers.1.bias": torch.ones(1)}, drawn(2, 2).float())
