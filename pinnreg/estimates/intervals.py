"""Intervals of unknown coefficients, and bands of u, from the noise of the measurements.

A training that has come to the minimum of Σ r² depends on the measured values y as dθ/dy = H⁻¹ J_dᵀ, with J of all
rows, J_d of the measurements' and H = JᵀJ. With noise of covariance S, in the rows' own scale, the parameters have the
covariance H⁻¹ J_dᵀ S J_d H⁻¹, and any number that they give one by the delta method. Equations, conditions and
penalties are constraints here, and no noise: their rows count in H only. The variance of the noise is |r_d|²/(n - γ),
with γ = tr(H⁻¹ J_dᵀJ_d) parameters that the measurements have determined (MacKay 1992).

It is assumed that the noise is independent from value to value and of the same size in each set of measurements, that
there are enough values for a normal distribution, and that the equation holds. What a penalty, or a network that is too
small, takes from the truth is not in the interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.differentiation import slope
from pinnreg.equations import Points
from pinnreg.objective import Batch, Objective, Soft, linearise
from pinnreg.objective.model import COEFFICIENT
from pinnreg.taylor import Algebra, MultiIndex

Array = NDArray[np.float64]

NORMAL = 1.959963984540054
"""Standard errors to either side of 95 % of a normal distribution."""
ROUNDING = 1e-13
"""Of the largest eigenvalue of H: directions that nothing determines have none, and do not count."""
MOST = 3000
"""Parameters, as many as Gauss-Newton takes dense steps in: eigenvalues of 3000 take some ten seconds."""
FEWEST = 3
"""Values more than parameters that they have determined, to tell the noise by."""
SMALL = 1e-3
"""Of the largest deviation of the parameters: smaller ones do not show in a band."""
AT_ONCE = 8192
"""Points at a time."""


@final
@dataclass(frozen=True)
class Interval:
    """An unknown coefficient.

    Attributes:
        standard_error: of its value.
        low: the lower end of the 95 % interval,
        high: and the upper one.
    """

    standard_error: float
    low: float
    high: float


@final
@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What the noise of the measurements does to parameters.

    Attributes:
        objective: what was minimised.
        parameters: at the minimum.
        noise: the standard deviation of each set of measurements, by the name of its loss term.
        root: C of the covariance C Cᵀ of the parameters, (p, n).
    """

    objective: Objective
    parameters: Mapping[str, Tensor]
    noise: Mapping[str, float]
    root: Tensor

    def intervals(self) -> dict[str, Interval]:
        """Those of the unknown coefficients, by name."""
        model, found = self.objective.model, dict[str, Interval]()
        first = len(self.root) - len(model.unknown)  # they come last
        for number, (name, unknown) in enumerate(model.unknown.items()):
            theta = self.parameters[COEFFICIENT + name].detach().clone().requires_grad_()
            with torch.enable_grad():
                found_value = unknown.value(theta)
                (slope,) = torch.autograd.grad(found_value, theta)
            value = found_value.item()
            error = float(slope.abs() * torch.linalg.vector_norm(self.root[first + number]))
            low, high = (value + sign * NORMAL * error for sign in (-1, 1))
            if unknown.positive:  # of the logarithm, which keeps it above zero
                low, high = (value * math.exp(sign * NORMAL * error / value) for sign in (-1, 1))
            found[name] = Interval(error, low, high)
        return found

    def band(self, points: Array) -> dict[str, Array]:
        """The standard errors of the outputs at points (n, d), (n,), by output."""
        model = self.objective.model
        own, index = model.network_part(self.parameters), (0,) * points.shape[1]
        count = sum(each.numel() for each in own.values())
        modes, sizes, _ = torch.linalg.svd(self.root[:count], full_matrices=False)
        modes = (modes * sizes)[:, sizes > SMALL * sizes[0]]
        algebra = Algebra.of({index}, len(index))
        pieces = torch.from_numpy(points).split(AT_ONCE)
        # with g and φ, which transforms of functions refuse to differentiate
        at = [Points(piece).on(model.like).lifted(model.trial, algebra) for piece in pieces]
        variances = [torch.zeros((piece.rows, len(model.trial.outputs)), dtype=torch.float64) for piece in at]
        for mode in modes.T:
            parts = mode.split([each.numel() for each in own.values()])
            along = [part.reshape(each.shape).to(each) for part, each in zip(parts, own.values(), strict=True)]
            for number, piece in enumerate(at):
                moved = slope(partial(self._values, piece, tuple(own), index), list(own.values()), along)
                variances[number] += moved.detach().double().cpu().square()
        spread: Array = torch.cat(variances).sqrt().numpy()
        return dict(zip(model.trial.outputs, spread.T, strict=True))

    def _values(self, at: Points, names: Sequence[str], index: MultiIndex, *given: Tensor) -> Tensor:
        parameters = {**self.parameters, **dict(zip(names, given, strict=True))}
        return self.objective.model.sweep(parameters, at, whole=True)(index)


def uncertainty(objective: Objective, batch: Batch, parameters: Mapping[str, Tensor]) -> Uncertainty | None:
    """What noise in the measurements does, at the end of a training by least squares.

    Args:
        objective: what was minimised.
        batch: of its last step.
        parameters: where it ended.

    Returns:
        None without measurements, where some of them do not count (`trim`, `batch`), with noise on the parameters, with
        too many parameters for dense matrices, and where there are too few measurements to tell their noise.
    """
    measured = [term for term in objective.terms if isinstance(term, Soft) and term.measured is not None]
    if not measured or objective.noise is not None or any(term.stochastic for term in measured):
        return None
    if any(term.power != 2 for term in objective.terms):
        return None
    if sum(each.numel() for each in parameters.values()) > MOST:
        return None
    at = linearise(objective, batch, dict(parameters))
    jacobian, residuals = at.jacobian.double(), at.residuals.double()
    sizes, vectors = torch.linalg.eigh(jacobian.T @ jacobian)
    kept = sizes > ROUNDING * sizes[-1]
    inverse = vectors[:, kept] / sizes[kept]
    noise, roots = dict[str, float](), []
    for term in measured:
        own = at.rows[term.name]
        part = jacobian[own]
        moved = inverse @ (vectors[:, kept].T @ part.T)  # H⁻¹ J_dᵀ, (p, n)
        count = len(part)
        determined = float((part.T * moved).sum())
        if count - determined < FEWEST:
            return None
        deviation = math.sqrt(float(residuals[own].square().sum()) / (count - determined))
        scale = math.sqrt(batch.weights[term.name] / batch.counts[term.name])
        noise[term.name] = deviation / scale
        roots.append(deviation * moved)
    return Uncertainty(objective, dict(parameters), noise, torch.cat(roots, dim=1))
