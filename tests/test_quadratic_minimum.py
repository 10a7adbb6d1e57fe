"""The least-squares optimum of a quadratic block, and the certificate: what it certifies, and where it escapes to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.optimize import minimize_scalar

from pinnreg import networks
from pinnreg.analysis import certificate, least_squares_minimum
from pinnreg.errors import InputError
from pinnreg.networks import Quadratic
from pinnreg.randomness import generator

Array = NDArray[np.float64]


def data(seed: int, n: int = 80, d: int = 4) -> tuple[Array, Array]:
    """Random points, the last column constant, and labels that no quadratic form explains."""
    draws = np.random.default_rng(seed)
    return np.column_stack([draws.normal(size=(n, d - 1)), np.ones(n)]), draws.normal(size=n)


def loss(weight: Array, lam: Array, alpha: float, x: Array, y: Array) -> float:
    return float(np.mean((((x @ weight.T) ** 2) @ lam + alpha * (x**2).sum(axis=1) - y) ** 2))


def factored(matrix: Array) -> tuple[Array, Array]:
    """W and λ with Wᵀ diag(λ) W = A, from the eigenvectors."""
    values, vectors = np.linalg.eigh(matrix)
    return np.sqrt(np.abs(values))[:, None] * vectors.T, np.sign(values)


def trained(x: Array, y: Array, weight: Array, lam: Array) -> tuple[Array, Array]:
    """A minimum of the loss over W and λ, by Newton's method with damping, from the given start."""
    at = torch.tensor(np.concatenate([weight.reshape(-1), lam]), dtype=torch.float64)
    points, labels = torch.from_numpy(x), torch.from_numpy(y)

    def value(theta: torch.Tensor) -> torch.Tensor:
        w, signs = theta[: weight.size].reshape(weight.shape), theta[weight.size :]
        return (((points @ w.T) ** 2) @ signs - labels).square().mean()

    damping = 1.0
    for _ in range(300):
        gradient = torch.func.grad(value)(at)
        hessian = torch.func.jacrev(torch.func.jacrev(value))(at)
        values, vectors = torch.linalg.eigh(hessian)
        step = vectors @ ((vectors.T @ gradient) / (values.abs() + damping))
        lower = bool(value(at - step) < value(at))
        at, damping = (at - step, damping / 4) if lower else (at, damping * 4)
        if float(gradient.abs().max()) < 1e-13:
            break
    assert float(torch.func.grad(value)(at).abs().max()) < 1e-9
    return at[: weight.size].reshape(weight.shape).numpy(), at[weight.size :].numpy()


# the least-squares optimum


@pytest.mark.parametrize("seed", range(3))
def test_the_least_squares_optimum_is_that_of_all_monomials(seed: int) -> None:
    x, y = data(seed)
    matrix, value = least_squares_minimum(x, y)
    monomials = np.einsum("ni,nj->nij", x, x).reshape(len(x), -1)
    expected = np.mean((monomials @ np.linalg.lstsq(monomials, y, rcond=None)[0] - y) ** 2)
    assert np.array_equal(matrix, matrix.T)
    assert value == pytest.approx(expected, rel=1e-12)
    assert np.mean((np.einsum("ni,ij,nj->n", x, matrix, x) - y) ** 2) == pytest.approx(value, rel=1e-14)
    assert 0.3 < value < np.mean(y**2)


def test_a_quadratic_form_is_found_exactly() -> None:
    x, _ = data(0)
    root = np.random.default_rng(5).normal(size=(4, 4))
    form = root + root.T
    matrix, value = least_squares_minimum(x, np.einsum("ni,ij,nj->n", x, form, x))
    assert np.allclose(matrix, form, rtol=0, atol=1e-12)
    assert value < 1e-24


def test_of_many_optima_the_one_of_least_norm_is_given() -> None:
    x, y = data(3, n=6)
    matrix, value = least_squares_minimum(x, y)
    assert value < 1e-24
    other, _ = least_squares_minimum(np.vstack([x, 2 * x[::-1] + 0.5]), np.concatenate([y, y]))
    monomials = np.einsum("ni,nj->nij", x, x).reshape(6, -1)
    _, _, directions = np.linalg.svd(monomials)
    assert np.abs(directions[6:] @ matrix.reshape(-1)).max() < 1e-12  # nothing where the data see nothing
    assert np.abs(directions[6:] @ other.reshape(-1)).max() > 1e-3


# what is certified


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_global_minimum_is_certified(seed: int) -> None:
    x, y = data(seed)
    matrix, value = least_squares_minimum(x, y)
    found = certificate((*factored(matrix), None), x, y)
    assert found.certified
    assert found.escape is None
    assert found.loss == pytest.approx(value, rel=1e-13)
    assert 0 <= found.gap < 1e-25
    assert np.abs(found.eigenvalues).max() < 1e-11
    # α takes the place of a multiple of the identity
    with_alpha = certificate((*factored(matrix - 0.7 * np.eye(4)), 0.7), x, y)
    assert with_alpha.certified
    assert not certificate((*factored(matrix - 0.7 * np.eye(4)), None), x, y).certified


def test_the_tolerance_is_that_of_the_gap_beside_the_values() -> None:
    x, y = data(1)
    matrix, value = least_squares_minimum(x, y)
    near = (*factored(matrix + 0.01 * np.eye(4)), None)
    found = certificate(near, x, y)
    assert found.gap == pytest.approx(found.loss - value, rel=1e-9)
    assert found.optimum == pytest.approx(value, rel=1e-12)
    share = found.gap / np.mean(y**2)
    assert not certificate(near, x, y, tolerance=0.99 * share).certified
    assert certificate(near, x, y, tolerance=1.01 * share).certified
    for factor in (1e-8, 1e8):  # units do not matter
        weight, lam, _ = near
        scaled = certificate((weight, factor * lam, None), x, factor * y, tolerance=1.01 * share)
        assert scaled.certified
        assert not certificate((weight, factor * lam, None), x, factor * y, tolerance=0.99 * share).certified


@pytest.mark.parametrize("seed", range(4))
def test_the_gap_is_the_distance_to_the_optimum_wherever_the_fit_is(seed: int) -> None:
    x, y = data(seed)
    draws = np.random.default_rng(100 + seed)
    weight, lam, alpha = draws.normal(size=(3, 4)), draws.normal(size=3), draws.normal()
    found = certificate((weight, lam, alpha), x, y)
    assert found.loss == pytest.approx(loss(weight, lam, alpha, x, y), rel=1e-12)
    assert found.gap == pytest.approx(found.loss - least_squares_minimum(x, y)[1], rel=1e-10)
    residuals = ((x @ weight.T) ** 2) @ lam + alpha * (x**2).sum(axis=1) - y
    expected = sum(r * np.outer(point, point) for r, point in zip(residuals, x, strict=True))
    assert np.allclose(found.residual_matrix, expected, rtol=1e-12, atol=1e-10)
    assert np.allclose(found.eigenvalues, np.linalg.eigvalsh(expected), rtol=1e-10, atol=1e-9)


# where it escapes to


def assert_escapes(weight: Array, lam: Array, alpha: float, x: Array, y: Array) -> float:
    """The neuron lowers the loss by what is said, more than with any other step; the loss after it."""
    before = certificate((weight, lam, alpha), x, y)
    assert not before.certified
    escape = before.escape
    assert escape is not None
    assert np.linalg.norm(escape.direction) == pytest.approx(1)
    assert abs(escape.lam) == 1

    def along(s: float) -> float:
        return loss(np.vstack([weight, s * escape.direction]), np.append(lam, escape.lam), alpha, x, y)

    s = float(escape.weight @ escape.direction)
    assert np.allclose(escape.weight, s * escape.direction)
    after = along(s)
    assert escape.fall > 1e-6
    assert before.loss - after == pytest.approx(escape.fall, rel=1e-7)
    best = minimize_scalar(along, bounds=(0, 3 * s), method="bounded", options={"xatol": 1e-10})
    assert after <= best.fun * (1 + 1e-12)
    # no other eigenvector and sign falls further
    for vector in np.linalg.eigh(before.residual_matrix)[1].T:
        for sign in (1.0, -1.0):
            others = [
                loss(np.vstack([weight, t * vector]), np.append(lam, sign), alpha, x, y)
                for t in s * np.linspace(0, 3, 31)
            ]
            assert min(others) >= after * (1 - 1e-12)
    return after


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_escapes_from_weights_of_zero(sign: float) -> None:
    x, y = data(2)
    labels = sign * np.abs(y)  # all on one side: only neurons of one sign descend along the leading direction
    after = assert_escapes(np.zeros((3, 4)), np.ones(3), 0.0, x, labels)
    assert after < np.mean(labels**2)
    found = certificate((np.zeros((3, 4)), np.ones(3), None), x, labels)
    assert found.escape is not None
    assert found.escape.lam == sign


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_it_escapes_from_a_stationary_point_in_a_subspace(seed: int) -> None:
    """With few neurons a minimum is stationary, R W = 0, and yet above the optimum."""
    x, y = data(seed)
    draws = np.random.default_rng(seed)
    weight, lam = trained(x, y, draws.normal(size=(2, 4)), np.array([1.0, -1.0]))
    found = certificate((weight, lam, None), x, y)
    stationary = lam[:, None] * (weight @ found.residual_matrix)
    assert np.abs(stationary).max() < 1e-6 * np.abs(found.eigenvalues).max()
    assert_escapes(weight, lam, 0.0, x, y)


def test_escaping_again_and_again_reaches_the_optimum() -> None:
    x, y = data(0)
    weight, lam = np.zeros((0, 4)), np.zeros(0)
    for _ in range(400):
        found = certificate((weight, lam, None), x, y, tolerance=1e-4)
        if found.escape is None:
            break
        weight, lam = np.vstack([weight, found.escape.weight]), np.append(lam, found.escape.lam)
    assert found.certified
    assert loss(weight, lam, 0.0, x, y) <= least_squares_minimum(x, y)[1] + 1e-4 * np.mean(y**2)


# networks


@pytest.mark.parametrize("variant", ["plain", "norm"])
def test_a_network_is_certified_by_its_parameters(variant: Any) -> None:
    x, y = data(0)
    made = Quadratic(3, [5], 1, variant=variant, generator=generator(0, "network"), dtype=torch.float64)
    block = made.blocks[0]
    with torch.no_grad():
        if variant == "norm":
            block.alpha.fill_(0.3)
        outputs = made(torch.from_numpy(x[:, :3]))[:, 0].numpy()
    found = certificate(made, x[:, :3], y)  # it appends the constant itself
    assert found.loss == pytest.approx(float(np.mean((outputs - y) ** 2)), rel=1e-12)
    assert found.gap == pytest.approx(found.loss - least_squares_minimum(x, y)[1], rel=1e-10)
    assert not found.certified
    matrix = least_squares_minimum(x, y)[0]
    weight, lam = factored(matrix - (0.3 * np.eye(4) if variant == "norm" else 0.0))
    with torch.no_grad():
        block.weight[:4], block.lam[0, :4], block.lam[0, 4] = torch.from_numpy(weight), torch.from_numpy(lam), 0.0
    assert certificate(made, x[:, :3], y).certified


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (Quadratic(3, [4, 4], 1), "one block and one output, got 2"),
        (Quadratic(3, [4], 2), r"one output, got 1 block\(s\) and 2 output"),
        (Quadratic(2, [4], 1), r"W \(neurons, 4\)"),
        ((np.ones((2, 3)), np.ones(2), None), r"W \(neurons, 4\)"),
        ((np.ones((2, 4)), np.ones(3), None), r"λ \(neurons,\)"),
        ((np.ones((2, 4)), np.ones(2), np.ones(2)), "one α"),
    ],
)
def test_what_does_not_fit_together_is_refused(fit: Any, message: str) -> None:
    x, y = data(0)
    points = x[:, :3] if isinstance(fit, Quadratic) else x
    with pytest.raises(InputError, match=message):
        certificate(fit, points, y)


@pytest.mark.parametrize(
    ("points", "values", "message"),
    [
        (np.ones((4, 2)), np.ones(3), r"got \(4, 2\) and \(3,\)"),
        (np.ones(4), np.ones(4), r"points \(n, d\)"),
        (np.ones((4, 2)), np.ones((4, 1)), r"values \(n,\)"),
        (np.ones((0, 2)), np.ones(0), r"got \(0, 2\)"),
        (np.full((4, 2), np.nan), np.ones(4), "finite"),
        (np.ones((4, 2)), np.full(4, np.inf), "finite"),
    ],
)
def test_impossible_data_are_refused(points: Array, values: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        least_squares_minimum(points, values)


def test_the_network_of_a_run_can_be_certified() -> None:
    x, y = data(0)
    points = 3 * x[:, :-1]
    network = {"kind": "quadratic", "hidden": [6]}
    bounds = {f"x{number}": (-12.0, 12.0) for number in range(3)}
    body = networks.build(
        TypeAdapter(networks.QuadraticSettings).validate_python(network),
        bounds,
        1,
        periodic=(),
        seed=0,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )
    found = certificate(body, points, y)
    with torch.no_grad():
        predicted = body(torch.from_numpy(points))[:, 0].numpy()
    assert found.loss == pytest.approx(np.mean((predicted - y) ** 2))
    assert found.optimum == pytest.approx(least_squares_minimum(np.column_stack([points / 12, np.ones(len(x))]), y)[1])
    with pytest.raises(InputError, match="ends in a Quadratic, got Tanh"):
        certificate(torch.nn.Sequential(body, torch.nn.Tanh()), points, y)
