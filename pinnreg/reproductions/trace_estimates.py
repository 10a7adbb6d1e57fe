"""Estimates of the trace of a Hessian from noise: of one point, and of two points that cancel the first order.

With U ~ N(0, σ² I) both 2 [L(W + U) - L(W)]/σ² and [L(W + U) + L(W - U) - 2 L(W)]/σ² have the mean tr ∇²L(W) + O(σ²).
The variance of the first is 4 |∇L|²/σ² + 2 |∇²L|² + O(σ²), that of the second lacks the first part: away from a
minimum, where training takes place, and for small σ, which the expansion needs, one point says nothing about the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import vmap

from pinnreg.analysis import weighted_sharpness
from pinnreg.config import resolve
from pinnreg.objective import gradient as gradient_of
from pinnreg.objective import total
from pinnreg.optimisers import Adam
from pinnreg.plots import Curve, Panel
from pinnreg.randomness import generator
from pinnreg.regularisers import NoiseStability
from pinnreg.reproductions.fit import Replica, fit
from pinnreg.reproductions.model import Claim, Progress, Rows, Table
from pinnreg.run.prepare import prepare

Array = NDArray[np.float64]

CONFIG = {
    "problem": {"name": "poisson"},
    "network": {"hidden": [12, 12]},
    "points": {"interior": 100, "resample_every": None},
    "device": "cpu",
}
SIGMAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
DRAWS = 1000
TRAINED = 100


def estimates(trained: Replica, sigma: float, count: int) -> tuple[Array, Array]:
    """The estimates of one point and of two from the same `count` draws, (count,) each, at the trained parameters.

    The draws are those of the regulariser, of the same directions for any σ.
    """
    at = {name: values.detach() for name, values in trained.parameters.items()}
    draws = generator(trained.objective.seed, "trace estimates")
    # pairs: each draw and its negative
    shifts = NoiseStability(sigma=sigma, samples=count).shifts(at, 1.0, draws, 0)
    offsets = [shift.offset for shift in shifts if shift.offset is not None]
    moved = {name: values + torch.stack([offset[name] for offset in offsets]) for name, values in at.items()}

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return total(trained.batch, trained.objective.losses(trained.batch, parameters))

    with torch.no_grad():
        plus, minus = (vmap(loss)(moved) - loss(at)).view(count, 2).numpy().T
    return 2 * plus / sigma**2, (plus + minus) / sigma**2


@final
@dataclass(frozen=True)
class TraceEstimates:
    """Means and standard deviations relative to the exact trace, (seeds, sigmas); the last index is one point or two.

    Attributes:
        means: (seeds, sigmas, 2).
        deviations: (seeds, sigmas, 2).
        slopes: 2 |∇L| relative to the trace, (seeds,).
        steps: optimiser steps of all replicas together.
    """

    means: Array
    deviations: Array
    slopes: Array
    steps: int

    @property
    def exponents(self) -> Array:
        """The powers of σ with which the deviations grow, (seeds, 2)."""
        logs = np.log(self.deviations)
        return np.array([np.polyfit(np.log(SIGMAS), each, 1)[0] for each in logs])

    def table(self) -> Table:
        """A row for each σ."""
        means, deviations = np.median(self.means, axis=0), np.median(self.deviations, axis=0)
        rows: Rows = [
            [sigma, *(float(column[number, points]) for points in (0, 1) for column in (means, deviations))]
            for number, sigma in enumerate(SIGMAS)
        ]
        return Table(
            f"estimates of the Hessian's trace from {DRAWS} draws, over the exact trace, medians over seeds",
            ["σ", "one point: mean", "sd", "two points: mean", "sd"],
            rows,
        )

    def claims(self) -> list[Claim]:
        """Of all seeds the worst."""
        one, two = np.abs(self.exponents - [-1, 0]).max(axis=0)
        off = np.abs(self.means[..., 1] - 1).max()
        return [
            Claim("trace: the sd of one point goes like σ^-1, exponent off by", float(one), "<", 0.15, "σ^-1"),
            Claim("... of two points stays flat, exponent off by", float(two), "<", 0.02, "flat"),
            Claim("mean of two points off the exact trace, largest share", float(off), "<", 0.1),
        ]

    def panel(self) -> Panel:
        """Deviations against σ, with what is expected of one point."""
        curves = [
            Curve(name, SIGMAS, *_spread(self.deviations[..., points]), kind="marked")
            for points, name in enumerate(("one point", "two points"))
        ]
        expected = np.hypot(self.slopes[:, None] / np.array(SIGMAS), self.deviations[..., 1])
        label = "√(4|∇L|²/σ² + 2|∇²L|²)"
        curves.append(Curve(label, SIGMAS, np.median(expected, axis=0), kind="expected"))
        title = "estimates of the Hessian's trace"
        return Panel(title, "standard deviation of the noise, σ", "sd / exact trace", curves, log_x=True, log_y=True)


def trace_estimates(seeds: Sequence[int], progress: Progress, draws: int = DRAWS) -> TraceEstimates:
    """Estimate the trace at small networks in the midst of training on Poisson's equation."""
    objectives = [prepare(resolve({**CONFIG, "seed": seed}), with_reference=False).objective for seed in seeds]
    fitted = fit(objectives, [Adam(steps=TRAINED)], progress, "trace estimates, training")
    means, deviations, slopes = [], [], []
    for number, trained in enumerate(fitted.each):
        objective, batch, parameters = trained.objective, trained.batch, trained.parameters
        # with as many probes as parameters the Hessian is formed: the trace is exact
        size = sum(values.numel() for values in parameters.values())
        trace = weighted_sharpness(objective, batch, parameters, probes=size).trace
        found = np.array([estimates(trained, sigma, draws) for sigma in SIGMAS]) / trace
        means.append(found.mean(axis=2))
        deviations.append(found.std(axis=2, ddof=1))
        gradient = gradient_of(objective, batch, parameters)[1]
        slopes.append(2 * float(torch.cat([each.flatten() for each in gradient.values()]).norm()) / trace)
        progress("trace estimates, seeds", number + 1, len(seeds))
    return TraceEstimates(np.array(means), np.array(deviations), np.array(slopes), fitted.steps)


def _spread(values: Array) -> tuple[Array, Array, Array]:
    return np.median(values, axis=0), values.min(axis=0), values.max(axis=0)
