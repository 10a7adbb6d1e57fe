"""Analytic functions by poles and a polynomial: the columns of a lightning solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from pinnreg.reference.base import Array, Complex


@final
@dataclass(frozen=True)
class Columns:
    """dₖ/(z − pₖ), and polynomials that are orthonormal on points z₁ … z_M.

    Attributes:
        poles: pₖ, (k,).
        scales: dₖ, (k,).
        hessenberg: of the recurrence of the polynomials, (degree + 1, degree).
    """

    poles: Complex
    scales: Array
    hessenberg: Complex

    @classmethod
    def on(cls, points: Complex, poles: Complex, scales: Array, degree: int) -> Columns:
        """By Arnoldi's process on multiplication with z (P. D. Brubeck, Y. Nakatsukasa and L. N. Trefethen, 2021)."""
        basis = np.zeros((len(points), degree + 1), dtype=np.complex128)
        hessenberg = np.zeros((degree + 1, degree), dtype=np.complex128)
        basis[:, 0] = 1
        for k in range(degree):
            new = points * basis[:, k]
            for _ in range(2):  # once more, for orthogonality to rounding
                parts = basis[:, : k + 1].conj().T @ new / len(points)
                new = new - basis[:, : k + 1] @ parts
                hessenberg[: k + 1, k] += parts
            hessenberg[k + 1, k] = np.linalg.norm(new) / len(points) ** 0.5
            basis[:, k + 1] = new / hessenberg[k + 1, k]
        return cls(poles, scales, hessenberg)

    def __call__(self, points: Complex) -> Complex:
        """(n, k + degree + 1)."""
        degree = self.hessenberg.shape[1]
        polynomials = np.ones((len(points), degree + 1), dtype=np.complex128)
        for k in range(degree):
            known = polynomials[:, : k + 1] @ self.hessenberg[: k + 1, k]
            polynomials[:, k + 1] = (points * polynomials[:, k] - known) / self.hessenberg[k + 1, k]
        return np.concatenate([self.scales / (points[:, None] - self.poles), polynomials], axis=1)
