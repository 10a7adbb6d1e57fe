"""Sharpness against known and independently formed Hessians; variation against integrals in closed form."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import pi
from typing import Any

import numpy as np
import pytest
import torch
from objectives import Placed, placed
from scipy import stats
from torch import Tensor
from torch.func import functional_call, jacrev, vmap

from pinnreg import Box, InputError, Problem, dirichlet, initial
from pinnreg.analysis import (
    Sharpness,
    sharpness,
    term_sharpness,
    variation,
    variation_profile,
    weighted_sharpness,
)
from pinnreg.analysis.sharpness import RESTARTS
from pinnreg.config import resolve
from pinnreg.equations import Trial, split_conditions
from pinnreg.run.prepare import prepare

F64 = torch.float64

Parameters = dict[str, Tensor]
Loss = Callable[[Parameters], Tensor]


# sharpness of quadratic losses


def quadratic(spectrum: np.ndarray, dtype: torch.dtype = F64) -> tuple[Tensor, Loss, Parameters]:
    """A Hessian with these eigenvalues, the loss ½ θᵀHθ + bᵀθ of two tensors, and a point."""
    size = len(spectrum)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
    of = torch.as_tensor((rotation * spectrum) @ rotation.T, dtype=dtype)
    at = torch.linspace(-1, 1, size, dtype=dtype)

    def loss(parameters: Parameters) -> Tensor:
        flat = torch.cat([parameters["matrix"].reshape(-1), parameters["vector"]])
        return flat @ of @ flat / 2 + flat.sum()

    return of, loss, {"matrix": at[:20].reshape(4, 5), "vector": at[20:]}


def plain_error(of: Tensor, probes: int) -> float:
    """The standard error of Hutchinson's estimate by itself: the variance of one sample is 2 Σ_{i≠j} H_ij²."""
    return math.sqrt(2 * float(of.square().sum() - of.diag().square().sum()) / probes)


def assert_within_error(found: Sharpness, trace: float) -> None:
    assert abs(found.trace - trace) < 4 * found.trace_error


DECAYING = 1000 * 0.5 ** np.arange(200)
SPREAD = np.concatenate([[-1000.0, -500.0, -200.0], np.linspace(-1, 0.5, 196), [2.0]])


def test_a_decaying_spectrum() -> None:
    of, loss, at = quadratic(DECAYING)
    found = sharpness(loss, at)
    assert found.largest == pytest.approx(1000, rel=1e-8)
    assert_within_error(found, DECAYING.sum())
    assert 0 < found.trace_error < plain_error(of, 32) / 50


@pytest.mark.parametrize("spectrum", [SPREAD, SPREAD - 5], ids=["indefinite", "negative definite"])
def test_the_largest_is_so_by_value_not_by_magnitude(spectrum: np.ndarray) -> None:
    of, loss, at = quadratic(spectrum)
    found = sharpness(loss, at)
    assert abs(spectrum.max()) < abs(spectrum.min()) / 100
    assert found.largest == pytest.approx(spectrum.max(), rel=1e-6)
    assert_within_error(found, spectrum.sum())
    assert found.trace_error == pytest.approx(plain_error(of, 32), rel=0.4)


def test_few_parameters_are_exact() -> None:
    """Up to probes + 20 the Hessian is formed; beyond, it costs more than estimates."""
    spectrum = np.linspace(-4, 3, 30)
    _, loss, at = quadratic(spectrum)
    exact = sharpness(loss, at, probes=10)
    assert exact.trace_error == 0
    assert exact.trace == pytest.approx(spectrum.sum(), rel=1e-12)
    assert exact.largest == pytest.approx(3, rel=1e-12)
    assert sharpness(loss, at, probes=9).trace_error > 0


@pytest.mark.parametrize("pairs", [1, 3, 8, 15])
def test_the_largest_eigenvalues_in_falling_order(pairs: int) -> None:
    _, loss, at = quadratic(DECAYING)
    assert sharpness(loss, at, pairs=pairs).leading == pytest.approx(DECAYING[:pairs], rel=1e-6)
    _, loss, at = quadratic(np.linspace(-4, 3, 25))
    assert sharpness(loss, at, pairs=pairs).leading == pytest.approx(np.linspace(3, -4, 25)[:pairs], rel=1e-10)


def test_no_eigenvalue_is_nothing_to_find() -> None:
    _, loss, at = quadratic(DECAYING)
    with pytest.raises(InputError, match=r"at least 1 eigenvalue, got 0"):
        sharpness(loss, at, pairs=0)


def test_one_parameter() -> None:
    found = sharpness(lambda at: 3 * at["a"].square().sum(), {"a": torch.ones(1, dtype=F64)})
    assert found == Sharpness(6.0, 0.0, (6.0,))


def test_single_precision() -> None:
    _, loss, at = quadratic(DECAYING, torch.float32)
    _, double_loss, double = quadratic(DECAYING)
    found, expected = sharpness(loss, at), sharpness(double_loss, double)
    assert found.largest == pytest.approx(1000, rel=1e-5)
    assert found.trace == pytest.approx(expected.trace, rel=1e-5)
    assert found.trace != expected.trace


@pytest.mark.gpu
def test_cuda_agrees() -> None:
    of, _, at = quadratic(DECAYING)

    def on(device: str) -> Sharpness:
        there = of.to(device)

        def loss(parameters: Parameters) -> Tensor:
            flat = torch.cat([parameters["matrix"].reshape(-1), parameters["vector"]])
            return flat @ there @ flat / 2

        return sharpness(loss, {name: value.to(device) for name, value in at.items()})

    found, expected = on("cuda"), on("cpu")
    assert found.trace == pytest.approx(expected.trace, rel=1e-9)
    assert found.largest == pytest.approx(expected.largest, rel=1e-9)


def test_the_draws_are_a_function_of_the_seed() -> None:
    _, loss, at = quadratic(SPREAD)
    assert sharpness(loss, at, seed=1) == sharpness(loss, at, seed=1)
    assert sharpness(loss, at, seed=1).trace != sharpness(loss, at, seed=2).trace


def test_more_probes_are_more_exact() -> None:
    _, loss, at = quadratic(SPREAD)
    few, many = (sharpness(loss, at, probes=probes).trace_error for probes in (16, 144))
    assert many == pytest.approx(few / 3, rel=0.4)


def test_nothing_is_changed() -> None:
    _, loss, at = quadratic(DECAYING)
    before = {name: value.clone() for name, value in at.items()}
    sharpness(loss, at)
    assert all(torch.equal(at[name], before[name]) and at[name].grad is None for name in at)
    assert not any(value.requires_grad for value in at.values())


# Hessians that are not like others

MANY, FEW = torch.ones(100, dtype=F64), torch.ones(3, dtype=F64)


@pytest.mark.parametrize("at", [MANY, FEW], ids=["many", "few"])
@pytest.mark.parametrize(
    "loss",
    [lambda p: p["a"].sum(), lambda p: torch.ones(()), lambda p: p["a"].sum() + 0 * p["a"].square().sum()],
    ids=["linear", "constant", "zero"],
)
def test_no_curvature(loss: Loss, at: Tensor) -> None:
    assert sharpness(loss, {"a": at}) == Sharpness(0.0, 0.0, min(8, len(at)) * (0.0,))


@pytest.mark.parametrize("size", [100, 3])
def test_parameters_that_enter_linearly_or_not_at_all(size: int) -> None:
    at = {name: torch.full((size,), 2.0, dtype=F64) for name in ("unused", "square", "linear")}
    found = sharpness(lambda p: p["square"].square().sum() + p["linear"].sum(), at)
    assert found.trace == pytest.approx(2 * size, abs=max(1e-9, 4 * found.trace_error))
    assert found.largest == pytest.approx(2)


@pytest.mark.parametrize("at", [MANY, FEW], ids=["many", "few"])
def test_a_hessian_that_is_not_finite(at: Tensor) -> None:
    found = sharpness(lambda p: (p["a"] - 1).abs().pow(1.5).sum(), {"a": at})
    assert all(math.isnan(number) for number in (found.trace, found.trace_error, found.largest))


def test_an_eigenvalue_that_is_not_found(caplog: pytest.LogCaptureFixture) -> None:
    """Many next to zero, and the rest far below."""
    _, loss, at = quadratic(-DECAYING)
    with caplog.at_level(logging.WARNING, logger="pinnreg"):
        found = sharpness(loss, at)
    assert math.isnan(found.largest)
    assert f"not found in {RESTARTS} restarts" in caplog.text
    assert_within_error(found, -DECAYING.sum())


def test_one_probe_has_no_spread() -> None:
    _, loss, at = quadratic(DECAYING)
    with pytest.raises(InputError, match=r"at least 2 probes.*got 1"):
        sharpness(loss, at, probes=1)


# sharpness of an objective's terms


@dataclass(frozen=True)
class Burgers(Problem):
    """Conditions without data, so that the oracle below can leave them out."""

    domain = Box(x=(-1, 1), t=(0, 1.5))
    conditions = (initial(0.0), dirichlet(0.0, on="x"))

    def residual(self, u: Any) -> Any:
        return u.t + u * u.x - 0.1 * u.xx


def objective(**sections: Any) -> Placed:
    config = {
        "problem": Burgers(),
        "network": {"hidden": [8, 8]},
        "points": {"interior": 30, "boundary": 10, **sections.pop("points", {})},
        "conditions": "soft",
        "balance": False,
        "weights": {"residual": 0.5, "initial": 3.0, "dirichlet": 2.0},
        **sections,
    }
    return placed(prepare(resolve(config), with_reference=False).objective)


@cache
def shared() -> Placed:
    return objective()


def flat_hessian(of: Placed, loss: Loss) -> Tensor:
    """By torch.func, (p, p)."""
    shapes = {name: value.shape for name, value in of.parameters.items()}
    flat = torch.cat([value.detach().reshape(-1) for value in of.parameters.values()])

    def of_vector(vector: Tensor) -> Tensor:
        pieces = vector.split([shape.numel() for shape in shapes.values()])
        return loss({name: piece.view(shapes[name]) for name, piece in zip(shapes, pieces, strict=True)})

    matrix: Tensor = jacrev(jacrev(of_vector))(flat)
    return matrix


@cache
def residual_hessian() -> Tensor:
    """Of the mean square of the residual, whose derivatives are taken point by point by torch.func."""
    of = shared()
    points = of.points[""].x

    def loss(parameters: Parameters) -> Tensor:
        def residual(point: Tensor) -> Tensor:
            def u(at: Tensor) -> Tensor:
                return functional_call(of.network, parameters, (at[None],))[0, 0]

            slope = jacrev(u)
            return slope(point)[1] + u(point) * slope(point)[0] - 0.1 * jacrev(slope)(point)[0, 0]

        return vmap(residual)(points).square().mean()

    return flat_hessian(of, loss)


@cache
def condition_hessian(name: str) -> Tensor:
    of = shared()
    points = of.points[name].x
    return flat_hessian(of, lambda at: functional_call(of.network, at, (points,)).square().mean())


def oracle(name: str) -> Tensor:
    return residual_hessian() if name == "residual" else condition_hessian(name)


@pytest.mark.parametrize("name", ["residual", "initial", "dirichlet"])
def test_a_term_against_its_hessian(name: str) -> None:
    expected = oracle(name)
    assert len(expected) == 105
    exact = term_sharpness(shared().objective, shared().batch, shared().parameters, [name], probes=85)[name]
    assert exact.trace_error == 0
    assert exact.trace == pytest.approx(float(expected.trace()), rel=1e-10)
    assert exact.leading == pytest.approx(torch.linalg.eigvalsh(expected)[-8:].flip(0).tolist(), rel=1e-8)
    estimated = term_sharpness(shared().objective, shared().batch, shared().parameters, [name], probes=50)[name]
    assert estimated.leading == pytest.approx(exact.leading, rel=1e-6)
    assert_within_error(estimated, exact.trace)


def test_all_terms_if_none_are_named() -> None:
    of = shared()
    assert (
        tuple(term_sharpness(of.objective, of.batch, of.parameters)) == of.names == ("residual", "initial", "dirichlet")
    )


def test_the_weighted_sum() -> None:
    of = shared()
    for names, weights in ((None, (0.5, 3.0, 2.0)), (["dirichlet", "residual"], (0.5, 0.0, 2.0))):
        expected = sum(w * oracle(name) for w, name in zip(weights, of.names, strict=True))
        found = weighted_sharpness(of.objective, of.batch, of.parameters, names, probes=85)
        assert found.trace == pytest.approx(float(torch.trace(expected)), rel=1e-10)
        assert found.largest == pytest.approx(float(torch.linalg.eigvalsh(expected)[-1]), rel=1e-10)


def test_other_parameters_than_the_objective_began_with() -> None:
    of = shared()
    moved = {name: value.detach() + 0.1 for name, value in of.parameters.items()}
    there, here = (
        term_sharpness(of.objective, of.batch, at, ["initial"])["initial"].largest for at in (moved, of.parameters)
    )
    assert there != pytest.approx(here, rel=1e-3)


def test_points_in_chunks_give_the_same() -> None:
    found, expected = (
        term_sharpness(of.objective, of.batch, of.parameters, ["residual"], probes=3, pairs=2)["residual"]
        for of in (objective(points={"chunk": 7}), shared())
    )
    assert found.trace == pytest.approx(expected.trace, rel=1e-9)
    assert found.largest == pytest.approx(expected.largest, rel=1e-9)


def test_an_unknown_term() -> None:
    for of_terms in (term_sharpness, weighted_sharpness):
        with pytest.raises(InputError, match=r"unknown loss term 'inital'; did you mean 'initial'"):
            of_terms(shared().objective, shared().batch, shared().parameters, ["inital"])


@pytest.mark.slow
def test_the_trace_is_unbiased_and_its_error_honest() -> None:
    """Over seeds: the mean is the trace by a t-test, and the spread is what each estimate says."""
    of, expected = shared(), residual_hessian()

    def loss(at: Parameters) -> Tensor:
        flat = torch.cat([each.reshape(-1) for each in at.values()])
        return flat @ expected @ flat / 2

    # the same Hessian in a loss whose products take no sweeps
    found = [sharpness(loss, of.parameters, probes=2, seed=seed) for seed in range(80)]
    term = term_sharpness(of.objective, of.batch, of.parameters, ["residual"], probes=2, seed=3)["residual"]
    assert (term.trace, term.trace_error) == pytest.approx((found[3].trace, found[3].trace_error), rel=1e-6)
    traces = np.array([each.trace for each in found])
    assert stats.ttest_1samp(traces, float(expected.trace())).pvalue > 0.01
    spread = traces.std(ddof=1)
    assert math.sqrt(np.mean([each.trace_error**2 for each in found])) == pytest.approx(spread, rel=0.2)
    # close enough to tell the trace from one with a tenth missing
    assert spread / math.sqrt(80) < 0.02 * float(expected.trace())


# variation


def plain(outputs: int, *axes: str) -> Trial:
    return Trial(axes, tuple("uvw"[:outputs]), ((),) * outputs)


def sine_square(k: float, order: int, lower: float, upper: float) -> float:
    """∫ (dⁿ/dxⁿ sin kx)² dx."""
    sign = -1 if order % 2 == 0 else 1  # sin² for even orders, cos² for odd ones
    return k ** (2 * order) * ((upper - lower) / 2 + sign * (math.sin(2 * k * upper) - math.sin(2 * k * lower)) / 4 / k)


def test_one_axis() -> None:
    found = variation(plain(1, "x"), lambda x: torch.sin(3 * x), Box(x=(-1, 2)))
    assert list(found) == [1, 2, 3, 4]
    for order, value in found.items():
        assert value == pytest.approx(sine_square(3, order, -1, 2), rel=1e-6)


def test_several_axes_and_outputs() -> None:
    """u = sin 2x sin(3t), v = sin(1.5t): the volume is 6, and mixed derivatives do not count."""
    (a, b), (c, d) = (-1.0, 2.0), (0.5, 2.5)

    def network(points: Tensor) -> Tensor:
        return torch.stack(
            [torch.sin(2 * points[:, 0]) * torch.sin(3 * points[:, 1]), torch.sin(1.5 * points[:, 1])], dim=1
        )

    found = variation(plain(2, "x", "t"), network, Box(x=(a, b), t=(c, d)), orders=(4, 1, 2, 3))
    assert list(found) == [4, 1, 2, 3]
    for order, value in found.items():
        along_x = sine_square(2, order, a, b) * sine_square(3, 0, c, d)
        along_t = sine_square(2, 0, a, b) * sine_square(3, order, c, d)
        of_v = (b - a) * sine_square(1.5, order, c, d)
        assert value == pytest.approx(along_x + along_t + of_v, rel=1e-4)


def test_the_solution_and_not_the_network_is_measured() -> None:
    """u = g + φN with g = cos 2x, φ = t/2, N = 1 on a domain of volume 2."""

    @dataclass(frozen=True)
    class Started(Problem):
        domain = Box(x=(0, 1), t=(0, 2))
        conditions = (initial(lambda x: torch.cos(2 * x), exact=True),)

        def residual(self, u: Any) -> Any:
            return u.t

    trial = split_conditions(Started(), "default").trial
    found = variation(trial, lambda points: 0 * points[:, :1] + 1, Started.domain)
    shift = pi / 4  # cos 2x = sin 2(x + π/4)
    slope = 2 * (1 / 2) ** 2
    for order, value in found.items():
        expected = 2 * sine_square(2, order, shift, 1 + shift) + (slope if order == 1 else 0)
        assert value == pytest.approx(expected, rel=1e-6)


def test_more_points_are_more_exact() -> None:
    """Faster than the slope -1/2 of independent points."""
    counts = 2 ** np.arange(6, 15, 2)
    expected = sine_square(7, 2, 0, 1) + sine_square(4, 2, 0, 1)
    errors = [
        abs(
            variation(
                plain(1, "x", "y"),
                lambda p: torch.sin(7 * p[:, :1]) + torch.sin(4 * p[:, 1:]),
                Box(x=(0, 1), y=(0, 1)),
                [2],
                points=int(count),
            )[2]
            - expected
        )
        for count in counts
    ]
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] < -0.8


def test_points_in_pieces_are_all_counted() -> None:
    seen: list[int] = []

    def network(points: Any) -> Any:
        seen.append(points.shape[0])
        return torch.sin(points)

    found = variation(plain(1, "x"), network, Box(x=(0, 1)), points=10000)
    assert found == {order: pytest.approx(sine_square(1, order, 0, 1), rel=1e-5) for order in (1, 2, 3, 4)}
    # a few pieces, and in each all orders together
    assert sum(seen) == 10000
    assert 1 < len(seen) < 10


def test_no_gradients_are_kept_and_single_precision_is_enough() -> None:
    of = shared()
    expected = variation(of.trial, of.network, of.problem.domain, points=256)
    single = copy.deepcopy(of.network).float()
    grads: list[bool] = []

    def network(points: Any) -> Any:
        grads.append(torch.is_grad_enabled())
        return single(points)

    found = variation(of.trial, network, of.problem.domain, points=256, dtype=torch.float32)
    assert found == pytest.approx(expected, rel=1e-4)
    assert found != expected
    assert grads == [False]


@pytest.mark.parametrize(("orders", "points"), [((), 16), ((0, 1), 16), ((1,), 0)])
def test_what_has_no_variation(orders: tuple[int, ...], points: int) -> None:
    with pytest.raises(InputError, match="expected orders and points of at least 1"):
        variation(plain(1, "x"), torch.sin, Box(x=(0, 1)), orders, points=points)


# the profile of variations


def layer(points: Tensor) -> Tensor:
    """A front of width 1/60 along the first axis."""
    return torch.tanh(60 * (points[:, :1] - 0.3))


@pytest.mark.parametrize("axes", [("x",), ("x", "t"), ("x", "y", "t"), ("x", "y", "z", "t")])
def test_a_profile_against_integrals_in_closed_form(axes: tuple[str, ...]) -> None:
    """u = sin 3x + cos 2t, in as many dimensions as there are rules for."""
    domain = Box(**dict.fromkeys(axes, (0, 1)) | {"x": (-1, 2)})

    def network(points: Tensor) -> Tensor:
        last = torch.cos(2 * points[:, -1:]) if len(axes) > 1 else 0.0
        return torch.sin(3 * points[:, :1]) + last

    found = variation_profile(plain(1, *axes), network, domain)
    assert list(found) == [1, 2, 3, 4, 5]
    for order, each in found.items():
        expected = sine_square(3, order, -1, 2)
        if len(axes) > 1:  # cos 2t = sin 2(t + π/4)
            expected += 3 * sine_square(2, order, pi / 4, 1 + pi / 4)
        # a sequence's estimate of its own error is no bound
        assert abs(each.value - expected) <= max((1e-6 if len(axes) > 3 else 1e-10) * expected, each.error)
        assert each.error < (1e-4 if len(axes) > 3 else 1e-8) * expected


def test_a_thin_layer_is_refined_until_it_is_resolved() -> None:
    """∫ (d/dx tanh sx)² dx = 4s/3, and along y nothing is to be refined; a Sobol sequence is off by more."""
    domain = Box(x=(0, 1), y=(0, 2))
    found = variation_profile(plain(1, "x", "y"), layer, domain, [1, 3])
    assert abs(found[1].value - 2 * 4 * 60 / 3) < 1.1 * found[1].error < 1e-3 * found[1].value
    assert found[3].error <= 1e-3 * found[3].value
    coarse = variation(plain(1, "x", "y"), layer, domain, [3], points=32**2)[3]
    assert abs(coarse - found[3].value) > 5 * found[3].error


def test_what_is_not_resolved_says_so() -> None:
    """A jump that no grid sees: the error is as large as the number."""
    found = variation_profile(plain(1, "x"), lambda p: torch.tanh(1e9 * (p - 0.3)), Box(x=(0, 1)), [2])
    assert found[2].error >= 0.5 * found[2].value


def test_a_profile_of_nothing() -> None:
    for orders in ((), (0, 1)):
        with pytest.raises(InputError, match="expected orders of at least 1"):
            variation_profile(plain(1, "x"), torch.sin, Box(x=(0, 1)), orders)
