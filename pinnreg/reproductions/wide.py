"""Wide networks beside their infinitely wide limit, of values f and Jacobian J together: at the start, and trained.

Eight points on the unit circle carry random labels y ~ N(0, 1), and a network of one hidden layer in the NTK
parametrisation (all parameters N(0, 1), φ = erf) is trained on mean (f - y)² + λ mean |J|² by plain gradient descent.
With u = (f, J) the linear prediction is gradient descent on u with a kernel that stays, step for step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinnreg.analysis import InfiniteKernels, Kernel, WideNetwork, drift, infinite_kernels, ntk, predict, stacked
from pinnreg.objective import Objective, regression
from pinnreg.optimisers import SGD
from pinnreg.randomness import generator
from pinnreg.regularisers import Jacobian
from pinnreg.reproductions.fit import fit
from pinnreg.reproductions.model import Progress

Array = NDArray[np.float64]
Parameters = dict[str, Tensor]

VALUE = (0, 0)
OPERATORS = (VALUE, (1, 0), (0, 1))
"""u = (f, ∂₁f, ∂₂f), the rows of all kernels here."""
COUNT, TESTED = 8, 160
STEPS, EVERY = 2000, 40
STRENGTHS = (0.01, 0.1, 1.0)
REFERENCE_START = {64: 0.328, 256: 0.150, 1024: 0.068, 4096: 0.034, 16384: 0.0155}
REFERENCE_DEVIATION = {64: 1.42, 256: 1.26, 1024: 0.95, 4096: 0.42}
REFERENCE_DRIFT = {64: 50.0, 256: 22.0, 1024: 5.5, 4096: 0.94}
"""By width, of the earlier run that `jacobian` compares with."""
STRENGTH = 0.1
COMPARED = 1024
"""The width at which all λ are trained."""
SHARE = 0.5
"""Of the largest rate with which the linear prediction is stable: what lets the kernel of a narrow network grow."""


def circle(count: int) -> Tensor:
    """Points at equal angles, (count, 2); the first at angle 0."""
    angles = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def limit(points: Tensor, other: Tensor | None = None) -> InfiniteKernels:
    """Covariance and tangent kernel of u for infinite width."""
    return infinite_kernels(points, OPERATORS, other=other, activation="erf")


def network(width: int, seed: int) -> WideNetwork:
    """One of finite width, drawn."""
    return WideNetwork(2, width, activation="erf", generator=generator(seed, "wide network"), dtype=torch.float64)


@final
@dataclass(frozen=True)
class Start:
    """max |finite - limit| over the entries of the joint kernels of u at the start, one number for each draw, by width.

    Attributes:
        tangent: of Θ.
        covariance: of the covariance of u given the hidden layer, which is the tangent kernel of the readout.
        smallest: the smallest eigenvalue of Θ, one for each draw.
    """

    tangent: Mapping[int, Sequence[float]]
    covariance: Mapping[int, Sequence[float]]
    smallest: Mapping[int, Sequence[float]]


def at_start(widths: Sequence[int], draws: int, progress: Progress) -> Start:
    """Compare networks of some widths with the limit before any training."""
    points, tangent, covariance, smallest = circle(COUNT), {}, {}, {}
    exact = limit(points)
    for number, width in enumerate(widths):
        progress("kernels at the start", number, len(widths))
        drawn = [network(width, seed) for seed in range(draws)]
        full = [ntk(each, points, OPERATORS) for each in drawn]
        readout = [ntk(each, points, OPERATORS, parameters={"readout": each.readout}) for each in drawn]
        tangent[width] = [_largest(each.matrix - exact.ntk.matrix) for each in full]
        covariance[width] = [_largest(each.matrix - exact.nngp.matrix) for each in readout]
        smallest[width] = [float(each.eigenvalues[-1]) for each in full]
    return Start(tangent, covariance, smallest)


def targets(seed: int) -> Tensor:
    """t = (y, 0), labels and no slope, in the order of the kernels' rows."""
    labels = torch.randn(COUNT, generator=generator(seed, "wide labels"), dtype=torch.float64)
    return torch.cat([labels, labels.new_zeros((len(OPERATORS) - 1) * COUNT)])


def importance(kernel: Kernel, strength: float) -> Tensor:
    """D, what each row of u counts for in the loss with λ = `strength`."""
    return kernel.spread({each: (1.0 if each == VALUE else strength) / COUNT for each in OPERATORS})


def rate() -> float:
    """The step size η, a share of 1/λ_max(√D Θ √D) in the limit, of all strengths the smallest."""
    kernel = limit(circle(COUNT)).ntk
    roots = [importance(kernel, strength).sqrt() for strength in STRENGTHS]
    return SHARE / max(float(Kernel(root[:, None] * kernel.matrix * root, ()).eigenvalues[0]) for root in roots)


@final
@dataclass(frozen=True)
class Begun:
    """A network before training, as far as linear training is concerned.

    Attributes:
        targets: t.
        start: u_0 at the points.
        initial: u_0 on the circle, (3 q,).
    """

    targets: Tensor
    start: Tensor
    initial: Tensor

    def linear(self, strength: float, steps: Array, kernel: Kernel, cross: Kernel, initial: Tensor) -> Tensor:
        """The linear prediction after so many steps, infinity allowed, where `initial` is the start: (s, rows)."""
        weights = importance(kernel, strength)
        return predict(
            kernel, weights, self.start, self.targets, steps.tolist(), cross=cross, initial=initial, rate=rate()
        )

    def in_the_limit(self, strength: float, steps: Array) -> tuple[Tensor, Tensor]:
        """The same with the kernel of infinite width: u at the points, (s, 3 n), and f on the circle, (s, q)."""
        points, others = circle(COUNT), circle(TESTED)
        kernel, cross = limit(points).ntk, limit(others, points).ntk
        found = self.linear(strength, steps, kernel, cross, self.initial)[:, :TESTED]
        return self.linear(strength, steps, kernel, kernel, self.start), found


@final
@dataclass(frozen=True)
class Trained:
    """A trained network beside its linear prediction.

    Attributes:
        seed: of labels and network.
        strength: λ.
        steps: at which u was recorded, (s,).
        values: u at the points at these steps, (s, 3 n).
        deviation: max |u - linear| over rows and steps, with the network's own kernel of the start.
        final: the same after the last step.
        relative: the drift of the kernel, |Θ_T - Θ_0|_F/|Θ_0|_F.
        absolute: |Θ_T - Θ_0|_F.
        begun: where it started.
        predicted: f on the circle after the last step, (q,).
        own: max |f - linear| there, linear with the network's own kernel.
        infinite: the same with the kernel of infinite width.
    """

    seed: int
    strength: float
    steps: Array
    values: Tensor
    deviation: float
    final: float
    relative: float
    absolute: float
    begun: Begun
    predicted: Tensor
    own: float
    infinite: float

    @property
    def slopes(self) -> Array:
        """√(mean |J|²) at the points, at the recorded steps."""
        found: Array = (self.values[:, COUNT:].square().sum(dim=1) / COUNT).sqrt().numpy()
        return found


ByWidth = Mapping[int, Sequence[Trained]]
"""With λ = 0.1, one for each seed."""


def trained(width: int, runs: Sequence[tuple[int, float]], progress: Progress, *, steps: int = STEPS) -> list[Trained]:
    """Train networks of one width side by side.

    Args:
        width: m.
        runs: the seed and the strength λ of each.
        progress: told how many steps are done.
        steps: of gradient descent.
    """
    before = [_Before(width, seed, strength) for seed, strength in runs]

    def measure(parameters: Parameters) -> dict[str, float]:
        found = [each.values({name: p[number] for name, p in parameters.items()}) for number, each in enumerate(before)]
        return dict(zip(names, torch.cat(found).tolist(), strict=True))

    names = [f"u{number}" for number in range(len(runs) * COUNT * len(OPERATORS))]
    label = f"training, width {width}"
    stages = [SGD(steps=steps, learning_rate=rate())]
    objectives = [each.objective() for each in before]
    fitted = fit(objectives, stages, progress, label, measure=measure, names=names, every=EVERY)
    history = fitted.history
    columns = torch.from_numpy(np.stack([history[f"error_{name}"] for name in names], axis=1))
    measured = torch.isfinite(columns).all(dim=1)
    taken = history["step"][measured.numpy()]
    recorded = columns[measured].split(COUNT * len(OPERATORS), dim=1)
    return [
        each.outcome(taken, values, replica.parameters)
        for each, values, replica in zip(before, recorded, fitted.each, strict=True)
    ]


@final
class _Before:
    """A network before training, and what the linear prediction needs of it."""

    def __init__(self, width: int, seed: int, strength: float) -> None:
        self.seed, self.strength = seed, strength
        self.network = network(width, seed)
        self.parameters = {name: each.detach().clone() for name, each in self.network.named_parameters()}
        self.points, self.others = circle(COUNT), circle(TESTED)
        self.kernel = ntk(self.network, self.points, OPERATORS)
        self.cross = ntk(self.network, self.others, OPERATORS, other=self.points)
        initial = stacked(self.network, self.others, OPERATORS).detach()
        self.begun = Begun(targets(seed), self.values(self.parameters), initial)

    def objective(self) -> Objective:
        """The loss of the network, with the penalty at the data."""
        penalty = Jacobian(weight=self.strength)
        labels = targets(self.seed)[:COUNT].numpy()
        return regression(self.network, self.points.numpy(), labels, [(-1, 1)] * 2, regularisers=[penalty])

    def values(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """u at the points."""
        return stacked(self.network, self.points, OPERATORS, parameters=parameters).detach()

    def outcome(self, steps: Array, values: Tensor, parameters: Mapping[str, Tensor]) -> Trained:
        """The comparison after training."""
        after = {name: each.detach() for name, each in parameters.items()}
        linear = self._linear(self.kernel, self.kernel, self.begun.start, steps)
        apart = (values - linear).abs().amax(dim=1)
        moved = drift(self.network, self.parameters, after, self.points, OPERATORS).kernel
        predicted = stacked(self.network, self.others, parameters=after).detach()
        own = self._linear(self.kernel, self.cross, self.begun.initial, steps[-1:])[:, :TESTED]
        infinite = self.begun.in_the_limit(self.strength, steps[-1:])[1]
        return Trained(
            seed=self.seed,
            strength=self.strength,
            steps=steps,
            values=values,
            deviation=float(apart.max()),
            final=float(apart[-1]),
            relative=moved,
            absolute=moved * float(torch.linalg.matrix_norm(self.kernel.matrix)),
            begun=self.begun,
            predicted=predicted,
            own=_largest(predicted - own[0]),
            infinite=_largest(predicted - infinite[0]),
        )

    def _linear(self, kernel: Kernel, cross: Kernel, initial: Tensor, steps: Array) -> Tensor:
        return self.begun.linear(self.strength, steps, kernel, cross, initial)


def slope(by_width: Mapping[int, Sequence[float]]) -> float:
    """The exponent a of values like m^a, by least squares on the logarithms of their means."""
    widths, means = list(by_width), list(means_of(by_width).values())
    return float(np.polyfit(np.log(widths), np.log(means), 1)[0])


def falls(by_width: Mapping[int, Sequence[float]]) -> tuple[float, float]:
    """The largest ratio of means from one width to the next, below 1 if they fall all the way; and last over first."""
    means = list(means_of(by_width).values())
    return max(after / before for before, after in itertools.pairwise(means)), means[-1] / means[0]


def means_of(by_width: Mapping[int, Sequence[float]]) -> dict[int, float]:
    """The mean over draws at each width."""
    return {width: float(np.mean(values)) for width, values in by_width.items()}


def measured(by_width: ByWidth, what: Callable[[Trained], float]) -> dict[int, list[float]]:
    """A number of each trained network, by width."""
    return {width: [what(each) for each in found] for width, found in by_width.items()}


def of_strength(runs: Sequence[Trained], strength: float) -> list[Trained]:
    """Those that were trained with one λ."""
    return [each for each in runs if each.strength == strength]


def _largest(values: Tensor) -> float:
    return float(values.abs().max())
