"""How flat the minima of networks that solve PDEs are, with noise and without, and what that does to the error.

Noise that stays has a bias: with it the loss is not minimised. Noise that falls to zero leaves the minimum of the plain
loss where the noise has led to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pinnreg.analysis import term_sharpness
from pinnreg.config import resolve
from pinnreg.objective import first_batch
from pinnreg.plots import Curve, Panel
from pinnreg.reproductions.model import Claim, Progress, Rows, Table
from pinnreg.run import solve
from pinnreg.run.prepare import prepare

Array = NDArray[np.float64]

SIGMA = 0.01
NOISE = {"kind": "noise_stability", "sigma": SIGMA}
SETTINGS: Mapping[str, list[dict[str, Any]]] = {
    "none": [],
    f"σ = {SIGMA}": [NOISE],
    f"σ = {SIGMA} to 0": [{**NOISE, "schedule": "linear"}],
}
NONE, CONSTANT, FALLING = SETTINGS
COMMON = {"network": {"hidden": [12, 12]}, "train": [{"optimiser": "gauss_newton", "steps": 40}], "device": "cpu"}
CASES: Mapping[str, dict[str, Any]] = {
    "Poisson, 40 points": {
        **COMMON,
        "problem": {"name": "poisson"},
        "points": {"interior": 40, "resample_every": None},
    },
    "heat, 30 points": {**COMMON, "problem": {"name": "heat"}, "points": {"interior": 30, "resample_every": None}},
    "heat, 300 points, soft": {
        **COMMON,
        "problem": {"name": "heat"},
        "points": {"interior": 300, "boundary": 100, "resample_every": None},
        "conditions": "soft",
    },
}
FEW = tuple(name for name in CASES if "soft" not in name)
"""The cases in which the points leave open what the solution is between them."""


@final
@dataclass(frozen=True)
class Trained:
    """A network: its relative L2 error, and the Hessian's (trace, largest eigenvalue) of each loss term, by name."""

    error: float
    hessians: Mapping[str, tuple[float, float]]
    steps: int

    @property
    def trace(self) -> float:
        """The sum over the terms."""
        return sum(trace for trace, _ in self.hessians.values())

    @property
    def largest(self) -> float:
        """Of the terms the largest."""
        return max(largest for _, largest in self.hessians.values())


What = Callable[[Trained], float]
TRACE, LARGEST, ERROR = (attrgetter(name) for name in ("trace", "largest", "error"))


@final
@dataclass(frozen=True)
class Flatness:
    """Networks by case and setting, one for each seed."""

    found: Mapping[str, Mapping[str, Sequence[Trained]]]

    @property
    def steps(self) -> int:
        """Of all of them."""
        return sum(each.steps for by_setting in self.found.values() for runs in by_setting.values() for each in runs)

    def table(self) -> Table:
        """A row for each case and setting: medians over the seeds, the Hessian of each term."""
        rows: Rows = [
            [case, name, float(np.median([each.error for each in runs])), *_hessians(runs)]
            for case, by_setting in self.found.items()
            for name, runs in by_setting.items()
        ]
        columns = ["problem", "noise", "rel. L2 error", "residual: trace", "largest", "conditions: trace"]
        return Table("noise stability within Gauss-Newton, medians over seeds; Hessians by loss term", columns, rows)

    def claims(self) -> list[Claim]:
        """Medians of ratios seed by seed, of all cases the worst."""
        traces, largest = ([self._ratio(case, FALLING, what) for case in CASES] for what in (TRACE, LARGEST))
        constant = [self._ratio(case, CONSTANT, TRACE) for case in CASES]
        errors = [self._ratio(case, FALLING, ERROR) for case in FEW]
        return [
            Claim(
                "PDEs: Hessian trace, noise that falls to 0 over none, worst problem",
                max(traces),
                "<",
                1,
            ),
            Claim("... largest eigenvalue", max(largest), "<", 1),
            Claim("... trace, with noise that stays", max(constant), "<", 1),
            Claim("... error with few points, noise that falls to 0", max(errors), "<", 1),
        ]

    def panels(self) -> list[Panel]:
        """Trace and error of each network."""
        return [
            self._panel("Hessian trace", TRACE, "Hessian trace of all terms"),
            self._panel("error", ERROR, "relative L2 error"),
        ]

    def _ratio(self, case: str, name: str, what: What) -> float:
        pairs = zip(self.found[case][name], self.found[case][NONE], strict=True)
        return float(np.median([what(noisy) / what(plain) for noisy, plain in pairs]))

    def _panel(self, title: str, what: What, label: str) -> Panel:
        curves = []
        for number, name in enumerate(SETTINGS):
            runs = [(place, each) for place, of in enumerate(self.found.values()) for each in of[name]]
            x = [place + 0.2 * (number - 1) for place, _ in runs]  # side by side
            curves.append(Curve(f"noise: {name}", x, [what(each) for _, each in runs], kind="points"))
        return Panel(f"PDEs: {title}, each seed", "", label, curves, log_y=True, ticks=list(self.found))


def flatness(seeds: Sequence[int], progress: Progress) -> Flatness:
    """Solve each case with each setting."""
    found: dict[str, dict[str, list[Trained]]] = {}
    done, total = 0, len(CASES) * len(SETTINGS) * len(seeds)
    for case, config in CASES.items():
        found[case] = {name: [] for name in SETTINGS}
        for name, regularisers in SETTINGS.items():
            for seed in seeds:
                found[case][name].append(trained({**config, "seed": seed}, regularisers))
                done += 1
                progress(f"PDEs, {case}", done, total)
    return Flatness(found)


def trained(config: dict[str, Any], regularisers: list[dict[str, Any]]) -> Trained:
    """Solve a config with regularisers; Hessians of the plain terms, at its own points."""
    solution = solve({**config, "regularisers": regularisers}, out=False, progress=False)
    assert solution.report is not None
    plain = prepare(resolve(config), with_reference=False).objective
    sharp = term_sharpness(plain, first_batch(plain, plain.model.initial()), solution.parameters)
    return Trained(
        solution.report.errors["u"].rel_l2,
        {name: (each.trace, each.largest) for name, each in sharp.items()},
        int(solution.history["step"][-1]),
    )


def _hessians(runs: Sequence[Trained]) -> list[str | float]:
    trace, largest = np.median([each.hessians["residual"] for each in runs], axis=0)
    soft = [each.trace - each.hessians["residual"][0] for each in runs if len(each.hessians) > 1]
    return [float(trace), float(largest), float(np.median(soft)) if soft else "exact"]
