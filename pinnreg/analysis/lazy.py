"""Training as a linear equation: what a network does whose tangent kernel stays what it was at the start.

Let u be operators applied to the network at points, such as its values and its Jacobian, stacked as the rows of their
kernel Θ, and the loss Σ_i D_i (u_i - t_i)². Gradient flow dθ/dt = -∇ loss then gives

    du/dt = -2 Θ D (u - t),

and so the error √D (u - t) decays by exp(-2 √D Θ √D t), or by (I - 2η √D Θ √D)^k after k steps of gradient descent with
rate η. The values u* elsewhere follow by the kernel between there and the points. For the loss mean (f - y)² + λ mean
|J|² on n points, D is 1/n for f and λ/n for each column of J, and t = (y, 0). With a definite Θ the limit fits all
targets, whatever λ is: λ sets the speed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from pinnreg.analysis.kernels import Kernel
from pinnreg.analysis.ntk import ntk, trained
from pinnreg.errors import InputError

FLAT = 1e-14
"""Of the largest eigenvalue; those below are zero but for rounding, and their directions never move."""


def trajectory(
    kernel: Kernel,
    weights: Tensor,
    start: Tensor,
    targets: Tensor,
    times: Sequence[float],
    *,
    rate: float | None = None,
) -> Tensor:
    """The operators in the course of training, u(t) = u_0 - 2 Θ √D φ(√D Θ √D, t) √D (u_0 - t).

    φ(λ, t) = (1 - exp(-2λt))/(2λ) for gradient flow, (1 - (1 - 2ηλ)^t)/(2λ) after t steps of gradient descent.

    Args:
        kernel: Θ of the operators at the points, (r, r).
        weights: D, (r,), none negative; `Kernel.spread` makes them from one number for each operator.
        start: u_0, (r,).
        targets: t, (r,).
        times: (s,), none negative, infinity allowed; whole numbers of steps with `rate`.
        rate: the step size η of gradient descent; gradient flow if not given.

    Returns:
        u at the times, (s, r), in double precision.

    Raises:
        InputError: shapes that do not fit, a negative weight or time, a part of a step, an infinite time for a rate
            with which gradient descent does not converge.

    Source: Jacot, Gabriel & Hongler 2018, arXiv:1806.07572; Lee et al. 2019, arXiv:1902.06720; with a Jacobian
    Kim & Yang 2023, arXiv:2312.03386.
    """
    return predict(kernel, weights, start, targets, times, cross=kernel, initial=start, rate=rate)


def predict(
    kernel: Kernel,
    weights: Tensor,
    start: Tensor,
    targets: Tensor,
    times: Sequence[float],
    *,
    cross: Kernel,
    initial: Tensor,
    rate: float | None = None,
) -> Tensor:
    """The operators at other points in the course of training, u*(t) = u*_0 - 2 Θ* √D φ(√D Θ √D, t) √D (u_0 - t).

    At infinite time that is kernel regression around the network's start: u*_0 + Θ* Θ⁻¹ (t - u_0).

    Args:
        kernel: Θ of the operators at the points, (r, r); it, `weights` to `times` and `rate` are as in `trajectory`.
        weights: D, (r,).
        start: u_0, (r,).
        targets: t, (r,).
        times: (s,).
        cross: Θ* between other points and these, `ntk(network, others, ..., other=points)`, (q, r).
        initial: u*_0, (q,).
        rate: η.

    Returns:
        u* at the times, (s, q), in double precision.

    Raises:
        InputError: as `trajectory`.
    """
    theta, between = kernel.matrix.double(), cross.matrix.double()
    size, others = len(theta), len(between)
    given = {
        "weights": (weights, size),
        "start": (start, size),
        "targets": (targets, size),
        "initial": (initial, others),
    }
    for name, (values, expected) in given.items():
        if values.shape != (expected,):
            raise InputError(f"lazy training: expected {name} ({expected},), got {tuple(values.shape)}")
    if theta.shape != (size, size) or between.shape[1] != size:
        raise InputError(
            f"lazy training: expected kernels (r, r) and (q, r), got {tuple(theta.shape)} and {tuple(between.shape)}"
        )
    if not bool((weights >= 0).all()):
        raise InputError("lazy training: a weight is negative, and the loss has no minimum")
    root, gap = weights.to(theta).sqrt(), (start - targets).to(theta)
    decay = root[:, None] * theta * root
    values, vectors = torch.linalg.eigh((decay + decay.T) / 2)
    values = torch.where(values > FLAT * values.abs().max(), values, 0.0)
    gains = torch.stack([_gains(values, time, rate) for time in times])
    travelled = 2 * (gains * (vectors.T @ (root * gap))) @ vectors.T
    found: Tensor = initial.to(theta) - (travelled * root) @ between.T
    return found


def _gains(values: Tensor, time: float, rate: float | None) -> Tensor:
    """φ(λ, t) for all eigenvalues; 0 for λ = 0, along which nothing is fitted and nothing moves."""
    whole = rate is None or math.isinf(time) or float(time).is_integer()
    if not time >= 0 or not whole:
        raise InputError(f"lazy training: expected a time of at least 0, in whole steps with a rate, got {time}")
    if rate is not None and not rate > 0:
        raise InputError(f"lazy training: expected a positive rate, got {rate}")
    if rate is None:
        gone = -torch.expm1(-2 * values * time)
    elif math.isinf(time) and bool((rate * values >= 1).any()):
        raise InputError(f"lazy training: a rate of {rate:g} does not converge; it must be below {1 / values.max():g}")
    else:
        factor = 2 * rate * values
        # without cancellation where it matters: for eigenvalues near zero
        slow = -torch.expm1(time * torch.log1p(-factor.clamp(max=0.5)))
        gone = torch.where(factor < 0.5, slow, 1 - (1 - factor) ** time)
    return torch.where(values > 0, gone / (2 * values), 0.0)


@final
@dataclass(frozen=True)
class Drift:
    """How far training has moved a network and its tangent kernel.

    Attributes:
        parameters: |θ_T - θ_0| / |θ_0|.
        kernel: |Θ_T - Θ_0|_F / |Θ_0|_F; far below 1 where training was lazy.
        smallest: the smallest eigenvalue of Θ before and after; positive if the limit of lazy training fits everything.
    """

    parameters: float
    kernel: float
    smallest: tuple[float, float]


def drift(
    network: nn.Module,
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    points: Tensor,
    derivatives: Iterable[Hashable] | None = None,
    *,
    axes: Sequence[str] | None = None,
) -> Drift:
    """How far the tangent kernel of operators at points has moved from one state of a network to another.

    Args:
        network: maps (n, d) to (n, outputs).
        before: its parameters θ_0 by name.
        after: θ_T, with the same names.
        points: (n, d).
        derivatives: the operators as for `ntk`; the value if not given.
        axes: the names of the d columns, when `derivatives` holds names.

    Raises:
        InputError: as `ntk`, or states of different parameters.

    Source: Jacot, Gabriel & Hongler 2018, arXiv:1806.07572; Chizat, Oyallon & Bach 2019, arXiv:1812.07956.
    """
    old, new = trained(network, before), trained(network, after)
    if old.keys() != new.keys():
        raise InputError(f"drift: expected the same parameters, got {', '.join(old)} before and {', '.join(new)} after")
    keys = None if derivatives is None else list(derivatives)
    first, last = (ntk(network, points, keys, axes=axes, parameters=each) for each in (old, new))
    smallest = tuple(float(each.eigenvalues[-1]) for each in (first, last))
    return Drift(moved(old, new), _relative(last.matrix, first.matrix), (smallest[0], smallest[1]))


def moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    """|θ_T - θ_0| / |θ_0| over all tensors together."""
    first, last = (torch.cat([each[name].detach().reshape(-1) for name in before]) for each in (before, after))
    return _relative(last, first)


def _relative(after: Tensor, before: Tensor) -> float:
    return float(torch.linalg.vector_norm(after - before) / torch.linalg.vector_norm(before))
