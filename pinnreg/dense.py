"""The dense factorisations of a Gauss-Newton step, of A (n, m) stored one column after the other.

On the CPU they are LAPACK's by way of SciPy, which has two that torch lacks: a Gram matrix at half the price (one
triangle only) and the QR factorisation of one triangle on top of another. One core, A 2500 x 921: Gram matrix 42 ms
against 84 with torch, triangle of [R; √λ I] 14 ms against 61.

LAPACK runs on one thread. Its threads and torch's would wait for each other: on two idle cores 55 steps on 2-D Poisson
took 8.6 s with two of each, 5.4 s with one of each and 4.7 s with two of torch's only; on busy ones a factorisation of
50 columns took a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from threadpoolctl import ThreadpoolController

Rotation = Callable[[Tensor], Tensor]

BLOCK = 32
"""Columns at a time in LAPACK's update of a triangle; 16 to 64 are alike."""


def gram(a: Tensor, *, of_rows: bool = False) -> Tensor:
    """The lower triangle of Aᵀ A, (m, m), or of A Aᵀ, (n, n); what stands above the diagonal is not defined."""
    if a.device.type != "cpu":
        return a @ a.T if of_rows else a.T @ a
    syrk = _routine("syrk", a.dtype)
    with _one_thread():
        # one column after the other here is one row after the other in torch: upper and lower change places
        return torch.from_numpy(syrk(1.0, a.numpy(), trans=int(not of_rows), lower=0).T)


def cholesky(gram: Tensor, damping: float) -> Tensor | None:
    """L with L Lᵀ = G + λ I of a lower triangle G, (m, m); None if that is not positive definite in this precision."""
    damped = gram.clone()
    damped.diagonal().add_(damping)
    factor: Tensor
    factor, info = torch.linalg.cholesky_ex(damped)
    return factor if int(info) == 0 and bool(factor.diagonal().isfinite().all()) else None


def qr(a: Tensor) -> tuple[Tensor, Rotation]:
    """R of the QR factorisation of A with n ≥ m, (m, m), upper, and b ↦ Qᵀ b, (n,) to (m,)."""
    if a.device.type != "cpu":
        q, r = torch.linalg.qr(a)
        return r, lambda b: q.T @ b
    width = a.shape[1]
    geqrf, ormqr = _routine("geqrf", a.dtype), _routine("ormqr", a.dtype)
    with _one_thread():
        factored, tau, _, info = geqrf(_by_columns(a), lwork=64 * width, overwrite_a=1)
    _check(info, "geqrf")

    def rotated(b: Tensor) -> Tensor:
        with _one_thread():
            found, _, info = ormqr("L", "T", factored, tau, b.numpy()[:, None], 64)
        _check(info, "ormqr")
        return torch.from_numpy(found[:width, 0])

    return _upper(factored[:width]), rotated


def stacked_qr(r: Tensor, damping: float) -> tuple[Tensor, Rotation]:
    """The same for r, an upper triangle (m, m), on top of √λ I; b, (m,), stands for b on top of zeros."""
    width = len(r)
    below = torch.zeros_like(r.T, memory_format=torch.contiguous_format)  # whose transpose is itself
    below.fill_diagonal_(damping**0.5)
    if r.device.type != "cpu":
        q, new = torch.linalg.qr(torch.cat([r, below]))
        return new, lambda b: q[:width].T @ b
    tpqrt, tpmqrt = _routine("tpqrt", r.dtype), _routine("tpmqrt", r.dtype)
    with _one_thread():
        top, reflectors, t, info = tpqrt(
            width, min(BLOCK, width), _by_columns(r), below.numpy().T, overwrite_a=1, overwrite_b=1
        )
    _check(info, "tpqrt")

    def rotated(b: Tensor) -> Tensor:
        found, _, info = tpmqrt(
            width, reflectors, t, b.numpy()[:, None], torch.zeros_like(b).numpy()[:, None], trans="T"
        )
        _check(info, "tpmqrt")
        return torch.from_numpy(found[:, 0])

    return _upper(top), rotated


def with_rows(triangle: Tensor, block: Tensor) -> Tensor:
    """R of the QR factorisation of an upper triangle R' (m, m) on top of B (k, m), (m, m); may overwrite both.

    It costs 2 k m² operations whatever the triangle stands for: blocks of rows one after the other take no longer than
    all at once (2500 x 921, one core: 83 ms, where `qr` takes 71).
    """
    width = len(triangle)
    if triangle.device.type != "cpu":
        r: Tensor = torch.linalg.qr(torch.cat([triangle, block]), mode="r")[1]
        return r
    tpqrt = _routine("tpqrt", triangle.dtype)
    with _one_thread():
        above, _, _, info = tpqrt(
            0,
            min(BLOCK, width),
            triangle.T.contiguous().numpy().T,
            block.T.contiguous().numpy().T,
            overwrite_a=1,
            overwrite_b=1,
        )
    _check(info, "tpqrt")
    return torch.from_numpy(above.T).T


def _one_thread() -> AbstractContextManager[object, bool | None]:
    limited: AbstractContextManager[object, bool | None] = _lapack().limit(limits=1)
    return limited


@cache
def _routine(name: str, dtype: torch.dtype) -> Callable[..., Any]:
    """BLAS's or LAPACK's, for one precision."""
    from scipy.linalg import blas, lapack  # noqa: PLC0415

    routine: Callable[..., Any] = getattr(
        blas if name == "syrk" else lapack, ("d" if dtype == torch.float64 else "s") + name
    )
    return routine


@cache
def _lapack() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401, PLC0415  # it knows the libraries that are loaded
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415

    return ThreadpoolController().select(internal_api="openblas")


def _by_columns(a: Tensor) -> NDArray[np.floating]:
    """A copy of A as LAPACK wants it, and may overwrite it."""
    return a.T.clone(memory_format=torch.contiguous_format).numpy().T


def _upper(a: NDArray[np.floating]) -> Tensor:
    """The upper triangle, one column after the other as it came: turned around and back a λ takes a quarter longer."""
    return torch.from_numpy(a.T).tril().T


def _check(info: int, name: str) -> None:
    if info:
        raise RuntimeError(f"LAPACK's {name} failed: its argument {-info} is wrong")
