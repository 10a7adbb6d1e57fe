"""Deep quadratic networks, Kazemipour, Larsen & Druckmann 2020, arXiv:2001.00098.

One block y(x) = Σ_h λ_h (w_h · x)² is fitted to random labels, from several starts and with more and more neurons. With
as many neurons as there are features, the norm |x|² as another regressor (or neurons kept orthogonal) leaves no
spurious minimum; plain training still ends in some. Blocks of all sizes are trained as one batch: neurons that are all
zero stay so. A start has arrived when it explains all but 1/1000 of what the least-squares optimum explains, which for
these labels is less than 1/1000 of the loss. The published penalty on neurons is η mean (WᵀW - I)² with
η = |y|² beside a loss whose normalisation is not at hand; ours stands beside the mean of squares. Adam begins at ten
times the published rate of 1e-3 and falls to a fifth of it; `full` trains at 1e-3 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from pinnreg.analysis import Certificate, certificate
from pinnreg.networks import Quadratic, QuadraticBlock, Variant
from pinnreg.objective import Objective, regression
from pinnreg.optimisers import Adam
from pinnreg.plots import Curve, Panel
from pinnreg.randomness import generator
from pinnreg.regularisers import Orthogonality, Regulariser
from pinnreg.reproductions.fit import Replica, fit
from pinnreg.reproductions.model import Claim, Progress, Reproduction, Rows, Table
from pinnreg.run import solve

Array = NDArray[np.float64]

INPUTS, FEATURES, COUNT = 4, 5, 200
"""With the constant there are five features."""
LARGEST = 10
QUICK = [
    Adam(steps=7000, learning_rate=1e-2, schedule="exponential", final_learning_rate=2e-3),
    Adam(steps=7000, learning_rate=2e-3, schedule="exponential", final_learning_rate=2e-4),
]
FULL = [Adam(steps=40000, learning_rate=1e-3)]
ARRIVED = 1e-3
VARIANTS: Mapping[Variant, str] = {
    "plain": "0 0 0 0 .4 .8 .9 .9 1 1",
    "norm": "0 0 0 1 1 1 1 1 1 1",
    "orth": "0 0 0 0 1 1 1 1 1 1",
}
"""With the fractions to reproduce for 1 to 10 neurons, of ten starts."""


@final
@dataclass(frozen=True)
class Fit:
    """One trained start: the share of what can be explained that it misses, and its certificate."""

    missed: float
    certificate: Certificate

    @property
    def arrived(self) -> bool:
        """Whether it is at the global minimum."""
        return self.missed < ARRIVED


Fits = Mapping[Variant, Mapping[int, Sequence[Fit]]]
"""By variant and number of neurons, one for each seed and start."""


def quadratic(full: bool, progress: Progress) -> Reproduction:
    """The fraction of starts that reach the global minimum, certificates where they end, and a PDE."""
    seeds, starts = range(3), 10 if full else 4
    neurons = range(1, LARGEST + 1) if full else (2, 3, 4, 5, 6, 8, 10)
    cases = [(count, seed, start) for count in neurons for seed in seeds for start in range(starts)]
    found: dict[Variant, dict[int, list[Fit]]] = {}
    steps = 0
    for variant in VARIANTS:
        objectives = [_objective(variant, *case) for case in cases]
        fitted = fit(objectives, FULL if full else QUICK, progress, f"starts, {variant}")
        steps += fitted.steps
        found[variant] = {count: [] for count in neurons}
        for (count, seed, _), trained in zip(cases, fitted.each, strict=True):
            found[variant][count].append(_fit(trained, seed))
    errors = [_solved(seed, progress) for seed in seeds]
    return Reproduction(
        title="Deep quadratic networks: how many starts reach the global minimum",
        paper="Kazemipour, Larsen & Druckmann 2020, arXiv:2001.00098",
        tables=[_fractions(found, neurons), _certificates(found), _errors(errors)],
        claims=_claims(found, errors),
        panels=_panels(found, neurons),
        notes=[
            f"{starts} starts for each of {len(seeds)} sets of {COUNT} random labels",
            "the fractions to reproduce are of ten starts of one set, in an earlier run, within 1e-3 of the optimum's "
            "loss at a learning rate of 1e-3; here a start has to explain 0.999 of what can be explained, and the rate "
            "begins at 1e-2 (without --full)",
            "poisson_quadratic: four blocks of squared neurons, a polynomial of degree 16",
        ],
        seeds=seeds,
        steps=steps,
    )


def _data(seed: int) -> tuple[Array, Array]:
    draws = generator(seed, "quadratic data")
    points = torch.randn((COUNT, INPUTS), generator=draws, dtype=torch.float64)
    return points.numpy(), torch.randn(COUNT, generator=draws, dtype=torch.float64).numpy()


def _objective(variant: Variant, neurons: int, seed: int, start: int) -> Objective:
    points, values = _data(seed)
    eta = float(np.sum(values**2))
    penalty: list[Regulariser] = [Orthogonality(weight=eta)] if variant == "orth" else []
    bounds = [(-10.0, 10.0)] * INPUTS
    return regression(_network(variant, neurons, seed, start), points, values, bounds, regularisers=penalty, seed=seed)


def _network(variant: Variant, neurons: int, seed: int, start: int) -> Quadratic:
    """A block of so many neurons, and zeros up to the largest number, which stay zero."""
    draws = generator(seed, f"quadratic start {neurons}", start)
    network = Quadratic(INPUTS, [neurons], 1, variant=variant, generator=draws, dtype=torch.float64)
    block = network.blocks[0]
    assert isinstance(block, QuadraticBlock)
    with torch.no_grad():
        for name, axis in (("weight", 0), ("lam", 1)):
            own = block.get_parameter(name)
            shape = list(own.shape)
            shape[axis] = LARGEST - neurons
            setattr(block, name, torch.nn.Parameter(torch.cat([own, own.new_zeros(shape)], dim=axis)))
    return network


def _fit(trained: Replica, seed: int) -> Fit:
    points, values = _data(seed)
    block = {name.rpartition(".")[2]: each.detach().numpy() for name, each in trained.parameters.items()}
    features = np.column_stack([points, np.ones(COUNT)])
    alpha = block["alpha"].item() if "alpha" in block else None
    found = certificate((block["weight"], block["lam"][0], alpha), features, values)
    explained = float(np.mean(values**2)) - found.optimum
    return Fit(found.gap / explained, found)


def _solved(seed: int, progress: Progress) -> float:
    """The error of Poisson's equation solved with quadratic blocks."""
    progress("poisson_quadratic", seed, 3)
    changes = {"seed": seed, "train.0.steps": 40, "device": "cpu"}
    report = solve("poisson_quadratic", changes, out=False, progress=False).report
    assert report is not None
    return report.errors["u"].rel_l2


def _fraction(fits: Sequence[Fit]) -> float:
    return float(np.mean([each.arrived for each in fits]))


def _fractions(found: Fits, neurons: Sequence[int]) -> Table:
    rows: Rows = [
        [variant, *(_fraction(found[variant][count]) for count in neurons), expected]
        for variant, expected in VARIANTS.items()
    ]
    columns = ["variant", *(f"H={count}" for count in neurons), "to reproduce, H=1..10"]
    return Table(f"fraction of starts at the global minimum, H neurons, {FEATURES} features", columns, rows)


def _all(found: Fits, arrived: bool) -> list[Fit]:
    fits = [fit for by_count in found.values() for each in by_count.values() for fit in each]
    return [each for each in fits if each.arrived == arrived]


def _certificates(found: Fits) -> Table:
    rows: Rows = [
        [
            "arrived" if arrived else "elsewhere",
            len(fits),
            sum(each.certificate.certified for each in fits),
            float(np.median([each.certificate.gap for each in fits])) if fits else 0.0,
            float(np.median([_fall(each) for each in fits])) if fits else 0.0,
        ]
        for arrived in (True, False)
        for fits in [_all(found, arrived)]
    ]
    columns = ["starts that ended", "number", "certified", "gap, median", "closed by one neuron of the escape, median"]
    return Table(
        "where training ended, all variants and sizes: certified if within 1e-6 of the data's mean square",
        columns,
        rows,
    )


def _fall(fit: Fit) -> float:
    """How much of the gap one neuron along the escape direction closes."""
    escape = fit.certificate.escape
    return 0.0 if escape is None else escape.fall / fit.certificate.gap


def _errors(errors: Sequence[float]) -> Table:
    rows: Rows = [[f"seed {seed}", error] for seed, error in enumerate(errors)]
    return Table("Poisson's equation with quadratic blocks, 40 steps of Gauss-Newton", ["", "relative L2 error"], rows)


def _claims(found: Fits, errors: Sequence[float]) -> list[Claim]:
    def least(variant: Variant) -> float:
        return min(_fraction(fits) for count, fits in found[variant].items() if count >= FEATURES)

    few = max(_fraction(fits) for by_count in found.values() for count, fits in by_count.items() if count <= 3)
    away = _all(found, False)
    return [
        Claim("norm: smallest fraction with at least 5 neurons", least("norm"), ">=", 0.9, "1"),
        Claim("orth: smallest fraction with at least 5 neurons", least("orth"), ">=", 0.9, "1"),
        Claim("plain: fraction with 5 neurons", _fraction(found["plain"][FEATURES]), "<", 1, ".4"),
        Claim(
            "norm less plain, fraction with 5 neurons",
            _fraction(found["norm"][FEATURES]) - _fraction(found["plain"][FEATURES]),
            ">",
            0,
            ".6",
        ),
        Claim("up to 3 neurons: largest fraction", few, "<=", 0, "0"),
        Claim(
            "least share of the gap that one escaping neuron closes",
            min(map(_fall, away), default=math.nan),
            ">",
            0.1,
        ),
        Claim("Poisson with quadratic blocks: largest error", max(errors), "<", 1e-6),
    ]


def _panels(found: Fits, neurons: Sequence[int]) -> list[Panel]:
    fractions = [
        Curve(variant, list(neurons), [_fraction(found[variant][count]) for count in neurons], kind="marked")
        for variant in VARIANTS
    ]
    gaps = [
        Curve(
            variant,
            [count + shift for count in neurons for _ in found[variant][count]],
            [max(fit.missed, 1e-12) for count in neurons for fit in found[variant][count]],
            kind="points",
        )
        for variant, shift in zip(VARIANTS, (-0.2, 0.0, 0.2), strict=True)
    ]
    line = Curve("arrived", [neurons[0], neurons[-1]], [ARRIVED, ARRIVED], kind="expected")
    return [
        Panel("starts at the global minimum", "neurons H", "fraction", fractions),
        Panel("distance from it", "neurons H", "missed share of what can be explained", [*gaps, line], log_y=True),
    ]
