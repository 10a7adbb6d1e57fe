"""One quadratic block fitted to data: the least-squares optimum, and whether a fit has reached it.

y(x) = Σ_h λ_h (w_h · x)² + α |x|² = xᵀ A x with A = Wᵀ diag(λ) W + α I, x with the constant feature if there is one.
The loss 1/n Σ_i (y(x_i) - y_i)² is convex in A, and with R = Σ_i r_i x_i x_iᵀ, r the residuals, its gradient is 2R/n:
R = 0 is a global minimum. Else a new neuron along an eigenvector of R, with the right sign of λ, lowers the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from pinnreg.errors import InputError
from pinnreg.networks import Quadratic, QuadraticBlock

Array = NDArray[np.float64]
Given = Quadratic | nn.Sequential | tuple[ArrayLike, ArrayLike, ArrayLike | None]


@final
@dataclass(frozen=True)
class Escape:
    """A neuron that lowers the loss of a quadratic block: λ = `lam`, w = `weight`.

    Attributes:
        direction: the unit eigenvector v of R, (d,).
        lam: λ, 1 or -1.
        weight: w = s v, (d,), with the best s.
        fall: by how much the loss falls.
    """

    direction: Array
    lam: float
    weight: Array
    fall: float


@final
@dataclass(frozen=True)
class Certificate:
    """How far a quadratic block is from the global minimum of its loss.

    Attributes:
        loss: the mean squared residual.
        gap: by how much it is above the least-squares optimum; from the residuals' own fit, so that it is exact where
            the difference of two losses would be rounding.
        residual_matrix: R, (d, d).
        eigenvalues: of R, ascending, (d,).
        certified: whether the gap is at most the tolerance times the mean square of the values.
        escape: the neuron along an eigenvector of R that lowers the loss most; None if it is certified.
    """

    loss: float
    gap: float
    residual_matrix: Array
    eigenvalues: Array
    certified: bool
    escape: Escape | None

    @property
    def optimum(self) -> float:
        """The loss of the least-squares optimum."""
        return self.loss - self.gap


def least_squares_minimum(points: ArrayLike, values: ArrayLike) -> tuple[Array, float]:
    """The symmetric matrix A that minimises 1/n Σ_i (x_iᵀ A x_i - y_i)², the one of least norm if there are many.

    No quadratic block has a smaller loss, and one with at least d neurons attains it.

    Args:
        points: x, (n, d), with the constant feature as a column if there is to be one.
        values: y, (n,).

    Returns:
        A, (d, d), and the loss.

    Raises:
        InputError: arrays of other shapes, none at all, or values that are not finite.

    Source: Kazemipour, Larsen & Druckmann 2020, arXiv:2001.00098.
    """
    x, y = _checked(points, values)
    matrix = _fit(x, y)
    return matrix, float(np.mean((_quadratic(matrix, x) - y) ** 2))


def certificate(fit: Given, points: ArrayLike, values: ArrayLike, *, tolerance: float = 1e-6) -> Certificate:
    """Whether a quadratic block is at the global minimum of 1/n Σ_i (y(x_i) - y_i)², or else how to go on from it.

    A certificate holds for blocks of any size: A is at its optimum, which no more neurons improve. Without one there is
    always a neuron to escape by, wherever the fit is, at a stationary point of its own parameters too. The loss with a
    neuron λ = ±1, w = s v beside the others is quadratic in s²: with μ = vᵀRv and q_i = (v · x_i)² it falls the most,
    by μ²/(n Σ q²), at s² = |μ|/Σ q² with λ = -sign μ.

    Args:
        fit: a network of one block and one output, or a sequence that ends in it, as a run does; or (W, λ, α)
            with W (neurons, d), λ (neurons,), α a number or None.
        points: (n, inputs) as the network takes them; for (W, λ, α), x itself, (n, d).
        values: y, (n,).
        tolerance: of the gap, relative to the mean square of the values.

    Raises:
        InputError: several blocks or outputs, or arrays that do not fit together.

    Source: Kazemipour, Larsen & Druckmann 2020, arXiv:2001.00098.
    """
    x, y = _checked(points, values)
    if isinstance(fit, nn.Sequential):
        *features, last = fit
        if not isinstance(last, Quadratic):
            raise InputError(f"certificate: expected a sequence that ends in a Quadratic, got {type(last).__name__}")
        with torch.no_grad():
            seen = nn.Sequential(*features)(torch.from_numpy(x).to(next(last.parameters())))
        x, fit = seen.double().cpu().numpy(), last
    if isinstance(fit, Quadratic):
        x = np.column_stack([x, np.ones(len(x))])
    residuals = _quadratic(_matrix(fit, x.shape[1]), x) - y
    matrix = np.einsum("n,ni,nj->ij", residuals, x, x)
    eigenvalues, vectors = np.linalg.eigh(matrix)
    # what of the residuals a change of A can take away
    gap = float(np.mean(_quadratic(_fit(x, residuals), x) ** 2))
    certified = gap <= tolerance * float(np.mean(y**2))
    escape = None if certified else _best_escape(x, residuals, vectors)
    return Certificate(float(np.mean(residuals**2)), gap, matrix, eigenvalues, certified, escape)


def _best_escape(x: Array, residuals: Array, vectors: Array) -> Escape:
    squares = (x @ vectors) ** 2  # q by point and eigenvector
    slopes, sizes = residuals @ squares, (squares**2).sum(axis=0)
    # an eigenvector that is orthogonal to all points neither raises nor lowers the loss
    falls = np.divide(slopes**2, len(x) * sizes, out=np.zeros_like(sizes), where=sizes > 0)
    best = int(np.argmax(falls))
    step = np.sqrt(abs(slopes[best]) / sizes[best])
    direction: Array = vectors[:, best]
    return Escape(direction, -float(np.sign(slopes[best])), step * direction, float(falls[best]))


def _fit(x: Array, y: Array) -> Array:
    """The symmetric A of least norm with xᵀ A x nearest to y."""
    d = x.shape[1]
    row, column = np.triu_indices(d)
    # in the basis in which the norm of the coefficients is that of A
    scale = np.where(row == column, 1.0, np.sqrt(2.0))
    found = np.linalg.lstsq(scale * x[:, row] * x[:, column], y, rcond=None)[0] / scale
    matrix = np.zeros((d, d))
    matrix[row, column] = matrix[column, row] = found
    return matrix


def _quadratic(matrix: Array, x: Array) -> Array:
    """xᵀ A x for every x, (n,)."""
    values: Array = np.einsum("ni,ij,nj->n", x, matrix, x)
    return values


def _matrix(fit: Given, d: int) -> Array:
    """A = Wᵀ diag(λ) W + α I, (d, d)."""
    if isinstance(fit, Quadratic):
        fit = _parameters(fit)
    weight, lam, alpha = fit
    w, signs = np.asarray(weight, dtype=np.float64), np.asarray(lam, dtype=np.float64)
    shift = np.asarray(0.0 if alpha is None else alpha, dtype=np.float64)
    if w.ndim != 2 or w.shape[1] != d or signs.shape != w.shape[:1] or shift.size != 1:
        raise InputError(
            f"certificate: expected W (neurons, {d}) with as many columns as x, λ (neurons,) and one α, got "
            f"{w.shape}, {signs.shape} and {shift.shape}"
        )
    matrix: Array = w.T @ (signs[:, None] * w) + shift.item() * np.eye(d)
    return matrix


def _parameters(network: Quadratic) -> tuple[Array, Array, Array | None]:
    """W, λ and α of a network."""
    block = network.blocks[-1]
    assert isinstance(block, QuadraticBlock)
    if len(network.blocks) != 1 or len(block.lam) != 1:
        raise InputError(
            f"certificate: expected a network of one block and one output, got {len(network.blocks)} block(s) and "
            f"{len(block.lam)} output(s)"
        )
    weight, lam = (each.detach().double().cpu().numpy() for each in (block.weight, block.lam[0]))
    return weight, lam, None if block.alpha is None else block.alpha.detach().double().cpu().numpy()


def _checked(points: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(points, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size:
        raise InputError(f"expected points (n, d) and values (n,), got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("points and values must be finite")
    return x, y
