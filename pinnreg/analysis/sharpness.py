"""How sharp a minimum is: the trace of the loss's Hessian in the parameters, and its largest eigenvalues.

Both come from products H v of the Hessian with vectors, each a backward pass through the graph of the gradient, which
is recorded once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from pinnreg.errors import InputError, unknown
from pinnreg.objective import Batch, Objective, total
from pinnreg.optimisers.vectors import as_parameters, as_vector
from pinnreg.randomness import generator

logger = logging.getLogger("pinnreg")

PROBES = 32
PAIRS = 8
"""Eigenpairs, also for the trace: at trained networks no more products than the largest alone, with its basis."""
BASIS = 20
"""Vectors of the Lanczos basis at least, of which the first pass takes a product each."""
RESTARTS = 50
TOLERANCE = 1e-4
"""Of the residual of an eigenpair, relative; the eigenvalue's own error is about its square."""

Array = NDArray[np.float64]
Loss = Callable[[dict[str, Tensor]], Tensor]
Product = Callable[[Array], Array]


@final
@dataclass(frozen=True)
class Sharpness:
    """The Hessian of a loss with respect to all parameters, in numbers.

    Attributes:
        trace: tr H, or its estimate.
        trace_error: the standard error of the estimate; 0 where the trace is exact.
        leading: the algebraically largest eigenvalues, in falling order, also where a negative one is larger in
            magnitude: the greatest curvatures upwards. Empty if they were not found.
    """

    trace: float
    trace_error: float
    leading: tuple[float, ...]

    @property
    def largest(self) -> float:
        """The largest eigenvalue; NaN if it was not found."""
        return self.leading[0] if self.leading else math.nan

    def scaled(self, weight: float) -> Sharpness:
        """That of the loss times a weight of at least 0."""
        return Sharpness(weight * self.trace, weight * self.trace_error, tuple(weight * each for each in self.leading))


def sharpness(
    loss: Loss, parameters: Mapping[str, Tensor], *, probes: int = PROBES, pairs: int = PAIRS, seed: int = 0
) -> Sharpness:
    """The trace and the largest eigenvalues of the Hessian H of a loss.

    The trace is Hutchinson's estimate with Rademacher vectors z and the leading eigenpairs (λ_j, q_j) as control
    variate, Σ_j λ_j + 1/m Σ_i [z_iᵀ H z_i - Σ_j λ_j (q_jᵀ z_i)²], unbiased whatever the pairs since E[(q_jᵀ z)²] = 1.
    Where a few eigenvalues make up most of the trace, as at trained networks, the error is tens to hundreds of times
    smaller than without them. They come from a Lanczos iteration. With few parameters, up to `probes` + 20, the Hessian
    is formed instead, which takes no more products, and all numbers are exact.

    Args:
        loss: maps tensors like `parameters` to a scalar, twice differentiable.
        parameters: where, tensors by name; any device and dtype.
        probes: m, at least 2.
        pairs: how many eigenvalues, at least 1; fewer are found where there are fewer parameters.
        seed: of all draws.

    Returns:
        NaN throughout if the Hessian is not finite; no eigenvalues, with a warning in the log, if Lanczos does not
        converge, as where they are close to zero among many such and the rest is negative.

    Raises:
        InputError: fewer than 2 probes, or less than 1 eigenvalue.

    Source: Hutchinson 1990, doi:10.1080/03610919008812866; as metrics Ju, Li & Zhang 2023, arXiv:2306.08553.
    """
    if probes < 2:
        raise InputError(f"sharpness: expected at least 2 probes, whose spread gives the error, got {probes}")
    if pairs < 1:
        raise InputError(f"sharpness: expected at least 1 eigenvalue, got {pairs}")
    product = _product(loss, parameters)
    size = sum(values.numel() for values in parameters.values())
    start = torch.randn(size, generator=generator(seed, "sharpness: start"), dtype=torch.float64).numpy()
    image = product(start)
    if not np.isfinite(image).all():
        return Sharpness(math.nan, math.nan, ())
    if not image.any():  # a random vector is in no proper subspace: H = 0, on which Lanczos cannot start
        return Sharpness(0.0, 0.0, min(pairs, size) * (0.0,))
    if size <= max(probes + BASIS, pairs + 1):
        hessian = np.stack([product(unit) for unit in np.eye(size)])
        return Sharpness(float(np.trace(hessian)), 0.0, _falling(np.linalg.eigvalsh(hessian))[:pairs])
    values, vectors = _leading(product, start, pairs)
    trace, error = _trace(product, values, vectors, probes, seed)
    return Sharpness(trace, error, _falling(values))


def term_sharpness(
    objective: Objective,
    batch: Batch,
    parameters: Mapping[str, Tensor],
    terms: Sequence[str] | None = None,
    *,
    probes: int = PROBES,
    pairs: int = PAIRS,
    seed: int = 0,
) -> dict[str, Sharpness]:
    """The sharpness of each loss term, unweighted, by name; at the points of a batch. Else as `sharpness`.

    Args:
        objective: whose terms.
        batch: with their points.
        parameters: where.
        terms: which; all if not given.

    Raises:
        InputError: an unknown term, or fewer than 2 probes.
    """
    return {
        name: sharpness(_term(objective, batch, name), parameters, probes=probes, pairs=pairs, seed=seed)
        for name in _known(objective, terms)
    }


def weighted_sharpness(
    objective: Objective,
    batch: Batch,
    parameters: Mapping[str, Tensor],
    terms: Sequence[str] | None = None,
    *,
    probes: int = PROBES,
    pairs: int = PAIRS,
    seed: int = 0,
) -> Sharpness:
    """The sharpness of the sum of loss terms with the weights of a batch. Arguments as in `term_sharpness`."""
    names = _known(objective, terms)

    def loss(at: dict[str, Tensor]) -> Tensor:
        losses = objective.losses(batch, at)
        return total(batch, {name: losses[name] for name in names})

    return sharpness(loss, parameters, probes=probes, pairs=pairs, seed=seed)


def _known(objective: Objective, terms: Sequence[str] | None) -> Sequence[str]:
    for name in terms or ():
        if name not in objective.names:
            raise unknown("loss term", name, objective.names)
    return objective.names if terms is None else terms


def _term(objective: Objective, batch: Batch, name: str) -> Loss:
    return lambda at: objective.losses(batch, at)[name]


def _product(loss: Loss, parameters: Mapping[str, Tensor]) -> Product:
    """v ↦ H v, (p,) to (p,), in the parameters' own precision."""
    at = {name: values.detach().clone().requires_grad_() for name, values in parameters.items()}
    inputs, value = list(at.values()), loss(at)
    gradient = (
        torch.autograd.grad(value, inputs, create_graph=True, materialize_grads=True)
        if value.requires_grad
        else tuple(torch.zeros_like(each) for each in inputs)
    )
    # parameters that the loss is linear in have a constant derivative, which autograd refuses to differentiate
    varying = {name: each for name, each in zip(at, gradient, strict=True) if each.requires_grad}

    def product(vector: Array) -> Array:
        if not varying:
            return np.zeros_like(vector)
        along = as_parameters(torch.as_tensor(vector).to(inputs[0]), at)
        image = torch.autograd.grad(
            list(varying.values()),
            inputs,
            [along[name] for name in varying],
            retain_graph=True,
            materialize_grads=True,
        )
        flat: Array = as_vector(dict(zip(at, image, strict=True))).cpu().double().numpy()
        return flat

    return product


def _falling(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(sorted(values.tolist(), reverse=True))


def _leading(product: Product, start: Array, pairs: int) -> tuple[Array, Array]:
    """The algebraically largest eigenvalues, (k,), and their eigenvectors, (p, k); none if they do not converge."""
    size = len(start)
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    # twice as many vectors as pairs, as ARPACK wants
    basis = min(max(BASIS, 2 * pairs + 1), size)
    try:
        values, vectors = eigsh(operator, k=pairs, which="LA", v0=start, ncv=basis, maxiter=RESTARTS, tol=TOLERANCE)
    except ArpackNoConvergence:
        logger.warning("sharpness: the largest eigenvalues of the Hessian were not found in %d restarts", RESTARTS)
        return np.empty(0), np.empty((size, 0))
    return values, vectors


def _trace(product: Product, values: Array, vectors: Array, probes: int, seed: int) -> tuple[float, float]:
    """The estimate of tr H and its standard error."""
    samples = np.empty(probes)
    for number in range(probes):
        draws = generator(seed, "sharpness: probe", number)
        signs = torch.randint(0, 2, (len(vectors),), generator=draws).mul(2).sub(1).double().numpy()
        samples[number] = signs @ product(signs) - values @ (vectors.T @ signs) ** 2
    return float(values.sum() + samples.mean()), float(samples.std(ddof=1) / math.sqrt(probes))
