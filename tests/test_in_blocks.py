"""Damped least squares and sketches of a Jacobian in blocks, against those of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinnreg.dense import with_rows
from pinnreg.optimisers.damped import DampedLeastSquares
from pinnreg.optimisers.in_blocks import DampedInBlocks
from pinnreg.optimisers.sketch import SketchedLeastSquares
from pinnreg.optimisers.step import Known, Options, init, step
from pinnreg.optimisers.trust_region import Rules
from pinnreg.randomness import generator

F64 = torch.float64
EPS = torch.finfo(F64).eps
DAMPINGS = (1e2, 1.0, 1e-4, 1e-8, 1e-12, 1e-16, 1e-20, 1e-25)


@dataclass(frozen=True)
class Block:
    rows: Tensor
    jacobian: Tensor


@dataclass
class Cut:
    """A whole Jacobian (n, p) as blocks of some rows, in any order, which counts the passes."""

    whole: Tensor
    size: int
    order: Tensor | None = None
    passes: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        return self.whole.shape[0], self.whole.shape[1]

    def __iter__(self) -> Iterator[Block]:
        self.passes.append(1)
        order = torch.arange(len(self.whole)) if self.order is None else self.order
        for rows in order.split(self.size):
            yield Block(rows, self.whole[rows].T.contiguous().T)

    def __matmul__(self, step: Tensor) -> Tensor:
        return self.whole @ step

    def transposed(self, rows: Tensor) -> Tensor:
        self.passes.append(1)
        return self.whole.T @ rows

    def misfit(self, rows: Tensor, step: Tensor) -> Tensor:
        self.passes.append(1)
        return self.whole.T @ (rows + self.whole @ step)

    def triangle(self, rows: Tensor) -> Tensor:
        found = torch.zeros((self.shape[1] + 1,) * 2, dtype=self.whole.dtype)
        for block in self:
            found = with_rows(found, torch.cat([block.jacobian.T, rows[block.rows][None]]).T)
        return found


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed, "blocks"), dtype=F64)


def graded(rows: int, columns: int, decades: float) -> Tensor:
    """J (n, p) whose singular values fall by some decades."""
    left, right = (torch.linalg.qr(random(count, columns, seed=count))[0] for count in (rows, columns))
    sizes = 10 ** torch.linspace(0, -decades, columns, dtype=F64)
    return ((left * sizes) @ right.T).T.contiguous().T


def by_qr(jacobian: Tensor, right: Tensor, damping: float) -> Tensor:
    """The solution by one factorisation of J on top of √λ I, with `right` in the place of r."""
    width = jacobian.shape[1]
    q, r = torch.linalg.qr(torch.cat([jacobian, damping**0.5 * torch.eye(width, dtype=F64)]))
    below = torch.cat([right, right.new_zeros(width)])
    return -torch.linalg.solve_triangular(r, (q.T @ below)[:, None], upper=True)[:, 0]


def assert_as_good(found: Tensor, expected: Tensor, damping: float) -> None:
    """To the rounding that a factorisation makes at a condition of √(1/λ), with λ relative to the squares of J."""
    allowed = 100 * EPS * (1 + damping**-0.5)
    assert float((found - expected).norm()) <= allowed * float(expected.norm())


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 70), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_any_blocks_have_the_triangle_of_the_whole(rows: int, columns: int, size: int, seed: int) -> None:
    jacobian, residuals = random(rows, columns, seed=seed), random(rows, seed=seed + 1)
    order = torch.randperm(rows, generator=generator(seed, "order"))
    both = Cut(jacobian, size, order).triangle(residuals)
    r, rotated = both[:-1, :-1], both[:-1, -1]
    assert torch.equal(r, r.triu())
    # what R and Qᵀr have to be, whatever their signs
    assert torch.allclose(r.T @ r, jacobian.T @ jacobian, rtol=1e-12, atol=1e-12)
    assert torch.allclose(r.T @ rotated, jacobian.T @ residuals, rtol=1e-12, atol=1e-12)


def test_a_triangle_on_top_of_rows() -> None:
    above, below = random(5, 5).triu(), random(7, 5, seed=1)
    expected = torch.linalg.qr(torch.cat([above, below]), mode="r")[1]
    assert torch.allclose(with_rows(above.clone(), below.clone()).abs(), expected.abs(), rtol=1e-12)


@pytest.mark.parametrize("decades", [1, 8, 16])
@pytest.mark.parametrize("size", [7, 100, 600])
def test_steps_are_as_good_as_those_of_the_whole(decades: int, size: int) -> None:
    jacobian, residuals, other = graded(300, 40, decades), random(300, seed=1), random(300, seed=2)
    problem, whole = DampedInBlocks(Cut(jacobian, size), residuals), DampedLeastSquares(jacobian, residuals)
    assert problem.scale == pytest.approx(whole.scale, rel=1e-13)
    for damping in DAMPINGS:
        damped = problem.at(damping * problem.scale)
        assert_as_good(damped.step, by_qr(jacobian, residuals, damping * problem.scale), damping)
        # above the floor as good as the normal equations of the whole, and below as a factorisation
        tolerance = 100 * EPS / damping if damping > 500 * EPS else 100 * EPS * damping**-0.5
        for right in (other, jacobian @ random(40, seed=3)):
            expected = by_qr(jacobian, right, damping * problem.scale)
            difference = float((damped.solve(right) - expected).norm())
            assert difference <= max(tolerance, 1e-13) * float(expected.norm())


@pytest.mark.parametrize("damping", DAMPINGS)
def test_dependent_columns(damping: float) -> None:
    jacobian = random(50, 6)
    jacobian[:, 3], jacobian[:, 5] = jacobian[:, 1], 0.0
    residuals, other = random(50, seed=1), random(50, seed=2)
    problem = DampedInBlocks(Cut(jacobian, 8), residuals)
    damped = problem.at(damping * problem.scale)

    def minimised(step: Tensor, right: Tensor) -> float:
        left = jacobian @ step + right
        return float(left @ left + damping * problem.scale * step @ step)

    for found, right in ((damped.step, residuals), (damped.solve(other), other)):
        expected = by_qr(jacobian, right, damping * problem.scale)
        # which of all steps is the shortest rounding hides from any factorisation, what they are worth it does not
        assert minimised(found, right) == pytest.approx(minimised(expected, right), rel=1e-9)
        assert found[5] == 0


def test_fewer_rows_than_columns() -> None:
    jacobian, residuals = random(6, 15), random(6, seed=1)
    problem = DampedInBlocks(Cut(jacobian, 4), residuals)
    for damping in DAMPINGS[:4]:
        found = problem.at(damping * problem.scale).step
        assert_as_good(found, by_qr(jacobian, residuals, damping * problem.scale), damping)


def test_passes_over_the_blocks_are_few() -> None:
    cut, residuals = Cut(graded(200, 20, 10), 50), random(200, seed=1)
    problem = DampedInBlocks(cut, residuals)
    assert len(cut.passes) == 1
    bold, cautious = (problem.at(damping * problem.scale) for damping in (1e-18, 1e-6))
    assert len(cut.passes) == 1
    cautious.solve(residuals)
    assert len(cut.passes) == 2
    bold.solve(residuals)
    assert 4 <= len(cut.passes) <= 6


def test_what_is_not_finite_shows() -> None:
    jacobian = random(20, 4)
    jacobian[13, 2] = torch.nan
    assert not DampedInBlocks(Cut(jacobian, 6), random(20)).scale < torch.inf


def test_single_precision() -> None:
    jacobian, residuals = random(60, 8).float(), random(60, seed=1).float()
    problem = DampedInBlocks(Cut(jacobian, 7), residuals)
    expected = by_qr(jacobian.double(), residuals.double(), 1e-2 * problem.scale)
    assert torch.allclose(problem.at(1e-2 * problem.scale).step.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [30, 300])
@pytest.mark.parametrize("size", [7, 100])
def test_a_sketch_of_blocks_is_that_of_the_whole(rows: int, size: int) -> None:
    jacobian, residuals, other = random(rows, 40), random(rows, seed=1), random(rows, seed=2)
    order = torch.randperm(rows, generator=generator(0, "order"))
    parts, whole = (
        SketchedLeastSquares(each, residuals, 10, generator(5, "sketch"))
        for each in (Cut(jacobian, size, order), jacobian)
    )
    assert parts.scale == pytest.approx(whole.scale, rel=1e-13)
    for damping in (1.0, 1e-6):
        found, expected = (each.at(damping * whole.scale) for each in (parts, whole))
        assert torch.allclose(found.step, expected.step, rtol=1e-9, atol=1e-12)
        assert torch.allclose(found.solve(other), expected.solve(other), rtol=1e-9, atol=1e-12)


class Curved:
    """r(x) = J x - 1 + (J x)²/10."""

    def __init__(self, jacobian: Tensor) -> None:
        self.jacobian = jacobian

    def residuals(self, parameters: dict[str, Tensor]) -> Tensor:
        along = self.jacobian @ parameters["x"]
        return along - 1 + along.square() / 10

    def at(self, parameters: dict[str, Tensor]) -> Known:
        along = self.jacobian @ parameters["x"]
        jacobian = ((1 + along / 5)[:, None] * self.jacobian).T.contiguous().T
        return Known(self.residuals(parameters), jacobian)


@pytest.mark.parametrize("sketch", [None, 6])
def test_a_search_takes_the_same_steps(sketch: int | None) -> None:
    target, options = Curved(graded(20, 9, 3)), Options(Rules(0.075, True, 3), sketch)
    ends = []
    for blocks in (False, True):
        parameters, state = {"x": torch.zeros(9, dtype=F64)}, init()
        for _ in range(4):
            at = target.at(parameters)
            seen = Known(at.residuals, Cut(at.jacobian, 11)) if blocks else at
            parameters, state, info = step(target, seen, parameters, state, options)
            assert info.found is not None
        ends.append((parameters["x"], state.damping))
    assert torch.allclose(ends[1][0], ends[0][0], rtol=1e-10)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-12)
