"""What a run says of itself against what the reference says, over runs that end in all ways."""

import pytest

import pinnreg

SMALL, THIN = {"network.hidden": [8, 8]}, {"network.hidden": [12]}
FEW = {"points.interior": 60, "points.boundary": 20, "points.resample_every": None}
SHORT, SOME = {"train.0.steps": 12}, {"train.0.steps": 60}
ADAM = {"train": [{"optimiser": "adam", "steps": 300}]}
RUNS = [
    ("poisson", {}),
    ("poisson", SMALL),
    ("poisson", FEW),
    ("poisson", {"problem.frequency": 4, **SMALL, **SOME}),
    ("poisson", {"problem.frequency": 8, **SOME}),
    ("poisson", ADAM),
    ("poisson1d", {}),
    ("poisson1d", THIN),
    ("heat", {}),
    ("heat", SMALL),
    ("heat", {**FEW, **SOME}),
    ("heat", {"problem.mode": 5, **SOME}),
    ("heat_hat", SOME),
    ("heat_hat", {**FEW, **SOME}),
    ("heat_kelvin", {}),
    ("heat_kelvin", {**SMALL, **SHORT}),
    ("burgers", SHORT),
    ("burgers", {**FEW, **SOME}),
    ("burgers", {"problem.nu": 0.1, **SOME}),
    ("burgers", {"problem.shift": 0.5, **SMALL, **SOME}),
    ("logistic", {}),
    ("logistic", {"conditions": "soft"}),
    ("logistic", SHORT),
    ("van_der_pol", {}),
    ("van_der_pol", {"problem.mu": 5.0, "train.0.windows": 1}),
    ("van_der_pol", {"problem.mu": 8.0, **SMALL, **SOME}),
    ("duffing", {}),
    ("duffing", {**SMALL, **SOME}),
    ("advection", {**SOME}),
    ("advection", {"conditions": "exact", **SOME}),
    ("advection", {"problem.beta": 50.0, **FEW, **SOME}),
    ("reaction", SOME),
    ("reaction", {"problem.rho": 10.0, **SMALL, **SOME}),
    ("wave", {"conditions": "exact", **SMALL, **SOME}),
    ("wave", {"network.activation": "tanh", **SMALL, **SOME}),
    ("allen_cahn", SHORT),
    ("allen_cahn", {**SMALL, **SOME}),
    ("schroedinger", {**SMALL, **SOME}),
    ("kdv", {**SMALL, **SOME}),
    ("klein_gordon", {}),
    ("convection_diffusion", {**SMALL, **SOME}),
    ("convection_diffusion", {"problem.eps": 0.002, **SOME}),
    ("robin_radiation", SHORT),
    ("beam", {"conditions": "soft"}),
    ("plate", {"conditions": "soft", **SHORT}),
    ("quantum_well", SHORT),
    ("quantum_well", {}),
    ("bloch", {**SMALL, **SOME}),
    ("integro_differential", SHORT),
    ("helmholtz", {**SMALL, **SOME}),
    ("kovasznay", {**SMALL, **SOME}),
    ("cavity", SHORT),
    ("cavity", {"problem.reynolds": 400.0, **SMALL, **SOME}),
]


@pytest.mark.slow
def test_no_run_far_from_the_solution_says_that_it_has_converged():
    found = []
    for name, changes in RUNS:
        report = pinnreg.solve(name, changes, out=False, figures=False).report
        error = max(each.rel_l2 for each in report.errors.values())
        found.append((name, changes, error, report.facts["converged"], report.facts["relative_residual"]))
        print(f"{error:9.1e} {report.facts['relative_residual']:9.1e} {report.facts['converged']} {name} {changes}")
    assert [each for each in found if each[2] > 1e-2 and each[3]] == []
    assert len([each for each in found if each[2] < 1e-6 and not each[3]]) <= 2
