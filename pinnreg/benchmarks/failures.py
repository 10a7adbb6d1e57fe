"""Runs that end wrong, and where the estimates of errors are looked at as training goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from pinnreg.benchmarks.cases import Case
from pinnreg.config import problem_folders
from pinnreg.errors import unknown
from pinnreg.registry import find, shipped_configs

RIGHT = 3.0
"""The factor within which an estimate is right,"""
FAR = 10.0
"""and that by which one is too small that nobody should have trusted."""
WRONG = 0.05
"""The relative error above which a run has ended wrong."""


@final
@dataclass(frozen=True)
class Failure:
    """A run that ends wrong.

    Attributes:
        label: what it is called here.
        why: what goes wrong.
        problem: the name of a shipped config, or of a class of `unfit`.
        changes: values by dotted key.
    """

    label: str
    why: str
    problem: str
    changes: Mapping[str, Any] = field(default_factory=dict)


def _steps(count: int) -> dict[str, Any]:
    return {"train.0.steps": count}


_ONE = {"train.0.windows": 1}
_STUCK = {"problem.rate": 5.0, **_steps(20)}
_HARD = {"problem.delta": 0.02, "problem.beta": 5.0, "problem.gamma": 8.0, "problem.omega": 0.5}
_FEW = {
    "network.hidden": [16, 16, 16],
    "network.symmetry": False,
    "points.interior": 600,
    "points.resample_every": None,
}
_FEWER = {"problem.frequency": 8, "points.interior": 12, "points.resample_every": None}
_TINY = {"network.hidden": [3]}

ESTIMATED = (
    Case("poisson", "poisson"),
    Case("heat", "heat"),
    Case("helmholtz", "helmholtz"),
    Case("beam", "beam"),
    Case("plate", "plate"),
    Case("poisson_disc", "poisson_disc"),
    Case("quantum_well", "quantum_well"),
    Case("robin_radiation", "robin_radiation"),
    Case("klein_gordon", "klein_gordon"),
    Case("bloch", "bloch"),
    Case("kovasznay", "kovasznay", _steps(60)),
    Case("integro_differential", "integro_differential"),
    Case("burgers", "burgers"),
    Case("wave", "wave", _steps(100)),
    Case("reaction", "reaction", _steps(100)),
    Case("poisson_ball", "poisson_ball", _steps(40)),
    Case("duffing", "duffing"),
    Case("heat_10d", "heat_nd", _steps(20)),
    Case("van_der_pol", "van_der_pol"),
    Case("stacked_plates", "stacked_plates", _steps(100)),
)
"""Where estimates are compared with errors: some with fewer steps, as all take minutes."""

FAILURES = (
    Failure("plateau_logistic", "fast growth from 0.01, of which u = 0 is nearly a solution", "logistic", _STUCK),
    Failure("plateau_van_der_pol", "the whole time at once, without windows", "van_der_pol", _ONE | _steps(200)),
    Failure("plateau_duffing", "the same, of a stiff spring driven hard", "duffing", _HARD | _ONE | _steps(20)),
    Failure(
        "advection_exact",
        "a wave that travels 5 periods, with exact conditions and tanh",
        "advection",
        {"conditions": "exact", "network.activation": "tanh", **_steps(60)},
    ),
    Failure(
        "burgers_few_points", "600 points for a front: the residual is small at them", "burgers", _FEW | _steps(80)
    ),
    Failure("poisson_few_points", "12 points for 8 waves", "poisson1d", _FEWER | _steps(40)),
    Failure("small_network", "4 neurons for a wave", "wave", {"network.hidden": [4], **_steps(60)}),
    Failure("smaller_network", "3 neurons for a boundary layer", "convection_diffusion", _TINY | _steps(40)),
    Failure("cut_gauss_newton", "2 steps", "klein_gordon", _steps(2)),
    Failure("cut_adam", "150 steps", "poisson_frequency4", {"train": [{"optimiser": "adam", "steps": 150}]}),
    Failure("cut_wave", "15 steps", "wave", _steps(15)),
    Failure("wrong_branch", "the smaller of two solutions", "Bratu"),
    Failure("wrong_roof", "u'² = 1 with one of many kinks", "Eikonal"),
    Failure("no_level", "Neumann conditions alone: u + c", "Floating"),
    Failure("no_norm", "an eigenfunction without a norm: c u", "Mode"),
    Failure("hidden_jump", "a coefficient that jumps without an interface", "Jump"),
    Failure("box_in_box", "an interface with corners, of two materials that differ by 100", "BoxInBox"),
)
"""Each ends wrong at seed 0."""


def chosen(names: Iterable[str]) -> tuple[tuple[Case, ...], tuple[Failure, ...]]:
    """The cases and failures of these labels; any other name is that of a config or of a problem.

    Raises:
        InputError: a name that is not known, with the nearest ones, and all of them.
    """
    failures, cases = {each.label: each for each in FAILURES}, {each.label: each for each in ESTIMATED}
    wanted = list(names)
    others = [*shipped_configs(), *find(problem_folders(None))]
    for name in wanted:
        if name not in (*cases, *failures, *others):
            raise unknown("problem", name, [*cases, *failures, *others])
    estimated = tuple(cases.get(name, Case(name, name)) for name in wanted if name not in failures)
    return estimated, tuple(failures[name] for name in wanted if name in failures)
