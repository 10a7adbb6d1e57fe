"""Problems with more axes than grids have: nothing in them grows exponentially, and what is exact stays so."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pinnreg
from pinnreg import Box, InputError, Problem, condition, dirichlet, initial, integral, neumann, periodic, robin
from pinnreg.config import resolve
from pinnreg.equations import split_conditions
from pinnreg.equations.trial import MANY, Trial
from pinnreg.run.prepare import prepare
from pinnreg.taylor import Algebra, Laplacian


def cubes(dimension: int, *given_conditions: Any, **members: Any) -> Problem:
    """A problem on a cube."""

    @dataclass(frozen=True)
    class Cube(Problem):
        domain = Box.cube(dimension)
        conditions = given_conditions

        def residual(self, u: Any) -> Any:
            return u.laplacian + 1

    for name, member in members.items():
        setattr(Cube, name, member)
    return Cube()


def trial_of(problem: Problem) -> Trial:
    split = split_conditions(problem, "default")
    assert not split.soft
    return split.trial


@given(dimension=st.integers(MANY + 1, 12), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_u_is_the_data_on_every_face_whatever_the_network(dimension: int, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    trial = trial_of(cubes(dimension, dirichlet(lambda points: torch.sin(points.sum(dim=1)))))
    points = torch.rand((20, dimension), generator=draws, dtype=torch.float64)
    points[torch.arange(20), torch.randint(dimension, (20,), generator=draws)] = torch.randint(
        2, (20,), generator=draws
    ).double()
    u = trial(lambda x: 3 + x[:, :1].exp(), points)[:, 0]
    assert torch.allclose(u, torch.sin(points.sum(dim=1)), rtol=0, atol=1e-10)


@given(dimension=st.integers(MANY + 1, 40), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_the_factor_keeps_the_size_of_the_distance_to_the_nearest_face(dimension: int, seed: int) -> None:
    trial = trial_of(cubes(dimension, dirichlet(0.0)))
    points = torch.rand((50, dimension), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    factor, smallest = trial.phi(points)[:, 0], (4 * points * (1 - points)).amin(dim=1)
    assert (factor >= smallest * (1 - 1e-9)).all()
    assert (factor <= dimension**0.5 * smallest * (1 + 1e-9)).all()
    assert float(trial.phi(torch.full((1, dimension), 0.5, dtype=torch.float64))) == pytest.approx(1)


def test_derivatives_of_the_lift_are_those_of_the_formula() -> None:
    trial = trial_of(cubes(6, dirichlet(lambda points: points.prod(dim=1))))
    points = torch.rand((7, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    laplacian = Laplacian(tuple(range(6)), 1)
    _, phi = trial.lift(points, Algebra.of([laplacian], 6))
    assert phi is not None
    (found,) = phi.derivatives([laplacian])
    step, expected = 1e-4, torch.zeros(7, dtype=torch.float64)
    for axis in range(6):
        moved = [points + sign * step * torch.eye(6, dtype=torch.float64)[axis] for sign in (-1, 0, 1)]
        low, here, high = (trial.phi(each)[:, 0] for each in moved)
        expected += (low - 2 * here + high) / step**2
    assert torch.allclose(found[:, 0], expected, rtol=1e-4)


def test_different_data_on_many_axes_are_soft_and_say_why() -> None:
    names = [f"x{number}" for number in range(1, 6)]
    some = cubes(5, dirichlet(0.0, names[:4]), dirichlet(1.0, names[4], name="other"))
    split = split_conditions(some, "default")
    assert [each.name for each in split.soft] == ["other"]
    assert "only one function or number for all faces" in split.reasons["other"]
    # up to three axes faces may have each their own
    three = cubes(3, *(dirichlet(lambda x1, x2, x3: x1 * x2 * x3, name, name=name) for name in names[:3]))
    assert not split_conditions(three, "default").soft


def every(axes: tuple[str, ...]) -> tuple[Any, ...]:
    """Conditions of every kind."""
    return (
        dirichlet(lambda points: points[:, :-1].square().sum(dim=1), "x1=min", name="low"),
        dirichlet(0.0, axes[10:], name="many"),
        neumann(0.0, "x2=min"),
        robin(1.0, 1.0, lambda points: points.mean(dim=1), "x3"),
        periodic("x4"),
        condition(lambda u: u.n + u**4, on="x5=max", name="radiation"),
        dirichlet(1.0, at={"x6": 0.5}, name="middle"),
        integral(lambda u: u, over=("x7", "x8"), equals=0.3),
        integral(lambda u: u**2, over=axes, equals=0.3, name="norm"),
        initial(lambda points: points.square().mean(dim=1)),
        dirichlet(0.0, ["x9", "x10"], where=lambda x1: x1 < 0.5, name="part"),
    )


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.parametrize("dimension", [12, pytest.param(30, marks=pytest.mark.slow)])  # 5^12 numbers are 2 gigabytes
def test_many_axes_with_every_condition_report_figure_penalty_and_analysis(tmp_path: Path, dimension: int) -> None:
    def residual(self: Any, u: Any, points: Any) -> Any:
        return u.t - u.laplacian + integral(lambda u: u, over="x1") + u.at(x1=1.0)

    problem = cubes(
        dimension,
        *every(Box.cube(dimension).axes),
        domain=Box.cube(dimension).over(t=(0, 1)),
        residual=residual,
        reference=lambda self: lambda *x: sum(each**2 for each in x) / len(x),
    )
    config = {
        "problem": problem,
        "network": {"hidden": [3]},
        "points": {"interior": 30, "boundary": 10},
        "regularisers": [{"kind": "ktv", "weight": 1e-6, "samples": 20}, {"kind": "jacobian", "weight": 1e-6}],
        "train": [{"optimiser": "gauss_newton", "steps": 1}],
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    solution = pinnreg.solve(config, out=tmp_path / "run")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1.5e6  # kilobytes
    assert solution.report is not None
    errors = solution.report.errors["u"]
    assert errors.standard_error is not None
    assert 0 < errors.standard_error < errors.rel_l2
    assert solution.report.fields["u"].shape == (100, 100)
    assert len(solution.report.facts["plane"]) == dimension - 1
    assert (tmp_path / "run" / "error_field.png").stat().st_size > 10_000
    pinnreg.analyse(tmp_path / "run", problem=problem, out=False, eigenvalues=1)


@pytest.mark.first(1)
@pytest.mark.parametrize(("dimension", "most"), [(5, 300), (20, 300), pytest.param(100, 700, marks=pytest.mark.slow)])
def test_a_solve_of_many_axes_takes_little_memory(dimension: int, most: int) -> None:
    problem = cubes(dimension, dirichlet(0.0))
    config = {"problem": problem, "network": {"hidden": [10]}, "points": {"interior": 200}}
    config["train"] = [{"optimiser": "gauss_newton", "steps": 1}]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert np.isfinite(pinnreg.solve(config).history["loss"]).all()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3 < most


def test_a_grid_of_many_axes_is_refused_by_its_size() -> None:
    with pytest.raises(InputError, match=r"evaluate.grid \(5 points along each of 30 axes\)"):
        prepare(resolve({"problem": cubes(30, dirichlet(0.0)), "evaluate": {"grid": [5]}}))
