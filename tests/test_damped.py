"""Damped least squares against exact singular value decompositions; the dense factorisations against torch's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pairs import pairwise
from torch import Tensor

from pinnreg.dense import BLOCK, cholesky, gram, qr, stacked_qr
from pinnreg.optimisers import damped as module
from pinnreg.optimisers.damped import FLOOR, DampedLeastSquares

F64 = torch.float64
EPS = torch.finfo(F64).eps
RELATIVE = [1e-2, 1e-6, 1e-9, 3e-13, 1e-14, 1e-17, 1e-20]
"""Damping relative to the trace of JᵀJ."""


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


def by_columns(a: Tensor) -> Tensor:
    """The same, one column after the other in memory."""
    return a.T.contiguous().T


def signs(power: int) -> Tensor:
    """The Hadamard matrix of order 4^power: entries ±1, rows orthogonal."""
    matrix = torch.ones((1, 1), dtype=F64)
    for _ in range(2 * power):
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix


@dataclass(frozen=True)
class Exact:
    """J = U diag(σ) Vᵀ and r = U c without any rounding: U and V are orthogonal with entries of a power of two."""

    U: Tensor
    V: Tensor
    sigma: Tensor
    c: Tensor

    @property
    def jacobian(self) -> Tensor:
        rank = len(self.sigma)
        return by_columns(self.U[:, :rank] * self.sigma @ self.V[:, :rank].T)

    @property
    def residuals(self) -> Tensor:
        return self.U @ self.c

    def step(self, damping: float, residuals: Tensor | None = None) -> Tensor:
        """Vᵀ s, from the formula."""
        c = self.c if residuals is None else self.U.T @ residuals
        rank = len(self.sigma)
        return -self.sigma / (self.sigma.square() + damping) * c[:rank]

    def error(self, found: Tensor, damping: float) -> tuple[float, float]:
        """‖A (s - exact)‖ with A = [J; √λ I], beside ‖A exact‖, and what rounding costs a backward stable method."""
        rank = len(self.sigma)
        expected, singular = torch.zeros(len(found), dtype=F64), torch.zeros(len(found), dtype=F64)
        expected[:rank], singular[:rank] = self.step(damping), self.sigma
        singular = (singular.square() + damping).sqrt()
        left = self.c.clone()
        left[:rank] += self.sigma * expected[:rank]
        size = math.hypot(float(left.norm()), damping**0.5 * float(expected.norm()))
        condition = float(singular.max() / singular.min())
        rounding = EPS * (float(singular.max()) * float(expected.norm()) + condition * size)
        error = float((singular * (self.V.T @ found - expected)).norm())
        return error / float((singular * expected).norm()), error / rounding


SPECTRA: dict[str, Callable[[int], list[int]]] = {
    "well conditioned": lambda rank: [-(i % 3) for i in range(rank)],
    "down to 1e-7": lambda rank: [-(23 * i) // max(rank - 1, 1) for i in range(rank)],
    "down to 1e-14": lambda rank: [-(46 * i) // max(rank - 1, 1) for i in range(rank)],
}
SHAPES = {"tall": (64, 16), "wide": (16, 64), "square": (16, 16), "taller": (64, 4), "wider": (4, 64)}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def exact(shape: tuple[int, int], spectrum: str = "well conditioned", lost: int = 0) -> Exact:
    """An exact problem; `lost` singular values are zero."""
    n, p = shape
    rank = min(shape) - lost
    powers = torch.tensor(SPECTRA[spectrum](rank), dtype=F64)
    orders = {4: 1, 16: 2, 64: 3}
    U, V = signs(orders[n]) / n**0.5, signs(orders[p]) / p**0.5
    return Exact(U, V, 2.0**powers, torch.randint(-8, 9, (n,), generator=torch.Generator().manual_seed(1)).to(F64))


def scale(problem: Exact) -> float:
    return float(problem.sigma.square().sum())


@dataclass
class Used:
    """Which factorisations were made: (name, dtype)."""

    calls: list[tuple[str, torch.dtype]]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Used:
    """Watches the dense factorisations."""
    seen = Used([])

    def watch(name: str, real: Callable[..., Any]) -> None:
        def watched(a: Tensor, *args: Any, **options: Any) -> Any:
            seen.calls.append((name, a.dtype))
            return real(a, *args, **options)

        monkeypatch.setattr(module, name, watched)

    for name in ("gram", "cholesky", "qr", "stacked_qr"):
        watch(name, getattr(module, name))
    return seen


# solutions


@pytest.mark.parametrize("spectrum", SPECTRA)
@shapes
def test_the_exact_problems_are_exact(shape: tuple[int, int], spectrum: str) -> None:
    # sums of powers of two that are within 53 bits of each other are never rounded
    problem = exact(shape, spectrum)
    entries = [[Fraction(value) for value in row] for row in problem.jacobian.tolist()]
    U, V, sigma = problem.U.tolist(), problem.V.tolist(), problem.sigma.tolist()
    for i, j in itertools.product(range(0, shape[0], 3), range(0, shape[1], 3)):
        whole = sum(Fraction(U[i][k]) * Fraction(each) * Fraction(V[j][k]) for k, each in enumerate(sigma))
        assert entries[i][j] == whole
    assert torch.equal(problem.U.T @ problem.residuals, problem.c)


@pairwise(shape=list(SHAPES.values()), spectrum=list(SPECTRA), lost=[0, 2])
def test_a_step_is_as_good_as_rounding_allows(shape: tuple[int, int], spectrum: str, lost: int) -> None:
    problem = exact(shape, spectrum, lost)
    solver = DampedLeastSquares(problem.jacobian, problem.residuals)
    assert solver.scale == pytest.approx(scale(problem), rel=1e-14)
    for relative in RELATIVE:
        damping = relative * scale(problem)
        relative_error, in_units = problem.error(solver.at(damping).step, damping)
        # refined factors leave an error of about `REFINED` squared, others of rounding
        assert relative_error < 1e-3 or in_units < 100, relative
        assert relative > FLOOR * EPS or in_units < 100, relative


@pytest.mark.parametrize("outside", [1.0, 1e3, 1e6])
@shapes
def test_residuals_that_no_step_can_lower_do_no_harm(shape: tuple[int, int], outside: float) -> None:
    problem = exact(shape, lost=2)
    c = problem.c.clone()
    c[min(shape) - 2 :] *= outside
    problem = replace(problem, c=c)
    for relative in RELATIVE:
        solver, damping = DampedLeastSquares(problem.jacobian, problem.residuals), relative * scale(problem)
        relative_error, in_units = problem.error(solver.at(damping).step, damping)
        assert relative_error < 1e-2 or in_units < 100, relative


@shapes
def test_other_right_hand_sides_are_solved_with_the_same_factors(shape: tuple[int, int], used: Used) -> None:
    problem = exact(shape, "down to 1e-7")
    solver = DampedLeastSquares(problem.jacobian, problem.residuals)
    for relative in RELATIVE:
        damping = relative * scale(problem)
        found = solver.at(damping)
        made = list(used.calls)
        for seed in range(3):
            b = normal(shape[0], seed=seed)
            expected = problem.V[:, : len(problem.sigma)] @ problem.step(damping, b)
            solved = found.solve(b)
            # not refined: what is left of the precision after squaring J
            assert float((solved - expected).norm()) <= (0.02 if relative > FLOOR * EPS else 1e-5) * float(
                expected.norm()
            )
        assert used.calls == made


@shapes
@given(seed=st.integers(0, 10**6), log=st.floats(-20, 2))
def test_a_step_is_where_the_gradient_vanishes(shape: tuple[int, int], seed: int, log: float) -> None:
    jacobian, residuals = by_columns(normal(*shape, seed=seed)), normal(shape[0], seed=seed + 1)
    solver = DampedLeastSquares(jacobian, residuals)
    damping = 10**log * solver.scale
    step = solver.at(damping).step
    gradient = jacobian.T @ (jacobian @ step + residuals) + damping * step
    assert float(gradient.norm()) < 1e-6 * float((jacobian.T @ residuals).norm())
    # for random matrices of these shapes the condition is below 1e4
    if shape[0] != shape[1]:
        u, s, v = torch.linalg.svd(jacobian, full_matrices=False)
        expected = -v.T @ (s / (s.square() + damping) * (u.T @ residuals))
        assert float((step - expected).norm()) < 1e-6 * float(expected.norm())


@shapes
def test_both_regimes_agree_where_both_work(shape: tuple[int, int]) -> None:
    problem = exact(shape, "down to 1e-7")
    for relative in (1e-2, 1e-6, 1e-10):
        damping = relative * scale(problem)
        one, two = (DampedLeastSquares(problem.jacobian, problem.residuals) for _ in range(2))
        left, right = one._by_cholesky(damping, F64), two._by_qr(damping)
        assert left is not None
        assert float((left.step - right.step).norm()) < 1e-9 * float(right.step.norm())
        b = normal(shape[0], seed=5)
        assert float((left.solve(b) - right.solve(b)).norm()) < 1e-4 * float(right.solve(b).norm())


def test_no_damping_is_too_small_or_too_large() -> None:
    problem = exact((64, 16), "down to 1e-14", lost=3)
    solver = DampedLeastSquares(problem.jacobian, problem.residuals)
    for damping in (1e6, 1e20, 1e-60, 1e-300):
        assert bool(solver.at(damping).step.isfinite().all())
    gradient = problem.jacobian.T @ problem.residuals
    assert float((1e20 * solver.at(1e20).step + gradient).norm()) < 1e-12 * float(gradient.norm())


@pytest.mark.parametrize("single", [False, True])
@shapes
def test_single_precision_itself(shape: tuple[int, int], single: bool) -> None:
    problem = exact(shape)
    solver = DampedLeastSquares(problem.jacobian.float(), problem.residuals.float(), single=single)
    for relative in (1e-2, 1e-5, 1e-9, 1e-14):
        damping = relative * scale(problem)
        found, expected = solver.at(damping).step, problem.V[:, : len(problem.sigma)] @ problem.step(damping)
        assert found.dtype == torch.float32
        assert float((found.double() - expected).norm()) < 1e-4 * float(expected.norm())


# which factorisation


@shapes
def test_the_regime_follows_the_damping(shape: tuple[int, int], used: Used) -> None:
    problem = exact(shape)
    switch = FLOOR * EPS * scale(problem)
    for damping, expected in ((1.01 * switch, ["gram", "cholesky"]), (0.99 * switch, ["qr", "stacked_qr"])):
        used.calls.clear()
        DampedLeastSquares(problem.jacobian, problem.residuals).at(damping)
        assert used.names == expected


def test_a_factorisation_of_the_jacobian_is_made_once(used: Used) -> None:
    problem = exact((64, 16))
    solver = DampedLeastSquares(problem.jacobian, problem.residuals)
    dampings = [relative * scale(problem) for relative in (1e-2, 1e-4, 1e-6)]
    for damping in dampings:
        solver.at(damping)
    assert used.names == ["gram", *["cholesky"] * 3]
    small = [1e-16 * scale(problem), 1e-18 * scale(problem)]
    for damping in small:
        solver.at(damping)
    assert used.names[4:] == ["qr", *["stacked_qr"] * 2]
    solver.at(dampings[0])  # both are known
    assert used.names[7:] == ["cholesky"]


def test_no_gram_matrix_is_made_where_the_triangle_is_known(used: Used) -> None:
    problem = exact((64, 16))
    solver = DampedLeastSquares(problem.jacobian, problem.residuals, single=True)
    expected = solver.at(1e-3 * scale(problem)).step
    used.calls.clear()
    other = DampedLeastSquares(problem.jacobian, problem.residuals, single=True)
    other.at(1e-18 * scale(problem))
    assert torch.allclose(other.at(1e-3 * scale(problem)).step, expected, rtol=1e-6)
    assert used.names == ["qr", "stacked_qr", "stacked_qr"]


@shapes
def test_a_cholesky_factorisation_that_fails_is_replaced(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch, used: Used
) -> None:
    problem = exact(shape)
    damping = 1e-3 * scale(problem)
    expected = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping)
    monkeypatch.setattr(module, "cholesky", lambda *_: None)
    found = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping)
    assert used.names[-2:] == ["qr", "stacked_qr"]
    assert torch.allclose(found.step, expected.step, rtol=1e-6)


@shapes
def test_factors_that_refinement_cannot_mend_are_replaced(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch, used: Used
) -> None:
    problem = exact(shape)
    damping = 1e-3 * scale(problem)
    expected = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping)
    # a correction of the wrong size, which never shrinks
    monkeypatch.setattr(module, "cholesky", lambda a, damping: 0.5 * cholesky(a, damping))  # type: ignore[operator]
    found = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping)
    assert used.names[-2:] == ["qr", "stacked_qr"]
    assert torch.allclose(found.step, expected.step, rtol=1e-6)


def test_factors_that_are_somewhat_wrong_are_mended(monkeypatch: pytest.MonkeyPatch, used: Used) -> None:
    problem = exact((64, 16))
    damping = 1e-3 * scale(problem)
    expected = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping).step
    monkeypatch.setattr(module, "cholesky", lambda a, damping: 1.03 * cholesky(a, damping))  # type: ignore[operator]
    found = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping).step
    assert "qr" not in used.names
    assert float((found - expected).norm()) < 1e-3 * float(expected.norm())


# mixed precision


@pytest.mark.parametrize("spectrum", SPECTRA)
@shapes
def test_mixed_precision_gives_the_same_to_the_refinements_accuracy(
    shape: tuple[int, int], spectrum: str, used: Used
) -> None:
    problem = exact(shape, spectrum)
    for relative in RELATIVE:
        damping = relative * scale(problem)
        expected = DampedLeastSquares(problem.jacobian, problem.residuals).at(damping)
        used.calls.clear()
        found = DampedLeastSquares(problem.jacobian, problem.residuals, single=True).at(damping)
        assert found.step.dtype == found.solve(problem.residuals).dtype == F64
        assert float((found.step - expected.step).norm()) < 1e-5 * float(expected.step.norm())
        if relative == 1e-2:
            assert used.calls == [("gram", torch.float32), ("cholesky", torch.float32)]
        if relative <= FLOOR * torch.finfo(torch.float32).eps:
            assert torch.float32 not in [dtype for _, dtype in used.calls]


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_mixed_precision_of_numbers_beyond_single(factor: float) -> None:
    problem = exact((64, 16))
    solver = DampedLeastSquares(factor * problem.jacobian, factor * problem.residuals, single=True)
    found = solver.at(1e-2 * factor**2 * scale(problem)).step
    expected = DampedLeastSquares(problem.jacobian, problem.residuals).at(1e-2 * scale(problem)).step
    assert torch.allclose(found, expected, rtol=1e-5)


# NaN


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("single", [False, True])
@shapes
def test_a_jacobian_that_is_not_finite_gives_a_step_that_is_not(
    shape: tuple[int, int], single: bool, value: float
) -> None:
    problem = exact(shape)
    jacobian = problem.jacobian.clone()
    jacobian[1, 2] = value
    solver = DampedLeastSquares(jacobian, problem.residuals, single=single)
    assert not math.isfinite(solver.scale)
    for damping in (1e-2, 1e-18, math.nan):
        found = solver.at(damping)
        assert not bool(found.step.isfinite().all())
        assert not bool(found.solve(problem.residuals).isfinite().all())


def test_residuals_that_are_nan_give_a_step_that_is() -> None:
    problem = exact((64, 16))
    for damping in (1e-2, 1e-18):
        step = DampedLeastSquares(problem.jacobian, math.nan * problem.residuals).at(damping).step
        assert bool(step.isnan().all())


# the factorisations


sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
dtypes = pytest.mark.parametrize("dtype", [F64, torch.float32], ids=str)


def close(one: Tensor, two: Tensor, size: float) -> bool:
    return float((one - two).abs().max()) <= 30 * torch.finfo(one.dtype).eps * size


@dtypes
@given(size=sizes, seed=st.integers(0, 10**6), columns=st.booleans(), of_rows=st.booleans())
def test_a_gram_matrix(dtype: torch.dtype, size: tuple[int, int], seed: int, columns: bool, of_rows: bool) -> None:
    a = normal(*size, seed=seed, dtype=dtype)
    a = by_columns(a) if columns else a
    before = a.clone()
    found, expected = gram(a, of_rows=of_rows), a @ a.T if of_rows else a.T @ a
    assert close(found.tril(), expected.tril(), float(a.norm()) ** 2)
    assert torch.equal(a, before)


@dtypes
@given(size=sizes, seed=st.integers(0, 10**6), log=st.floats(-4, 3))
def test_a_cholesky_factor(dtype: torch.dtype, size: tuple[int, int], seed: int, log: float) -> None:
    a = normal(*size, seed=seed, dtype=dtype)
    triangle = gram(a)
    before = triangle.clone()
    factor = cholesky(triangle, 10**log)
    assert factor is not None
    assert torch.equal(triangle, before)
    lower = factor.tril()
    damped = a.T @ a + 10**log * torch.eye(size[1], dtype=dtype)
    assert close(lower @ lower.T, damped, float(damped.norm()))


def test_what_stands_above_the_diagonal_is_ignored() -> None:
    a = normal(9, 4)
    triangle = gram(a).tril() + math.nan * torch.ones((4, 4), dtype=F64).triu(1).nan_to_num(nan=0.0)
    triangle = torch.where(torch.ones((4, 4)).triu(1).bool(), math.nan, gram(a))
    one, two = cholesky(triangle, 0.1), cholesky(gram(a), 0.1)
    assert one is not None
    assert two is not None
    b = normal(4, 1)
    assert torch.equal(torch.cholesky_solve(b, one), torch.cholesky_solve(b, two))


@pytest.mark.parametrize("entry", [-1.0, 0.0, math.nan, math.inf])
def test_no_cholesky_factor_of_what_is_not_positive(entry: float) -> None:
    assert cholesky(torch.diag(torch.tensor([1.0, entry, 2.0], dtype=F64)), 0.0) is None


@dtypes
@given(width=st.integers(1, 12), more=st.integers(0, 9), seed=st.integers(0, 10**6), columns=st.booleans())
def test_a_qr_factorisation(dtype: torch.dtype, width: int, more: int, seed: int, columns: bool) -> None:
    a = normal(width + more, width, seed=seed, dtype=dtype)
    a = by_columns(a) if columns else a
    before = a.clone()
    r, rotate = qr(a)
    assert torch.equal(a, before)
    assert r.shape == (width, width)
    assert torch.equal(r, r.triu())
    assert close(r.T @ r, a.T @ a, float(a.norm()) ** 2)
    # Qᵀ of A's own columns is R, and Qᵀ does not lengthen anything
    assert close(torch.stack([rotate(column) for column in a.T], dim=1), r, float(a.norm()))
    b = normal(width + more, seed=seed + 1, dtype=dtype)
    kept = b.clone()
    rotated = rotate(b)
    assert torch.equal(b, kept)
    assert rotated.dtype == dtype
    assert close(r.T @ rotated, a.T @ b, float(a.norm() * b.norm()))
    assert float(rotated.norm()) <= float(b.norm()) * (1 + 1e-5)
    # signs are free
    assert close(r.abs(), torch.linalg.qr(a)[1].abs(), 1e4 * float(a.norm()))


@dtypes
@given(width=st.integers(1, 12), seed=st.integers(0, 10**6), log=st.floats(-12, 4))
def test_a_triangle_on_top_of_a_multiple_of_one(dtype: torch.dtype, width: int, seed: int, log: float) -> None:
    check_stacked(width, seed, 10**log, dtype)


@pytest.mark.parametrize("width", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_a_triangle_of_several_blocks(width: int) -> None:
    check_stacked(width, 0, 0.3, F64)


def check_stacked(width: int, seed: int, damping: float, dtype: torch.dtype) -> None:
    triangle = normal(width, width, seed=seed, dtype=dtype).triu()
    before = triangle.clone()
    r, rotate = stacked_qr(triangle, damping)
    assert torch.equal(triangle, before)
    assert torch.equal(r, r.triu())
    identity = torch.eye(width, dtype=dtype)
    size = float(triangle.norm()) + damping**0.5
    assert close(r.T @ r, triangle.T @ triangle + damping * identity, width * size**2)
    # the columns of the triangle on top of zeros are [R; √λ I] less [0; √λ I]
    b = normal(width, seed=seed + 1, dtype=dtype)
    kept = b.clone()
    assert close(r.T @ rotate(b), triangle.T @ b, width * size * float(b.norm()))
    assert torch.equal(b, kept)
    assert float(rotate(b).norm()) <= float(b.norm()) * (1 + 1e-5)


@pytest.mark.gpu
@shapes
def test_cuda_agrees(shape: tuple[int, int], device: torch.device) -> None:
    problem = exact(shape, "down to 1e-7")
    here = DampedLeastSquares(problem.jacobian, problem.residuals)
    there = DampedLeastSquares(problem.jacobian.to(device), problem.residuals.to(device))
    for relative in RELATIVE:
        damping = relative * scale(problem)
        one, two = here.at(damping), there.at(damping)
        assert two.step.device.type == "cuda"
        assert float((two.step.cpu() - one.step).norm()) < 1e-5 * float(one.step.norm())
        b = normal(shape[0], seed=5)
        assert float((two.solve(b.to(device)).cpu() - one.solve(b)).norm()) < 0.02 * float(one.solve(b).norm())
