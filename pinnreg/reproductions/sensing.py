"""Matrix sensing: a matrix of low rank from linear measurements, with far more parameters than measurements.

X = U* U*ᵀ with U* ~ N(0, 1), (d, r), is to be found from m = 5 d r numbers ⟨Aᵢ, X⟩, Aᵢ = (Gᵢ + Gᵢᵀ)/2 with Gᵢ ~
N(0, 1), by ⟨Aᵢ, W Wᵀ⟩ with a full square W that starts at N(0, 1). Every W of loss zero fits; those of small Hessian
trace, which here is about 4 (d + 1) |W|², have W Wᵀ close to X. The published gradient is (1/m) Σᵢ rᵢ Aᵢ W, a quarter
of that of our mean square, so that its learning rate of .0025 is a quarter of that here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinnreg.analysis import weighted_sharpness
from pinnreg.objective import Objective, regression
from pinnreg.optimisers import SGD
from pinnreg.plots import Curve, Panel
from pinnreg.randomness import generator
from pinnreg.regularisers import NoiseStability, Regulariser
from pinnreg.reproductions.fit import Fitted, fit
from pinnreg.reproductions.model import Claim, Progress, Rows, Table

Array = NDArray[np.float64]

MEASUREMENTS = 5
"""For each of the d r numbers of U*."""
SIGMA, RATE, STEPS = 0.08, 0.0025 / 4, 4000
EVERY = 100
LAST = 0.1
"""The share of the steps over whose end a loss is the mean: with one-sided noise it is not at rest."""
BOUND = 20.0
"""Of the coordinates of a measurement, whose standard deviation is at most √2."""


@final
@dataclass(frozen=True)
class Setting:
    """How a matrix is sought: with which noise, in how many gradient evaluations a step; and what is to reproduce."""

    noise: Sequence[Regulariser]
    evaluations: int
    expected: str


SETTINGS: Mapping[str, Setting] = {
    "gradient descent": Setting((), 1, ".52"),
    "one-sided noise": Setting((NoiseStability(sigma=SIGMA, sides="one"),), 2, "1.4e-3"),
    "two-sided noise": Setting((NoiseStability(sigma=SIGMA),), 2, "6.8e-4"),
}
PLAIN, ONE, TWO = SETTINGS


@final
class Factors(nn.Module):
    """⟨A, W Wᵀ⟩ of matrices A that are given by `coordinates`, (n, d(d + 1)/2) to (n, 1).

    Raises:
        RuntimeError: coordinates of matrices of another size.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.factor = nn.Parameter(start)

    def forward(self, points: Tensor) -> Tensor:
        rows, columns = torch.triu_indices(*self.factor.shape)
        product = (self.factor @ self.factor.mT)[rows, columns]
        # as a row vector times a matrix, backwards too: in a batch twice as fast as a matrix times a column
        return (product[None] @ points.mT).mT


def coordinates(matrices: Tensor) -> Tensor:
    """Symmetric matrices (n, d, d) as (n, d(d + 1)/2), so that ⟨A, B⟩ is their sum of products with B's upper half."""
    rows, columns = torch.triu_indices(*matrices.shape[1:])
    return matrices[:, rows, columns] * torch.where(rows == columns, 1.0, 2.0).to(matrices)


def measured(d: int, count: int, draws: torch.Generator) -> Tensor:
    """Random symmetric matrices as coordinates, (count, d(d + 1)/2)."""
    gaussian = torch.randn(count, d, d, generator=draws, dtype=torch.float64)
    return coordinates((gaussian + gaussian.mT) / 2)


def low_rank(d: int, rank: int, seed: int) -> Tensor:
    """X, (d, d)."""
    factor = torch.randn(d, rank, generator=generator(seed, "sensing truth"), dtype=torch.float64)
    return factor @ factor.T


def objective(d: int, rank: int, noise: Sequence[Regulariser], seed: int) -> Objective:
    """The mean square over the measurements; the same data and start for any noise.

    In single precision, which is ample for the losses reached: most of a step is reading the measurements.
    """
    points = measured(d, MEASUREMENTS * d * rank, generator(seed, "sensing measurements"))
    truth = low_rank(d, rank, seed)
    start = torch.randn(d, d, generator=generator(seed, "sensing start"), dtype=torch.float64)
    rows, columns = torch.triu_indices(d, d)
    values = points @ truth[rows, columns]
    bounds = [(-BOUND, BOUND)] * points.shape[1]
    return regression(Factors(start.float()), points.numpy(), values.numpy(), bounds, regularisers=noise, seed=seed)


def validation(factors: Tensor, truths: Tensor) -> Tensor:
    """|W Wᵀ - X|²/|X|² of W and X, both (n, d, d); (n,).

    E⟨A, D⟩² = |D|² for a measurement A and symmetric D: this is the expectation of the mean square over fresh
    measurements, divided by that of the values.
    """
    errors = factors @ factors.mT - truths.to(factors)
    return errors.square().sum((1, 2)) / truths.to(factors).square().sum((1, 2))


@final
@dataclass(frozen=True)
class Sensing:
    """What became of each setting: losses (seeds, records) over gradient evaluations, (records,), and sharpness.

    Attributes:
        size: d and r.
        losses: the validation loss by setting.
        evaluations: gradient evaluations by setting.
        sharpness: trace and largest eigenvalue of the Hessian in the end by setting, (seeds, 2).
        steps: optimiser steps of all replicas together.
    """

    size: tuple[int, int]
    losses: Mapping[str, Array]
    evaluations: Mapping[str, Array]
    sharpness: Mapping[str, Array]
    steps: int

    def final(self, name: str) -> Array:
        """The validation loss in the end, (seeds,)."""
        at = self.evaluations[name]
        found: Array = self.losses[name][:, at >= (1 - LAST) * at[-1]].mean(axis=1)
        return found

    def table(self) -> Table:
        """A row for each setting."""
        d, rank = self.size
        rows: Rows = [
            [
                name,
                float(np.median(self.final(name))),
                float(self.final(name).min()),
                float(self.final(name).max()),
                setting.expected,
                *map(float, np.median(self.sharpness[name], axis=0)),
            ]
            for name, setting in SETTINGS.items()
        ]
        title = (
            f"matrix sensing, d = {d}, r = {rank}, m = {MEASUREMENTS * d * rank}: validation loss after "
            f"{self.evaluations[TWO][-1]:.0f} gradient evaluations, and the loss's Hessian"
        )
        columns = ["setting", "median", "min", "max over seeds", "to reproduce", "Hessian trace", "largest eigenvalue"]
        return Table(title, columns, rows)

    def claims(self) -> list[Claim]:
        """NSO < one-sided << gradient descent."""
        plain, one, two = (self.final(name) for name in SETTINGS)
        traces = [self.sharpness[name][:, 0] for name in (PLAIN, TWO)]
        return [
            Claim("sensing: two-sided noise, validation loss", float(np.median(two)), "<", 2e-3, "6.8e-4"),
            Claim("... over that of one-sided noise, worst seed", float((two / one).max()), "<", 1, ".49"),
            Claim("one-sided noise over gradient descent, worst seed", float((one / plain).max()), "<", 0.1, ".0027"),
            Claim(
                "Hessian trace, two-sided noise over descent, worst seed",
                float((traces[1] / traces[0]).max()),
                "<",
                1,
            ),
        ]

    def panel(self) -> Panel:
        """Validation loss against gradient evaluations: medians, and bands over the seeds."""
        curves = [
            Curve(name, self.evaluations[name], np.median(losses, axis=0), losses.min(axis=0), losses.max(axis=0))
            for name, losses in self.losses.items()
        ]
        d, rank = self.size
        title = f"matrix sensing, d = {d}, rank {rank}"
        return Panel(title, "gradient evaluations", "validation loss", curves, log_y=True)


def sensing(d: int, rank: int, seeds: Sequence[int], progress: Progress, steps: int = STEPS) -> Sensing:
    """Seek matrices (d, d) of a rank by gradient descent, with one-sided and with two-sided noise.

    Args:
        d: the size of X.
        rank: of X.
        seeds: of truth, measurements, start and noise.
        progress: told how many steps are done.
        steps: with noise; plain gradient descent takes as many gradient evaluations, twice the steps.
    """
    truths = torch.stack([low_rank(d, rank, seed) for seed in seeds])
    names = [f"seed_{seed}" for seed in seeds]
    losses, evaluations, sharp, made = {}, {}, {}, 0
    for name, setting in SETTINGS.items():
        stage = SGD(steps=2 * steps // setting.evaluations, learning_rate=RATE)
        fitted = fit(
            [objective(d, rank, setting.noise, seed) for seed in seeds],
            [stage],
            progress,
            f"matrix sensing, {name}",
            measure=partial(_measure, names, truths),
            names=names,
            every=max(EVERY // setting.evaluations, 1),
        )
        taken = ~np.isnan(fitted.history[f"error_{names[0]}"])
        losses[name] = np.stack([fitted.history[f"error_{each}"][taken] for each in names])
        evaluations[name] = setting.evaluations * fitted.history["step"][taken]
        sharp[name] = _sharpness(fitted)
        made += fitted.steps
    return Sensing((d, rank), losses, evaluations, sharp, made)


def _measure(names: Sequence[str], truths: Tensor, parameters: Mapping[str, Tensor]) -> dict[str, float]:
    with torch.no_grad():
        return dict(zip(names, validation(parameters["factor"], truths).tolist(), strict=True))


def _sharpness(fitted: Fitted) -> Array:
    found = [weighted_sharpness(each.objective, each.batch, each.parameters, probes=8) for each in fitted.each]
    return np.array([[each.trace, each.largest] for each in found])
