"""Weights of penalties that the training finds: `weight: auto`.

The weight is looked for along the run. At the parameters of the moment rows and their Jacobian give a linear problem,
min |r + J s|² over all rows, and for a factor f of the penalty's weight its solution s(f) and the leverages
h_i = J_i H(f)⁻¹ J_iᵀ, with H = JᵀJ of all rows. What the solution would say of row i had it not been trained on it is
(r + J s)_i / (1 - h_i): its mean square over the *data* is leave-one-out cross-validation (Allen 1974), and needs one
factorisation a factor. Data are the measurements, where there are any, and otherwise the residuals of equations and
conditions: the other rows, constraints and other penalties, count in H. Where the standard deviation of the noise is
given, the score is the unbiased estimate of the risk, mean r² + 2 σ² mean h (Mallows 1973).

With measurements the largest weight is taken whose score is not clearly above the least, as few noisy values tell
little, and too little smoothing is worse than too much. Without, nothing is noisy, a penalty can only bias, and of
weights that are as good the smallest is taken: it falls to zero by itself.

Tried, on 4 to 8 seeds each, errors as medians. *Evidence* (MacKay 1992, by the fixed point of Wood & Fasiolo 2017,
arXiv:1606.04802: weight ← σ² (tr M⁺A - tr H⁻¹A) weight/|P|²): as good with noise (an unknown diffusivity: ridge 0.0080,
gpinn 0.0102, but total variation of order 1 0.065 where 0.036 stands now: the prior expects rougher solutions than
most equations have); without noise it explained all as noise, and ended at u = 0. The *least* score with measurements:
the same diffusivity 0.042 with order 1, and 0.021 with ridge, whose two worst of four seeds were stuck at a tenth of
the weight. *One* standard error in place of half of one: curves 5 to 15 % worse. *A first share* of 1e-2: a ridge of
that size takes the network's neurons together, which nothing brings apart again (a clean curve 5e-5; 4e-9 with 1e-4,
3e-10 with 1e-6). Without measurements 1e-4 left 2-D Poisson at 5e-11 with a Jacobian penalty, long after its weight had
gone; 1e-6 comes to 6e-14, and to 1e-3 in place of 8e-4 on few points with the fourth total variation.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pinnreg.objective.batch import Batch, Tuned
from pinnreg.objective.in_blocks import InBlocks, blocks_of, linearised_for
from pinnreg.objective.linearise import Linearised
from pinnreg.objective.model import Parameters
from pinnreg.objective.objective import Objective

EVERY, SETTLED_EVERY = 2, 10
"""Steps between two looks, while weights change and once they hardly do."""
FIRST, FIRST_WITHOUT = 1e-4, 1e-6
"""The first weight, with measurements and without: the squares of the penalty's Jacobian are so much of those of all
other rows."""
FIRST_OF_EQUATIONS = 1.0
"""The same of a penalty that the exact solution makes zero, which is one more equation."""
LEAST = 1e-16
"""The same of the smallest: below, a penalty does not act, and its weight is zero for good."""
TRIED = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Powers of ten, in reaches, by which a weight may change."""
FARTHEST, NEAREST = 1.0, 0.1
"""Limits of a reach."""
ROUNDING = 1e-13
"""Of the trace of JᵀJ, added to its diagonal: what is below has no direction."""
CLOSE = 1e-6
"""The least 1 - h: a row that alone determines a direction says nothing about others."""
MOST = 500
"""Rows of the data that are left out, spread over all of them."""
CLEAR = 0.5
"""Standard errors of a difference of scores from which it is taken for one."""
BETTER = 1e-3
"""The share by which scores differ if a weight makes a difference."""


def tuning_due(objective: Objective, batch: Batch, step: int) -> bool:
    """Whether weights are to be looked for before a step."""
    found = batch.placement.tuned.values()
    if not objective.to_tune:
        return False
    if not found:
        return True
    every, last = SETTLED_EVERY if settled(batch) else EVERY, max(each.step for each in found)
    return any(each.weight for each in found) and step // every > last // every


def settled(batch: Batch) -> bool:
    """Whether the weights that are found change little any more."""
    return all(each.reach <= NEAREST or each.weight == 0 for each in batch.placement.tuned.values())


def tuned(
    objective: Objective, batch: Batch, parameters: Parameters, step: int, *, by_layer: bool | None = None
) -> dict[str, Tuned]:
    """The weights of all penalties whose weights are found, by loss term.

    Args:
        objective: what is minimised.
        batch: of now.
        parameters: where.
        step: the training step.
        by_layer: as of `linearise`.
    """
    if not batch.placement.tuned:
        first = _first(objective, batch, parameters, by_layer=by_layer)
        return {name: Tuned(weight, step) for name, weight in first.items()}
    linear = _linear(objective, batch, linearised_for(objective, batch, parameters, by_layer=by_layer))
    found, factors = {}, dict[str, float]()
    for name, before in batch.placement.tuned.items():
        if not before.weight:
            found[name] = before
            continue
        scores = {part: linear.left_out({**factors, name: 10 ** (part * before.reach)}) for part in TRIED}
        part = largest(scores) if measured(objective) else least(scores)
        factors[name] = 10 ** (part * before.reach)
        found[name] = _moved(before, part, step, linear.share(name))
    return found


def _first(objective: Objective, batch: Batch, parameters: Parameters, *, by_layer: bool | None) -> dict[str, float]:
    """Weights by which the penalties have a given share of the squares of the Jacobian."""
    ones = replace(batch, weights={**batch.weights, **dict.fromkeys(objective.to_tune, 1.0)})
    squares = dict.fromkeys(batch.counts, 0.0)
    for block in blocks_of(linearised_for(objective, ones, parameters, by_layer=by_layer)):
        for name, rows in block.terms.items():
            squares[name] += float(block.jacobian[rows].square().sum())
    others = sum(value for name, value in squares.items() if name not in objective.to_tune)
    usual = FIRST if measured(objective) else FIRST_WITHOUT
    first = {name: FIRST_OF_EQUATIONS if objective.penalties[name].vanishes else usual for name in objective.to_tune}
    return {name: first[name] * others / squares[name] if squares[name] > 0 else 0.0 for name in objective.to_tune}


def _moved(before: Tuned, part: float, step: int, share: float) -> Tuned:
    """The weight after a change by a part of its reach, which grows while that goes on and shrinks where it turns."""
    weight = before.weight * 10 ** (part * before.reach)
    if share * weight < LEAST * before.weight:
        return Tuned(0.0, step, NEAREST)
    direction = (part > 0) - (part < 0)
    if direction in (0, -before.direction):
        return Tuned(weight, step, max(before.reach / 2, NEAREST), direction)
    grows = direction == before.direction and abs(part) == 1
    return Tuned(weight, step, min(2 * before.reach, FARTHEST) if grows else before.reach, direction)


@final
@dataclass(frozen=True, eq=False)
class _Linear:
    """The linear problem at some parameters.

    Attributes:
        grams: JᵀJ of each loss term, (p, p).
        gradients: Jᵀr of each, (p,).
        jacobian: of the data, or of some of them, (n, p).
        residuals: of the same, (n,).
        noise: the variance of each of these, (n,), NaN where it is not known.
    """

    grams: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    jacobian: Tensor
    residuals: Tensor
    noise: Tensor

    def share(self, name: str) -> float:
        """The squares of the Jacobian of one term, as a share of those of all others."""
        traces = {term: float(gram.trace()) for term, gram in self.grams.items()}
        return traces[name] / max(sum(traces.values()) - traces[name], sys.float_info.min)

    def left_out(self, factors: Mapping[str, float]) -> Tensor:
        """The squares of what rows of the data would be were each left out, (n,), with weights times factors.

        Where the noise is known, what the risk is estimated by.
        """
        hessian = torch.stack([factors.get(name, 1.0) * each for name, each in self.grams.items()]).sum(dim=0)
        gradient = torch.stack([factors.get(name, 1.0) * each for name, each in self.gradients.items()]).sum(dim=0)
        hessian.diagonal().add_(ROUNDING * float(hessian.trace()))
        factor, info = torch.linalg.cholesky_ex(hessian)
        if int(info) != 0:
            return torch.full_like(self.residuals, math.inf)
        step = -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        leverage = torch.linalg.solve_triangular(factor, self.jacobian.T, upper=False).square().sum(dim=0)
        residuals = self.residuals + self.jacobian @ step
        left_out = torch.square(residuals / (1 - leverage).clamp_min(CLOSE))
        return torch.where(self.noise.isnan(), left_out, residuals.square() + 2 * self.noise * leverage)


def least(scores: Mapping[float, Tensor]) -> float:
    """The change by which the mean square is the least, the smallest of those that are as good."""
    means = {part: float(each.mean()) for part, each in scores.items() if bool(each.isfinite().all())}
    return min((part for part, mean in means.items() if mean <= (1 + BETTER) * min(means.values())), default=0.0)


def largest(scores: Mapping[float, Tensor]) -> float:
    """The largest change whose mean square is not clearly above the least; none where it makes no difference."""
    finite = {part: each for part, each in scores.items() if bool(each.isfinite().all())}
    means = {part: float(each.mean()) for part, each in finite.items()}
    if not means or max(means.values()) <= (1 + BETTER) * min(means.values()):
        return 0.0
    best = finite[min(means, key=lambda part: means[part])]
    above = {part: each - best for part, each in finite.items()}
    return max(part for part, each in above.items() if float(each.mean()) <= CLEAR * _standard_error(each))


def _standard_error(values: Tensor) -> float:
    """Of the mean of values, (n,)."""
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _linear(objective: Objective, batch: Batch, at: Linearised | InBlocks) -> _Linear:
    terms = _data(objective)
    data = torch.cat([torch.arange(at.rows[name].start, at.rows[name].stop) for name in terms])
    some = slice(None, None, -(-len(data) // MOST))
    chosen = data[some].to(at.residuals.device)
    residuals, width = at.residuals.double(), at.jacobian.shape[1]
    grams = {name: residuals.new_zeros((width, width)) for name in at.rows}
    gradients = {name: residuals.new_zeros(width) for name in at.rows}
    looked_at = residuals.new_zeros((len(chosen), width))
    for block in blocks_of(at):
        jacobian, here = block.jacobian.double(), residuals[block.rows]
        for name, own in block.terms.items():
            grams[name] += jacobian[own].T @ jacobian[own]
            gradients[name] += jacobian[own].T @ here[own]
        among, place = (chosen[:, None] == block.rows).nonzero(as_tuple=True)
        looked_at[among] = jacobian[place]
    noise = torch.cat([_variance(objective, batch, name) for name in terms]).to(residuals)[some]
    return _Linear(grams, gradients, looked_at, residuals[chosen], noise)


def measured(objective: Objective) -> Sequence[str]:
    """The loss terms that are measurements and count."""
    return [term.name for term in objective.measured if objective.given[term.name]]


def _data(objective: Objective) -> Sequence[str]:
    """The loss terms that are left out, row by row."""
    return measured(objective) or [name for name in objective.names if name not in objective.penalties]


def _variance(objective: Objective, batch: Batch, name: str) -> Tensor:
    """The variance of the noise in each row of a term, in the scale of its rows, (n,); NaN if it is not known."""
    known = {term.name: term.measured.noise for term in objective.measured if term.measured is not None}
    count, noise = batch.counts[name], known.get(name)
    if noise is None:
        return torch.full((count,), math.nan, dtype=torch.float64)
    variance = torch.full((count,), noise**2 * batch.weights[name] / count, dtype=torch.float64)
    importance = batch.points[name].importance
    return variance if importance is None else importance.to(variance) * variance
