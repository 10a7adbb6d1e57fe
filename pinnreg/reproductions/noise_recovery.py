"""Sparse and low-rank recovery by noise on the weights, Orvieto et al. 2022, arXiv:2206.04613.

Fewer linear measurements than unknowns are fitted exactly by many solutions. In expectation, small noise adds to the
loss σ² times the mean squared norm of the derivatives of the predictions. For a given solution that is at least a
weighted l1 norm of β = u² - v², or the nuclear norm of X = U Vᵀ, up to a factor. Plain gradient descent from weights
that are not small has no such preference. Sizes, starts and steps are our own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinnreg.objective import Objective, regression
from pinnreg.optimisers import SGD
from pinnreg.plots import Curve, Panel
from pinnreg.randomness import generator
from pinnreg.regularisers import Regulariser, WeightNoise
from pinnreg.reproductions.fit import fit
from pinnreg.reproductions.model import Claim, Progress, Rows, Table

Array = NDArray[np.float64]
Scheme = Literal["none", "layer", "all"]
SCHEMES: tuple[Scheme, ...] = ("none", "layer", "all")
BOUND = 8.0  # beyond all normal draws
EVALUATIONS, RATE = 40, 0.02

UNKNOWNS, SUPPORT, MEASURED = 100, 5, 50
SIDE, RANK, MEASURED_ENTRIES = 20, 2, 200
ERROR, NORM = "relative error", "nuclear norm / truth's"
BOUNDS = {ERROR: 0.5, NORM: 0.8}


@final
@dataclass(frozen=True)
class Recovery:
    """How a solution is found without noise and with it.

    Attributes:
        what: is recovered.
        sigma: of the noise that claims and curves over steps are about.
        steps: at which was measured, (evaluations,).
        found: by scheme and σ, each measure by name, (seeds, evaluations).
        done: optimiser steps of all replicas together.
    """

    what: str
    sigma: float
    steps: Array
    found: Mapping[tuple[Scheme, float], Mapping[str, Array]]
    done: int

    def table(self) -> Table:
        """A row for each noise."""
        measures = list(self.found["none", 0.0])
        rows: Rows = [_row(scheme, sigma, each) for (scheme, sigma), each in self.found.items()]
        columns = ["noise", "σ", *(name for each in measures for name in (each, "min", "max over seeds"))]
        return Table(f"recovery of {self.what}, after {int(self.steps[-1])} steps", columns, rows)

    def claims(self) -> list[Claim]:
        """Noise lowers each measure, on every seed."""
        return [
            Claim(
                f"{self.what}: {measure} with {scheme} / without, worst seed",
                self._worst(scheme, measure),
                "<",
                BOUNDS[measure],
            )
            for measure in self.found[SCHEMES[0], 0.0]
            for scheme in SCHEMES[1:]
        ]

    def panels(self) -> list[Panel]:
        """Each measure against steps; the error against σ where there are several."""
        measures = list(self.found["none", 0.0])
        drawn = [self._over_steps(measure) for measure in measures]
        return [*drawn, self._over_sigma()] if len(measures) == 1 else drawn

    def _worst(self, scheme: Scheme, measure: str) -> float:
        without, noisy = self.found["none", 0.0][measure], self.found[scheme, self.sigma][measure]
        return float(np.max(noisy[:, -1] / without[:, -1]))

    def _over_steps(self, measure: str) -> Panel:
        curves = []
        for scheme in SCHEMES:
            found = self.found[scheme, 0.0 if scheme == "none" else self.sigma][measure]
            label = scheme if scheme == "none" else f"{scheme}, σ = {self.sigma}"
            curves.append(Curve(label, self.steps, found.mean(axis=0), found.min(axis=0), found.max(axis=0)))
        return Panel(self.what, "step", measure, curves, log_y=measure == ERROR)

    def _over_sigma(self) -> Panel:
        sigmas = sorted({sigma for _, sigma in self.found if sigma})
        curves = []
        for scheme in SCHEMES:
            at = [self.found[scheme, sigma if scheme != "none" else 0.0][ERROR][:, -1] for sigma in sigmas]
            low, high = ([float(pick(each)) for each in at] for pick in (np.min, np.max))
            curves.append(
                Curve(scheme, range(len(sigmas)), [float(each.mean()) for each in at], low, high, kind="marked")
            )
        title = f"{self.what}, after {int(self.steps[-1])} steps"
        return Panel(title, "σ", ERROR, curves, log_y=True, ticks=[str(sigma) for sigma in sigmas])


def noises(scheme: Scheme, sigma: float) -> list[Regulariser]:
    """The noise as regularisers; none for "none"."""
    return [] if scheme == "none" else [WeightNoise(sigma=sigma, scheme=scheme)]


def sparse(seeds: Sequence[int], steps: int, progress: Progress) -> Recovery:
    """β = u² - v² with 5 of 100 entries ±1 from 50 values, by gradient descent."""
    truth = torch.stack([sparse_truth(seed) for seed in seeds])

    def measure(parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = parameters["u"].square() - parameters["v"].square()
        return {ERROR: (found - truth).norm(dim=1) / truth.norm(dim=1)}

    def objective(seed: int, regularisers: Sequence[Regulariser]) -> Objective:
        return _linear(DifferenceOfSquares(), sparse_truth(seed), MEASURED, regularisers, seed)

    return _recovery("sparse vector", objective, measure, [ERROR], seeds, (0.1, 0.05, 0.2), steps, progress)


def low_rank(seeds: Sequence[int], steps: int, progress: Progress) -> Recovery:
    """X = U Vᵀ of size 20 x 20 and rank 2, U and V square, from 200 values, by gradient descent."""
    truth = torch.stack([low_rank_truth(seed) for seed in seeds])

    def measure(parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = parameters["u"] @ parameters["v"].mT
        error = torch.linalg.matrix_norm(found - truth) / torch.linalg.matrix_norm(truth)
        norm = torch.linalg.matrix_norm(found, "nuc") / torch.linalg.matrix_norm(truth, "nuc")
        return {ERROR: error, NORM: norm}

    def objective(seed: int, regularisers: Sequence[Regulariser]) -> Objective:
        return _linear(Factorised(seed), low_rank_truth(seed).flatten(), MEASURED_ENTRIES, regularisers, seed)

    return _recovery("low-rank matrix", objective, measure, [ERROR, NORM], seeds, (0.06,), steps, progress)


@final
class DifferenceOfSquares(nn.Module):
    """x ↦ x·(u² - v²), (n, d) to (n, 1); all of u and v begin with 1/2."""

    def __init__(self) -> None:
        super().__init__()
        self.u, self.v = (nn.Parameter(torch.full((UNKNOWNS,), 0.5, dtype=torch.float64)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """The products with the rows of `x`."""
        return (x @ (self.u.square() - self.v.square()))[:, None]


@final
class Factorised(nn.Module):
    """A ↦ <A, U Vᵀ> for flattened A, (n, d²) to (n, 1); U and V (d, d) begin with N(0, 0.01)."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draws = generator(seed, "low-rank start")
        u, v = 0.1 * torch.randn(2, SIDE, SIDE, generator=draws, dtype=torch.float64)
        self.u, self.v = nn.Parameter(u.clone()), nn.Parameter(v.clone())

    def forward(self, x: Tensor) -> Tensor:
        """The products with the rows of `x`."""
        return (x @ (self.u @ self.v.mT).reshape(-1))[:, None]


def sparse_truth(seed: int) -> Tensor:
    """β (100,), five entries ±1, the others 0."""
    draws = generator(seed, "sparse truth")
    truth = torch.zeros(UNKNOWNS, dtype=torch.float64)
    truth[torch.randperm(UNKNOWNS, generator=draws)[:SUPPORT]] = torch.randn(
        SUPPORT, generator=draws, dtype=torch.float64
    ).sign()
    return truth


def low_rank_truth(seed: int) -> Tensor:
    """X (20, 20) of rank 2 and nuclear norm 2."""
    draws = generator(seed, "low-rank truth")
    left, right = torch.randn(2, SIDE, RANK, generator=draws, dtype=torch.float64)
    matrix = left @ right.T
    scaled: Tensor = RANK * matrix / torch.linalg.matrix_norm(matrix, "nuc")
    return scaled


def _linear(network: nn.Module, truth: Tensor, count: int, regularisers: Sequence[Regulariser], seed: int) -> Objective:
    """Gaussian measurements of `truth` (d,), without errors, as data for a network that takes their rows."""
    draws = generator(seed, "recovery measurements")
    rows = torch.randn(count, len(truth), generator=draws, dtype=torch.float64)
    bounds = [(-BOUND, BOUND)] * len(truth)
    return regression(network, rows.numpy(), (rows @ truth).numpy(), bounds, regularisers=regularisers, seed=seed)


def _recovery(
    what: str,
    objective: Callable[[int, Sequence[Regulariser]], Objective],
    measure: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
    measures: Sequence[str],
    seeds: Sequence[int],
    sigmas: Sequence[float],
    steps: int,
    progress: Progress,
) -> Recovery:
    """Plain gradient descent and both schemes with each σ, the first of which is for claims and curves."""

    def by_seed(parameters: Mapping[str, Tensor]) -> dict[str, float]:
        with torch.no_grad():
            found = measure(parameters)
        return {_name(each, seed): float(found[each][place]) for each in measures for place, seed in enumerate(seeds)}

    stage = SGD(steps=steps, learning_rate=RATE)
    names = [_name(each, seed) for each in measures for seed in seeds]
    found: dict[tuple[Scheme, float], Mapping[str, Array]] = {}
    measured, done = np.zeros(0), 0
    noisy = itertools.product(SCHEMES[1:], sorted(sigmas))
    for scheme, sigma in [(SCHEMES[0], 0.0), *noisy]:
        objectives = [objective(seed, noises(scheme, sigma)) for seed in seeds]
        every = max(1, steps // EVALUATIONS)
        label = f"{what}, {scheme}" + (f", σ = {sigma}" if sigma else "")
        fitted = fit(objectives, [stage], progress, label, measure=by_seed, names=names, every=every)
        columns = {
            each: np.stack([fitted.history[f"error_{_name(each, seed)}"] for seed in seeds]) for each in measures
        }
        taken = ~np.isnan(columns[ERROR][0])
        measured = fitted.history["step"][taken]
        found[scheme, sigma] = {each: values[:, taken] for each, values in columns.items()}
        done += fitted.steps
    return Recovery(what, sigmas[0], measured, found, done)


def _name(measure: str, seed: int) -> str:
    return f"{measure}, seed {seed}"


def _row(scheme: Scheme, sigma: float, found: Mapping[str, Array]) -> list[str | float]:
    last = [values[:, -1] for values in found.values()]
    return [scheme, sigma, *(float(pick(each)) for each in last for pick in (np.mean, np.min, np.max))]
