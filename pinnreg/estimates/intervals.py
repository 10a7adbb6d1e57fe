"""Intervals of unknown coefficients, and bands of u, from the noise of the measurements.

A training that has come to the minimum of Σ r² depends on the measured values y as dθ/dy = H⁻¹ J_dᵀ, with J of all
rows, J_d of the measurements' and H = JᵀJ. With noise of covariance S, in the rows' own scale, the parameters have the
covariance H⁻¹ J_dᵀ S J_d H⁻¹, and any number that they give one by the delta method. Equations, conditions and
penalties are constraints here, and no noise: their rows count in H only. The variance of the noise is |r_d|²/(n - γ),
with γ = tr(H⁻¹ J_dᵀJ_d) parameters that the measurements have determined (MacKay 1992), where it is not known.

It is assumed that the noise is independent from value to value and of the same size in each set of measurements, that
there are enough values for a normal distribution, and that the equation holds. What a penalty, or a network that is too
small, takes from the truth is not in the interval.

H has no second derivatives of the rows, as if these were linear in the parameters over the width of the noise, or
small. A total variation that matters is neither: on a regression with one of third order the band is less than half as
wide as u spreads over data sets (`pinnreg bench coverage`), and `bootstrap` is the way to ask.
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
from pinnreg.errors import InputError
from pinnreg.objective import Batch, Objective, Soft, blocks_of, linearised_for
from pinnreg.objective.model import COEFFICIENT
from pinnreg.optimisers.interface import SKETCHED_ABOVE
from pinnreg.taylor import Algebra, MultiIndex

Array = NDArray[np.float64]

NORMAL = 1.959963984540054
"""Standard errors to either side of 95 % of a normal distribution."""
ROUNDING = 1e-13
"""Of the largest eigenvalue of H: directions that nothing determines have none, and do not count."""
FEWEST = 3
"""Values more than parameters that they have determined, to tell the noise by."""
SMALL = 1e-3
"""Of the largest deviation of the parameters: smaller ones do not show in a band."""
AT_ONCE = 8192
"""Points at a time."""


@final
class NoIntervalError(InputError):
    """Nothing can be said of what noise does to a run, and why."""


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
@dataclass(frozen=True)
class BandSize:
    """How much noise in the measurements leaves open of an output u, with a probability of 95 %.

    With standard errors s of u at some points, as half the width of the band, 1.96 s, over all of them.

    Attributes:
        rel_l2: 1.96 ‖s‖₂ / ‖u‖₂; NaN where u is zero.
        max_abs: 1.96 times the largest s.
    """

    rel_l2: float
    max_abs: float

    @staticmethod
    def of(values: Array, errors: Array) -> BandSize:
        """Of values of u and their standard errors at the same points."""
        size = float(np.linalg.norm(values))
        relative = float(np.linalg.norm(errors)) / size if size else math.nan
        return BandSize(NORMAL * relative, NORMAL * float(errors.max()))


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
        a penalty that is no sum of squares, with too many parameters for dense matrices, and where there are too few
        measurements to tell their noise.
    """
    try:
        return required_uncertainty(objective, batch, parameters)
    except NoIntervalError:
        return None


def required_uncertainty(objective: Objective, batch: Batch, parameters: Mapping[str, Tensor]) -> Uncertainty:
    """The same for whoever asked for it.

    Raises:
        NoIntervalError: where `uncertainty` returns None, with the reason.
    """
    if (reason := _reason_against(objective, parameters)) is not None:
        raise NoIntervalError(reason)
    measured = objective.measured
    at = linearised_for(objective, batch, dict(parameters))
    residuals, width = at.residuals.double(), at.jacobian.shape[1]
    hessian = residuals.new_zeros((width, width))
    of_measured = {term.name: residuals.new_zeros((batch.counts[term.name], width)) for term in measured}
    for block in blocks_of(at):
        jacobian = block.jacobian.double()
        hessian += jacobian.T @ jacobian
        for name in of_measured.keys() & block.terms.keys():
            own = block.terms[name]
            of_measured[name][block.rows[own] - at.rows[name].start] = jacobian[own]
    sizes, vectors = torch.linalg.eigh(hessian)
    kept = sizes > ROUNDING * sizes[-1]
    inverse = vectors[:, kept] / sizes[kept]
    noise, roots = dict[str, float](), []
    for term in measured:
        if not batch.weights[term.name]:
            continue  # it has no part in the training
        part, own = of_measured[term.name], at.rows[term.name]
        moved = inverse @ (vectors[:, kept].T @ part.T)  # H⁻¹ J_dᵀ, (p, n)
        scale = math.sqrt(batch.weights[term.name] / batch.counts[term.name])
        noise[term.name] = _deviation(term, residuals[own] / scale, float((part.T * moved).sum()))
        roots.append(scale * noise[term.name] * moved)
    if not roots:
        raise NoIntervalError("the measurements have the weight 0")
    return Uncertainty(objective, dict(parameters), noise, torch.cat(roots, dim=1))


def _deviation(term: Soft, residuals: Tensor, determined: float) -> float:
    """The standard deviation of some measurements: known, or told by residuals (n,) that determine some parameters."""
    if term.measured is not None and term.measured.noise is not None:
        return term.measured.noise
    left = len(residuals) - determined
    if left < FEWEST:
        raise NoIntervalError(
            f"{term.name!r} has {len(residuals)} values, which determine {determined:.1f} parameters: too few are left "
            "to tell their noise by"
        )
    return math.sqrt(float(residuals.square().sum()) / left)


def _reason_against(objective: Objective, parameters: Mapping[str, Tensor]) -> str | None:
    """Why noise says nothing here, as far as that is known without a Jacobian."""
    measured = objective.measured
    if not measured:
        return "there are no measurements, whose noise it would be"
    if objective.noise is not None:
        return f"the regulariser {objective.noise.kind!r} puts noise on the parameters, which are at no minimum"
    for term in measured:
        if term.stochastic:
            option = "trim" if term.trim else "batch"
            return f"with `{option}` not all values of {term.name!r} count"
    for other in objective.terms:
        if other.power != 2:
            return f"{other.name!r} with power 1 is no sum of squares"
    count = sum(each.numel() for each in parameters.values())
    return (
        f"there are {count} parameters, more than {SKETCHED_ABOVE}, for dense matrices"
        if count > SKETCHED_ABOVE
        else None
    )
