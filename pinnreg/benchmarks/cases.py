"""The problems whose defaults are measured, and what their runs are to stay within."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from pinnreg.config import problem_folders
from pinnreg.errors import unknown
from pinnreg.registry import find, shipped_configs


@final
@dataclass(frozen=True)
class Limit:
    """What the runs of a case are to stay within.

    Attributes:
        median: of the relative L2 errors over the seeds.
        worst: the largest of them.
        seconds: of any run, on two cores with one thread each.
    """

    median: float
    worst: float
    seconds: float = 120.0


@final
@dataclass(frozen=True)
class Case:
    """A problem with its defaults.

    Attributes:
        label: what it is called here.
        config: the name of a shipped config or of a problem.
        changes: values by dotted key that make it another problem, or one that says less of itself.
        limit: None where there is none.
        seeds: it is run with no more, however many the others are; None, as of a case asked for by name, for as many.
    """

    label: str
    config: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    limit: Limit | None = None
    seeds: int | None = None


FEW = 3
"""Seeds of problems that take minutes and have one limit for all."""

CASES = (
    Case("poisson1d", "poisson1d", limit=Limit(1e-13, 1e-11, 5)),
    Case("poisson", "poisson", limit=Limit(1e-12, 1e-10, 10)),
    Case("poisson_frequency4", "poisson_frequency4", limit=Limit(1e-9, 1e-7, 40)),
    Case("heat", "heat", limit=Limit(1e-11, 1e-9, 15)),
    Case("burgers_without_symmetry", "burgers", {"network.symmetry": False}, Limit(2e-6, 2e-5)),
    Case("burgers", "burgers", limit=Limit(1e-7, 1e-6)),
    Case("burgers_nu001", "burgers_nu001", limit=Limit(1e-7, 1e-6, 90)),
    Case("logistic", "logistic", limit=Limit(1e-9, 1e-9), seeds=FEW),
    Case("van_der_pol", "van_der_pol", limit=Limit(1e-3, 1e-3), seeds=FEW),
    Case("duffing", "duffing", limit=Limit(1e-3, 1e-3), seeds=FEW),
    Case("heat_kelvin", "heat_kelvin", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("heat_hat", "heat_hat", limit=Limit(1e-3, 1e-3), seeds=FEW),
    Case("advection", "advection", limit=Limit(1e-6, 1e-6), seeds=FEW),
    Case("advection_beta50", "advection", {"problem.beta": 50.0}, Limit(1e-6, 1e-6), FEW),
    Case("reaction", "reaction", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("wave", "wave", limit=Limit(1e-6, 1e-6), seeds=FEW),
    Case("allen_cahn", "allen_cahn", limit=Limit(5e-5, 5e-5), seeds=FEW),
    Case("schroedinger", "schroedinger", limit=Limit(1e-4, 1e-4), seeds=FEW),
    Case("kdv", "kdv", limit=Limit(1e-6, 1e-6), seeds=FEW),
    Case("klein_gordon", "klein_gordon", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("convection_diffusion", "convection_diffusion", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("robin_radiation", "robin_radiation", limit=Limit(1e-8, 1e-8, 30), seeds=FEW),
    Case("beam", "beam", limit=Limit(1e-10, 1e-10, 30), seeds=FEW),
    Case("plate", "plate", limit=Limit(1e-7, 1e-7, 30), seeds=FEW),
    Case("quantum_well", "quantum_well", limit=Limit(1e-8, 1e-8, 30), seeds=FEW),
    Case("integro_differential", "integro_differential", limit=Limit(1e-7, 1e-7, 30), seeds=FEW),
    Case("helmholtz", "helmholtz", limit=Limit(1e-8, 1e-8, 60), seeds=FEW),
    Case("kovasznay", "kovasznay", limit=Limit(1e-8, 1e-8), seeds=FEW),
    Case("cavity", "cavity", limit=Limit(1e-3, 1e-3), seeds=FEW),
    Case("bloch", "bloch", limit=Limit(1e-9, 1e-9, 60), seeds=FEW),
    Case("poisson_6d", "poisson_nd", {"problem.dimension": 6}, Limit(1e-6, 1e-6), FEW),
    Case("poisson_10d", "poisson_nd", limit=Limit(1e-4, 1e-4), seeds=FEW),
    Case("heat_10d", "heat_nd", limit=Limit(1e-3, 1e-3), seeds=FEW),
    Case("poisson_disc", "poisson_disc", limit=Limit(1e-9, 1e-9), seeds=FEW),
    Case("poisson_lshape", "poisson_lshape", limit=Limit(1e-4, 1e-4), seeds=FEW),
    Case("poisson_lshape_without_corner", "poisson_lshape", {"network.features.corner": False}, seeds=FEW),
    Case("poisson_holes", "poisson_holes", limit=Limit(1e-5, 1e-5), seeds=FEW),
    Case("insulated_edge", "insulated_edge", limit=Limit(1e-5, 1e-5), seeds=FEW),
    Case("heat_annulus", "heat_annulus", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("poisson_ball", "poisson_ball", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("plate_hole", "plate_hole", limit=Limit(1e-3, 1e-3), seeds=FEW),
    Case("stacked_plates", "stacked_plates", limit=Limit(1e-7, 1e-7), seeds=FEW),
    Case("composite_rod", "composite_rod", limit=Limit(1e-5, 1e-5), seeds=FEW),
    Case("fibre", "fibre", limit=Limit(1e-4, 1e-4), seeds=FEW),
)
"""What is measured if nothing else is asked for."""


def cases_named(names: Iterable[str]) -> tuple[Case, ...]:
    """The cases of these labels; any other name is that of a config or of a problem, in `./problems`, too.

    Raises:
        InputError: a name that is not known, with the nearest ones, and all of them.
    """
    labelled = {case.label: case for case in CASES}
    others = [*shipped_configs(), *find(problem_folders(None))]
    for name in names:
        if name not in labelled and name not in others:
            raise unknown("problem", name, [*labelled, *others])
    return tuple(replace(labelled[name], seeds=None) if name in labelled else Case(name, name) for name in names)
